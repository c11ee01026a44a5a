"""The requests of an EvolutionExplorer's front end: values as JSON, images as buffers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.evolution.records import CellKey, CellPicturesRequest, EvolutionCell, EvolutionOverview, EvolutionRow
from deconvwidgets.instruments.evolution.service.protocol import EvolutionService
from deconvwidgets.instruments.evolution.widget.epoch_requests import EPOCH_HANDLERS
from deconvwidgets.instruments.evolution.widget.state import CHOICE_KEYS, DEFAULTS, checked_choice, unit_choice
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.training_log import EpochLog, learning_rate_steps
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request, image_content

_LOG = ("epoch", "train_loss", "validation_loss", "train_top1", "validation_top1", "learning_rate")
_K = 9


def _hello(service: EvolutionService, request: Request) -> Reply:
    overview = service.overview()
    evolution = {
        "unit": overview.unit,
        "columns": [{**asdict(column), "unit": overview.unit} for column in overview.epochs],
        "layers": [asdict(layer) for layer in overview.layers],
        "log": [] if overview.log is None else [_logged(epoch) for epoch in overview.log.epochs],
        "rate_steps": [] if overview.log is None else [asdict(step) for step in learning_rate_steps(overview.log)],
        "live": overview.live,
        "sampled": overview.sampled,
    }
    index: Content = {"building": [], "cancelled": [], "progress": None}
    return {"overview": _model(overview), "index": index, "evolution": evolution}, []


def _model(overview: EvolutionOverview) -> Content:
    """Return what the header shows, as the overview of a model."""
    return {
        "version": overview.version,
        "model": overview.name,
        "weights": overview.weights,
        "trained": any(column.trained for column in overview.epochs) or not overview.epochs,
        "classifier": None,
        "quantity": None,
        "images": overview.images,
        "photographs": overview.photographs,
        "crops": overview.crops,
        "skipped": [asdict(skipped) for skipped in overview.skipped],
        "k": _K,
        "device": overview.device,
        "index_ready": True,
        "notes": list(overview.notes),
        "layers": [],
        "opened": [],
    }


def _logged(epoch: EpochLog) -> Content:
    return {name: getattr(epoch, name) for name in _LOG}


def _rows(service: EvolutionService, request: Request) -> Reply:
    choice = request.mapping("choice")
    complete = {key: choice.get(key, DEFAULTS[key]) for key in CHOICE_KEYS}
    rows = service.rows(unit_choice(checked_choice(complete, service.overview())))
    epochs = [cell.epoch for cell in rows[0].cells] if rows else []
    return {"epochs": epochs, "rows": [_row(row) for row in rows]}, []


def _row(row: EvolutionRow) -> Content:
    return {"layer": row.layer, "unit": row.unit, "cells": [_cell(cell) for cell in row.cells]}


def _cell(cell: EvolutionCell) -> Content:
    active = cell.image is not None
    return {"value": cell.value, "source": cell.source, "label": cell.label, "changed": cell.changed, "active": active}


def _cells(service: EvolutionService, request: Request) -> Reply:
    """Buffers: the pictures of the cells, of each its projection and its patch, as far as there are any."""
    keys = tuple(_key(request, cell) for cell in request.sequence("cells"))
    parts: tuple[Any, ...] = tuple(request.sequence("parts"))  # the service checks them
    background = request.get("background") is True
    pictures = service.cell_pictures(CellPicturesRequest(cells=keys, parts=parts, tile=request.integer("tile"), background=background))
    images: list[EncodedImage] = []
    content = []
    for picture in pictures:
        described: Content = {"reason": picture.reason}
        for name in ("projection", "patch"):
            image = getattr(picture, name)
            described[name] = None if image is None else image_content(image)
            images.extend([] if image is None else [image])
        content.append(described)
    return {"pictures": content}, [image.data for image in images]


def _key(request: Request, cell: object) -> CellKey:
    values = (
        Request(dict(zip(("epoch", "layer", "unit"), cell, strict=False))) if isinstance(cell, list | tuple) and len(cell) == 3 else None
    )
    if values is None:
        raise request.invalid("cells", "a list of [epoch, layer, unit]")
    return CellKey(values.integer("epoch"), values.text("layer"), values.integer("unit"))


def _convergence(service: EvolutionService, request: Request) -> Reply:
    measure: Any = request.text("measure")  # the service checks it
    return asdict(service.convergence(measure)), []


def _history(service: EvolutionService, request: Request) -> Reply:
    return asdict(service.history(request.text("layer"), request.integer("unit"))), []


def _figure(service: EvolutionService, request: Request) -> Reply:
    """Buffer: the file."""
    kind: Any = request.text("figure")  # the service checks it
    state = request.get("state")
    if not isinstance(state, dict):
        raise ServiceError("A figure is drawn from the state of an EvolutionExplorer, a dict.")
    return {"mime": mime_type(kind)}, [service.figure(kind, state)]


def _cancel(service: EvolutionService, request: Request) -> Reply:
    service.cancel()
    return {}, []


def _resume(service: EvolutionService, request: Request) -> Reply:
    service.resume()
    return {}, []


HANDLERS: Handlers = {
    "hello": Handler(_hello),
    "rows": Handler(_rows, "worker"),
    "cells": Handler(_cells, "worker"),
    "convergence": Handler(_convergence, "worker"),
    "history": Handler(_history, "worker"),
    "figure": Handler(_figure, "worker"),
    "cancel_index": Handler(_cancel),
    "resume_index": Handler(_resume),
    **EPOCH_HANDLERS,
}
