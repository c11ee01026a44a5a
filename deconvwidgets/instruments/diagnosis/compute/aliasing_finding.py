"""The finding of what the first layer's stride, or the subsampling after its blur, aliases, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.instruments.diagnosis.compute.first_layer import NO_FIRST
from deconvwidgets.instruments.diagnosis.compute.layer_findings import SHOWN, graded, smaller_filters
from deconvwidgets.instruments.diagnosis.compute.unit_findings import not_checked
from deconvwidgets.instruments.diagnosis.limits import ALIASED_FOUND, ALIASED_NEAR
from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing, share_text
from deconvwidgets.instruments.diagnosis.records import Finding, FirstLayer, SuggestedSurgery, UnitEvidence

_TITLE = "Aliasing at the first stride"
_PAPER = "Aliasing from a stride of 4 was seen in the second layer, and the filters were made 7 x 7 with stride 2 (section 4.1)."
_LIMITS = f"Close: {ALIASED_NEAR:.0%}, found: {ALIASED_FOUND:.0%}"
_NO_RESPONSE = "There is no photograph that the first layer responds to."
_NOT_INCLUDED = "Not included: what later strides alias, and what the blur removes of the frequencies below."


def aliasing(layer: FirstLayer | None) -> Finding:
    """Return the finding: by the responses of the filters, or by the map if a blur subsamples it."""
    if layer is None:
        return not_checked("aliasing", _TITLE, NO_FIRST)
    measured = layer.map_aliasing
    if max(layer.stride) > 1:
        return _of_stride(layer) if np.isfinite(layer.aliased_mean) else not_checked("aliasing", _TITLE, _NO_RESPONSE)
    if layer.blur == (1, 1):
        return _finding(layer.aliased_mean, "none", "The first layer has stride 1: nothing is aliased there.", _evidence(layer))
    if measured is None:
        return not_checked("aliasing", _TITLE, layer.no_map_aliasing)
    return _of_map(measured) if np.isfinite(measured.mean) else not_checked("aliasing", _TITLE, _NO_RESPONSE)


def _of_stride(layer: FirstLayer) -> Finding:
    """Return the finding of a first convolution with a stride, by the responses of its filters."""
    over = int((layer.aliased > 0.5).sum())
    measured = layer.map_aliasing
    in_map = "" if measured is None or np.isnan(measured.mean) else f" In the map of {layer.alias} it is {share_text(measured.mean)}."
    of_map = layer.no_map_aliasing if measured is None else f"Map: after the activation function, {measured.photographs} photographs."
    blurred = SuggestedSurgery("stride 1 + blur", "blur_strides", {"layers": (layer.alias,)})
    return _finding(
        layer.aliased_mean,
        f"{over} of {len(layer.aliased)}",
        f"{layer.aliased_mean:.0%} of what a first-layer filter computes, on average, is finer than a stride of {max(layer.stride)} can "
        f"carry; in {over} units more than half is.{in_map}",
        f"{_evidence(layer)} {of_map}".strip(),
        _worst(layer.alias, layer.aliased),
        (*smaller_filters(layer), blurred),
    )


def _of_map(measured: MapAliasing) -> Finding:
    """Return the finding of a map that is blurred before it is subsampled."""
    rows, columns = measured.stride
    before, after = share_text(measured.unblurred_mean), share_text(measured.mean)
    return _finding(
        measured.mean,
        f"{before} before, {after} after",
        f"{after} of the energy of the map of {measured.layer}, on average over its units, is finer than what the subsampling by "
        f"{rows if rows == columns else f'{rows} x {columns}'} after the blur can carry; without the blur it is {before}.",
        f"Measured: energy of the map at every pixel, after the activation function and the blur, above {0.5 / max(rows, columns):.3g} "
        f"cycles per pixel along an axis, {measured.photographs} photographs. {_LIMITS}, as of filters without the activation function. "
        f"{_NOT_INCLUDED}",
        _worst(measured.layer, measured.shares),
    )


def _evidence(layer: FirstLayer) -> str:
    return (
        f"Measured: energy of the responses at stride 1 above {layer.carried:.3g} cycles per pixel along an axis, {layer.photographs} "
        f"photographs. {_LIMITS}."
    )


def _worst(layer: str, shares: NDArray[np.float64]) -> tuple[UnitEvidence, ...]:
    """Return the units of which most is aliased."""
    order = [int(unit) for unit in np.argsort(-np.nan_to_num(shares), kind="stable") if shares[unit] > ALIASED_NEAR]
    return tuple(UnitEvidence(layer, unit, float(shares[unit]), f"{shares[unit]:.0%} aliased") for unit in order[:SHOWN])


def _finding(
    share: float,
    count_text: str,
    summary: str,
    evidence: str,
    units: tuple[UnitEvidence, ...] = (),
    surgeries: tuple[SuggestedSurgery, ...] = (),
) -> Finding:
    return Finding(
        check="aliasing",
        level=graded(share, ALIASED_NEAR, ALIASED_FOUND),
        title=_TITLE,
        count_text=count_text,
        summary=summary,
        evidence=evidence,
        paper=_PAPER,
        units=units,
        surgeries=surgeries,
    )
