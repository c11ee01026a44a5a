"""What became of the frozen units of a layer: matched by their activations, and compared by what they look for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.index.similarity import correlations
from deconvwidgets.instruments.comparison.check_limits import CheckLimits
from deconvwidgets.instruments.comparison.compute.matching import Matching, match_units, partner_values, silent_units
from deconvwidgets.instruments.comparison.frozen_records import UnitStatistics
from deconvwidgets.instruments.comparison.records import Thresholds
from deconvwidgets.records.unit_relations import RELATED_UNIT

_TIE = 0.02  # what the same number adds to a correlation: near-copies do not change places for rounding

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class MatchedUnits:
    """The matching of U frozen units with V units, and the correlation of each frozen unit with its match (U,), float64."""

    matching: Matching
    correlation: Floats


def match_layer(
    before: NDArray[np.float32], after: NDArray[np.float32], dead_before: NDArray[np.bool_], dead_after: NDArray[np.bool_], same: float
) -> MatchedUnits:
    """Match units by their activations (samples, U) and (samples, V) in the same crops; dead ones (U,) and (V,) have none."""
    values = before.astype(np.float64), after.astype(np.float64)
    known = correlations(*values)
    silent = [silent_units(dead, one) for dead, one in zip((dead_before, dead_after), values, strict=True)]
    same = max(same, 1e-9)
    matching = match_units(known, silent[0], silent[1], Thresholds(same=same, related=min(RELATED_UNIT, same)), tie=_TIE)
    return MatchedUnits(matching, partner_values(known, matching.match_a))


def overlaps(before: NDArray[np.int64], after: NDArray[np.int64], match: NDArray[np.int64]) -> Floats:
    """Return the share of each unit's strongest photographs (U, k) that are among those (V, k) of its match (U,); -1 is none.

    Examples
    --------
    >>> before, after = np.array([[4, 7, 9]]), np.array([[1, 2, 3], [7, 5, 4]])
    >>> overlaps(before, after, np.array([1])).round(2)
    array([0.67])
    """
    shares = np.full(len(before), np.nan)
    for unit, other in enumerate(match.tolist()):
        top_images = set(before[unit].tolist()) - {-1}
        if other >= 0 and top_images:
            shares[unit] = len(top_images & set(after[other].tolist())) / len(top_images)
    return shares


def revise(
    status: NDArray[np.str_],
    matched: MatchedUnits,
    overlap: Floats,
    likeness: Floats,
    before: UnitStatistics,
    after: UnitStatistics,
    limits: CheckLimits,
) -> tuple[NDArray[np.str_], tuple[str, ...]]:
    """Return the status of each unit, with those changed that look for something else than before, and the reasons."""
    status, reasons = status.astype("U8"), [""] * len(status)
    for unit, found in enumerate(status.tolist()):
        match = int(matched.matching.match_a[unit])
        if found in ("kept", "moved"):
            why = _differences(unit, match, overlap, likeness, before, after, limits)
            if why:
                status[unit], reasons[unit] = "changed", "; ".join(why)
        elif found not in ("dead", "constant"):
            reasons[unit] = _reason(found, unit, matched)
        elif found == "constant" and _went_silent(unit, before, after):
            status[unit], reasons[unit] = "died", "it is active in no crop"
    return status, tuple(reasons)


def _differences(
    unit: int, match: int, overlap: Floats, likeness: Floats, before: UnitStatistics, after: UnitStatistics, limits: CheckLimits
) -> list[str]:
    why = []
    if overlap[unit] < limits.overlap:  # NaN is not
        why.append(f"{overlap[unit]:.0%} of its strongest photographs are the same")
    if likeness[unit] < limits.likeness:
        why.append(f"its projections correlate with {likeness[unit]:.2f}")
    what, measure = _size_of(before, unit)
    was, now = float(getattr(before, measure)[unit]), float(getattr(after, measure)[match])
    ratio = now / was if was > 0 else math.nan
    if ratio > limits.scale or ratio < 1 / limits.scale:
        why.append(f"its {what} is {ratio:.3g} times as large")
    return why


def _size_of(statistics: UnitStatistics, unit: int) -> tuple[str, str]:
    """Return by what the size of a unit's activations is compared, in words and as a field: by the deviation if the mean is not above 0."""
    return ("mean activation", "mean") if statistics.mean[unit] > 0 else ("standard deviation", "std")


def _reason(status: str, unit: int, matched: MatchedUnits) -> str:
    correlation = matched.correlation[unit]
    if status == "died":
        return "its unit is active in no crop, or the same in all"
    if status == "merged":
        return f"a copy of unit {matched.matching.copy_of_a[unit]}, which another unit is matched to"
    if math.isnan(correlation):
        return "no unit is left for it"
    text = f"its activations and those of its match correlate with {correlation:.2f}"
    return f"{text}, and one of the two correlates more with another unit" if status == "lost" and correlation >= RELATED_UNIT else text


def _went_silent(unit: int, before: UnitStatistics, after: UnitStatistics) -> bool:
    """Return whether a unit that was active, although in no sampled crop, is active in no crop now.

    It has no match, so that only its number tells which one it is now. Where no more units are silent than before, it may have another one.
    """
    is_silent = unit < len(after.dead) and bool(after.dead[unit])
    return is_silent and not before.dead[unit] and int(after.dead.sum()) > int(before.dead.sum())
