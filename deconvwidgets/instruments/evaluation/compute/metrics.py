"""Scores of predictions. No torch: arrays in, numbers out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TOP = 5
Floats = NDArray[np.float64]


def confusion_matrix(truths: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the counts (classes, classes + 1) of (true class, predicted class); the last column is that of other classes."""
    columns = classes + 1
    counts = np.bincount(truths * columns + predicted, minlength=classes * columns)
    return counts.reshape(classes, columns).astype(np.int64)


def shares(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    """Return part / whole; NaN where the whole is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(whole > 0, part / whole, np.nan)
    return found


def mean(values: NDArray[np.generic]) -> float:
    """Return the mean of the values that are not NaN; NaN if there is none."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else float("nan")


def average_precision(truths: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """Return the average precision of one class: the sum over thresholds of precision times the rise of the recall.

    Photographs of equal score share a threshold. NaN if no photograph has the label.

    Parameters
    ----------
    truths : array (n,) bool
        Whether each photograph has the label.
    scores : array (n,)
        Its probability.
    """
    positives = int(truths.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(truths[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of each run of equal scores
    true, predicted = found[last], last + 1
    rises = np.diff(true, prepend=0)
    return float((rises * true / predicted).sum() / positives)


def f1_score(true: NDArray[np.int64], predicted: NDArray[np.int64], labelled: NDArray[np.int64]) -> Floats:
    """Return F1 from the numbers of true positives, of predictions and of labels; NaN without predictions and labels."""
    return shares(2 * true, predicted + labelled)


def coefficient_of_determination(truths: Floats, predictions: Floats) -> Floats:
    """Return R2 of each output (n, K); NaN where the true values are constant."""
    residual, spread = ((truths - predictions) ** 2).sum(axis=0), ((truths - truths.mean(axis=0)) ** 2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r2: Floats = np.where(spread > 0, 1 - residual / spread, np.nan)
    return r2
