"""The order of pairs of units, and which are shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import one_of
from deconvwidgets.instruments.comparison.pair_records import LayerPairs

SORTS = ("difference", "correlation", "strongest", "number")


def ordered_pairs(pairs: LayerPairs, sort: str, status: Sequence[str], maximum: NDArray[np.float32]) -> list[int]:
    """Return the pairs one of whose units has one of the statuses (none: all), in an order.

    Parameters
    ----------
    sort : {"difference", "correlation", "strongest", "number"}
        The lowest correlation first; the highest first; by the maximum of the unit of A; or by number. Pairs without a correlation, because
        a unit is constant, and then units without a partner are last.
    status : sequence of str
    maximum : ndarray of shape (units of A,), float32
        The maximum of each unit of A.
    """
    one_of(sort, "sort", SORTS)
    number = np.where(pairs.unit_a >= 0, pairs.unit_a, len(pairs.unit_a) + pairs.unit_b)
    undefined = np.isnan(pairs.correlation)
    if sort == "difference":
        alone = (pairs.unit_a < 0) | (pairs.unit_b < 0)
        key = np.where(alone, 3.0, np.where(undefined, 2.0, pairs.correlation))
    elif sort == "correlation":
        key = np.where(undefined, 2.0, -pairs.correlation)
    elif sort == "strongest":
        key = np.where(pairs.unit_a >= 0, -maximum[pairs.unit_a].astype(np.float64), np.inf)
    else:
        key = number.astype(np.float64)
    shown = np.array([not status or a in status or b in status for a, b in zip(pairs.status_a, pairs.status_b, strict=True)], np.bool_)
    order = np.lexsort((number, key))
    return [int(pair) for pair in order[shown[order]]]
