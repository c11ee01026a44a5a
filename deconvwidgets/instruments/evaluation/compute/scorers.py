"""Scores that grow with each batch: arrays of photographs, from which an evaluation is made at any time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from deconvwidgets.compute.calibration import calibration
from deconvwidgets.compute.scores import most_probable, scores_of
from deconvwidgets.instruments.evaluation.compute import metrics
from deconvwidgets.instruments.evaluation.compute.labels import Labels
from deconvwidgets.instruments.evaluation.records import (
    ClassificationEvaluation,
    Evaluation,
    MultilabelEvaluation,
    RegressionEvaluation,
)
from deconvwidgets.records.quantity import Quantity

_SMALLEST = 1e-15  # a probability of 0 that a model returns counts as this in the log loss

Rows = NDArray[np.int64]
Common = Mapping[str, Any]  # the fields of `Evaluation`


class Scorer(Protocol):
    """Collects outputs, and makes evaluations of them."""

    def add(self, rows: Rows, outputs: NDArray[np.float32]) -> None:
        """Add the outputs (N, K) of some rows of the labels."""
        ...

    def evaluation(self, rows: Rows, common: Common) -> Evaluation:
        """Return the evaluation of some rows, which were added."""
        ...


def make_scorer(labels: Labels, classes: int, quantity: Quantity, model: str, threshold: float, bins: int) -> Scorer:
    """Return the scorer of a task."""
    if quantity.task == "regression":
        return RegressionScorer(labels, quantity, model)
    if quantity.task == "multilabel":
        return MultilabelScorer(labels, quantity, model, threshold)
    return ClassificationScorer(labels, classes, quantity, model, bins)


class ClassificationScorer:
    """Scores of classes that exclude each other."""

    def __init__(self, labels: Labels, classes: int, quantity: Quantity, model: str, bins: int) -> None:
        self._labels, self._quantity, self._model, self._bins = labels, quantity, model, bins
        count, rows = len(labels.sources), len(labels.categories)
        self._members = np.zeros((rows, classes), bool)
        self._category_of = np.full(classes, rows, np.int64)
        for row, group in enumerate(labels.category_classes):
            self._members[row, list(group)] = True
            self._category_of[list(group)] = row
        self._predictions, self._ranks = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._confidences, self._true = np.zeros(count, np.float32), np.zeros(count, np.float32)
        self._losses, self._brier = np.zeros(count, np.float32), np.zeros(count, np.float64)

    def add(self, rows: Rows, outputs: NDArray[np.float32]) -> None:
        logits = torch.from_numpy(np.ascontiguousarray(outputs))
        scores = scores_of(logits, self._quantity, self._model)
        members = self._members[self._labels.truths[rows]]
        predictions = most_probable(scores)
        sums = self._sums(scores)
        true = np.where(members, scores, 0).sum(axis=1)
        predicted = self._category_of[predictions]
        alone = predicted == len(self._labels.categories)
        at = np.arange(len(rows))
        own = scores[at, predictions]
        confidences = np.where(alone, own, sums[at, np.minimum(predicted, sums.shape[1] - 1)])
        self._predictions[rows], self._confidences[rows], self._true[rows] = predictions, confidences, true
        self._ranks[rows] = _ranks(scores, members, predictions)
        self._losses[rows] = self._loss(logits, members, true)
        others = np.where(self._category_of == sums.shape[1], scores, 0)
        self._brier[rows] = (others**2).sum(axis=1) + (sums**2).sum(axis=1) - 2 * true + 1

    def _sums(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability (N, R) of each evaluated class."""
        groups = self._labels.category_classes
        if all(len(group) == 1 for group in groups):
            return scores[:, [group[0] for group in groups]]
        return np.stack([scores[:, list(group)].sum(axis=1) for group in groups], axis=1)

    def _loss(self, logits: torch.Tensor, members: NDArray[np.bool_], true: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return -log(probability of the true class) (N,); of logits without rounding small probabilities to 0."""
        if self._quantity.activation == "softmax":
            values: NDArray[np.float64] = logits.cpu().numpy().astype(np.float64)
            return _logsumexp(values) - _logsumexp(np.where(members, values, -np.inf))
        return -np.log(np.maximum(true, _SMALLEST))

    def evaluation(self, rows: Rows, common: Common) -> ClassificationEvaluation:
        labels, classes = self._labels, self._members.shape[1]
        truths, predictions = labels.truths[rows], self._predictions[rows]
        predicted = self._category_of[predictions]
        right = predicted == truths
        confusion = metrics.confusion_matrix(truths, predicted, len(labels.categories))
        tests, hits = confusion.sum(axis=1), np.diag(confusion)
        recall = metrics.shares(hits, tests)
        confidences, losses = self._confidences[rows], self._losses[rows]
        return ClassificationEvaluation(
            **common,
            categories=labels.categories,
            category_classes=labels.category_classes,
            truths=truths,
            predictions=predictions,
            predicted=predicted,
            confidences=confidences,
            true_probabilities=self._true[rows],
            losses=losses,
            ranks=self._ranks[rows],
            accuracy=metrics.mean(right),
            top5=metrics.mean(self._ranks[rows] < metrics.TOP) if classes > metrics.TOP else None,
            class_accuracy=metrics.mean(recall),
            recall=recall,
            precision=metrics.shares(hits, confusion[:, :-1].sum(axis=0)),
            class_tests=tests,
            confusion=confusion,
            reliability=calibration(confidences, right, bins=self._bins),
            log_loss=metrics.mean(losses),
            brier=metrics.mean(self._brier[rows]),
        )


class MultilabelScorer:
    """Scores of classes that do not exclude each other."""

    def __init__(self, labels: Labels, quantity: Quantity, model: str, threshold: float) -> None:
        self._labels, self._quantity, self._model, self._threshold = labels, quantity, model, threshold
        self._columns = [group[0] for group in labels.category_classes]
        self._probabilities = np.zeros((len(labels.sources), len(labels.categories)), np.float32)

    def add(self, rows: Rows, outputs: NDArray[np.float32]) -> None:
        scores = scores_of(torch.from_numpy(np.ascontiguousarray(outputs)), self._quantity, self._model)
        self._probabilities[rows] = scores[:, self._columns]

    def evaluation(self, rows: Rows, common: Common) -> MultilabelEvaluation:
        labels, probabilities, truths = self._labels, self._probabilities[rows], self._labels.truths[rows]
        predicted = probabilities >= self._threshold
        true, chosen, labelled = ((array).sum(axis=0) for array in (predicted & truths, predicted, truths))
        totals = [array.sum(keepdims=True) for array in (true, chosen, labelled)]
        average = np.array([metrics.average_precision(truths[:, row], probabilities[:, row]) for row in range(len(labels.categories))])
        return MultilabelEvaluation(
            **common,
            categories=labels.categories,
            category_classes=labels.category_classes,
            truths=truths,
            probabilities=probabilities,
            threshold=self._threshold,
            class_tests=labelled,
            average_precision=average,
            mean_average_precision=metrics.mean(average),
            recall=metrics.shares(true, labelled),
            precision=metrics.shares(true, chosen),
            f1=metrics.f1_score(true, chosen, labelled),
            micro_precision=float(metrics.shares(totals[0], totals[1])[0]),
            micro_recall=float(metrics.shares(totals[0], totals[2])[0]),
            micro_f1=float(metrics.f1_score(*totals)[0]),
        )


class RegressionScorer:
    """Errors of values."""

    def __init__(self, labels: Labels, quantity: Quantity, model: str) -> None:
        self._labels, self._quantity, self._model = labels, quantity, model
        self._predictions = np.zeros(labels.truths.shape, np.float64)

    def add(self, rows: Rows, outputs: NDArray[np.float32]) -> None:
        self._predictions[rows] = scores_of(torch.from_numpy(np.ascontiguousarray(outputs)), self._quantity, self._model)

    def evaluation(self, rows: Rows, common: Common) -> RegressionEvaluation:
        truths, predictions = self._labels.truths[rows], self._predictions[rows]
        errors = predictions - truths
        return RegressionEvaluation(
            **common,
            unit=self._quantity.unit,
            truths=truths,
            predictions=predictions,
            mean_absolute_error=np.abs(errors).mean(axis=0),
            root_mean_squared_error=np.sqrt((errors**2).mean(axis=0)),
            r2=metrics.coefficient_of_determination(truths, predictions),
        )


def _logsumexp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(sum(exp(values))) (N,) of rows (N, K), by numpy: torch would wait for its threads on a machine with other work."""
    highest = values.max(axis=1)
    sums: NDArray[np.float64] = highest + np.log(np.exp(values - highest[:, None]).sum(axis=1))
    return sums


def _ranks(scores: NDArray[np.float64], members: NDArray[np.bool_], predictions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many classes are more probable than the best right one; of equal ones the lowest number comes first, as everywhere."""
    right = np.where(members, scores, -np.inf)
    best = right.argmax(axis=1)
    at = np.arange(len(scores))
    value = scores[at, best][:, None]
    ahead = (scores > value) | ((scores == value) & (np.arange(scores.shape[1]) < best[:, None]))
    hit = members[at, predictions]
    ranks: NDArray[np.int64] = np.where(hit, 0, np.maximum(ahead.sum(axis=1), 1))
    return ranks
