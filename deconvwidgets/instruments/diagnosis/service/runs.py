"""What a worker computes for a DiagnosisPanel. Runs are written by jobs, and read from any thread."""

from __future__ import annotations

from deconvwidgets.errors import DiagnosisError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing
from deconvwidgets.instruments.diagnosis.panel_records import ArmAccuracy, ArmSummary, Phase
from deconvwidgets.instruments.diagnosis.records import Diagnosis, ShiftCurves
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.run_state import RunState


class MeasuredRun(RunState):
    """A run with progress. It can be begun once."""

    def __init__(self, number: int, bundle: ModelBundle, images: ImageSet) -> None:
        super().__init__(number, DiagnosisError)
        self.bundle, self.images = bundle, images
        self._progress: Progress | None = None

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self._outcome or ("running" if self._begun else "waiting")

    @property
    def valid(self) -> bool:
        """Whether it is done, or goes on until it is: one that is asked to stop is active until its next step."""
        return self.phase == "done" or (self.active and not self.stopped)

    @property
    def progress(self) -> Progress | None:
        """How far it is; None once it has ended."""
        return self._progress if self.active else None

    @property
    def problem(self) -> str | None:
        """Why it failed, in words."""
        return self._problem

    def begin(self) -> bool:
        """Begin. Return False if it was stopped while it waited."""
        with self._lock:
            return self._begin()

    def advance(self, progress: Progress) -> None:
        """Set the progress."""
        self._progress = progress


class DiagnosisRun(MeasuredRun):
    """One diagnosis."""

    diagnosis: Diagnosis | None = None

    def require(self) -> Diagnosis:
        """Return the diagnosis. Raises DiagnosisError while there is none."""
        if self.diagnosis is not None:
            return self.diagnosis
        if self.problem:
            raise DiagnosisError(f"The diagnosis failed: {self.problem}")
        raise DiagnosisError(
            "The diagnosis is still running: wait for it." if self.active else "The diagnosis was stopped: start it again."
        )


class ArmRun(MeasuredRun):
    """An arm, and what is measured of it: its shift curves, what its first layer aliases, and its accuracy."""

    def __init__(
        self, number: int, bundle: ModelBundle, images: ImageSet, label: str, parent: int | None = None, origin: object = None
    ) -> None:
        super().__init__(number, bundle, images)
        self.label, self.parent, self.origin = label, parent, origin
        self.submitted = False
        self.curves: ShiftCurves | None = None
        self.accuracy: ArmAccuracy | None = None
        self.no_accuracy = ""
        self.aliasing: MapAliasing | None = None
        self.no_aliasing = ""

    def summary(self) -> ArmSummary:
        """Return the arm as a record."""
        steps = self.bundle.surgery if self.parent is not None else ()
        kept, cut, new = steps[-1].counts if steps else (0, 0, 0)
        return ArmSummary(
            arm=self.number,
            label=self.label,
            parent=self.parent,
            steps=tuple(step.description for step in steps),
            phase=self.phase if self.submitted else "none",
            progress=self.progress,
            problem=self.problem,
            curves=self.curves,
            accuracy=self.accuracy,
            no_accuracy=self.no_accuracy,
            aliasing=self.aliasing,
            no_aliasing=self.no_aliasing,
            kept=kept,
            cut=cut,
            new=new,
        )
