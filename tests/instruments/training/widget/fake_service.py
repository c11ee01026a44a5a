"""A fake training: tests set its phase, its progress and its epochs, and read the recorded calls."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from deconvwidgets.errors import CheckpointError, ServiceError, TrainingError
from deconvwidgets.instruments.training.figures.files import training_file
from deconvwidgets.instruments.training.figures.sheet import TrainingSheet
from deconvwidgets.instruments.training.records import Phase, TrainingFile, TrainingPlan, TrainingStatus
from deconvwidgets.instruments.training.service.recipe_parts import recipe_parts
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.training_log import EpochLog, TrainingLog, TrainingProgress
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent

KINDS = ("accordion", "bonsai", "cougar face", "dalmatian")
RECIPE = {"batch_size": 128, "momentum": 0.9, "learning_rate": 0.01, "flips": False, "weight_decay": 5e-4, "validation_share": 0.1}
PLAN = TrainingPlan(
    model="small",
    images="photographs",
    training=400,
    validation=40,
    classes=KINDS,
    parameters=171_926,
    input_size=(3, 64, 64),
    epochs=20,
    recipe=recipe_parts(RECIPE),
)


def epoch_log(epoch: int) -> EpochLog:
    """An epoch whose losses fall, and whose learning rate is annealed at epoch 6."""
    if epoch == 0:
        return EpochLog(epoch=0, validation_loss=1.4, validation_top1=0.25, validation_top5=1.0, weight_rms={"0": 0.1, "3": 0.05})
    rate = 0.01 if epoch < 6 else 0.001
    return EpochLog(
        epoch=epoch,
        train_loss=1.4 / epoch,
        train_top1=1 - 0.7 / epoch,
        train_top5=1.0,
        validation_loss=1.5 / epoch,
        validation_top1=1 - 0.8 / epoch,
        validation_top5=1.0,
        learning_rate=rate,
        seconds=10.0 * epoch,
        images_per_second=100.0,
        weight_rms={"0": 0.1, "3": 0.05},
        update_rms={"0": rate / 100, "3": rate / 50},
    )


class FakeTraining:
    """Implements `TrainingService`."""

    def __init__(self, epochs: int = 0, phase: Phase = "new", own: bool = True) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.events = Events()
        self.open_widgets = OpenWidgets()
        self.error: Exception | None = None  # raised by recorded calls
        self.own = own
        self.phase: Phase = phase
        self.message = ""
        self.checkpoint_epochs: tuple[int, ...] = ()
        self.epochs: list[EpochLog] = []
        self.progress: TrainingProgress | None = None
        self.version = 1
        if epochs:
            self.add_epochs(epochs)

    def add_epochs(self, count: int, step: int = 3) -> None:
        """Add epochs, and be in the step of the next one."""
        self.epochs += [epoch_log(len(self.epochs) + number) for number in range(count + (not self.epochs))]
        self.checkpoint_epochs = tuple(epoch for epoch in (0, 1, 2, 5, 10) if epoch < len(self.epochs))
        self.version += 1
        last = self.epochs[-1].epoch
        self.progress = TrainingProgress(
            state="running", epoch=last, epochs=20, step=step, steps=4, loss=0.9, top1=0.5, learning_rate=0.01, images_per_second=98.7,
            seconds_left=200.0, process=77, host="here",
        )  # fmt: skip

    def status(self) -> TrainingStatus:
        active = self.phase in ("running", "stopping")
        return TrainingStatus(
            folder="runs/first",
            phase=self.phase,
            plan=PLAN,
            progress=self.progress,
            epochs=len(self.epochs),
            version=self.version,
            checkpoints=self.checkpoint_epochs,
            message=self.message,
            can_start=self.own and not active and self.phase != "finished",
            can_cancel=self.phase == "running",
            resumes=self.phase in ("cancelled", "failed", "interrupted", "finished"),
            code=(("How the features evolve", "import deconvwidgets as dw\ndw.EvolutionExplorer(...)"),) if self.checkpoint_epochs else (),
            layer_names=(("0", "conv1"),),
        )

    def log(self) -> TrainingLog:
        return TrainingLog(epochs=tuple(self.epochs), progress=self.progress)

    def start(self) -> None:
        self._record("start")
        if not self.status().can_start:
            raise TrainingError("A training is running in runs/first already. Cancel it first.")
        self.set_phase("running")

    def cancel(self) -> None:
        self._record("cancel")
        if self.phase != "running":
            raise TrainingError("No training is running in runs/first.")
        self.set_phase("stopping")

    def set_phase(self, phase: Phase, message: str = "") -> None:
        self.phase, self.message = phase, message
        state: Any = "running" if phase in ("running", "stopping", "new", "recorded") else phase
        if self.progress is not None:
            self.progress = replace(self.progress, state=state)
        self.publish("training")

    def file(self, kind: TrainingFile) -> bytes:
        self._record("file", kind)
        if not self.epochs:
            raise ServiceError("There is nothing to save: no epoch is in the log of runs/first yet.")
        return training_file(kind, TrainingSheet(self.status(), self.log()))

    def checkpoints(self) -> Any:
        raise CheckpointError("There are no checkpoints in runs/first yet.")

    def bundle(self, epoch: int | None = None) -> Any:
        raise CheckpointError("There are no checkpoints in runs/first yet.")

    def wait(self, timeout: float | None = None) -> FakeTraining:
        return self

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        return self.events.subscribe(listener, kinds)

    def publish(self, kind: str, progress: Progress | None = None, message: str = "") -> None:
        self.events.publish(ServiceEvent(kind, progress, message))

    def _record(self, kind: str, *rest: Any) -> None:
        self.calls.append((kind, rest))
        if self.error:
            raise self.error
