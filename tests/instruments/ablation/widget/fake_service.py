"""A fake study: tests set its phase and its runs, and read the recorded calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from deconvwidgets.errors import AblationError
from deconvwidgets.instruments.ablation.figures.files import study_file
from deconvwidgets.instruments.ablation.notes import notes_of
from deconvwidgets.instruments.ablation.records import (
    AblationFile,
    AblationRun,
    AblationStatus,
    AblationTable,
    PaperErrors,
    StudyPhase,
    Variant,
)
from deconvwidgets.instruments.ablation.summary import rows_of
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent

VARIANTS = (
    Variant(name="zfnet", description="ZFNet", parameters=62_357_608, paper=PaperErrors(0.331, 0.384, 0.165, 0.384, "ZFNet")),
    Variant(
        name="zfnet_without_7", description="without layer 7", parameters=45_576_296,
        paper=PaperErrors(0.274, 0.4, 0.184, 0.405, "replication of Krizhevsky et al. 2012"),
    ),
    Variant(name="mine", description="Small, trained further", origin="given weights", parameters=171_926, surgery=("removed layer 3",)),
)  # fmt: skip
SEEDS = (0, 1, 2)
EPOCHS = 10


def run_of(variant: int, seed: int, epoch: int = EPOCHS) -> AblationRun:
    """Return a run whose validation error falls to a value by variant and seed."""
    error = 0.4 + 0.08 * variant + 0.01 * seed * (-1) ** variant
    curve = tuple((at, error * (0.9 + 0.5 / (at + 1)), error + 0.5 * (1 - at / EPOCHS)) for at in range(epoch + 1))
    return AblationRun(
        variant=VARIANTS[variant].name,
        seed=seed,
        folder=f"runs/table3/{VARIANTS[variant].name}/seed {seed}",
        phase="complete" if epoch == EPOCHS else "running",
        epoch=epoch,
        epochs=EPOCHS,
        train_error=error / 2 if epoch == EPOCHS else None,
        top1_error=curve[-1][2],
        top5_error=curve[-1][2] / 3,
        images_per_second=100.0 + seed,
        curve=curve,
    )


class FakeStudy:
    """Implements `AblationService`."""

    def __init__(self, complete: bool = True, own: bool = True) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.events = Events()
        self.open_widgets = OpenWidgets()
        self.error: Exception | None = None  # raised by recorded calls
        self.own = own
        self.phase: StudyPhase = "incomplete" if complete else "new"
        self.message = ""
        self.progress: Progress | None = None
        self.explorable = True
        self.runs = {(number, seed): run_of(number, seed) for number in range(3) for seed in SEEDS} if complete else {}
        if complete:
            self.runs[2, 2] = run_of(2, 2, 4)

    def table(self) -> AblationTable:
        missing = AblationRun(variant="", seed=0, folder="runs/table3", phase="new", epochs=EPOCHS)
        runs = [
            self.runs.get((number, seed), replace(missing, variant=VARIANTS[number].name, seed=seed))
            for number in range(3)
            for seed in SEEDS
        ]
        return AblationTable(
            folder="runs/table3", images="caltech101", classes=101, training=7800, validation=877, input_size=(3, 64, 64),
            epochs=EPOCHS, seeds=SEEDS, baseline="zfnet", rows=rows_of(VARIANTS, runs, "zfnet"),
            notes=notes_of(VARIANTS, SEEDS, runs, (), own_validation=False),
        )  # fmt: skip

    def status(self) -> AblationStatus:
        return AblationStatus(
            phase=self.phase,
            table=self.table(),
            message=self.message,
            can_start=self.own and self.phase in ("new", "incomplete"),
            can_cancel=self.phase == "running",
            recipe=(("Batch", "128 images"), ("Optimiser", "SGD, momentum 0.9"), ("Flips", "on")),
            explorable=self.explorable,
            progress=self.progress,
        )

    def start(self, variants: Sequence[str] | None = None) -> None:
        self._record("start", variants)
        if not self.status().can_start:
            raise AblationError("A study is trained in runs/table3 already. Cancel it first.")
        self.set_phase("running")

    def cancel(self) -> None:
        self._record("cancel")
        if self.phase != "running":
            raise AblationError("No study is trained in runs/table3.")
        self.set_phase("stopping")

    def set_phase(self, phase: StudyPhase, message: str = "") -> None:
        self.phase, self.message = phase, message
        self.publish("ablation")

    def file(self, kind: AblationFile) -> bytes:
        self._record("file", kind)
        return study_file(kind, self.table())

    def model_service(self, variant: str, seed: int | None = None) -> Any:
        self._record("model_service", (variant, seed))
        raise AblationError(f"There are no checkpoints in runs/table3/{variant} yet.")

    def give_up_model_services(self) -> None:
        self._record("give_up_model_services", None)

    def wait(self, timeout: float | None = None) -> FakeStudy:
        return self

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        return self.events.subscribe(listener, kinds)

    def publish(self, kind: str, progress: Progress | None = None, message: str = "") -> None:
        self.events.publish(ServiceEvent(kind, progress, message))

    def _record(self, kind: str, *rest: Any) -> None:
        self.calls.append((kind, rest))
        if self.error:
            raise self.error
