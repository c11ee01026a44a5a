"""The result of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.training_log import TrainingLog


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """The result of `train`.

    Attributes
    ----------
    bundle : ModelBundle
        The network after the last epoch, on the CPU, with its transform and the names of its classes. `LocalModelService`,
        `ActivationIndex.build`, ... take it. `checkpoints.bundle(epoch)` is that of an earlier epoch.
    log : TrainingLog
        Loss, accuracy and more, by epoch.
    checkpoints : Checkpoints
        The kept epochs.
    folder : pathlib.Path
        The folder with all files. `open_checkpoints(folder)` opens it in another process.
    """

    bundle: ModelBundle
    log: TrainingLog
    checkpoints: Checkpoints
    folder: Path

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the highest validation accuracy, the first of equal ones; None without validation."""
        measured = [epoch for epoch in self.log.epochs if epoch.epoch and epoch.validation_top1 is not None]
        return max(measured, key=lambda epoch: (epoch.validation_top1 or 0.0, -epoch.epoch)).epoch if measured else None

    def __repr__(self) -> str:
        last = self.log.epochs[-1]
        share = last.validation_top1 if last.validation_top1 is not None else last.train_top1
        of = "validation" if last.validation_top1 is not None else "training"
        accuracy = "" if share is None else f", {of} top-1 {100 * share:.1f}%"
        kept = ", ".join(map(str, self.checkpoints.epochs))
        return f"TrainedModel({self.bundle.name}, {last.epoch} epochs{accuracy}, checkpoints of epochs {kept}, in {self.folder})"
