"""The requests of a TrainingPanel's front end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from deconvwidgets.instruments.training.records import TrainingStatus, layers_of, update_ratios
from deconvwidgets.instruments.training.service.protocol import TrainingService
from deconvwidgets.records.training_log import MEASURES, EpochLog, TrainingLog, learning_rate_steps
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request

_DIGITS = 5  # of numbers that are drawn


def status_content(status: TrainingStatus) -> Content:
    """Return a status for a message."""
    return asdict(status)


def log_content(log: TrainingLog) -> Content:
    """Return a log for a message: a list by epoch for each column, and for each layer the RMS of weights, of updates, and their ratio."""
    layers = layers_of(log)

    def by_layer(values_of: Callable[[EpochLog], Any]) -> list[list[float | None]]:
        found = [values_of(entry) for entry in log.epochs]
        return [[_short(values.get(layer)) for values in found] for layer in layers]

    return {
        "epochs": [entry.epoch for entry in log.epochs],
        "columns": {name: [_short(getattr(entry, name)) for entry in log.epochs] for name in MEASURES},
        "layers": list(layers),
        "weights": by_layer(lambda entry: entry.weight_rms),
        "updates": by_layer(lambda entry: entry.update_rms),
        "ratio": by_layer(update_ratios),
        "rate_steps": [asdict(step) for step in learning_rate_steps(log)],
    }


def _short(value: float | None) -> float | None:
    """Return a number with few digits, because a log may have thousands; None for what is not finite."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")


def _hello(service: TrainingService, request: Request) -> Reply:
    return _status(service, request)


def _status(service: TrainingService, request: Request) -> Reply:
    return {"status": status_content(service.status())}, []


def _log(service: TrainingService, request: Request) -> Reply:
    return {"log": log_content(service.log())}, []


def _start(service: TrainingService, request: Request) -> Reply:
    service.start()
    return {}, []


def _cancel(service: TrainingService, request: Request) -> Reply:
    service.cancel()
    return {}, []


def _file(service: TrainingService, request: Request) -> Reply:
    """Buffer: the file."""
    name = request.text("file")
    kind: Any = name  # the service checks it
    return {"mime": mime_type(name), "name": name}, [service.file(kind)]


HANDLERS: Handlers = {
    "hello": Handler(_hello),
    "status": Handler(_status),
    "log": Handler(_log),
    "start": Handler(_start, "worker"),  # reads the folder
    "cancel": Handler(_cancel, "worker"),
    "file": Handler(_file, "worker"),
}
