"""What a training loop measured, as an `EpochLog`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.errors import CheckpointError
from deconvwidgets.records.training_log import EpochLog


def epoch_log(epoch: int, named: Mapping[str, object], metrics: Mapping[str, object], **more: Any) -> EpochLog:
    """Return the log of an epoch.

    Parameters
    ----------
    epoch : int
        The completed epochs.
    named : mapping of str to number or None
        Fields of `EpochLog` by name.
    metrics : mapping of str to number
        Other measurements.
    **more
        Other fields of `EpochLog`, as they are.

    Raises
    ------
    CheckpointError
        For a value that is no number, or a share that is not from 0 to 1. NaN and infinite values are accepted: a training may diverge.
    """
    fields: dict[str, Any] = {name: _number(name, value) for name, value in named.items() if value is not None}
    for name, value in fields.items():
        if name.endswith(("_top1", "_top5")) and not 0 <= value <= 1:
            raise CheckpointError(f"{name} is a share from 0 to 1, not {value:g}: divide percentages by 100.")
    others = {name: _number(name, value) for name, value in metrics.items()}
    return EpochLog(epoch=epoch, metrics=others, **fields, **more)


def _number(name: str, value: Any) -> float:
    """Return a number, or a 0-d array or tensor on any device, as a float."""
    scalar = getattr(value, "shape", ()) == () and "bool" not in str(getattr(value, "dtype", type(value).__name__))
    if scalar and not isinstance(value, str | bytes | complex) and value is not None:
        try:
            return float(value.detach() if hasattr(value, "detach") else value)
        except (TypeError, ValueError, OverflowError, RuntimeError):  # no number, or one without a value
            pass
    way = "take its mean(), or another single number" if getattr(value, "shape", ()) else "give a number or a tensor without dimensions"
    raise CheckpointError(f"{name} must be one number, not {describe(value)}: {way}.")
