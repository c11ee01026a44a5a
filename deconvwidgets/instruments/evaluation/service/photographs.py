"""The photographs of an evaluation: those of a cell of the confusion matrix, mistakes, missed labels, the largest errors."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import flag, integer
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evaluation.records import (
    ClassificationEvaluation,
    Evaluation,
    MultilabelEvaluation,
    RegressionEvaluation,
)
from deconvwidgets.instruments.evaluation.settings import (
    EvaluatedPhotograph,
    EvaluatedPhotographs,
    EvaluationCells,
    PhotographsRequest,
)
from deconvwidgets.service.thumbnails import Thumbnails

MAX_PHOTOGRAPHS = 1_000  # in one reply
_PER_MISTAKE, _PER_CLASS = 6, 4  # photographs of a cell of mistakes, and of one of correct predictions
_MAX_THUMBNAILS = 2_000  # of all cells
_THUMBNAIL = 80  # pixels

Rows = NDArray[np.int64]


def matching_photographs(evaluation: Evaluation, images: ImageSet, request: PhotographsRequest) -> EvaluatedPhotographs:
    """Return the photographs of a request in its order. Raises EvaluationError for an unknown class."""
    limit = integer(request.limit, "limit", error=EvaluationError)
    if request.right is not None:
        flag(request.right, "right, unless it is None,", EvaluationError)
    if isinstance(evaluation, ClassificationEvaluation):
        rows = _of_classes(evaluation, request)
    elif isinstance(evaluation, MultilabelEvaluation):
        rows = _of_labels(evaluation, request)
    else:
        assert isinstance(evaluation, RegressionEvaluation)
        rows = _of_values(evaluation, request)
    label = request.prediction if request.prediction is not None else request.truth
    chosen = rows[: min(max(limit, 0), MAX_PHOTOGRAPHS)]
    return EvaluatedPhotographs(tuple(photograph_in_row(evaluation, images, int(row), label) for row in chosen), len(rows))


def true_class(evaluation: Evaluation, source: int) -> str | None:
    """Return the model's class that is right for a photograph; None if it is not evaluated, or has several labels or values."""
    if not isinstance(evaluation, ClassificationEvaluation):
        return None
    rows = np.flatnonzero(evaluation.sources == source)
    return evaluation.classes[evaluation.category_classes[evaluation.truths[rows[0]]][0]] if len(rows) else None


def photograph_in_row(evaluation: Evaluation, images: ImageSet, row: int, label: int | None = None) -> EvaluatedPhotograph:
    """Return the photograph in one row of the arrays; `label` is the class whose probability is given for a multi-label model."""
    source = int(evaluation.sources[row])
    name = images.source_name(source)
    if isinstance(evaluation, ClassificationEvaluation):
        return EvaluatedPhotograph(
            source,
            name,
            truth=int(evaluation.truths[row]),
            prediction=int(evaluation.predicted[row]),
            predicted_class=evaluation.classes[evaluation.predictions[row]],
            confidence=float(evaluation.confidences[row]),
            true_probability=float(evaluation.true_probabilities[row]),
        )
    if isinstance(evaluation, MultilabelEvaluation):
        probabilities = evaluation.probabilities[row]
        return EvaluatedPhotograph(
            source,
            name,
            confidence=None if label is None else float(probabilities[label]),
            labels=tuple(np.flatnonzero(evaluation.truths[row]).tolist()),
            predicted_labels=tuple(np.flatnonzero(probabilities >= evaluation.threshold).tolist()),
        )
    assert isinstance(evaluation, RegressionEvaluation)
    values, predicted = (tuple(array[row].tolist()) for array in (evaluation.truths, evaluation.predictions))
    return EvaluatedPhotograph(source, name, values=values, predicted_values=predicted)


def cell_photographs(evaluation: ClassificationEvaluation, images: ImageSet, thumbnails: Thumbnails) -> EvaluationCells:
    """Return photographs of every cell of the confusion matrix that has any: at most six of a mistake, and four of a class.

    If these are too many, each cell has the same number of them, mistakes before correct predictions.
    """
    cells: dict[tuple[int, int], list[EvaluatedPhotograph]] = {}
    for row in np.argsort(-evaluation.confidences, kind="stable").tolist():
        key = (int(evaluation.truths[row]), int(evaluation.predicted[row]))
        cell = cells.setdefault(key, [])
        if len(cell) < (_PER_CLASS if key[0] == key[1] else _PER_MISTAKE):
            cell.append(photograph_in_row(evaluation, images, row))
    mistakes = [cell for (truth, predicted), cell in cells.items() if truth != predicted]
    correct = [cell for (truth, predicted), cell in cells.items() if truth == predicted]
    ranked = [photograph for group in (mistakes, correct) for rank in zip_longest(*group) for photograph in rank if photograph]
    chosen = [photograph.source for photograph in ranked][:_MAX_THUMBNAILS]
    kept = set(chosen)
    half = _MAX_THUMBNAILS // 2  # as many as the thumbnails' service returns at once
    encoded = [image for start in (0, half) for image in thumbnails.get(images, chosen[start : start + half], _THUMBNAIL)]
    listed = {key: tuple(photograph for photograph in cell if photograph.source in kept) for key, cell in cells.items()}
    return EvaluationCells(listed, dict(zip(chosen, encoded, strict=True)))


def _of_classes(evaluation: ClassificationEvaluation, request: PhotographsRequest) -> Rows:
    classes = len(evaluation.categories)
    truth = _class(request.truth, classes, "class")
    predicted = _class(request.prediction, classes + 1, "predicted class")
    matches = np.ones(evaluation.photographs, bool)
    if truth is not None:
        matches &= evaluation.truths == truth
    if predicted is not None:
        matches &= evaluation.predicted == predicted
    if request.right is not None:
        matches &= evaluation.right == request.right
    return _ranked(matches, -evaluation.confidences)


def _of_labels(evaluation: MultilabelEvaluation, request: PhotographsRequest) -> Rows:
    classes = len(evaluation.categories)
    truth, prediction = _class(request.truth, classes, "class"), _class(request.prediction, classes, "predicted class")
    predicted = evaluation.probabilities >= evaluation.threshold
    matches = np.ones(evaluation.photographs, bool)
    if truth is not None:
        matches &= evaluation.truths[:, truth]
    if prediction is not None:
        matches &= predicted[:, prediction]
    label = prediction if prediction is not None else truth
    if request.right is not None:
        agree = predicted == evaluation.truths
        matches &= (agree.all(axis=1) if label is None else agree[:, label]) == request.right
    if label is None:
        wrong = np.where(predicted != evaluation.truths, np.abs(evaluation.probabilities - evaluation.threshold), 0).max(axis=1)
        return _ranked(matches, -wrong)
    missed = prediction is None and request.right is False
    return _ranked(matches, evaluation.probabilities[:, label] * (1 if missed else -1))


def _of_values(evaluation: RegressionEvaluation, request: PhotographsRequest) -> Rows:
    output = _class(request.truth, len(evaluation.classes), "output") or 0
    errors = np.abs(evaluation.predictions - evaluation.truths)[:, output]
    return _ranked(np.ones(len(errors), bool), -errors)


def _ranked(matches: NDArray[np.bool_], keys: NDArray[np.floating]) -> Rows:
    """Return the matching rows by rising keys."""
    rows = np.flatnonzero(matches)
    ranked: Rows = rows[np.argsort(keys[rows], kind="stable")]
    return ranked


def _class(number: int | None, count: int, what: str) -> int | None:
    if number is None:
        return None
    checked = integer(number, f"a {what}", error=EvaluationError)
    if not 0 <= checked < count:
        raise EvaluationError(f"There is no {what} {checked}: there are {count}, numbered from 0.")
    return checked
