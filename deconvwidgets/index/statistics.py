"""Statistics of each unit's maxima over a stream of crops, in constant memory. Statistics of parts can be merged.

Counts, extremes and histograms merge exactly; mean and standard deviation by the pairwise update of Chan, Golub & LeVeque (1983) in
float64.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.activations import LayerStats

HALF_BINS = 64  # bins on either side of zero
_LOWEST_EXPONENT = -24  # smaller magnitudes are counted in the bins next to zero


class GrowingHistogram:
    """A histogram per unit over [-2^e, 2^e) in equal bins, where e is the smallest exponent that covers the unit's values so far.

    When a value lies outside, e is increased and adjacent bins are added in pairs. Since the widths are powers of two, the result is
    exactly the histogram over the final range, whatever the order of the values.

    Parameters
    ----------
    units : int
        Number of units.
    """

    def __init__(self, units: int) -> None:
        self.counts = np.zeros((units, 2 * HALF_BINS), np.int64)
        self.exponents = np.full(units, _LOWEST_EXPONENT, np.int64)

    def update(self, values: NDArray[np.float64]) -> None:
        """Count finite values (N, units)."""
        if not len(values):
            return
        largest = np.abs(values).max(axis=0)
        self._grow(np.where(largest > 0, np.frexp(largest)[1], _LOWEST_EXPONENT))
        bins = np.floor(np.ldexp(values, -self.exponents) * HALF_BINS).astype(np.int64) + HALF_BINS
        flat = bins + np.arange(len(self.exponents)) * 2 * HALF_BINS
        self.counts += np.bincount(flat.ravel(), minlength=self.counts.size).reshape(self.counts.shape)

    def merge(self, other: GrowingHistogram) -> GrowingHistogram:
        """Return the histogram of the values of both."""
        left, right = self.copy(), other.copy()
        left._grow(right.exponents)
        right._grow(left.exponents)
        left.counts += right.counts
        return left

    def copy(self) -> GrowingHistogram:
        """Return an independent copy."""
        histogram = GrowingHistogram(len(self.exponents))
        histogram.counts, histogram.exponents = self.counts.copy(), self.exponents.copy()
        return histogram

    def edges(self) -> NDArray[np.float64]:
        """Return the edges of the bins (units, bins + 1)."""
        return np.ldexp(np.arange(-HALF_BINS, HALF_BINS + 1) / HALF_BINS, self.exponents[:, None])

    def _grow(self, exponents: NDArray[np.int64]) -> None:
        shifts = np.clip(exponents - self.exponents, 0, None)
        units = np.flatnonzero(shifts)
        if not units.size:
            return
        # Bin i covers the values from i * width; doubling the width moves them to bin floor(i / 2).
        target_bins = (np.arange(-HALF_BINS, HALF_BINS) >> np.minimum(shifts[units], 63)[:, None]) + HALF_BINS
        coarser = np.zeros((len(units), 2 * HALF_BINS), np.int64)
        np.add.at(coarser, (np.arange(len(units))[:, None], target_bins), self.counts[units])
        self.counts[units] = coarser
        self.exponents[units] += shifts[units]


class RunningStats:
    """Count, mean, deviation, extremes, number above zero and histogram of each unit's maxima in the crops so far."""

    def __init__(self, units: int) -> None:
        self.count = 0
        self.mean = np.zeros(units)
        self.squares = np.zeros(units)  # sum of squared deviations from the mean
        self.maximum = np.full(units, -np.inf)
        self.minimum = np.full(units, np.inf)
        self.fired = np.zeros(units, np.int64)
        self.histogram = GrowingHistogram(units)

    def update(self, values: NDArray[np.float64]) -> None:
        """Add the maxima (N, units) of N crops; they must be finite."""
        if not len(values):
            return
        mean = values.mean(axis=0)
        self._combine(len(values), mean, np.square(values - mean).sum(axis=0))
        self.maximum = np.maximum(self.maximum, values.max(axis=0))
        self.minimum = np.minimum(self.minimum, values.min(axis=0))
        self.fired = self.fired + (values > 0).sum(axis=0)
        self.histogram.update(values)

    def copy(self) -> RunningStats:
        """Return an independent copy."""
        copied = copy.copy(self)  # `update` replaces the arrays; only the histogram is changed in place
        copied.histogram = self.histogram.copy()
        return copied

    def merge(self, other: RunningStats) -> RunningStats:
        """Return the statistics of the crops of both."""
        merged = RunningStats(len(self.mean))
        for part in (self, other):
            merged._combine(part.count, part.mean, part.squares)
        merged.maximum = np.maximum(self.maximum, other.maximum)
        merged.minimum = np.minimum(self.minimum, other.minimum)
        merged.fired = self.fired + other.fired
        merged.histogram = self.histogram.merge(other.histogram)
        return merged

    def _combine(self, count: int, mean: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
        if not count:
            return
        total = self.count + count
        delta = mean - self.mean
        self.mean = self.mean + delta * (count / total)
        self.squares = self.squares + squares + np.square(delta) * (self.count * count / total)
        self.count = total

    def summary(self) -> LayerStats:
        """Return the statistics as a record; without any crop all values are zero.

        The standard deviation is the population's (divided by the count). If no maximum is negative, as after a rectifier, the negative
        half of the histogram is left out.
        """
        any_crop = self.count > 0
        maximum = self.maximum if any_crop else np.zeros_like(self.mean)
        std = np.sqrt(self.squares / max(self.count, 1))
        selectivity = np.divide(maximum - self.mean, std, out=np.zeros_like(std), where=std > 0)
        first = HALF_BINS if not any_crop or self.minimum.min(initial=0) >= 0 else 0
        return LayerStats(
            maximum=maximum.astype(np.float32),
            mean=self.mean.astype(np.float32),
            std=std.astype(np.float32),
            activation_rate=(self.fired / max(self.count, 1)).astype(np.float32),
            selectivity=selectivity.astype(np.float32),
            histogram=self.histogram.counts[:, first:].copy(),
            edges=self.histogram.edges()[:, first:].astype(np.float32),
        )

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """Return the complete state as named arrays."""
        return {
            "count": np.array([self.count], np.int64),
            "mean": self.mean,
            "squares": self.squares,
            "maximum": self.maximum,
            "minimum": self.minimum,
            "fired": self.fired,
            "histogram": self.histogram.counts,
            "exponents": self.histogram.exponents,
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[np.generic]]) -> RunningStats:
        """Return the statistics with the state that `tensors()` returned. Raises KeyError if an array is missing."""
        stats = cls(len(tensors["mean"]))
        stats.count = int(tensors["count"].item())
        stats.mean, stats.squares = tensors["mean"].astype(np.float64), tensors["squares"].astype(np.float64)
        stats.maximum, stats.minimum = tensors["maximum"].astype(np.float64), tensors["minimum"].astype(np.float64)
        stats.fired = tensors["fired"].astype(np.int64)
        stats.histogram.counts = tensors["histogram"].astype(np.int64)
        stats.histogram.exponents = tensors["exponents"].astype(np.int64)
        return stats
