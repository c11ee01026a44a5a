"""A run of the transfer experiment as it grows: written by the worker, read by any thread."""

from __future__ import annotations

import time
from threading import Event, Lock

from deconvwidgets.errors import HeadError, ServiceError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.records import PaperRow, Phase, TransferRunSummary
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import HeadReport, HeadStep, LearningCurve, Progress
from deconvwidgets.service.protocol import TransferSettings

ALL_STEPS = 10_000  # of a run are kept; later on every tenth: 100 folds of 6 heads, 300 steps each, are then 27,000
_THINNED = 10
GOING_ON = ("waiting", "features", "training", "curve")


class Run:
    """One run. Every method may be called from any thread; a run that has ended does not begin, go on or end again."""

    def __init__(
        self, number: int, settings: TransferSettings, bundle: ModelBundle, images: ImageSet, layer: str, paper: tuple[PaperRow, ...]
    ) -> None:
        self.number = number
        self.settings = settings
        self.bundle = bundle  # whose features are trained on
        self.layer = layer
        self.paper = paper
        self._lock = Lock()
        self._stop = Event()
        self._images = images
        self._phase: Phase = "waiting"
        self._progress: Progress | None = None
        self._steps: list[HeadStep] = []
        self._told = 0
        self._report: HeadReport | None = None
        self._curve: LearningCurve | None = None
        self._problem: str | None = None
        self._started = time.monotonic()
        self._ended: float | None = None
        self._over = Event()

    @property
    def images(self) -> ImageSet:
        """The photographs, as they were when the run began."""
        return self._images

    @property
    def going_on(self) -> bool:
        """Whether it has not ended yet."""
        return self._phase in GOING_ON

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    @property
    def curve(self) -> LearningCurve | None:
        """The learning curve so far."""
        return self._curve

    @property
    def phase(self) -> Phase:
        """Where it is."""
        return self._phase

    def stop(self) -> None:
        """Tell it to stop at its next step. One that waits has ended with this: its job may never be run."""
        self._stop.set()
        with self._lock:
            if self._phase == "waiting":
                self._end("stopped")

    def begin(self) -> bool:
        """Out of the queue. False where it was stopped meanwhile."""
        with self._lock:
            if self._phase != "waiting":
                return False
            self._phase = "features"
            self._started = time.monotonic()
            return True

    def look_again(self, images: ImageSet) -> None:
        """The photographs as they are now."""
        with self._lock:
            self._images = images

    def advance(self, phase: Phase, progress: Progress) -> None:
        """A new state of a run that goes on."""
        with self._lock:
            if self.going_on:
                self._phase, self._progress = phase, progress

    def add_step(self, step: HeadStep) -> None:
        """A step of the training."""
        with self._lock:
            if self._told < ALL_STEPS or step.step % _THINNED == 0:
                self._steps.append(step)
            self._told += 1

    def add_report(self, report: HeadReport) -> None:
        """The folds so far."""
        with self._lock:
            self._report = report

    def add_curve(self, curve: LearningCurve) -> None:
        """The learning curve so far."""
        with self._lock:
            self._curve = curve

    def end(self, phase: Phase, problem: str | None = None) -> None:
        """Done, stopped, or failed with `problem`."""
        with self._lock:
            self._end(phase, problem)

    def _end(self, phase: Phase, problem: str | None = None) -> None:
        if self.going_on:
            self._phase, self._problem, self._progress, self._ended = phase, problem, None, time.monotonic()
            self._over.set()

    def wait(self, timeout: float | None) -> None:
        """Return when it has ended. Raises HeadError for one that failed, ServiceError when `timeout` seconds have passed."""
        if not self._over.wait(timeout):
            raise ServiceError(f"Run {self.number} is still going on after {timeout:g} s: wait longer, or stop it")
        if self._problem is not None:
            raise HeadError(self._problem)

    def steps(self, since: int) -> tuple[HeadStep, ...]:
        """Those that were kept, from number `since` on."""
        with self._lock:
            return tuple(self._steps[max(since, 0) :])

    def require_report(self) -> HeadReport:
        """The folds so far. Raises HeadError before the first is done."""
        return self.results()[0]

    def results(self) -> tuple[HeadReport, TransferRunSummary]:
        """The folds so far, and the run in a line, of one moment. Raises HeadError before the first fold is done."""
        with self._lock:
            report, summary = self._report, self._summary()
        if report is None:
            how = f": {self._problem}" if self._problem else "" if self.going_on else ": start it again"
            yet = "has no fold that is done yet" if self.going_on else "ended before its first fold was done"
            raise HeadError(f"Run {self.number} {yet}{how}")
        return report, summary

    def summary(self) -> TransferRunSummary:
        """The run in a line."""
        with self._lock:
            return self._summary()

    def _summary(self) -> TransferRunSummary:
        settings, report = self.settings, self._report
        return TransferRunSummary(
            run=self.number,
            phase=self._phase,
            dataset=self._images.name,
            layer=self.layer,
            images_per_class=settings.images_per_class,
            folds=settings.folds,
            weight_decay=settings.weight_decay,
            views=settings.views,
            per_fold=report.per_fold if report is not None else (),
            weight_decays=report.weight_decays if report is not None else (),
            features=report.features if report is not None else "",
            seconds=(self._ended if self._ended is not None else time.monotonic()) - self._started,
            steps=len(self._steps),
            progress=self._progress,
            problem=self._problem,
            curve=self._curve,
            paper=self.paper,
        )


class RunBook:
    """All runs of a desk, numbered from 1. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs: dict[int, Run] = {}
        self._last = 0

    def open(
        self, settings: TransferSettings, bundle: ModelBundle, images: ImageSet, layer: str, paper: tuple[PaperRow, ...]
    ) -> tuple[Run, list[Run]]:
        """A new run, and those that it supersedes."""
        with self._lock:
            self._last += 1
            run = Run(self._last, settings, bundle, images, layer, paper)
            others = [other for other in self._runs.values() if other.going_on]
            self._runs[run.number] = run
            return run, others

    def forget(self, run: Run) -> None:
        """A run that could not be started."""
        with self._lock:
            self._runs.pop(run.number, None)

    def all(self) -> tuple[Run, ...]:
        """In their order."""
        with self._lock:
            return tuple(self._runs.values())

    def running(self) -> Run | None:
        """The newest that goes on or waits."""
        return next((run for run in reversed(self.all()) if run.going_on), None)

    def get(self, number: int) -> Run:
        """Raises HeadError for a run that is none."""
        run = self._runs.get(number)
        if run is None:
            last = f"the last one is {max(self._runs)}" if self._runs else "there is none yet: start one"
            raise HeadError(f"There is no run {number}; {last}.")
        return run
