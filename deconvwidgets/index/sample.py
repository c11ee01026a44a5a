"""A random sample of crops, and what every unit does in them.

The sample has the crops with the smallest hash of (seed, content, number of the crop in its photograph). So it does not depend on the
order in which crops are seen, the sample of two sets of crops follows from the samples of both, and copies of a photograph count once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """The crops of a sample, in ascending order of their hashes.

    Attributes
    ----------
    hashes : array (S,), uint64
    crops, sources, numbers : arrays (S,), int64
        The crops, their photographs, and their numbers in their photographs.
    contents : array (S,), uint64
        The content ids of the photographs.
    """

    hashes: NDArray[np.uint64]
    crops: Integers
    sources: Integers
    numbers: Integers
    contents: NDArray[np.uint64]

    @classmethod
    def of(cls, seed: int, crops: Integers, sources: Integers, numbers: Integers, contents: NDArray[np.uint64]) -> Self:
        """Return crops with their hashes, in the given order."""
        return cls(sample_hashes(seed, contents, numbers), crops, sources, numbers, contents)

    @classmethod
    def empty(cls) -> Self:
        """Return a sample without crops."""
        none = np.zeros(0, np.int64)
        return cls(none.astype(np.uint64), none, none, none, none.astype(np.uint64))

    def __len__(self) -> int:
        return len(self.crops)

    def take(self, rows: Integers) -> Sample:
        """Return some of the crops, in the given order."""
        return Sample(self.hashes[rows], self.crops[rows], self.sources[rows], self.numbers[rows], self.contents[rows])

    def joined(self, other: Sample) -> Sample:
        """Return the crops of both, one after the other."""
        parts = zip(self._arrays(), other._arrays(), strict=True)
        return Sample(*(np.concatenate(pair) for pair in parts))

    def smallest(self, size: int) -> Integers:
        """Return the rows of the `size` crops with the smallest hashes, in order. Of copies, the one with the smallest number counts."""
        order = np.lexsort((self.crops, self.numbers, self.contents, self.hashes))
        repeated = np.zeros(len(order), np.bool_)
        repeated[1:] = np.logical_and.reduce(
            [array[order[1:]] == array[order[:-1]] for array in (self.hashes, self.contents, self.numbers)]
        )
        return np.asarray(order[~repeated][:size], np.int64)

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return self.hashes, self.crops, self.sources, self.numbers, self.contents


@dataclass(frozen=True, eq=False)
class LayerSample:
    """What the units of a layer do in the crops of a sample, in the order of the sample.

    Attributes
    ----------
    values : array (S, units), float32
        The maximum of each unit's map.
    positions : array (S, units), int32
        The position of the maximum in reading order: row * width + column. Of equal maxima the first.
    """

    values: NDArray[np.float32]
    positions: NDArray[np.int32]

    @classmethod
    def empty(cls, units: int) -> Self:
        """Return the sample of no crops."""
        return cls(np.zeros((0, units), np.float32), np.zeros((0, units), np.int32))

    def take(self, rows: Integers) -> LayerSample:
        """Return some of the crops, in the given order."""
        return LayerSample(self.values[rows], self.positions[rows])

    def joined(self, other: LayerSample) -> LayerSample:
        """Return the crops of both, one after the other."""
        return LayerSample(np.concatenate([self.values, other.values]), np.concatenate([self.positions, other.positions]))


class SampleTable:
    """The sample of the crops so far, which is changed in place: a crop that enters overwrites one that leaves.

    Parameters
    ----------
    size : int
        The number of crops in the sample.
    seed : int
        The seed of the hashes.
    sample : Sample
        The crops to begin with.
    found : LayerSample
        What the units do in them.
    """

    def __init__(self, size: int, seed: int, sample: Sample, found: LayerSample) -> None:
        self._size, self._seed, self._sample = size, seed, sample
        units = found.values.shape[1]
        self._values, self._positions = np.zeros((size, units), np.float32), np.zeros((size, units), np.int32)
        self._values[: len(sample)], self._positions[: len(sample)] = found.values, found.positions
        self._slots = np.arange(len(sample))  # of the crops of `sample`
        self._filled = self._slots[:0]

    def enter(self, crops: Integers, sources: Integers, numbers: Integers, contents: NDArray[np.uint64]) -> Integers:
        """Return which of N crops enter the sample, as rows of the arrays, and take them in. `fill` follows."""
        added = Sample.of(self._seed, crops, sources, numbers, contents)
        joined = self._sample.joined(added)
        chosen = joined.smallest(self._size)
        self._sample, before = joined.take(chosen), len(self._sample)
        is_new = chosen >= before
        slots = np.empty(len(chosen), np.int64)
        slots[~is_new] = self._slots[chosen[~is_new]]
        slots[is_new] = np.setdiff1d(np.arange(self._size), slots[~is_new])[: int(is_new.sum())]
        self._slots, self._filled = slots, slots[is_new]
        return np.asarray(chosen[is_new] - before, np.int64)

    def fill(self, values: NDArray[np.float32], positions: NDArray[np.int32]) -> None:
        """Set what the units do in the crops that entered last (entered, units)."""
        self._values[self._filled], self._positions[self._filled] = values, positions

    @property
    def limit(self) -> int:
        """The hash that a crop must not exceed to enter. It never increases."""
        if not self._size:
            return -1
        return int(self._sample.hashes[-1]) if len(self._sample) == self._size else (1 << 64) - 1

    @property
    def sample(self) -> Sample:
        """The crops."""
        return self._sample

    def found(self, start: int, stop: int) -> LayerSample:
        """Return a copy of what the units from `start` to `stop` do in the crops."""
        return LayerSample(self._values[self._slots, start:stop], self._positions[self._slots, start:stop])


def sample_hashes(seed: int, contents: NDArray[np.uint64], numbers: Integers) -> NDArray[np.uint64]:
    """Return a hash (N,) of the seed, the contents (N,) and the numbers (N,), uniform over 64 bits."""
    start = _mixed(np.full(len(contents), seed, np.uint64))
    return _mixed(_mixed(start ^ contents) ^ numbers.astype(np.uint64))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the output function of SplitMix64 (Steele, Lea & Flood 2014), a bijection in which every bit depends on every other."""
    values = values + np.uint64(0x9E3779B97F4A7C15)  # arrays wrap around without a warning
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)), np.uint64)
