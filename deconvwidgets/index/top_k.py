"""The strongest activations of each unit, kept while images stream by.

A running top-k per unit under one total order: value descending, then source photograph, crop, row and column ascending.
With `per_source` = m a photograph holds at most m places. Choosing greedily under such a quota composes (the admissible
choices form a truncated partition matroid), so updates and merges may come in any grouping and order and give what one
sort of everything would give. That is the seam for resuming and for several workers.

Source: the top-9 crops of Zeiler & Fergus 2014, figure 2, "each from a different image".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deconvwidgets.errors import ModelError

EMPTY = -np.inf  # the value of an unfilled place; offered as a value it means "no entry"


class _Entries(NamedTuple):
    """Candidates as a flat table: one row an entry."""

    unit: NDArray[np.int64]
    value: NDArray[np.float64]
    source: NDArray[np.int64]
    crop: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> _Entries:
        ids = (self.source[chosen], self.crop[chosen], self.row[chosen], self.column[chosen])
        return _Entries(self.unit[chosen], self.value[chosen], *ids)

    def joined(self, other: _Entries) -> _Entries:
        ids = (np.concatenate(pair) for pair in zip(self[2:], other[2:], strict=True))
        return _Entries(np.concatenate((self.unit, other.unit)), np.concatenate((self.value, other.value)), *ids)


class RunningTopK:
    """The k strongest activations of each of `units` units seen so far.

    Memory is (units, k), however many images stream by. An entry offered twice counts once.

    Args:
        units: number of units (feature maps).
        k: places per unit.
        per_source: places that one source photograph may hold; None for no limit.
    """

    def __init__(self, units: int, k: int = 9, per_source: int | None = 1) -> None:
        if units < 0 or k < 1 or (per_source is not None and per_source < 1):
            raise ValueError(f"units={units}, k={k}, per_source={per_source}: give at least one place, and one place a source (or None)")
        self.units, self.k, self.per_source = units, k, per_source
        self._values = np.full((units, k), EMPTY, np.float64)
        self._ids: NDArray[np.int64] = np.full((4, units, k), -1, np.int64)  # source, crop, row, column

    @property
    def values(self) -> NDArray[np.float64]:
        """(units, k), strongest first; -inf where a place is not filled."""
        return self._values

    @property
    def sources(self) -> NDArray[np.int64]:
        """(units, k) source photographs; -1 where a place is not filled (as in `crops`, `rows` and `columns`)."""
        return np.asarray(self._ids[0])

    @property
    def crops(self) -> NDArray[np.int64]:
        """(units, k) crop ids."""
        return np.asarray(self._ids[1])

    @property
    def rows(self) -> NDArray[np.int64]:
        """(units, k) rows in the feature map."""
        return np.asarray(self._ids[2])

    @property
    def columns(self) -> NDArray[np.int64]:
        """(units, k) columns in the feature map."""
        return np.asarray(self._ids[3])

    @property
    def ids(self) -> NDArray[np.int64]:
        """(4, units, k): sources, crops, rows and columns, as `restored` takes them."""
        return self._ids

    @property
    def counts(self) -> NDArray[np.int64]:
        """(units,) filled places."""
        return np.asarray((self.crops >= 0).sum(axis=1), np.int64)

    def update(self, values: ArrayLike, sources: ArrayLike, crops: ArrayLike, rows: ArrayLike, columns: ArrayLike) -> None:
        """Offer one activation of every unit in each of N crops.

        Args:
            values: (N, units) activations; -inf where there is nothing to offer.
            sources: (N,) photograph of each crop, not negative.
            crops: (N,) crop ids, not negative.
            rows: (N, units) or scalar, position in the map; likewise `columns`.

        Raises:
            ModelError: a value is NaN, which has no rank.
        """
        table = np.asarray(values, np.float64)
        if table.ndim != 2 or table.shape[1] != self.units:
            raise ValueError(f"values must be (N, {self.units}), got {table.shape}")
        _refuse_nan(table)
        # Once a unit's k places are filled, its k-th value only grows: what is below it now can never enter.
        crop, unit = np.nonzero((table > EMPTY) & (table >= self._values[:, -1]))
        if not crop.size:
            return
        ids = [np.broadcast_to(np.asarray(per_crop, np.int64), table.shape[:1])[crop] for per_crop in (sources, crops)]
        ids += [np.broadcast_to(np.asarray(position, np.int64), table.shape)[crop, unit] for position in (rows, columns)]
        if min(int(column.min()) for column in ids) < 0:
            raise ValueError("sources, crops, rows and columns must not be negative")
        self._absorb(_Entries(unit.astype(np.int64), table[crop, unit], *ids))

    def merge(self, other: RunningTopK) -> RunningTopK:
        """A new ranking of what both have seen. Associative, commutative and idempotent, exactly."""
        if (self.units, self.k, self.per_source) != (other.units, other.k, other.per_source):
            raise ValueError("rankings can be merged only with the same units, k and per_source")
        merged = self.copy()
        merged._absorb(other._entries(np.arange(other.units)))
        return merged

    def copy(self) -> RunningTopK:
        """An independent copy."""
        twin = RunningTopK(self.units, self.k, self.per_source)
        twin._values, twin._ids = self._values.copy(), self._ids.copy()
        return twin

    @classmethod
    def restored(cls, values: NDArray[np.float64], ids: NDArray[np.int64], per_source: int | None) -> RunningTopK:
        """The ranking whose `values` (units, k) and `ids` (4, units, k: source, crop, row, column) were saved."""
        ranking = cls(values.shape[0], values.shape[1], per_source)
        ranking._values, ranking._ids = values.astype(np.float64), ids.astype(np.int64)
        return ranking

    def _entries(self, units: NDArray[np.int64]) -> _Entries:
        """The filled places of `units`."""
        index, place = np.nonzero(self.crops[units] >= 0)
        unit = units[index]
        return _Entries(unit, self._values[unit, place], *(ids[unit, place] for ids in self._ids))

    def _absorb(self, entries: _Entries) -> None:
        """Rank `entries` together with the places their units hold; other units stay as they are."""
        touched = np.unique(entries.unit)
        best, place = _greedy(entries.joined(self._entries(touched)), self.k, self.per_source)
        self._values[touched], self._ids[:, touched] = EMPTY, -1
        self._values[best.unit, place] = best.value
        for ids, column in zip(self._ids, best[2:], strict=True):
            ids[best.unit, place] = column


def _refuse_nan(table: NDArray[np.float64]) -> None:
    bad = np.argwhere(np.isnan(table))
    if bad.size:
        raise ModelError(f"unit {bad[0][1]} answers NaN, which cannot be ranked: check the model's weights and its input transform")


def _greedy(entries: _Entries, k: int, per_source: int | None) -> tuple[_Entries, NDArray[np.int64]]:
    """The k best of each unit under the quota, and the place (0 is strongest) of each."""
    _, value, source, crop, row, column = entries
    entries = entries.take(np.lexsort((column, row, crop, source, -value, entries.unit)))
    entries = entries.take(_occurrence(*entries) == 0)  # an entry offered twice counts once
    if per_source is not None:
        grouped = np.lexsort((entries.source, entries.unit))  # stable: within a photograph the order stays
        taken = np.empty(len(grouped), np.int64)
        taken[grouped] = _occurrence(entries.unit[grouped], entries.source[grouped])
        entries = entries.take(taken < per_source)
    place = _occurrence(entries.unit)
    kept = place < k
    return entries.take(kept), place[kept]


def _occurrence(*keys: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.int64]:
    """How many rows with the same keys stand directly before each row; equal rows must be neighbours."""
    index = np.arange(len(keys[0]))
    new = np.ones(len(index), np.bool_)
    new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.asarray(index - np.maximum.accumulate(np.where(new, index, 0)), np.int64)
