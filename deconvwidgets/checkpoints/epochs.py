"""Checks of epochs that users give."""

from __future__ import annotations

from deconvwidgets.arguments import integer, integers
from deconvwidgets.errors import CheckpointError

_MAX_EPOCH = 10**9


def checked_epoch(value: object, name: str, low: int = 0) -> int:
    """Return a number of completed epochs. Raises CheckpointError for anything else."""
    return integer(value, name, low, _MAX_EPOCH, CheckpointError)


def checked_epochs(values: object) -> list[int]:
    """Return numbers of completed epochs, ascending. Raises CheckpointError for anything else, and if one occurs twice or there is none."""
    epochs = integers(values, "epochs", "integers such as [1, 2, 5, 10]", 0, _MAX_EPOCH, CheckpointError)
    if not epochs:
        raise CheckpointError("epochs is empty: give the epochs at which to save, or None for every epoch.")
    if len(set(epochs)) < len(epochs):
        twice = next(epoch for epoch in epochs if epochs.count(epoch) > 1)
        raise CheckpointError(f"epochs has {twice} twice: give each epoch once.")
    return sorted(epochs)
