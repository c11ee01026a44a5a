"""The change between two runs, with the photographs that became right and wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import EvaluationError
from deconvwidgets.instruments.evaluation.compute.compare import compare_evaluations
from deconvwidgets.instruments.evaluation.records import ClassificationEvaluation
from deconvwidgets.instruments.evaluation.service.runs import EvaluationRun
from deconvwidgets.instruments.evaluation.settings import ComparedPhotograph, ComparisonResults, EvaluationRunSummary


def run_before(runs: Sequence[EvaluationRun], after: EvaluationRun) -> EvaluationRun | None:
    """Return the newest complete run before another one, of another model on the same photographs; None if there is none.

    While units are off, the run of the same model with all units on comes first: units are switched off one after another, and what
    matters is the change by all of them.
    """
    newest = after.evaluation
    if not isinstance(newest, ClassificationEvaluation):
        return None
    earlier = [run for run in reversed(runs) if run.number < after.number and _is_comparable(run, newest)]
    return next((run for run in earlier if run.bundle is after.bundle.unchanged), next(iter(earlier), None))


def _is_comparable(run: EvaluationRun, newest: ClassificationEvaluation) -> bool:
    """Return whether a run is complete, of another model, and on the same photographs."""
    found, own = run.evaluation, dict(newest.digests)
    if not isinstance(found, ClassificationEvaluation) or not found.complete:
        return False
    other = dict(found.digests)
    return other["model"] != own["model"] and all(other[what] == own[what] for what in ("photographs", "labels"))


def compare_runs(
    before: EvaluationRun, after: EvaluationRun, summaries: tuple[EvaluationRunSummary, EvaluationRunSummary], limit: int
) -> ComparisonResults:
    """Return the comparison of two runs. Raises EvaluationError for runs that cannot be compared."""
    first, second = before.require_evaluation(), after.require_evaluation()
    comparison = compare_evaluations(first, second)
    assert isinstance(first, ClassificationEvaluation)
    assert isinstance(second, ClassificationEvaluation)

    def photographs(sources: NDArray[np.int64]) -> tuple[ComparedPhotograph, ...]:
        return tuple(_photograph(int(source), first, second, after) for source in sources[:limit])

    return ComparisonResults(*summaries, comparison, photographs(comparison.now_right), photographs(comparison.now_wrong))


def no_run_before(after: EvaluationRun) -> EvaluationError:
    """Return the error for a run that no other one can be compared with."""
    return EvaluationError(
        f"There is no complete run of another model on the photographs of run {after.number} to compare it with: change the model (another "
        "head, switched-off units), and evaluate it again."
    )


def _photograph(source: int, before: ClassificationEvaluation, after: ClassificationEvaluation, run: EvaluationRun) -> ComparedPhotograph:
    rows = [int(np.searchsorted(evaluation.sources, source)) for evaluation in (before, after)]
    predicted = [one.classes[one.predictions[row]] for one, row in zip((before, after), rows, strict=True)]
    probabilities = [float(one.true_probabilities[row]) for one, row in zip((before, after), rows, strict=True)]
    truth = after.categories[after.truths[rows[1]]]
    return ComparedPhotograph(source, run.images.source_name(source), truth, predicted[0], predicted[1], probabilities[0], probabilities[1])
