"""The requests of a TrainingPanel's front end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from deconvwidgets.instruments.training.records import TrainingStatus, layers_of, update_ratios
from deconvwidgets.instruments.training.service.protocol import TrainingService
from deconvwidgets.records.training_log import MEASURES, EpochLog, TrainingLog, learning_rate_steps
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request
from deconvwidgets.widgets.run_handlers import run_handlers

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


def _log(service: TrainingService, request: Request) -> Reply:
    return {"log": log_content(service.log())}, []


def _start(service: TrainingService, request: Request) -> Reply:
    service.start()
    return {}, []


HANDLERS: Handlers = {**run_handlers(status_content, _start), "log": Handler(_log)}
