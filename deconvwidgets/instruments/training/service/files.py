"""The curves of a training as files."""

from __future__ import annotations

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.training.figures.files import training_file
from deconvwidgets.instruments.training.figures.sheet import TrainingSheet
from deconvwidgets.instruments.training.records import TrainingFile, TrainingStatus
from deconvwidgets.records.training_log import TrainingLog


def make_file(kind: TrainingFile, status: TrainingStatus, log: TrainingLog) -> bytes:
    """Return the bytes of a file. Raises ServiceError for an unknown kind, and before the first epoch."""
    if not log.epochs:
        raise ServiceError(f"There is nothing to save: no epoch is in the log of {status.folder} yet.")
    return training_file(kind, TrainingSheet(status, log))
