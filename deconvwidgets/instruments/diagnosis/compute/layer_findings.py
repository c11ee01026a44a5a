"""The findings about the first layer and shifts, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.engine.filters import ConvolutionFilters
from deconvwidgets.instruments.diagnosis.compute.unit_findings import not_checked
from deconvwidgets.instruments.diagnosis.limits import (
    ALIASED_FOUND,
    ALIASED_NEAR,
    MIDDLE_FOUND,
    MIDDLE_KERNEL,
    MIDDLE_NEAR,
    MIN_PHOTOGRAPHS_OF_CHANGES,
    SHIFT_FOUND,
    SHIFT_NEAR,
)
from deconvwidgets.instruments.diagnosis.records import Finding, FirstLayer, Level, ShiftCurves, SuggestedSurgery, UnitEvidence
from deconvwidgets.instruments.diagnosis.shift_summary import filled_text, probability_text

_SHOWN = 8
_NO_FIRST = (
    "No convolution is known to read the input, perhaps padded with a constant or changed position by position: the model has none, "
    "computes something else from its input first, or cannot be traced."
)
_STRIDE_1 = "The first convolution has stride 1; the blur after it"
_SMALLER = SuggestedSurgery("smaller filters", "change_first_layer", {"kernel_size": 7, "stride": 2})


def aliasing(layer: FirstLayer | None) -> Finding:
    """Return the finding of the share of first-layer responses that the stride aliases."""
    title = "Aliasing at the first stride"
    if layer is None:
        return not_checked("aliasing", title, _NO_FIRST)
    stride = max(layer.stride)
    if stride == 1 and layer.blur != (1, 1):
        factor = str(layer.blur[0]) if layer.blur[0] == layer.blur[1] else f"{layer.blur[0]} x {layer.blur[1]}"
        return not_checked("aliasing", title, f"{_STRIDE_1} subsamples by {factor}, and what is aliased there is not measured.")
    if stride > 1 and not np.isfinite(layer.aliased_mean):
        return not_checked("aliasing", title, "There is no photograph that the first layer responds to.")
    over = int((layer.aliased > 0.5).sum())
    worst = [unit for unit in np.argsort(-np.nan_to_num(layer.aliased), kind="stable") if layer.aliased[unit] > ALIASED_NEAR]
    summary = (
        f"{layer.aliased_mean:.0%} of what a first-layer filter computes, on average, is finer than a stride of {stride} can carry; in "
        f"{over} units more than half is."
        if stride > 1
        else "The first layer has stride 1: nothing is aliased there."
    )
    return Finding(
        check="aliasing",
        level=_graded(layer.aliased_mean, ALIASED_NEAR, ALIASED_FOUND),
        title=title,
        count_text=f"{over} of {len(layer.aliased)}" if stride > 1 else "none",
        summary=summary,
        evidence=f"Measured: energy of the responses at stride 1 above {layer.carried:.3g} cycles per pixel along an axis, "
        f"{layer.photographs} photographs. Close: {ALIASED_NEAR:.0%}, found: {ALIASED_FOUND:.0%}.",
        paper="Aliasing from a stride of 4 was seen in the second layer, and the filters were made 7 x 7 with stride 2 (section 4.1).",
        units=tuple(
            UnitEvidence(layer.alias, int(unit), float(layer.aliased[unit]), f"{layer.aliased[unit]:.0%} aliased")
            for unit in worst[:_SHOWN]
        ),
        surgeries=_first_layer_surgeries(layer) if stride > 1 else (),
    )


def frequencies(layer: FirstLayer | None) -> Finding:
    """Return the finding of the shares of low, middle and high frequencies in first-layer filters."""
    title = "Extreme frequencies"
    if layer is None:
        return not_checked("frequencies", title, _NO_FIRST)
    low, middle, high = (100 * share for share in layer.mean_shares)
    noise = ", ".join(f"{100 * share:.0f}" for share in layer.noise_shares)
    small = min(layer.kernel_size) < MIDDLE_KERNEL
    level: Level = "clear" if small else _graded(-layer.mean_shares[1], -MIDDLE_NEAR, -MIDDLE_FOUND)
    judged = (
        f" Filters of {layer.kernel_size[0]} x {layer.kernel_size[1]} are too small for middle frequencies, and are not judged."
        if small
        else ""
    )
    extreme = np.argsort(layer.shares[:, 1], kind="stable")[:_SHOWN] if level != "clear" else ()
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
        surgeries=_smaller(layer) if level != "clear" else (),  # a blur leaves the filters, and their frequencies, as they are
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
        level=_graded(float(changes[one]), SHIFT_NEAR, SHIFT_FOUND),
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
    if units is None or units.layer != deepest:
        return ()
    changes = np.nan_to_num(units.changes)
    order = [int(unit) for unit in np.argsort(-changes, kind="stable")[:_SHOWN] if changes[unit] > 0]
    return tuple(
        UnitEvidence(deepest, unit, float(changes[unit]), f"changes by {changes[unit]:.0%} at 1 px, {units.photographs[unit]} photographs")
        for unit in order
    )


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


def _first_layer_surgeries(layer: FirstLayer) -> tuple[SuggestedSurgery, ...]:
    return (*_smaller(layer), SuggestedSurgery("stride 1 + blur", "blur_strides", {"layers": (layer.alias,)}))


def _smaller(layer: FirstLayer) -> tuple[SuggestedSurgery, ...]:
    """Return the surgery that makes filters 7 x 7 with stride 2; none for a layer whose filters or stride are not larger."""
    return (_SMALLER,) if min(layer.kernel_size) > 7 and max(layer.stride) > 2 else ()


def _graded(value: float, near: float, found: float) -> Level:
    return "found" if value >= found else "near" if value >= near else "clear"
