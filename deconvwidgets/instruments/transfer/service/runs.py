"""A run of the transfer experiment: written by the job, read from any thread."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.compute.mute import compare_reports
from deconvwidgets.instruments.transfer.muting import MuteReport
from deconvwidgets.instruments.transfer.records import (
    HeadReport,
    HeadStep,
    LearningCurve,
    PaperRow,
    Phase,
    TransferRunSummary,
    TransferSettings,
)
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.run_state import RunState

MAX_DENSE_STEPS = 10_000  # later on every tenth step is kept: 100 folds of 6 heads, 300 steps each, are then 27,000
_THINNING = 10


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a run was started with. `bundle` is the model whose features are trained on."""

    settings: TransferSettings
    bundle: ModelBundle
    layer: str
    paper: tuple[PaperRow, ...]
    base: TransferRun | None = None  # the run with all units, if this one leaves some out


class TransferRun(RunState):
    """One run. Every method may be called from any thread. A run that has ended can neither be resumed nor end again."""

    def __init__(self, number: int, inputs: RunInputs, images: ImageSet) -> None:
        super().__init__(number, HeadError)
        self.inputs = inputs
        self._images = images
        self._phase: Phase = "waiting"
        self._progress: Progress | None = None
        self._steps: list[HeadStep] = []
        self._step_count = 0
        self._report: HeadReport | None = None
        self._muting: MuteReport | None = None
        self._curve: LearningCurve | None = None

    @property
    def settings(self) -> TransferSettings:
        """The settings that it was started with."""
        return self.inputs.settings

    @property
    def images(self) -> ImageSet:
        """The photographs, as they were when the run began."""
        return self._images

    @property
    def curve(self) -> LearningCurve | None:
        """The learning curve so far."""
        return self._curve

    @property
    def report(self) -> HeadReport | None:
        """The results so far."""
        return self._report

    @property
    def muting(self) -> MuteReport | None:
        """The comparison with the run with all units so far."""
        return self._muting

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self._outcome or self._phase

    def begin(self) -> bool:
        """Begin the first phase. Return False if the run was stopped while it waited."""
        with self._lock:
            begun = self._begin()
            if begun:
                self._phase = "features"
            return begun

    def set_images(self, images: ImageSet) -> None:
        """Set the photographs as they are now."""
        with self._lock:
            self._images = images

    def advance(self, phase: Phase, progress: Progress) -> None:
        """Set the phase and the progress of an active run."""
        with self._lock:
            if self.active:
                self._phase, self._progress = phase, progress

    def add_step(self, step: HeadStep) -> None:
        """Add a step of the training."""
        with self._lock:
            if self._step_count < MAX_DENSE_STEPS or step.step % _THINNING == 0:
                self._steps.append(step)
            self._step_count += 1

    def set_report(self, report: HeadReport) -> None:
        """Set the results so far."""
        base = None if self.inputs.base is None else self.inputs.base.report
        muting = None if base is None else compare_reports(base, report)
        with self._lock:
            self._report, self._muting = report, muting

    def set_curve(self, curve: LearningCurve) -> None:
        """Set the learning curve so far."""
        with self._lock:
            self._curve = curve

    def steps(self, since: int) -> tuple[HeadStep, ...]:
        """Return the steps from number `since` on."""
        with self._lock:
            return tuple(self._steps[max(since, 0) :])

    def require_report(self) -> HeadReport:
        """Return the results so far. Raises HeadError before the first fold is complete."""
        return self.results()[0]

    def results(self) -> tuple[HeadReport, TransferRunSummary]:
        """Return the results so far and the summary of the same moment. Raises HeadError before the first fold is complete."""
        with self._lock:
            report, summary = self._report, self._summary()
        if report is None:
            reason = f": {self._problem}" if self._problem else "" if self.active else ": start it again"
            state = "has no complete fold yet" if self.active else "ended before its first fold was complete"
            raise HeadError(f"Run {self.number} {state}{reason}")
        return report, summary

    def summary(self) -> TransferRunSummary:
        """Return the summary of the run."""
        with self._lock:
            return self._summary()

    def _summary(self) -> TransferRunSummary:
        settings, report = self.settings, self._report
        return TransferRunSummary(
            run=self.number,
            phase=self.phase,
            dataset=self._images.name,
            layer=self.inputs.layer,
            images_per_class=settings.images_per_class,
            folds=settings.folds,
            weight_decay=settings.weight_decay,
            views=settings.views,
            per_fold=report.per_fold if report is not None else (),
            weight_decays=report.weight_decays if report is not None else (),
            features=report.features if report is not None else "",
            seconds=self._seconds(),
            steps=len(self._steps),
            progress=self._progress if self.active else None,
            problem=self._problem,
            curve=self._curve,
            paper=self.inputs.paper,
            classes=len(report.categories) if report is not None else len(self._images.categories or ()),
            temperatures=report.temperatures if report is not None else (),
            calibration=report.calibration if report is not None else None,
            muted=settings.muted,
            base=None if self.inputs.base is None else self.inputs.base.number,
            change="" if self._muting is None else self._muting.describe(),
        )
