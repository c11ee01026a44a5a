"""The requests of an EvaluationPanel's front end: values as JSON, images and arrays as buffers (little-endian).

Settings are those of the state: "data", "root", "limit", "mapping", "threshold", "automatic".
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deconvwidgets.arguments import finite_number
from deconvwidgets.instruments.evaluation.service.protocol import SupportsEvaluation
from deconvwidgets.instruments.evaluation.settings import EvaluationSettings, PhotographsRequest
from deconvwidgets.instruments.evaluation.widget.content import comparison_content, results_reply, status_content
from deconvwidgets.instruments.evaluation.widget.state import requested_settings
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Handler, Handlers, Reply, Request, overview_content
from deconvwidgets.widgets.photographs import photograph_filter, thumbnails_reply


def _hello(service: SupportsEvaluation, request: Request) -> Reply:
    return {"overview": overview_content(service.overview()), "status": status_content(service.evaluation.status())}, []


def _status(service: SupportsEvaluation, request: Request) -> Reply:
    return {"status": status_content(service.evaluation.status())}, []


def _settings(service: SupportsEvaluation, request: Request) -> EvaluationSettings:
    return requested_settings(request.get("settings"), service.evaluation.status())


def _data(service: SupportsEvaluation, request: Request) -> Reply:
    return {"summary": asdict(service.evaluation.data(_settings(service, request)))}, []


def _classes(service: SupportsEvaluation, request: Request) -> Reply:
    """Return the model's classes whose names resemble a text; all of them resemble an empty one."""
    query = request.get("query")
    if not isinstance(query, str):
        raise request.invalid("query", "a string")
    return {"classes": list(service.evaluation.classes(query, request.integer("limit")))}, []


def _start(service: SupportsEvaluation, request: Request) -> Reply:
    return {"run": service.evaluation.start(_settings(service, request))}, []


def _stop(service: SupportsEvaluation, request: Request) -> Reply:
    service.evaluation.stop()
    return {}, []


def _run(service: SupportsEvaluation, request: Request) -> Reply:
    return results_reply(service.evaluation.results(request.integer("run")))


def _photographs(service: SupportsEvaluation, request: Request) -> Reply:
    threshold = request.get("threshold")
    if threshold is not None and finite_number(threshold) is None:
        raise request.invalid("threshold", "a number")
    chosen = PhotographsRequest(**photograph_filter(request), threshold=threshold)
    found = service.evaluation.photographs(request.integer("run"), chosen)
    return {"photographs": [asdict(photograph) for photograph in found.photographs], "total": found.total}, []


def _thumbnails(service: SupportsEvaluation, request: Request) -> Reply:
    """Buffers: the images, in the order of the sources."""
    return thumbnails_reply(service.evaluation.thumbnails, request)


def _compare(service: SupportsEvaluation, request: Request) -> Reply:
    before = None if request.get("before") is None else request.integer("before")
    results = service.evaluation.compare(request.integer("after"), before, request.integer("limit"))
    return {"comparison": comparison_content(results)}, []


def _file(service: SupportsEvaluation, request: Request) -> Reply:
    """Buffer: the file."""
    run, name = request.integer("run"), request.text("file")
    kind: Any = name  # the service checks it
    data = service.evaluation.file(run, kind)
    return {"mime": mime_type(name), "name": f"evaluation-run{run}-{name}"}, [data]


HANDLERS: Handlers = {
    "hello": Handler(_hello),
    "status": Handler(_status),
    "data": Handler(_data, "worker"),
    "classes": Handler(_classes),
    "start": Handler(_start, "worker"),
    "stop": Handler(_stop),
    "run": Handler(_run, "worker"),
    "photographs": Handler(_photographs, "background"),
    "thumbnails": Handler(_thumbnails, "background"),
    "compare": Handler(_compare, "worker"),
    "file": Handler(_file, "worker"),
}
