"""The k strongest activations of each unit, updated while images are processed.

Activations are ranked by one total order: value descending, then crop ascending. A crop has one activation per unit. Photographs with the
same content count as one: of the same crop of several copies only the first in this order is kept, and with `per_source` = m at most m
activations of one content. Greedy selection under such nested quotas composes (the admissible selections form a truncated laminar
matroid), so updates and merges in any grouping and order give the result of one sort of everything. Resuming, and building in several
processes, rely on that.

Source: the top 9 activations of Zeiler & Fergus 2014, figure 2, "each from a different image".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import ModelError

EMPTY = np.float32(-np.inf)  # the value of a missing activation
_ID_TYPES = {"sources": np.int64, "crops": np.int64, "rows": np.int32, "columns": np.int32, "numbers": np.int32}
PLACE_BYTES = 4 + 6 * 8  # in memory, of one activation
_SMALLEST_BUFFER = 1 << 14  # activations that are ranked together, at least

Integers = NDArray[np.int64]


class Entries(NamedTuple):
    """Activations as a table with one row each.

    Parameters
    ----------
    unit : array (n,), int64
    value : array (n,), float32
        Finite.
    source, crop, row, column, number : arrays (n,), int64
        The photograph, the crop, the position in the map, and the number of the crop in its photograph; not negative.
    content : array (n,), int64
        The content id of the photograph, as a signed integer.
    """

    unit: Integers
    value: NDArray[np.float32]
    source: Integers
    crop: Integers
    row: Integers
    column: Integers
    number: Integers
    content: Integers

    def take(self, indices: Integers | NDArray[np.bool_]) -> Entries:
        """Return some of the activations."""
        return Entries._make(array[indices] for array in self)

    @classmethod
    def joined(cls, parts: Sequence[Entries]) -> Entries:
        """Return the activations of several tables in one."""
        return cls._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


class RunningTopK:
    """The k strongest activations of each unit.

    Memory is (units, k), whatever the number of images. An activation that is added twice counts once.

    Parameters
    ----------
    units : int
        Number of units (feature maps).
    k : int
        Number of activations kept per unit.
    per_source : int, optional
        Number of activations kept per unit and content; None for no limit.
    """

    def __init__(self, units: int, k: int = 9, per_source: int | None = 1) -> None:
        if units < 0 or k < 1 or (per_source is not None and per_source < 1):
            raise ValueError(f"units={units}, k={k}, per_source={per_source}: k and per_source must be at least 1 (or per_source None)")
        self.units, self.k, self.per_source = units, k, per_source
        self._values: NDArray[np.float32] = np.full((units, k), EMPTY, np.float32)
        self._ids: Integers = np.full((6, units, k), -1, np.int64)  # source, crop, row, column, number, content
        self._waiting: list[Entries] = []  # to be ranked together: sorting pays for many
        self._waiting_count = 0

    @property
    def values(self) -> NDArray[np.float32]:
        """The activations (units, k), strongest first; -inf for missing ones."""
        self._rank_waiting()
        return self._values

    @property
    def sources(self) -> Integers:
        """The source photographs (units, k); -1 for missing activations, as in `crops`, `rows` and `columns`."""
        return np.asarray(self.ids[0])

    @property
    def crops(self) -> Integers:
        """The crop numbers (units, k)."""
        return np.asarray(self.ids[1])

    @property
    def rows(self) -> Integers:
        """The rows in the feature map (units, k)."""
        return np.asarray(self.ids[2])

    @property
    def columns(self) -> Integers:
        """The columns in the feature map (units, k)."""
        return np.asarray(self.ids[3])

    @property
    def contents(self) -> NDArray[np.uint64]:
        """The content ids of the photographs (units, k); 0 for missing activations."""
        self._rank_waiting()
        return np.where(self._ids[1] >= 0, self._ids[5], 0).view(np.uint64)

    @property
    def ids(self) -> Integers:
        """Sources, crops, rows and columns as one array (4, units, k)."""
        self._rank_waiting()
        return np.asarray(self._ids[:4])

    @property
    def counts(self) -> Integers:
        """The number of activations of each unit (units,)."""
        return np.asarray((self.crops >= 0).sum(axis=1), np.int64)

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """What an activation must reach to be ranked (units,), as far as is known without ranking those that wait. It never decreases."""
        return np.asarray(self._values[:, -1])

    def offer(self, entries: Entries) -> bool:
        """Add activations.

        Returns
        -------
        bool
            Whether the thresholds may have changed.

        Raises
        ------
        ModelError
            If a value is NaN.
        """
        invalid = np.flatnonzero(np.isnan(entries.value))
        if invalid.size:
            unit = int(entries.unit[invalid[0]])
            raise ModelError(f"The activation of unit {unit} is NaN: check the model's weights and its input transform")
        entries = entries.take((entries.value > EMPTY) & (entries.value >= self.thresholds[entries.unit]))
        if len(entries.unit):
            self._waiting.append(entries)
            self._waiting_count += len(entries.unit)
        if self._waiting_count < max(self.units * self.k // 2, _SMALLEST_BUFFER):
            return False
        self._rank_waiting()
        return True

    def merge(self, other: RunningTopK) -> RunningTopK:
        """Return the ranking of the activations of both. The operation is exactly associative, commutative and idempotent."""
        if (self.units, self.k, self.per_source) != (other.units, other.k, other.per_source):
            raise ValueError("rankings can be merged only with the same units, k and per_source")
        merged = self.copy()
        merged._insert(other.entries())
        return merged

    def copy(self) -> RunningTopK:
        """Return an independent copy."""
        return self.take(0, self.units)

    def take(self, start: int, stop: int) -> RunningTopK:
        """Return an independent ranking of the units from `start` to `stop`, which are numbered from 0 in it."""
        self._rank_waiting()
        ranking = RunningTopK(0, self.k, self.per_source)
        ranking.units = stop - start
        ranking._values, ranking._ids = self._values[start:stop].copy(), self._ids[:, start:stop].copy()
        return ranking

    @classmethod
    def joined(cls, rankings: Sequence[RunningTopK]) -> RunningTopK:
        """Return the ranking of the units of several ones with the same k and quota, one after the other."""
        joined = cls(0, rankings[0].k, rankings[0].per_source)
        joined.units = sum(ranking.units for ranking in rankings)
        joined._values = np.concatenate([ranking.values for ranking in rankings])
        joined._ids = np.concatenate([ranking._ids for ranking in rankings], axis=1)
        return joined

    def entries(self) -> Entries:
        """Return the activations of all units, strongest first."""
        self._rank_waiting()
        return self._entries(np.arange(self.units))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the complete state as named arrays (units, k)."""
        self._rank_waiting()
        ids = {name: self._ids[row].astype(dtype) for row, (name, dtype) in enumerate(_ID_TYPES.items())}
        return {"values": self._values.copy(), **ids, "contents": self.contents}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], units: int, k: int, per_source: int | None) -> RunningTopK:
        """Return the ranking with the state that `tensors` returned.

        Raises
        ------
        KeyError
            If an array is missing.
        ValueError
            If arrays have another shape, or do not fit together.
        """
        ranking = cls(units, k, per_source)
        arrays = {name: np.asarray(tensors[name]) for name in ("values", *_ID_TYPES, "contents")}
        wrong = next((name for name, array in arrays.items() if array.shape != (units, k)), None)
        if wrong is not None:
            raise ValueError(f"{wrong} has the shape {arrays[wrong].shape}, not {(units, k)}")
        present = arrays["crops"] >= 0
        missing = [arrays[name] == -1 for name in _ID_TYPES] + [arrays["values"] == EMPTY, arrays["contents"] == 0]
        if any((entries == present).any() for entries in missing) or (present[:, 1:] & ~present[:, :-1]).any():
            raise ValueError("the strongest activations are incomplete")
        types = {"values": np.float32, **_ID_TYPES, "contents": np.uint64}
        wrong = next((name for name, array in arrays.items() if array.dtype != types[name]), None)
        if wrong is not None:
            raise ValueError(f"{wrong} is {arrays[wrong].dtype}, not {np.dtype(types[wrong])}")
        ranking._values = arrays["values"].copy()
        contents = arrays["contents"].view(np.int64)
        ranking._ids = np.stack([*(arrays[name].astype(np.int64) for name in _ID_TYPES), np.where(present, contents, -1)])
        return ranking

    def _entries(self, units: Integers) -> Entries:
        """Return the activations of `units`."""
        index, rank = np.nonzero(self._ids[1][units] >= 0)
        unit = units[index]
        return Entries(unit, self._values[unit, rank], *(ids[unit, rank] for ids in self._ids))

    def _rank_waiting(self) -> None:
        if self._waiting:
            waiting, self._waiting, self._waiting_count = self._waiting, [], 0
            self._insert(Entries.joined(waiting))

    def _insert(self, entries: Entries) -> None:
        """Rank `entries` together with the current activations of their units."""
        units = np.unique(entries.unit)
        best, rank = _select(Entries.joined([entries, self._entries(units)]), self.k, self.per_source)
        self._values[units], self._ids[:, units] = EMPTY, -1
        self._values[best.unit, rank] = best.value
        for ids, column in zip(self._ids, best[2:], strict=True):
            ids[best.unit, rank] = column


def _select(entries: Entries, k: int, per_source: int | None) -> tuple[Entries, Integers]:
    """Return the k best activations of each unit under the quotas, and their ranks (0 is the strongest)."""
    order = np.lexsort((entries.crop, -entries.value, entries.unit))
    unit, content = entries.unit[order], entries.content[order]
    if _may_repeat(unit, content):
        order = order[_within(entries.number[order], content, unit) == 0]
        unit, content = entries.unit[order], entries.content[order]
        if per_source is not None:
            order = order[_within(content, unit) < per_source]
    rank = _occurrence(entries.unit[order])
    best = rank < k
    return entries.take(order[best]), rank[best]


def _may_repeat(unit: Integers, content: Integers) -> bool:
    """Return False only if all pairs differ. It compares hashes, which is faster than sorting by both."""
    hashes = np.sort(content.view(np.uint64) + unit.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return bool((hashes[1:] == hashes[:-1]).any())


def _within(*keys: Integers) -> Integers:
    """Return, for each row, the number of rows before it with the same keys."""
    grouped = np.lexsort(keys)  # stable: within a group the order is kept
    occurrence = np.empty(len(grouped), np.int64)
    occurrence[grouped] = _occurrence(*(key[grouped] for key in keys))
    return occurrence


def _occurrence(*keys: Integers) -> Integers:
    """Return the number of equal rows directly before each row; equal rows must be adjacent."""
    index = np.arange(len(keys[0]))
    new = np.ones(len(index), np.bool_)
    new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.asarray(index - np.maximum.accumulate(np.where(new, index, 0)), np.int64)


def fingerprints(ids: Integers, seed: int = 0) -> NDArray[np.uint32]:
    """Return a checksum of each unit's activations (units,), from their `ids` (4, units, k): equal ones have equal pictures."""
    rows = np.ascontiguousarray(ids.transpose(1, 0, 2))
    return np.array([crc32(row.tobytes(), seed) for row in rows], np.uint32)
