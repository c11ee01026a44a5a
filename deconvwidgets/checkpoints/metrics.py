"""What a training loop measured, as an `EpochLog`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.errors import CheckpointError
from deconvwidgets.records.training_log import MEASURES

# What PyTorch Lightning's and Hugging Face's users call the fields of `EpochLog`.
_ALIASES = {
    "train_loss_epoch": "train_loss",
    "train_acc": "train_top1",
    "train_accuracy": "train_top1",
    "val_loss": "validation_loss",
    "eval_loss": "validation_loss",
    "val_acc": "validation_top1",
    "val_accuracy": "validation_top1",
    "validation_accuracy": "validation_top1",
    "eval_accuracy": "validation_top1",
    "lr": "learning_rate",
}
_NAMED = frozenset(MEASURES) - {"seconds"}


def measured(values: Mapping[str, object]) -> dict[str, Any]:
    """Return measurements as fields of `EpochLog`; those that are none of its fields, under other names, are its `metrics`.

    The usual other names of the fields are known: "val_loss" is `validation_loss`, "val_acc" `validation_top1`.

    Raises
    ------
    CheckpointError
        For a value that is no number, or a share that is not from 0 to 1. NaN and infinite values are accepted: a training may diverge.
    """
    numbers = {name: _number(name, value) for name, value in values.items() if value is not None}
    named: dict[str, Any] = {}
    others: dict[str, float] = {}
    for name, value in numbers.items():
        field = name if name in _NAMED else _ALIASES.get(name, "")
        is_share = not field.endswith(("_top1", "_top5")) or 0 <= value <= 1 or math.isnan(value)
        if name in _NAMED and not is_share:
            raise CheckpointError(f"{name} is a share from 0 to 1, not {value:g}: divide percentages by 100.")
        if name in _NAMED or (field and is_share and field not in {*numbers, *named}):
            named[field] = value
        elif numbers.get(field) != value:  # "train_loss_epoch" repeats "train_loss"
            others[name] = value
    return {**named, "metrics": others}


def _number(name: str, value: Any) -> float:
    """Return a number, or a 0-d array or tensor on any device, as a float."""
    dtype = str(getattr(value, "dtype", ""))
    real = "int" in dtype or "float" in dtype if dtype else isinstance(value, numbers.Real) and not isinstance(value, bool)
    if real and getattr(value, "shape", ()) == ():
        try:
            return float(value.detach() if hasattr(value, "detach") else value)
        except (OverflowError, RuntimeError):  # too large, or a tensor without a value
            pass
    way = "take its mean(), or another single number" if getattr(value, "shape", ()) else "give a number or a tensor without dimensions"
    raise CheckpointError(f"{name} must be one number, not {describe(value)}: {way}.")
