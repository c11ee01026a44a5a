"""The findings about the frequencies of the first layer and about shifts, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.engine.filters import ConvolutionFilters
from deconvwidgets.instruments.diagnosis.compute.first_layer import NO_FIRST
from deconvwidgets.instruments.diagnosis.compute.unit_findings import not_checked
from deconvwidgets.instruments.diagnosis.limits import (
    MIDDLE_FOUND,
    MIDDLE_KERNEL,
    MIDDLE_NEAR,
    MIN_PHOTOGRAPHS_OF_CHANGES,
    SHIFT_FOUND,
    SHIFT_NEAR,
    UNIT_SHIFTS,
)
from deconvwidgets.instruments.diagnosis.records import Finding, FirstLayer, Level, ShiftCurves, SuggestedSurgery, UnitEvidence
from deconvwidgets.instruments.diagnosis.shift_summary import filled_text, probability_text
from deconvwidgets.instruments.diagnosis.unit_changes import UnitChanges

SHOWN = 8
_SMALLER = SuggestedSurgery("smaller filters", "change_first_layer", {"kernel_size": 7, "stride": 2})


def frequencies(layer: FirstLayer | None) -> Finding:
    """Return the finding of the shares of low, middle and high frequencies in first-layer filters."""
    title = "Extreme frequencies"
    if layer is None:
        return not_checked("frequencies", title, NO_FIRST)
    low, middle, high = (100 * share for share in layer.mean_shares)
    noise = ", ".join(f"{100 * share:.0f}" for share in layer.noise_shares)
    small = min(layer.kernel_size) < MIDDLE_KERNEL
    level: Level = "clear" if small else graded(-layer.mean_shares[1], -MIDDLE_NEAR, -MIDDLE_FOUND)
    judged = (
        f" Filters of {layer.kernel_size[0]} x {layer.kernel_size[1]} are too small for middle frequencies, and are not judged."
        if small
        else ""
    )
    extreme = np.argsort(layer.shares[:, 1], kind="stable")[:SHOWN] if level != "clear" else ()
    return Finding(
        check="frequencies",
        level=level,
        title=title,
        count_text=f"{high:.0f}% high",
        summary=f"Low {low:.0f}, middle {middle:.0f}, high {high:.0f}% of a filter's energy, on average (noise: {noise}).{judged}",
        evidence=f"Exact, from the weights; low is below {layer.bands[0]:g}, high above {layer.bands[1]:g} cycles per pixel, our "
        f"choice. Close: middle below {MIDDLE_NEAR:.0%}, found: below {MIDDLE_FOUND:.0%}. VGG16 has 78% high.",
        paper="The first layer was a mix of extremely high and low frequencies, with few in the middle (section 4.1).",
        units=tuple(
            UnitEvidence(layer.alias, int(unit), float(layer.shares[unit, 1]), f"{layer.shares[unit, 1]:.0%} middle") for unit in extreme
        ),
        surgeries=smaller_filters(layer) if level != "clear" else (),  # a blur leaves the filters, and their frequencies, as they are
    )


def shifts(curves: ShiftCurves | None, deepest: str | None, filters: Sequence[ConvolutionFilters], pools: bool) -> Finding:
    """Return the finding of the change of the deepest feature map's activations when photographs move by one pixel.

    Parameters
    ----------
    curves : ShiftCurves or None
    deepest : str or None
        The deepest feature map of the curves; None if they have none.
    filters : sequence of ConvolutionFilters
        Those of the network.
    pools : bool
        Whether it has a max pooling with a stride that is not global.
    """
    title = "Changes under shift"
    if curves is None or deepest is None:
        return not_checked("shift", title, "No feature map was measured.")
    if 1 not in curves.shifts:
        return not_checked("shift", title, "A shift by 1 px was not measured, and the limits hold for no other.")
    changes, one = curves.layer(deepest), curves.shifts.index(1)
    if not np.isfinite(changes[one]):
        return not_checked("shift", title, f"No unit of {deepest} is active.")
    return Finding(
        check="shift",
        level=graded(float(changes[one]), SHIFT_NEAR, SHIFT_FOUND),
        title=title,
        count_text=f"{changes[one]:.1%} at 1 px",
        summary=f"Median change of {deepest}'s strongest activations when the photograph moves.{_further(curves, changes, one)}",
        evidence=f"Measured: {curves.photographs} photographs, moved {curves.direction}{filled_text(curves)}. "
        f"Close: {SHIFT_NEAR:.0%}, found: {SHIFT_FOUND:.0%} at 1 px; trained networks measure 12 to 17%.{_naming(curves, deepest)}",
        paper="Figure 5: small translations change lower layers most, by the distance of whole layers. This is another measure.",
        units=_most_changed(curves, deepest),
        surgeries=_shift_surgeries(filters, pools),
    )


def _most_changed(curves: ShiftCurves, deepest: str) -> tuple[UnitEvidence, ...]:
    """Return the units of the deepest feature map that change most at 1 pixel; none if they were not measured."""
    units = curves.units
    at_1 = None if units is None or units.layer != deepest else units.at(1)
    if units is None or at_1 is None:
        return ()
    changes = np.nan_to_num(at_1)
    order = [int(unit) for unit in np.argsort(-changes, kind="stable")[:SHOWN] if changes[unit] > 0]
    return tuple(UnitEvidence(deepest, unit, float(changes[unit]), _unit_text(units, unit)) for unit in order)


def _unit_text(units: UnitChanges, unit: int) -> str:
    """Return the changes of a unit at 1, 2 and 4 pixels, as far as they were measured, in words."""
    measured = [(pixels, at[unit]) for pixels in UNIT_SHIFTS if (at := units.at(pixels)) is not None]
    changes, pixels = (", ".join(words) for words in zip(*((f"{change:.0%}", str(shift)) for shift, change in measured), strict=True))
    return f"changes by {changes} at {pixels} px, {units.photographs[unit]} photographs"


def _naming(curves: ShiftCurves, deepest: str) -> str:
    """Return by which rule units are named, in words; empty if units were not measured."""
    if curves.units is None or curves.units.layer != deepest:
        return ""
    return f" Units: the median of the photographs in which a unit is active, at least {MIN_PHOTOGRAPHS_OF_CHANGES}."


def _further(curves: ShiftCurves, changes: NDArray[np.float64], one: int) -> str:
    """Return the change at the largest shift, and that of the probability, in words."""
    most = int(np.argmax(curves.shifts))
    further = "" if most == one else f" {changes[most]:.1%} at {curves.shifts[most]} px."
    probability = curves.probability[one]
    if np.isnan(probability):
        return further
    return f"{further} Mean change of the {probability_text(curves)}: {100 * probability:.1f} percentage points."


def _shift_surgeries(filters: Sequence[ConvolutionFilters], pools: bool) -> tuple[SuggestedSurgery, ...]:
    strided = any(max(one.window.stride) > 1 for one in filters)
    pooling = SuggestedSurgery("blur pool", "swap_pooling", {"to": "blur"})
    blurred = SuggestedSurgery("stride 1 + blur", "blur_strides", {})
    return (*([pooling] if pools else []), *([blurred] if strided else []))


def smaller_filters(layer: FirstLayer) -> tuple[SuggestedSurgery, ...]:
    """Return the surgery that makes filters 7 x 7 with stride 2; none for a layer whose filters or stride are not larger."""
    return (_SMALLER,) if min(layer.kernel_size) > 7 and max(layer.stride) > 2 else ()


def graded(value: float, near: float, found: float) -> Level:
    """Return "found" or "near" for a value that reaches one of these limits, else "clear"."""
    return "found" if value >= found else "near" if value >= near else "clear"
