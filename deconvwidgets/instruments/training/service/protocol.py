"""What a TrainingPanel asks of its service. No torch here."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from deconvwidgets.instruments.training.records import TrainingStatus
from deconvwidgets.records.training_log import TrainingLog
from deconvwidgets.service.protocol import RunService


@runtime_checkable
class TrainingService(RunService, Protocol):
    """Starts a training, or watches one, by its folder. It publishes the event "training" when something has changed."""

    def status(self) -> TrainingStatus:
        """Return the state of the training, as it was seen last."""
        ...

    def log(self) -> TrainingLog:
        """Return the log of the training, as it was seen last."""
        ...

    def start(self) -> None:
        """Start the training, or resume it, on a worker. Raises a DeconvWidgetsError if that is not possible."""
        ...

    def checkpoints(self) -> Any:
        """Return the checkpoints of the training (Checkpoints). Raises a DeconvWidgetsError if there are none."""
        ...

    def bundle(self, epoch: int | None = None) -> Any:
        """Return the model (ModelBundle) at an epoch, by default the last that was kept. Raises a DeconvWidgetsError if there is none."""
        ...
