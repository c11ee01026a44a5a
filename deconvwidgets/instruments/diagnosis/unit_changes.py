"""The change of each unit of one layer when photographs are shifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class UnitChanges:
    """How much the strongest activation of each unit of a layer changes when photographs are shifted.

    Attributes
    ----------
    layer : str
        Alias, or dotted name without one.
    shifts : tuple of int
        S numbers of input pixels.
    changes : array (S, U), float64
        The median of abs(moved - original) / original of each unit's strongest activation (the maximum over its map), over the
        photographs in which the unit is active: the original's strongest activation is above 0. NaN for a unit that is active in too few
        of them.
    photographs : array (U,), int64
        The number of photographs in which each unit is active.
    """

    layer: str
    shifts: tuple[int, ...]
    changes: NDArray[np.float64]
    photographs: NDArray[np.int64]

    __repr__ = compact_repr

    def at(self, shift: int) -> NDArray[np.float64] | None:
        """Return the changes (U,) at a shift; None if it was not measured."""
        return np.asarray(self.changes[self.shifts.index(shift)]) if shift in self.shifts else None
