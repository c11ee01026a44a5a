"""The log of a training as CSV, one row per epoch."""

from __future__ import annotations

from deconvwidgets.figures.csv_table import csv_table, csv_text
from deconvwidgets.instruments.training.records import layers_of
from deconvwidgets.records.training_log import MEASURES, TrainingLog

_COLUMNS = ("epoch", *MEASURES)


def log_csv(log: TrainingLog) -> bytes:
    """Return a table: the numbers of each epoch (shares from 0 to 1), own metrics, and the RMS of weights and updates of each layer."""
    metrics = tuple(dict.fromkeys(name for entry in log.epochs for name in entry.metrics))
    layers = layers_of(log)
    header = (*_COLUMNS, *map(csv_text, metrics), *(f"{kind} RMS {layer}" for kind in ("weight", "update") for layer in layers))
    rows = (
        (
            *(_number(getattr(entry, name)) for name in _COLUMNS),
            *(_number(entry.metrics.get(name)) for name in metrics),
            *(_number(values.get(layer)) for values in (entry.weight_rms, entry.update_rms) for layer in layers),
        )
        for entry in log.epochs
    )
    return csv_table(header, rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"
