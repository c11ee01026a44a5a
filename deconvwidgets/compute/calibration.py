"""Calibration of predictions: the reliability diagram, the expected calibration error and the log loss.

Source: Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, section 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deconvwidgets.records.calibration import Calibration

BINS = 15  # as in Guo et al. 2017
_SMALLEST = float(np.finfo(np.float32).tiny)  # float32 probabilities below it are 0, of which the log loss would be infinite


def calibration(confidences: ArrayLike, correct: ArrayLike, truth_probabilities: ArrayLike | None = None, bins: int = BINS) -> Calibration:
    """Return the calibration of predictions.

    Parameters
    ----------
    confidences : array (predictions,) of float
        The probability of the predicted class, from 0 to 1; for one class of a multi-label model, its probability.
    correct : array (predictions,) of bool
        Whether the predicted class is the true one; for one class of a multi-label model, whether it is present.
    truth_probabilities : array (predictions,) of float, optional
        The probability of the true class, for the log loss. Those below 1e-38 count as 1e-38.
    bins : int
        Number of bins.

    Raises
    ------
    ValueError
        For arrays of different lengths, without a prediction, or with anything but probabilities.
    """
    probabilities, hits = _probabilities(confidences, "confidences"), np.asarray(correct, bool)
    if hits.shape != probabilities.shape:
        raise ValueError(f"correct has shape {hits.shape}, confidences {probabilities.shape}: pass one value for each prediction.")
    edges = np.linspace(0.0, 1.0, bins + 1)
    numbers = np.clip(np.searchsorted(edges, probabilities, side="left") - 1, 0, bins - 1)
    counts = np.bincount(numbers, minlength=bins).astype(np.int64)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN in an empty bin
        means = np.bincount(numbers, probabilities, bins) / counts
        accuracies = np.bincount(numbers, hits.astype(np.float64), bins) / counts
    log_loss = None
    if truth_probabilities is not None:
        truths = _probabilities(truth_probabilities, "truth_probabilities")
        if truths.shape != probabilities.shape:
            raise ValueError(f"truth_probabilities has shape {truths.shape}, confidences {probabilities.shape}: pass one value for each.")
        log_loss = float(-np.log(np.maximum(truths, _SMALLEST)).mean())
    return Calibration(edges, counts, means, accuracies, log_loss)


def _probabilities(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} has shape {array.shape}: pass one probability for each prediction, and at least one.")
    outside = ~((array >= 0) & (array <= 1 + 1e-6))  # also NaN; a float32 softmax may exceed 1 by rounding
    if outside.any():
        raise ValueError(f"{name} contains {array[outside][0]:g}, which is not a probability from 0 to 1.")
    clipped: NDArray[np.float64] = np.minimum(array, 1.0)
    return clipped
