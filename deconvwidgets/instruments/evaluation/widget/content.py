"""The results of an evaluation, as content and buffers of a message (little-endian)."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.instruments.evaluation.records import (
    ClassificationEvaluation,
    Evaluation,
    MultilabelEvaluation,
    RegressionEvaluation,
)
from deconvwidgets.instruments.evaluation.settings import ComparisonResults, EvaluationResults, EvaluationStatus
from deconvwidgets.records.calibration import Calibration
from deconvwidgets.widgets.messages import Content, Reply

THRESHOLDS = np.arange(1, 100) / 100  # of a multi-label model, that a page can choose without another request


def status_content(status: EvaluationStatus) -> Content:
    """Return a status for a message."""
    return asdict(status)


def results_reply(results: EvaluationResults) -> Reply:
    """Return the results of a run.

    Buffers of a classification of R classes: float32 (R,) accuracies, int32 (R,) photographs, int32 (R, R + 1) the confusion matrix.
    Of a multi-label model: float32 (R,) average precisions, int32 (R,) photographs, and at each of the `THRESHOLDS` int32 (99, R)
    predicted photographs and int32 (99, R) those of them that have the label. Of a regression with K outputs: int32 (n,) photographs,
    float32 (n, K) true and float32 (n, K) predicted values.
    """
    evaluation = results.evaluation
    content, buffers = _task_reply(evaluation)
    common = {
        "summary": asdict(results.summary),
        "task": evaluation.task,
        "notes": list(evaluation.notes),
        "skipped": [asdict(skipped) for skipped in evaluation.skipped],
        "digests": [list(digest) for digest in evaluation.digests],
    }
    return {**common, **content}, buffers


def _task_reply(evaluation: Evaluation) -> Reply:
    if isinstance(evaluation, ClassificationEvaluation):
        return _classification_reply(evaluation)
    if isinstance(evaluation, MultilabelEvaluation):
        return _multilabel_reply(evaluation)
    assert isinstance(evaluation, RegressionEvaluation)
    return _regression_reply(evaluation)


def _classification_reply(evaluation: ClassificationEvaluation) -> Reply:
    content = {
        "categories": list(evaluation.categories),
        "others": _other_answers(evaluation),
        "accuracy": evaluation.accuracy,
        "top5": evaluation.top5,
        "class_accuracy": evaluation.class_accuracy,
        "log_loss": evaluation.log_loss,
        "brier": evaluation.brier,
        "reliability": _reliability_content(evaluation.reliability),
    }
    return content, [_float32(evaluation.recall), _int32(evaluation.class_tests), _int32(evaluation.confusion)]


def _other_answers(evaluation: ClassificationEvaluation) -> list[list[list[str | int]]]:
    """Return, for each evaluated class, the predicted classes that are none of these: [name, photographs], the most frequent first."""
    others = evaluation.predicted == len(evaluation.categories)
    answers = [Counter[int]() for _ in evaluation.categories]
    for truth, prediction in zip(evaluation.truths[others].tolist(), evaluation.predictions[others].tolist(), strict=True):
        answers[truth][prediction] += 1
    return [[[evaluation.classes[label], count] for label, count in counts.most_common()] for counts in answers]


def _reliability_content(reliability: Calibration) -> Content:
    arrays = {name: getattr(reliability, name).tolist() for name in ("edges", "counts", "confidences", "accuracies")}
    return {**arrays, "expected_error": reliability.error}


def _multilabel_reply(evaluation: MultilabelEvaluation) -> Reply:
    content = {
        "categories": list(evaluation.categories),
        "model_classes": [evaluation.classes[classes[0]] for classes in evaluation.category_classes],
        "mean_average_precision": evaluation.mean_average_precision,
        "threshold": evaluation.threshold,
    }
    predicted, right = counts_by_threshold(evaluation.probabilities, evaluation.truths)
    tests = _int32(evaluation.class_tests)
    return content, [_float32(evaluation.average_precision), tests, _int32(predicted), _int32(right)]


def counts_by_threshold(probabilities: NDArray[np.float32], truths: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many photographs reach each of the `THRESHOLDS`, and how many of them have the label: (99, R) each.

    Parameters
    ----------
    probabilities : array (n, R) float32
    truths : array (n, R) bool
    """
    predicted = np.zeros((len(THRESHOLDS), probabilities.shape[1]), np.int64)
    right = np.zeros_like(predicted)
    for label, column in enumerate(probabilities.T):
        for counts, values in ((predicted, column), (right, column[truths[:, label]])):
            ascending = np.sort(values.astype(np.float64))
            counts[:, label] = len(ascending) - np.searchsorted(ascending, THRESHOLDS, side="left")
    return predicted, right


def _regression_reply(evaluation: RegressionEvaluation) -> Reply:
    names = ("mean_absolute_error", "root_mean_squared_error", "r2")
    content = {"outputs": list(evaluation.classes), "unit": evaluation.unit}
    content |= {name: getattr(evaluation, name).tolist() for name in names}
    return content, [_int32(evaluation.sources), _float32(evaluation.truths), _float32(evaluation.predictions)]


def comparison_content(results: ComparisonResults) -> Content:
    """Return two runs compared, for a message. Accuracies are shares."""
    comparison = results.comparison
    plain = ("photographs", "accuracy_before", "accuracy_after", "method", "p_value", "log_loss_before", "log_loss_after")
    content: dict[str, Any] = {name: getattr(comparison, name) for name in (*plain, "calibration_before", "calibration_after")}
    content |= {name: list(getattr(comparison, name)) for name in ("interval", "categories", "gained", "lost", "notes")}
    content |= {name: getattr(comparison, name).tolist() for name in ("class_tests", "class_before", "class_after")}
    counts = {f"{name}_total": len(getattr(comparison, name)) for name in ("now_right", "now_wrong", "changed")}
    photographs = {name: [asdict(photograph) for photograph in getattr(results, name)] for name in ("now_right", "now_wrong")}
    return {**content, **counts, **photographs, "before": asdict(results.before), "after": asdict(results.after)}


def _float32(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()


def _int32(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values, "<i4").tobytes()
