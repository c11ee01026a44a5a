"""What a TransferPanel's front end may ask, one message each way (`exchange` says how).

Settings are the state's: {"data", "root", "layer", "images_per_class", "folds", "weight_decay", "views", "seed", "curve"}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.transfer.records import TestsWanted, TransferRunSummary, TransferStatus
from deconvwidgets.instruments.transfer.widget.state import wanted_settings
from deconvwidgets.service.protocol import TransferringService
from deconvwidgets.widgets.charts import figure_answer, plotly_answer
from deconvwidgets.widgets.messages import Answer, Content, answered, finite, number_of, overview_facts, picture_facts, text_of
from deconvwidgets.widgets.uploads import STEPS, take_upload

Request = Mapping[str, Any]
Buffers = Sequence[Any]  # bytes or memoryviews

ASIDE = ("plotly", "chart")  # drawn beside everything else: nobody's hand waits for them
_MIMES = {"csv": "text/csv", "png": "image/png", "html": "text/html"}
_MOST_THUMBNAILS = 24  # of one request: decoding photographs takes a while


def answer(service: TransferringService, request: Request, buffers: Buffers = ()) -> Answer:
    """The one answer to a request. Never raises."""
    return answered(request, _HANDLERS, lambda handler: handler(service, request, buffers))


def status_facts(status: TransferStatus) -> Content:
    """A status as JSON; each run's mean and standard deviation with it."""
    plain = {name: getattr(status, name) for name in ("layers", "running", "classifier", "used", "can_undo")}
    plain["choices"] = [asdict(choice) for choice in status.choices]
    plain["runs"] = [_run_facts(summary) for summary in status.runs]
    return plain


def _run_facts(summary: TransferRunSummary) -> Content:
    facts: Content = finite({**asdict(summary), "mean": summary.mean, "std": summary.std})
    return facts


def _hello(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    return {"overview": overview_facts(service.overview()), "status": status_facts(service.transfer.status())}, []


def _status(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    return {"status": status_facts(service.transfer.status())}, []


def _data(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    desk = service.transfer
    return {"summary": asdict(desk.data(wanted_settings(request.get("settings"), desk.status())))}, []


def _start(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    desk = service.transfer
    return {"run": desk.start(wanted_settings(request.get("settings"), desk.status()))}, []


def _stop(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    service.transfer.stop()
    return {}, []


def _run(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    """Buffers: float32 (classes,) accuracies, int32 (classes,) tests, int32 (classes, classes) the confusion matrix."""
    view = service.transfer.view(number_of(request, "run"))
    content = {
        "summary": _run_facts(view.summary),
        "categories": list(view.categories),
        "skipped": [asdict(skipped) for skipped in view.skipped],
        "has_confidences": view.has_confidences,
    }
    counts = (np.ascontiguousarray(array, "<i4").tobytes() for array in (view.class_tests, view.confusion))
    return content, [np.ascontiguousarray(view.class_accuracy, "<f4").tobytes(), *counts]


def _chart(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    """Buffer: the chart of a run, as JSON."""
    from deconvwidgets.instruments.transfer.widget.chart import Drawn, run_chart  # importing plotly takes a second

    run, tab = number_of(request, "run"), text_of(request, "tab")
    runs = {summary.run: summary for summary in service.transfer.status().runs}
    if run not in runs:
        raise ServiceError(f"There is no run {run}: choose one of the list.")
    compared = runs.get(number_of(request, "compare")) if request.get("compare") is not None else None
    figure = run_chart(Drawn(runs[run], compared, service.transfer.steps(run), tab))
    figure.layout.uirevision = f"{run} {tab}"  # what the reader zoomed to stays while the run goes on
    return figure_answer(figure)


def _plotly(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    return plotly_answer()


def _photographs(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    numbers = {key: number_of(request, key) for key in ("truth", "prediction", "limit") if request.get(key) is not None}
    right = request.get("right")
    if right is not None and not isinstance(right, bool):
        raise ServiceError(f"The request 'photographs' needs 'right' as true or false, not {right!r}.")
    found = service.transfer.photographs(number_of(request, "run"), TestsWanted(right=right, **numbers))
    return {"photographs": [finite(asdict(photograph)) for photograph in found.photographs], "total": found.total}, []


def _thumbnails(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    """Buffers: the pictures, in the order of the sources."""
    sources = request.get("sources")
    if not isinstance(sources, list | tuple) or not all(isinstance(source, int) for source in sources):
        raise ServiceError(f"The request 'thumbnails' needs 'sources' as a list of whole numbers, not {sources!r}.")
    if len(sources) > _MOST_THUMBNAILS:
        raise ServiceError(f"At most {_MOST_THUMBNAILS} thumbnails are drawn at once; ask for the rest after them.")
    pictures = service.transfer.thumbnails(number_of(request, "run"), sources, number_of(request, "size"))
    return {"pictures": [picture_facts(picture) for picture in pictures]}, [picture.data for picture in pictures]


def _use_head(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    return {"message": service.transfer.use_head(number_of(request, "run"))}, []


def _undo_head(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    return {"message": service.transfer.undo_head()}, []


def _save_head(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    return {"message": service.transfer.save_head(number_of(request, "run"), text_of(request, "path"))}, []


def _load_head(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    return {"message": service.transfer.load_head(text_of(request, "path"))}, []


def _file(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    """Buffer: the file."""
    run, kind = number_of(request, "run"), text_of(request, "file")
    wanted: Any = kind  # the desk says which there are
    data = service.transfer.file(run, wanted)
    name = f"transfer-run{run}-{kind}"
    return {"mime": _MIMES.get(kind.rpartition(".")[2], "application/octet-stream"), "name": name}, [data]


def _upload(service: TransferringService, request: Request, buffers: Buffers) -> Answer:
    """A zip in chunks; a step more, "cancel"."""
    if request.get("step") == "cancel":
        service.transfer.cancel_upload(text_of(request, "upload"))
        return {}, []
    return take_upload(service.transfer, request, buffers, "data", (*STEPS, "cancel"))


_HANDLERS: dict[str, Callable[[TransferringService, Request, Buffers], Answer]] = {
    "hello": _hello,
    "status": _status,
    "data": _data,
    "start": _start,
    "stop": _stop,
    "run": _run,
    "chart": _chart,
    "plotly": _plotly,
    "photographs": _photographs,
    "thumbnails": _thumbnails,
    "use_head": _use_head,
    "undo_head": _undo_head,
    "save_head": _save_head,
    "load_head": _load_head,
    "file": _file,
    "upload": _upload,
}
