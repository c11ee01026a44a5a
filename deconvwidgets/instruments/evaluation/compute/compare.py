"""`compare_evaluations` measures the change between two evaluations on the same photographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe
from deconvwidgets.compute.calibration import calibration
from deconvwidgets.compute.paired import METHOD, mcnemar_exact, paired_interval
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.labels import count, listed
from deconvwidgets.instruments.evaluation.comparison import EvaluationComparison
from deconvwidgets.instruments.evaluation.compute import metrics
from deconvwidgets.instruments.evaluation.records import ClassificationEvaluation, Evaluation


def compare_evaluations(before: Evaluation, after: Evaluation) -> EvaluationComparison:
    """Compare two evaluations of classifiers on the same photographs: another head, switched-off units, another model.

    Parameters
    ----------
    before, after : ClassificationEvaluation
        From `evaluate`, on the same image set. Photographs that only one of them evaluated are left out, and counted in `notes`.

    Returns
    -------
    EvaluationComparison
        The change of accuracy with a paired 95% confidence interval, the exact McNemar test, and the photographs and classes that changed.

    Raises
    ------
    EvaluationError
        If they are not of classifiers, not of the same photographs and labels, or have no photograph in common.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> images = dw.open_images("photo-crops")
    >>> report = dw.train_softmax_head(dw.load_model("alexnet"), images, "pool5", 4, 1, store="memory", progress=False)
    >>> bundle = dw.load_model("alexnet")
    >>> options = {"store": "memory", "progress": False}
    >>> first, second = (dw.evaluate(bundle.with_head(report.head), images, **options) for _ in range(2))
    >>> dw.compare_evaluations(first, second).p_value
    1.0
    """
    first, second = (_classification(one, name) for one, name in ((before, "before"), (after, "after")))
    for what in ("photographs", "labels"):
        if len({dict(one.digests)[what] for one in (first, second)}) > 1:
            raise EvaluationError(
                f"The evaluations have other {what}: {first.dataset} ({first.total:,} photographs) and {second.dataset} "
                f"({second.total:,}). Evaluate both models on the same image set with the same labels."
            )
    return _compare(first, second)


@dataclass(frozen=True)
class _Side:
    """One evaluation on the common photographs; classes are indices into the common categories."""

    right: NDArray[np.bool_]
    predicted: NDArray[np.str_] | NDArray[np.int64]  # the model's classes: by names if the two models have others
    evaluation: ClassificationEvaluation
    rows: NDArray[np.int64]


def _classification(evaluation: object, name: str) -> ClassificationEvaluation:
    if isinstance(evaluation, ClassificationEvaluation):
        return evaluation
    if isinstance(evaluation, Evaluation):
        raise EvaluationError(
            f"{name} is the evaluation of a {evaluation.task} model: accuracies are compared of models whose classes exclude each other. "
            "Compare the scores of the two evaluations themselves."
        )
    raise EvaluationError(f"{name} must be an Evaluation, from dw.evaluate(bundle, images), not {describe(evaluation)}.")


def _compare(before: ClassificationEvaluation, after: ClassificationEvaluation) -> EvaluationComparison:
    sources, first, second = np.intersect1d(before.sources, after.sources, assume_unique=True, return_indices=True)
    if not len(sources):
        raise EvaluationError("The evaluations have no photograph in common: their classes are different ones.")
    names, truths = _common_truths(before, after, first, second)
    same = before.classes == after.classes  # several may have one name, as the two cranes of ImageNet
    sides = [
        _Side(one.right[rows], one.predictions[rows] if same else np.array(one.classes)[one.predictions[rows]], one, rows)
        for one, rows in ((before, first), (after, second))
    ]
    was, now = sides[0].right, sides[1].right
    moved = after.true_probabilities[second] - before.true_probabilities[first]
    gains, losses = (np.flatnonzero(mask) for mask in (now & ~was, was & ~now))
    tests = np.bincount(truths, minlength=len(names)).astype(np.int64)
    classes = [metrics.shares(np.bincount(truths[side.right], minlength=len(names)), tests) for side in sides]
    change = np.nan_to_num(classes[1] - classes[0])
    return EvaluationComparison(
        before=_describe(before),
        after=_describe(after),
        categories=names,
        photographs=len(sources),
        accuracy_before=metrics.mean(was),
        accuracy_after=metrics.mean(now),
        interval=paired_interval(len(gains), len(losses), len(sources)),
        method=METHOD,
        p_value=mcnemar_exact(len(gains), len(losses)),
        now_right=sources[gains[np.argsort(-moved[gains], kind="stable")]],
        now_wrong=sources[losses[np.argsort(moved[losses], kind="stable")]],
        changed=sources[sides[0].predicted != sides[1].predicted],
        class_tests=tests,
        class_before=classes[0],
        class_after=classes[1],
        gained=_ordered(change),
        lost=_ordered(-change),
        log_loss_before=metrics.mean(before.losses[first]),
        log_loss_after=metrics.mean(after.losses[second]),
        calibration_before=_calibration(sides[0]),
        calibration_after=_calibration(sides[1]),
        notes=_notes(before, after, len(sources)),
    )


def _common_truths(
    before: ClassificationEvaluation, after: ClassificationEvaluation, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the names of the classes of the common photographs, and the class of each.

    Two classes of one evaluation may count as one in the other, whose model has one class for both: they stay apart.
    """
    pairs, truths = np.unique(np.stack([before.truths[first], after.truths[second]], axis=1), axis=0, return_inverse=True)
    named = [(before.categories[old], after.categories[new]) for old, new in pairs]
    return tuple(old if old == new else f"{old} / {new}" for old, new in named), truths.reshape(-1)


def _describe(evaluation: ClassificationEvaluation) -> str:
    return f"{evaluation.model}, {evaluation.classifier}"


def _ordered(change: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the classes with a positive change, the largest first."""
    return tuple(int(row) for row in np.argsort(-change, kind="stable") if change[row] > 0)


def _calibration(side: _Side) -> float:
    bins = len(side.evaluation.reliability.counts)
    return calibration(side.evaluation.confidences[side.rows], side.right, bins=bins).error


def _notes(before: ClassificationEvaluation, after: ClassificationEvaluation, common: int) -> tuple[str, ...]:
    notes = []
    for one, other, when in ((before, after, "before"), (after, before, "after")):
        only = one.photographs - common
        if only:
            names = [repr(name) for name in one.categories if name not in other.categories]
            classes = f" Classes only {when}: {listed(names)}." if names else ""
            notes.append(f"{count(only, 'photograph')} evaluated only {when} {'is' if only == 1 else 'are'} left out.{classes}")
    if not (before.complete and after.complete):
        notes.append("An evaluation is not complete: only the photographs of both are compared.")
    return tuple(notes)
