"""A run of an evaluation: written by the job, read from any thread."""

from __future__ import annotations

import math

from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evaluation.compute.describe import describe_classifier
from deconvwidgets.instruments.evaluation.compute.resolve import require_quantity, task_of
from deconvwidgets.instruments.evaluation.records import (
    ClassificationEvaluation,
    Evaluation,
    EvaluationTask,
    MultilabelEvaluation,
    Phase,
    RegressionEvaluation,
)
from deconvwidgets.instruments.evaluation.settings import EvaluationRunSummary, EvaluationSettings
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.run_state import RunState

_SCORE_NAMES: dict[EvaluationTask, str] = {
    "classification": "accuracy",
    "multilabel": "mean average precision",
    "regression": "mean absolute error",
}


class EvaluationRun(RunState):
    """One run. Every method may be called from any thread. A run that has ended cannot be resumed."""

    def __init__(self, number: int, settings: EvaluationSettings, bundle: ModelBundle, images: ImageSet) -> None:
        super().__init__(number, EvaluationError)
        self.settings = settings
        self.bundle = bundle
        self.task = task_of(require_quantity(bundle))
        self._images = images
        self._progress: Progress | None = None
        self._evaluation: Evaluation | None = None
        self._total = 0
        self._from_cache = False

    @property
    def images(self) -> ImageSet:
        """The photographs, as they were when the run began."""
        return self._images

    @property
    def evaluation(self) -> Evaluation | None:
        """The results so far."""
        return self._evaluation

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self._outcome or ("running" if self._begun else "waiting")

    def begin(self, images: ImageSet) -> bool:
        """Begin with the photographs as they are now. Return False if the run was stopped while it waited."""
        with self._lock:
            begun = self._begin()
            if begun:
                self._images, self._progress = images, None
            return begun

    def set_waiting(self, words: str) -> None:
        """Set what the run waits for, before it begins."""
        with self._lock:
            if self.phase == "waiting":
                self._progress = Progress("turn", 0, 0, message=words)

    def set_total(self, total: int) -> None:
        """Set the number of photographs to evaluate."""
        with self._lock:
            self._total = total

    def advance(self, progress: Progress) -> None:
        """Set the progress of an active run. The first report says how many outputs were known."""
        with self._lock:
            if self.phase == "running":
                if self._progress is None:
                    self._from_cache = self._from_cache or 2 * progress.done > progress.total
                self._progress = progress

    def set_evaluation(self, evaluation: Evaluation) -> None:
        """Set the results so far."""
        with self._lock:
            self._evaluation = evaluation

    def set_from_cache(self) -> None:
        """Record that only the layers above a change are run."""
        with self._lock:
            self._from_cache = True

    def require_evaluation(self) -> Evaluation:
        """Return the results so far. Raises EvaluationError before the first ones."""
        found = self._evaluation
        if found is not None:
            return found
        if self._problem:
            raise EvaluationError(f"Run {self.number} has no results: {self._problem}")
        state = "has no results yet: wait a moment." if self.active else "ended before its first results: start it again."
        raise EvaluationError(f"Run {self.number} {state}")

    def summary(self, current: bool) -> EvaluationRunSummary:
        """Return the summary of the run; `current` says whether its model is still that of the service."""
        with self._lock:
            found = self._evaluation
            return EvaluationRunSummary(
                run=self.number,
                phase=self.phase,
                dataset=self._images.name,
                model=self.bundle.label,
                classifier=describe_classifier(self.bundle),
                task=self.task,
                photographs=0 if found is None else found.photographs,
                total=self._total,
                score=None if found is None else main_score(found),
                score_name=_SCORE_NAMES[self.task],
                seconds=self._seconds(),
                from_cache=self._from_cache,
                progress=self._progress if self.active else None,
                problem=self._problem,
                current=current,
            )


def main_score(evaluation: Evaluation) -> float | None:
    """Return the accuracy, the mean average precision, or the mean absolute error of the first output; None if it is undefined."""
    score = float("nan")
    if isinstance(evaluation, ClassificationEvaluation):
        score = evaluation.accuracy
    elif isinstance(evaluation, MultilabelEvaluation):
        score = evaluation.mean_average_precision
    elif isinstance(evaluation, RegressionEvaluation):
        score = float(evaluation.mean_absolute_error[0])
    return None if math.isnan(score) else score
