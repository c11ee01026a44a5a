"""How well the probabilities of a classifier agree with how often it is correct."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A reliability diagram: predictions in bins of equal width, by their confidence (Guo et al. 2017, section 2).

    A prediction falls into the bin whose lower edge is below its confidence and whose upper edge is not; a confidence of 0 falls into the
    first bin. Accuracy counts every prediction once: it is not averaged over classes.

    Attributes
    ----------
    edges : ndarray of shape (bins + 1,), float64
        The edges of the bins, from 0 to 1.
    counts : ndarray of shape (bins,), int64
        The number of predictions in each bin.
    confidences : ndarray of shape (bins,), float64
        The mean confidence in each bin; NaN in an empty one.
    accuracies : ndarray of shape (bins,), float64
        The share of correct predictions in each bin; NaN in an empty one.
    log_loss : float or None
        The mean of -log(probability of the true class), in nats; None if those probabilities were not given.

    Examples
    --------
    >>> from deconvwidgets.compute.calibration import calibration
    >>> found = calibration([0.95, 0.85, 0.75, 0.65], [True, True, False, True], bins=10)
    >>> found.tests, found.confidence, found.accuracy
    (4, 0.8, 0.75)
    >>> print(found.describe())
    answers with 0.80 on average, right 0.75 of the time; ECE 32.5%
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidences: NDArray[np.float64]
    accuracies: NDArray[np.float64]
    log_loss: float | None = None

    __repr__ = compact_repr

    @property
    def tests(self) -> int:
        """Number of predictions."""
        return int(self.counts.sum())

    @property
    def confidence(self) -> float:
        """The mean confidence of all predictions."""
        return self._mean(self.confidences)

    @property
    def accuracy(self) -> float:
        """The share of correct predictions."""
        return self._mean(self.accuracies)

    @property
    def error(self) -> float:
        """The expected calibration error (ECE): the mean absolute difference of accuracy and confidence over bins, by count."""
        return self._mean(np.abs(self.accuracies - self.confidences))

    def describe(self) -> str:
        """Return the mean confidence, the accuracy and the expected calibration error as a sentence."""
        return f"answers with {self.confidence:.2f} on average, right {self.accuracy:.2f} of the time; ECE {100 * self.error:.1f}%"

    def _mean(self, values: NDArray[np.float64]) -> float:
        filled = self.counts > 0
        return float(values[filled] @ self.counts[filled] / self.tests)
