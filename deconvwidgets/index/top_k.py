"""The k strongest activations of each unit, updated while images are processed.

Activations are ranked by one total order: value descending, then source photograph, crop, row and column ascending. With
`per_source` = m, at most m activations of one photograph are kept. Greedy selection under such a quota composes (the admissible
selections form a truncated partition matroid), so updates and merges in any grouping and order give the result of one sort of
everything. Resuming, and building in several processes, rely on that.

Source: the top 9 activations of Zeiler & Fergus 2014, figure 2, "each from a different image".
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deconvwidgets.errors import ModelError

EMPTY = -np.inf  # the value of a missing activation, in the ranking and in updates


class _Entries(NamedTuple):
    """Activations as a table with one row each."""

    unit: NDArray[np.int64]
    value: NDArray[np.float64]
    source: NDArray[np.int64]
    crop: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]

    def take(self, indices: NDArray[np.int64] | NDArray[np.bool_]) -> _Entries:
        ids = (self.source[indices], self.crop[indices], self.row[indices], self.column[indices])
        return _Entries(self.unit[indices], self.value[indices], *ids)

    def concatenated(self, other: _Entries) -> _Entries:
        ids = (np.concatenate(pair) for pair in zip(self[2:], other[2:], strict=True))
        return _Entries(np.concatenate((self.unit, other.unit)), np.concatenate((self.value, other.value)), *ids)


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
        Number of activations kept per unit and source photograph; None for no limit.
    """

    def __init__(self, units: int, k: int = 9, per_source: int | None = 1) -> None:
        if units < 0 or k < 1 or (per_source is not None and per_source < 1):
            raise ValueError(f"units={units}, k={k}, per_source={per_source}: k and per_source must be at least 1 (or per_source None)")
        self.units, self.k, self.per_source = units, k, per_source
        self._values = np.full((units, k), EMPTY, np.float64)
        self._ids: NDArray[np.int64] = np.full((4, units, k), -1, np.int64)  # source, crop, row, column

    @property
    def values(self) -> NDArray[np.float64]:
        """The activations (units, k), strongest first; -inf for missing ones."""
        return self._values

    @property
    def sources(self) -> NDArray[np.int64]:
        """The source photographs (units, k); -1 for missing activations, as in `crops`, `rows` and `columns`."""
        return np.asarray(self._ids[0])

    @property
    def crops(self) -> NDArray[np.int64]:
        """The crop numbers (units, k)."""
        return np.asarray(self._ids[1])

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows in the feature map (units, k)."""
        return np.asarray(self._ids[2])

    @property
    def columns(self) -> NDArray[np.int64]:
        """The columns in the feature map (units, k)."""
        return np.asarray(self._ids[3])

    @property
    def ids(self) -> NDArray[np.int64]:
        """Sources, crops, rows and columns as one array (4, units, k)."""
        return self._ids

    @property
    def counts(self) -> NDArray[np.int64]:
        """The number of activations of each unit (units,)."""
        return np.asarray((self.crops >= 0).sum(axis=1), np.int64)

    def update(self, values: ArrayLike, sources: ArrayLike, crops: ArrayLike, rows: ArrayLike, columns: ArrayLike) -> None:
        """Add one activation of every unit in each of N crops.

        Parameters
        ----------
        values : array (N, units)
            The activations; -inf for none.
        sources : array (N,)
            The photograph of each crop, not negative.
        crops : array (N,)
            The crop numbers, not negative.
        rows, columns : array (N, units) or int
            The positions in the feature map, not negative.

        Raises
        ------
        ModelError
            If a value is NaN.
        """
        table = np.asarray(values, np.float64)
        if table.ndim != 2 or table.shape[1] != self.units:
            raise ValueError(f"values must be (N, {self.units}), got {table.shape}")
        _refuse_nan(table)
        # The k-th value of a unit never decreases, so values below it can be dropped.
        crop, unit = np.nonzero((table > EMPTY) & (table >= self._values[:, -1]))
        if not crop.size:
            return
        ids = [np.broadcast_to(np.asarray(per_crop, np.int64), table.shape[:1])[crop] for per_crop in (sources, crops)]
        ids += [np.broadcast_to(np.asarray(per_unit, np.int64), table.shape)[crop, unit] for per_unit in (rows, columns)]
        if min(int(column.min()) for column in ids) < 0:
            raise ValueError("sources, crops, rows and columns must not be negative")
        self._insert(_Entries(unit.astype(np.int64), table[crop, unit], *ids))

    def merge(self, other: RunningTopK) -> RunningTopK:
        """Return the ranking of the activations of both. The operation is exactly associative, commutative and idempotent."""
        if (self.units, self.k, self.per_source) != (other.units, other.k, other.per_source):
            raise ValueError("rankings can be merged only with the same units, k and per_source")
        merged = self.copy()
        merged._insert(other._entries(np.arange(other.units)))
        return merged

    def copy(self) -> RunningTopK:
        """Return an independent copy."""
        ranking = RunningTopK(self.units, self.k, self.per_source)
        ranking._values, ranking._ids = self._values.copy(), self._ids.copy()
        return ranking

    @classmethod
    def from_arrays(cls, values: NDArray[np.float64], ids: NDArray[np.int64], per_source: int | None) -> RunningTopK:
        """Return the ranking with these `values` (units, k) and `ids` (4, units, k)."""
        ranking = cls(values.shape[0], values.shape[1], per_source)
        ranking._values, ranking._ids = values.astype(np.float64), ids.astype(np.int64)
        return ranking

    def _entries(self, units: NDArray[np.int64]) -> _Entries:
        """Return the activations of `units`."""
        index, rank = np.nonzero(self.crops[units] >= 0)
        unit = units[index]
        return _Entries(unit, self._values[unit, rank], *(ids[unit, rank] for ids in self._ids))

    def _insert(self, entries: _Entries) -> None:
        """Rank `entries` together with the current activations of their units."""
        units = np.unique(entries.unit)
        best, rank = _select(entries.concatenated(self._entries(units)), self.k, self.per_source)
        self._values[units], self._ids[:, units] = EMPTY, -1
        self._values[best.unit, rank] = best.value
        for ids, column in zip(self._ids, best[2:], strict=True):
            ids[best.unit, rank] = column


def _refuse_nan(table: NDArray[np.float64]) -> None:
    invalid = np.argwhere(np.isnan(table))
    if invalid.size:
        raise ModelError(f"The activation of unit {invalid[0][1]} is NaN: check the model's weights and its input transform")


def _select(entries: _Entries, k: int, per_source: int | None) -> tuple[_Entries, NDArray[np.int64]]:
    """Return the k best activations of each unit under the quota, and their ranks (0 is the strongest)."""
    _, value, source, crop, row, column = entries
    entries = entries.take(np.lexsort((column, row, crop, source, -value, entries.unit)))
    entries = entries.take(_occurrence(*entries) == 0)  # drop duplicates
    if per_source is not None:
        grouped = np.lexsort((entries.source, entries.unit))  # stable: within a photograph the order is kept
        occurrence = np.empty(len(grouped), np.int64)
        occurrence[grouped] = _occurrence(entries.unit[grouped], entries.source[grouped])
        entries = entries.take(occurrence < per_source)
    rank = _occurrence(entries.unit)
    best = rank < k
    return entries.take(best), rank[best]


def _occurrence(*keys: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the number of equal rows directly before each row; equal rows must be adjacent."""
    index = np.arange(len(keys[0]))
    new = np.ones(len(index), np.bool_)
    new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.asarray(index - np.maximum.accumulate(np.where(new, index, 0)), np.int64)


def fingerprints(ids: NDArray[np.int64], seed: int = 0) -> NDArray[np.uint32]:
    """Return a checksum of each unit's activations (units,), from their `ids` (4, units, k): equal ones have equal pictures."""
    rows = np.ascontiguousarray(ids.transpose(1, 0, 2))
    return np.array([crc32(row.tobytes(), seed) for row in rows], np.uint32)
