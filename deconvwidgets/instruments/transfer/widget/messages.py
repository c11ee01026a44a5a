"""The requests of a TransferPanel's front end: values as JSON, images and arrays as buffers (little-endian).

Settings are those of the state: "data", "root", "layer", "images_per_class", "folds", "weight_decay", "views", "seed", "curve".
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from deconvwidgets.arguments import one_of
from deconvwidgets.instruments.transfer.records import TestsRequest, TransferRunSummary, TransferSettings, TransferStatus
from deconvwidgets.instruments.transfer.service.protocol import SupportsTransfer, TransferService
from deconvwidgets.instruments.transfer.widget.lines import Line, training_lines
from deconvwidgets.instruments.transfer.widget.state import TABS, requested_settings
from deconvwidgets.records.calibration import Calibration
from deconvwidgets.widgets.charts import figure_reply, plotly_reply
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request, overview_content
from deconvwidgets.widgets.photographs import photograph_filter, thumbnails_reply
from deconvwidgets.widgets.uploads import upload_step, upload_where

if TYPE_CHECKING:
    from plotly import graph_objects as go


def status_content(status: TransferStatus) -> Content:
    """Return a status for a message, with the mean and standard deviation of each run."""
    plain = {name: getattr(status, name) for name in ("layers", "running", "classifier", "used", "can_undo")}
    choices = [asdict(choice) for choice in status.choices]
    return {**plain, "choices": choices, "runs": [_run_content(summary) for summary in status.runs]}


def _run_content(summary: TransferRunSummary) -> Content:
    plain = asdict(replace(summary, calibration=None))
    return {**plain, "calibration": _calibration_content(summary.calibration), "mean": summary.mean, "std": summary.std}


def _calibration_content(found: Calibration | None) -> Content | None:
    return None if found is None else {"text": found.describe(), "error": found.error, "log_loss": found.log_loss}


def _hello(service: SupportsTransfer, request: Request) -> Reply:
    return {"overview": overview_content(service.overview()), "status": status_content(service.transfer.status())}, []


def _status(service: SupportsTransfer, request: Request) -> Reply:
    return {"status": status_content(service.transfer.status())}, []


def _settings(service: SupportsTransfer, request: Request) -> TransferSettings:
    return requested_settings(request.get("settings"), service.transfer.status())


def _data(service: SupportsTransfer, request: Request) -> Reply:
    return {"summary": asdict(service.transfer.data(_settings(service, request)))}, []


def _start(service: SupportsTransfer, request: Request) -> Reply:
    return {"run": service.transfer.start(_settings(service, request))}, []


def _stop(service: SupportsTransfer, request: Request) -> Reply:
    service.transfer.stop()
    return {}, []


def _run(service: SupportsTransfer, request: Request) -> Reply:
    """Buffers: float32 (classes,) accuracies, int32 (classes,) numbers of tests, int32 (classes, classes) the confusion matrix."""
    results = service.transfer.results(request.integer("run"))
    content = {
        "summary": _run_content(results.summary),
        "categories": list(results.categories),
        "skipped": [asdict(skipped) for skipped in results.skipped],
        "has_confidences": results.has_confidences,
    }
    counts = (np.ascontiguousarray(array, "<i4").tobytes() for array in (results.class_tests, results.confusion))
    return content, [np.ascontiguousarray(results.class_accuracy, "<f4").tobytes(), *counts]


def _chart(service: SupportsTransfer, request: Request) -> Reply:
    """Buffer: the chart of a run, as JSON."""
    run, tab = request.integer("run"), request.text("tab")
    one_of(tab, "tab", TABS)
    other = None if request.get("compare") is None else request.integer("compare")
    figure = run_chart(service.transfer, run, tab, other)
    figure.layout.uirevision = f"{run} {tab}"  # plotly keeps the zoom while it is the same
    return figure_reply(figure)


def _training(service: SupportsTransfer, request: Request) -> Reply:
    """Return the lines of the training chart. Those of the search are left out, once there is a final head, unless they are requested."""
    lines = training_lines(service.transfer.steps(request.integer("run")))
    search = lines.candidates if request.get("search") is True or lines.final_fold is None else ()
    candidates = [{"weight_decay": decay, **_line_content(line)} for decay, line in search]
    content = {"fold": lines.fold, "final_fold": lines.final_fold, "final": _line_content(lines.final), "candidates": candidates}
    return {**content, "earlier": [_line_content(line) for line in lines.earlier]}, []


def _line_content(line: Line) -> Content:
    return asdict(line)


def run_chart(service: TransferService, run: int, tab: str, other: int | None) -> go.Figure:
    """Return the chart of a run: its "training" or its learning "curve", and the curve of another run to compare it with.

    Raises HeadError for an unknown run.
    """
    from deconvwidgets.instruments.transfer.widget.chart import curve_chart, training_chart  # importing plotly takes a second

    steps = service.steps(run)
    summaries = {summary.run: summary for summary in service.status().runs}
    if tab == "training":
        return training_chart(steps, summaries.get(run))
    return curve_chart(summaries[run], None if other is None else summaries.get(other))


def _photographs(service: SupportsTransfer, request: Request) -> Reply:
    found = service.transfer.photographs(request.integer("run"), TestsRequest(**photograph_filter(request)))
    return {"photographs": [asdict(photograph) for photograph in found.photographs], "total": found.total}, []


def _thumbnails(service: SupportsTransfer, request: Request) -> Reply:
    """Buffers: the images, in the order of the sources."""
    return thumbnails_reply(service.transfer.thumbnails, request)


def _use_head(service: SupportsTransfer, request: Request) -> Reply:
    return {"message": service.transfer.use_head(request.integer("run"))}, []


def _undo_head(service: SupportsTransfer, request: Request) -> Reply:
    return {"message": service.transfer.undo_head()}, []


def _save_head(service: SupportsTransfer, request: Request) -> Reply:
    return {"message": service.transfer.save_head(request.integer("run"), request.text("path"))}, []


def _load_head(service: SupportsTransfer, request: Request) -> Reply:
    return {"message": service.transfer.load_head(request.text("path"))}, []


def _file(service: SupportsTransfer, request: Request) -> Reply:
    """Buffer: the file."""
    run, name = request.integer("run"), request.text("file")
    kind: Any = name  # the service checks it
    data = service.transfer.file(run, kind)
    return {"mime": mime_type(name), "name": f"transfer-run{run}-{name}"}, [data]


def _upload(service: SupportsTransfer, request: Request) -> Reply:
    return upload_step(service.transfer, request, "data")


HANDLERS: Handlers = {
    "hello": Handler(_hello),
    "status": Handler(_status),
    "data": Handler(_data, "worker"),
    "start": Handler(_start, "worker"),
    "stop": Handler(_stop),
    "run": Handler(_run),
    "training": Handler(_training),
    "chart": Handler(_chart, "worker"),
    "plotly": Handler(plotly_reply, "worker"),
    "photographs": Handler(_photographs, "background"),
    "thumbnails": Handler(_thumbnails, "background"),
    "use_head": Handler(_use_head, "worker"),
    "undo_head": Handler(_undo_head, "worker"),
    "save_head": Handler(_save_head, "worker"),
    "load_head": Handler(_load_head, "worker"),
    "file": Handler(_file, "worker"),
    "upload": Handler(_upload, upload_where),
}
