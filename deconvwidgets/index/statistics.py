"""Statistics of each unit's maxima over a stream of crops, in constant memory, on any device. Statistics of parts can be merged.

Everything is exact, sums and sums of squares included, so that the order of the crops, and how they are cut into batches and parts, do
not change a bit of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.index.exact_sums import MAX_ADDITIONS, SQUARE_LIMBS, SUM_LIMBS, add_exactly, carry, mean_and_deviation
from deconvwidgets.records.activations import LayerStats

HALF_BINS = 64  # bins on either side of zero
_LOWEST_EXPONENT = -24  # smaller magnitudes are counted in the bins next to zero
EXPONENTS = (_LOWEST_EXPONENT, 128)  # of histograms: float32 numbers are below 2^128
_PER_UNIT = ("sums", "squares", "maximum", "minimum", "fired")  # tensors whose first axis is the units


@dataclass(eq=False)
class GrowingHistogram:
    """A histogram per unit over [-2^e, 2^e) in equal bins, where e is the smallest exponent that covers the unit's values so far.

    When a value lies outside, e is increased and adjacent bins are added in pairs. Since the widths are powers of two, the result is
    exactly the histogram over the final range, whatever the order of the values.

    Parameters
    ----------
    counts : Tensor (units, 2 * HALF_BINS), int64
    exponents : Tensor (units,), int64
    """

    counts: Tensor
    exponents: Tensor

    @classmethod
    def empty(cls, units: int, device: torch.device | str = "cpu") -> GrowingHistogram:
        """Return a histogram of no values."""
        counts = torch.zeros(units, 2 * HALF_BINS, dtype=torch.int64, device=device)
        return cls(counts, torch.full((units,), _LOWEST_EXPONENT, dtype=torch.int64, device=device))

    def update(self, values: Tensor) -> None:
        """Count finite values (N, units), float32."""
        if not values.numel():
            return
        largest = values.abs().amax(dim=0)
        exponents = torch.where(largest > 0, torch.frexp(largest)[1].long(), _LOWEST_EXPONENT)
        if bool((exponents > self.exponents).any()):
            self._grow(exponents)
        # In float64 a float32 value is scaled without rounding. (Statistics are updated on the CPU or CUDA: MPS has no float64.)
        scaled = values.to(torch.float64) * _power_of_two(HALF_BINS.bit_length() - 1 - self.exponents)
        bins = scaled.floor().long() + HALF_BINS + torch.arange(len(self.counts), device=values.device) * (2 * HALF_BINS)
        flat = bins.view(-1)
        self.counts.view(-1).scatter_add_(0, flat, torch.ones_like(flat))

    def merge(self, other: GrowingHistogram) -> GrowingHistogram:
        """Return the histogram of the values of both."""
        left, right = self.take(0, len(self.counts)), other.take(0, len(other.counts))
        left._grow(right.exponents)
        right._grow(left.exponents)
        left.counts += right.counts
        return left

    def take(self, start: int, stop: int) -> GrowingHistogram:
        """Return an independent histogram of the units from `start` to `stop`, on the CPU."""
        return GrowingHistogram(_copied(self.counts[start:stop]), _copied(self.exponents[start:stop]))

    def edges(self) -> NDArray[np.float64]:
        """Return the edges of the bins (units, bins + 1)."""
        units = np.arange(-HALF_BINS, HALF_BINS + 1) / HALF_BINS
        return np.asarray(np.ldexp(units, self.exponents.cpu().numpy()[:, None]), np.float64)

    def _grow(self, exponents: Tensor) -> None:
        shifts = (exponents - self.exponents).clamp(min=0)
        units = torch.nonzero(shifts).view(-1)
        # Bin i covers the values from i * width; doubling the width moves them to bin floor(i / 2).
        bins = torch.arange(-HALF_BINS, HALF_BINS, device=shifts.device)
        targets = (bins >> shifts[units].clamp(max=62)[:, None]) + HALF_BINS
        self.counts[units] = torch.zeros_like(self.counts[units]).scatter_add_(1, targets, self.counts[units])
        self.exponents += shifts


@dataclass(eq=False)
class RunningStats:
    """Sums, extremes, number above zero and histogram of each unit's maxima in the crops so far.

    Parameters
    ----------
    count : int
        Number of crops.
    sums, squares : Tensor (units, limbs), int64
        Exact sums of the maxima and of their squares; see `exact_sums`.
    maximum, minimum : Tensor (units,), float32
    fired : Tensor (units,), int64
        Number of crops with a maximum above zero.
    histogram : GrowingHistogram
    """

    count: int
    sums: Tensor
    squares: Tensor
    maximum: Tensor
    minimum: Tensor
    fired: Tensor
    histogram: GrowingHistogram
    _since_carry: int = field(default=0, init=False)
    _summary: LayerStats | None = field(default=None, init=False)

    @classmethod
    def empty(cls, units: int, device: torch.device | str = "cpu") -> RunningStats:
        """Return the statistics of no crops, to be updated on a device."""

        def integers(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        maximum = torch.full((units,), -torch.inf, device=device)
        sums, squares = integers(units, SUM_LIMBS), integers(units, SQUARE_LIMBS)
        return cls(0, sums, squares, maximum, -maximum, integers(units), GrowingHistogram.empty(units, device))

    def update(self, values: Tensor) -> None:
        """Add the maxima (N, units), float32, of N crops; they must be finite."""
        if not len(values):
            return
        self._since_carry += len(values)
        if self._since_carry > MAX_ADDITIONS:
            self._carry()
            self._since_carry = len(values)
        values = values + 0.0  # of 0 and -0 the order would decide which is the extreme
        add_exactly(self.sums, self.squares, values)
        self.count += len(values)
        self.maximum = torch.maximum(self.maximum, values.amax(dim=0))
        self.minimum = torch.minimum(self.minimum, values.amin(dim=0))
        self.fired += (values > 0).sum(dim=0)
        self.histogram.update(values)
        self._summary = None

    def merge(self, other: RunningStats) -> RunningStats:
        """Return the statistics of the crops of both, on the CPU."""
        left, right = self.take(0, len(self.fired)), other.take(0, len(other.fired))
        merged = RunningStats(
            count=left.count + right.count,
            sums=left.sums + right.sums,
            squares=left.squares + right.squares,
            maximum=torch.maximum(left.maximum, right.maximum),
            minimum=torch.minimum(left.minimum, right.minimum),
            fired=left.fired + right.fired,
            histogram=left.histogram.merge(right.histogram),
        )
        merged._carry()
        return merged

    def take(self, start: int, stop: int) -> RunningStats:
        """Return independent statistics of the units from `start` to `stop`, on the CPU, with sums in the canonical form."""
        parts = [_copied(getattr(self, name)[start:stop]) for name in _PER_UNIT]
        taken = self._of(self.count, parts, self.histogram.take(start, stop))
        taken._carry()
        return taken

    @classmethod
    def joined(cls, parts: Sequence[RunningStats], device: torch.device | str = "cpu") -> RunningStats:
        """Return the statistics of the units of several layers over the same crops, one after the other, on a device."""
        found = [torch.cat([getattr(part, name) for part in parts]).to(device) for name in _PER_UNIT]
        counts = torch.cat([part.histogram.counts for part in parts]).to(device)
        exponents = torch.cat([part.histogram.exponents for part in parts]).to(device)
        return cls._of(parts[0].count, found, GrowingHistogram(counts, exponents))

    @classmethod
    def _of(cls, count: int, parts: Sequence[Tensor], histogram: GrowingHistogram) -> RunningStats:
        """Return statistics of the tensors of `_PER_UNIT`."""
        sums, squares, maximum, minimum, fired = parts
        return cls(count, sums, squares, maximum, minimum, fired, histogram)

    def _carry(self) -> None:
        carry(self.sums)
        carry(self.squares)
        self._since_carry = 0

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the means and the standard deviations of the population (units,), correctly rounded; zeros without any crop."""
        self._carry()
        return mean_and_deviation(self.sums, self.squares, max(self.count, 1))

    def summary(self) -> LayerStats:
        """Return the statistics as a record; without any crop all values are zero.

        The standard deviation is the population's (divided by the count). If no maximum is negative, as after a rectifier, the negative
        half of the histogram is left out.
        """
        if self._summary is None:
            self._summary = self._summarised()
        return self._summary

    def _summarised(self) -> LayerStats:
        any_crop = self.count > 0
        mean, std = self.moments()
        maximum = self.maximum.cpu().numpy().astype(np.float64) if any_crop else np.zeros_like(mean)
        minimum = self.minimum.cpu().numpy()
        selectivity = np.divide(maximum - mean, std, out=np.zeros_like(std), where=std > 0)
        first = HALF_BINS if not any_crop or minimum.min(initial=0) >= 0 else 0
        return LayerStats(
            maximum=maximum.astype(np.float32),
            mean=mean.astype(np.float32),
            std=std.astype(np.float32),
            activation_rate=(self.fired.cpu().numpy() / max(self.count, 1)).astype(np.float32),
            selectivity=selectivity.astype(np.float32),
            histogram=self.histogram.counts.cpu().numpy()[:, first:].copy(),
            edges=self.histogram.edges()[:, first:].astype(np.float32),
        )

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the complete state, except the count, as named arrays."""
        taken = self.take(0, len(self.fired))
        arrays = {name: getattr(taken, name).numpy() for name in _PER_UNIT}
        return {**arrays, "histogram": taken.histogram.counts.numpy(), "exponents": taken.histogram.exponents.numpy()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], count: int, units: int) -> RunningStats:
        """Return the statistics with the state that `tensors` returned.

        Raises
        ------
        KeyError
            If an array is missing.
        ValueError
            If an array has another shape or type.
        """
        stats = cls.empty(units)
        found = [_checked(tensors[name], name, getattr(stats, name)) for name in _PER_UNIT]
        counts = _checked(tensors["histogram"], "histogram", stats.histogram.counts)
        if (counts.sum(dim=1) != count).any():
            raise ValueError(f"a histogram has another count than {count}")
        return cls._of(count, found, GrowingHistogram(counts, _checked(tensors["exponents"], "exponents", stats.fired)))


def _power_of_two(exponents: Tensor) -> Tensor:
    """Return 2^exponent as float64, exactly on every device, for int64 exponents from -1022 to 1023."""
    return ((exponents + 1023) << 52).view(torch.float64)


def _copied(part: Tensor) -> Tensor:
    """Return a copy on the CPU."""
    return part.to("cpu", copy=True)


def _checked(array: NDArray[Any], name: str, like: Tensor) -> Tensor:
    found = torch.from_numpy(np.ascontiguousarray(array))
    if found.shape != like.shape or found.dtype != like.dtype:
        raise ValueError(f"{name} is {found.dtype} of shape {tuple(found.shape)}, not {like.dtype} of {tuple(like.shape)}")
    return found.clone()
