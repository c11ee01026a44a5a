"""A table of the units of a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class UnitColumns:
    """Columns with one entry per unit of a layer, as `ActivationIndex.unit_columns` returns them.

    Attributes
    ----------
    layer, alias : str
        The layer's dotted name, and its alias ("" if it has none).
    columns : mapping of str to ndarray of shape (units,)
        Numbers (int64, float64), bools or text, by the name of the column. A missing number is NaN (-1 for a unit), a missing text "".
    samples : int
        The number of crops from which `nearest_unit` and `nearest_correlation` were computed.
    """

    layer: str
    alias: str
    columns: Mapping[str, NDArray[Any]]
    samples: int

    __repr__ = compact_repr
