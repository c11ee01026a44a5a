"""The record of two evaluations compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationComparison:
    """The change between two evaluations of a classifier on the same photographs. The arrays of classes are in the order of `categories`.

    Attributes
    ----------
    before, after : str
        What was evaluated, in words.
    categories : tuple of str
        The classes that both evaluated, (R,).
    photographs : int
        Number of photographs that both evaluated.
    accuracy_before, accuracy_after : float
        Shares that are right, of these photographs.
    interval : tuple of (float, float)
        95% confidence interval of the change (after - before) for paired shares; `method` names it.
    method : str
        How the interval and the p-value are computed.
    p_value : float
        Exact McNemar test: the probability of so unequal numbers of photographs that became right and that became wrong, or more
        unequal ones, if both were equally likely (two-sided binomial test); 1 if no photograph changed.
    now_right, now_wrong : ndarray int64
        The numbers (in the image set) of the photographs that were wrong and are right, and that were right and are wrong; by falling
        change of the probability of the true class.
    changed : ndarray int64
        The numbers of all photographs whose predicted class is another one, ascending.
    class_tests : ndarray (R,) int64
        Number of compared photographs of each class.
    class_before, class_after : ndarray (R,) float64
        Accuracy of each class; NaN without photographs.
    gained, lost : tuple of int
        The classes whose accuracy rose and fell, the largest change first.
    log_loss_before, log_loss_after, calibration_before, calibration_after : float
        Log loss, and expected calibration error, of these photographs.
    notes : tuple of str
        Sentences about photographs or classes that only one of them evaluated.
    """

    before: str
    after: str
    categories: tuple[str, ...]
    photographs: int
    accuracy_before: float
    accuracy_after: float
    interval: tuple[float, float]
    method: str
    p_value: float
    now_right: NDArray[np.int64]
    now_wrong: NDArray[np.int64]
    changed: NDArray[np.int64]
    class_tests: NDArray[np.int64]
    class_before: NDArray[np.float64]
    class_after: NDArray[np.float64]
    gained: tuple[int, ...]
    lost: tuple[int, ...]
    log_loss_before: float
    log_loss_after: float
    calibration_before: float
    calibration_after: float
    notes: tuple[str, ...] = ()

    @property
    def change(self) -> float:
        """Accuracy after - before."""
        return self.accuracy_after - self.accuracy_before

    def __repr__(self) -> str:
        low, high = (100 * bound for bound in self.interval)
        moved = f"{len(self.now_right)} now right, {len(self.now_wrong)} now wrong"
        return (
            f"EvaluationComparison({100 * self.change:+.1f} points, 95% from {low:+.1f} to {high:+.1f}, p = {self.p_value:.2g}; "
            f"{moved} of {self.photographs:,})"
        )
