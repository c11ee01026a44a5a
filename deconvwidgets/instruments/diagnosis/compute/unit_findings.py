"""The findings of the checks of units, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.instruments.diagnosis.compute.unit_checks import Dominating, LayerUnits, Pair, responds_to_one
from deconvwidgets.instruments.diagnosis.compute.varying_maps import COMPARED_PHOTOGRAPHS
from deconvwidgets.instruments.diagnosis.limits import (
    COPY_FOUND,
    COPY_NEAR,
    DEAD_FOUND,
    ENOUGH_PHOTOGRAPHS,
    FLIP_FOUND,
    MIN_PHOTOGRAPHS,
    MIN_PHOTOGRAPHS_OF_COPIES,
    ONE_PHOTOGRAPH_FOUND,
    ONE_PHOTOGRAPH_RATIO,
    RMS_FOUND,
    RMS_NEAR,
)
from deconvwidgets.instruments.diagnosis.records import Finding, Level, SuggestedSurgery, UnitEvidence

_SHOWN = 16  # units of a finding
_ONE = f"Activations are compared between photographs: give {MIN_PHOTOGRAPHS} or more, with different content."
_NO_FILTERS = (
    "No checked layer is a convolution of four or more filters whose weights are known: they are not if the model cannot be traced, or "
    "computes them from the image."
)
_FEW_FOR_COPIES = f"Near copies are looked for in {MIN_PHOTOGRAPHS_OF_COPIES} or more photographs with different content."


def dead_units(layers: Sequence[LayerUnits], photographs: int, surgeries: tuple[SuggestedSurgery, ...] = ()) -> Finding:
    """Return the finding of units whose activation is the same in every crop, and not above 0, with what may mend it."""
    if photographs < MIN_PHOTOGRAPHS:
        return not_checked("dead_units", "Dead units", _ONE)
    total, dead = _total(layers), sum(int(units.dead.sum()) for units in layers)
    worst = max((float(units.dead.mean()) for units in layers), default=0.0)
    level: Level = _level(dead > 0, worst >= DEAD_FOUND and photographs >= ENOUGH_PHOTOGRAPHS)
    names = [f"{int(units.dead.sum()):,} of {units.info.channels:,} in {units.info.short_name}" for units in layers if units.dead.any()]
    summary = (
        f"Active in none of {photographs:,} photographs: {_listed(names)}."
        if dead
        else f"No unit is inactive in all {photographs:,} photographs."
    )
    return Finding(
        check="dead_units",
        level=level,
        title="Dead units",
        count_text=f"{dead:,} of {total:,}",
        summary=summary,
        evidence=f"Measured on {photographs:,} photographs: a unit that is inactive in all of them is active in fewer than "
        f"{min(1.0, 3 / max(photographs, 1)):.1%} of such photographs, with 95% confidence. Found: {DEAD_FOUND:.0%} of a layer.",
        units=_units(layers, lambda units: units.dead, lambda units: np.zeros(units.info.channels), lambda value: "never active"),
        surgeries=surgeries,
    )


def always_active(layers: Sequence[LayerUnits], photographs: int) -> Finding:
    """Return the finding of units that are active in every crop, and whose activation never changes."""
    if photographs < MIN_PHOTOGRAPHS:
        return not_checked("always_active", "Always active", _ONE)
    constant = sum(int(units.constant.sum()) for units in layers)
    saturated = sum(int(units.saturated.sum()) for units in layers)
    ends = [layers[0], layers[-1]] if len(layers) > 1 else list(layers)
    usual = _listed([f"{int(units.active.sum()):,} of {units.info.channels:,} in {units.info.short_name}" for units in ends])
    same_units = _units(layers, lambda units: units.constant, lambda units: units.maximum, "{:.3g} in every photograph".format)
    limit_units = _units(layers, lambda units: units.saturated, lambda units: units.maximum, "at the upper limit, {:.3g}".format)
    more = f" {saturated:,} are at their activation function's upper limit in all." if saturated else ""
    same = (
        f"{constant:,} units have the same activation in all {photographs:,} photographs."
        if constant
        else "No unit's activation is constant."
    )
    return Finding(
        check="always_active",
        level=_level(constant > 0 or saturated > 0, constant > 0 and photographs >= ENOUGH_PHOTOGRAPHS),
        title="Always active",
        count_text=f"{constant + saturated:,} constant",
        summary=f"{same}{more} Active in all, which is usual in lower layers: {usual}.",
        evidence=f"Measured on {photographs:,} photographs by the strongest activation in each, and by the whole map in "
        f"{min(COMPARED_PHOTOGRAPHS, photographs)} of them.",
        units=(*same_units, *limit_units)[:_SHOWN],
    )


def one_photograph(layers: Sequence[LayerUnits], photographs: int) -> Finding:
    """Return the finding of units that respond to one photograph much more strongly than any other."""
    if photographs < MIN_PHOTOGRAPHS:
        return not_checked("one_photograph", "Responds to one photograph", _ONE)
    found = [(units, responds_to_one(units)) for units in layers]
    total, worst = sum(int(mask.sum()) for _, mask in found), max((float(mask.mean()) for _, mask in found), default=0.0)
    evidence = _units(layers, responds_to_one, lambda units: units.ratio, _times_as_strong)
    best = evidence[0] if evidence else None
    summary = (
        f"{best.layer} / {best.unit} responds to {best.text}."
        if best
        else "No unit responds to its best photograph twice as strongly as to the next."
    )
    return Finding(
        check="one_photograph",
        level=_level(total > 0, worst >= ONE_PHOTOGRAPH_FOUND and photographs >= ENOUGH_PHOTOGRAPHS),
        title="Responds to one photograph",
        count_text=f"{total:,} units" if total else "none",
        summary=summary,
        evidence=f"Measured on {photographs:,} photographs, of which equal ones count once: the strongest activation is at least "
        f"{ONE_PHOTOGRAPH_RATIO:g} times that in the second photograph. Found: {ONE_PHOTOGRAPH_FOUND:.0%} of a layer.",
        units=evidence,
    )


def near_copies(pairs: Sequence[Pair], photographs: int) -> Finding:
    """Return the finding of pairs of units that are alike, or whose filters are each other's negative."""
    enough = photographs >= MIN_PHOTOGRAPHS_OF_COPIES
    pairs = [pair for pair in pairs if pair.negative or enough]
    if not pairs and not enough:
        return not_checked("near_copies", "Near copies", _FEW_FOR_COPIES)
    alike, negative = [pair for pair in pairs if not pair.negative], [pair for pair in pairs if pair.negative]
    counts = ([f"{len(alike):,} alike"] if alike else []) + ([f"{len(negative):,} negative"] if negative else [])
    few = photographs < ENOUGH_PHOTOGRAPHS
    certain = [pair for pair in pairs if pair.found and (pair.negative or not few)]
    surgeries = tuple(
        SuggestedSurgery(
            f"merge {pair.layer} {pair.unit} and {pair.other}", "merge_units", {"layer": pair.layer, "units": (pair.unit, pair.other)}
        )
        for pair in certain[:4]
        if not pair.negative
    )
    return Finding(
        check="near_copies",
        level=_level(bool(pairs), bool(certain)),
        title="Near copies and negatives" if negative else "Near copies",
        count_text=", ".join(counts) or "none",
        summary=_pairs_summary(alike, negative) + ("" if enough else f" {_FEW_FOR_COPIES}"),
        evidence=f"Correlation of activations over at most 2,048 crops of {photographs:,} photographs, and cosine of the filters with "
        f"batch norm folded in. Found: a correlation of {COPY_FOUND:g} with alike filters, or a cosine of {FLIP_FOUND:g}. Pairs of "
        "opposite phase, up to a cosine of -0.995, are usual in first layers.",
        units=tuple(
            UnitEvidence(pair.layer, unit, pair.value, _alike(pair)) for pair in pairs[: _SHOWN // 2] for unit in (pair.unit, pair.other)
        ),
        surgeries=surgeries,
    )


def _pairs_summary(alike: Sequence[Pair], negative: Sequence[Pair]) -> str:
    """Return how many pairs of units are alike, and how many filters each other's negative, with the first of each."""
    parts = [] if alike else [f"No two units of a layer correlate with {COPY_NEAR:g} or more."]
    for pairs, words, limit in ((alike, "alike", "copies"), (negative, "of opposite filters", "exact negatives")):
        if pairs:
            found, first = sum(pair.found for pair in pairs), pairs[0]
            number = "1 pair" if len(pairs) == 1 else f"{len(pairs):,} pairs"
            parts.append(
                f"{number} {words}, {found:,} beyond the limit for {limit}; first: {first.layer} {first.unit} and {first.other} "
                f"({_alike(first)})."
            )
    return " ".join(parts)


def dominating_filters(layers: Sequence[Dominating], surgeries: tuple[SuggestedSurgery, ...] = ()) -> Finding:
    """Return the finding of filters whose root mean square exceeds that of their layer, with what may mend it."""
    if not layers:
        return not_checked("dominating_filters", "Dominating filters", _NO_FILTERS)
    over = sorted(
        (
            UnitEvidence(one.layer, int(unit), float(one.ratio[unit]), f"{one.ratio[unit]:.1f} times the median")
            for one in layers
            for unit in np.flatnonzero(one.ratio >= one.near)
        ),
        key=lambda entry: -entry.value,
    )
    top = max(layers, key=lambda one: float(one.ratio.max()))
    found = any(bool((one.ratio >= one.found).any()) for one in layers)
    return Finding(
        check="dominating_filters",
        level=_level(bool(over), found),
        title="Dominating filters",
        count_text=f"{len(over):,} filters" if over else "none",
        summary=f"Largest root mean square: {top.ratio.max():.1f} times the median, in {top.layer} (limit {top.near:g}); "
        f"{sum(int((one.ratio < 0.5).sum()) for one in layers):,} filters below half of it.",
        evidence=f"Exact, from the weights; with batch norm by the smaller one of the ratios with and without it. Close: {RMS_NEAR:g}, "
        f"found: {RMS_FOUND:g} times the median.",
        paper="Filters whose root mean square exceeded 0.1 were renormalised in training, as a few dominated the first layer (section 3).",
        units=tuple(over[:_SHOWN]),
        surgeries=surgeries,
    )


def not_checked(check: str, title: str, summary: str) -> Finding:
    """Return the finding of a check that cannot be made."""
    return Finding(check=check, level="not_checked", title=title, count_text="not checked", summary=summary, evidence="")


def _level(near: bool, found: bool) -> Level:
    return "found" if found else "near" if near else "clear"


def _alike(pair: Pair) -> str:
    return f"negatives, cosine {pair.value:.3f}" if pair.negative else f"correlation {pair.value:.3f}"


def _times_as_strong(value: float) -> str:
    return "one photograph" if np.isinf(value) else f"its best photograph {value:.1f} times as strongly as to the next"


def _total(layers: Sequence[LayerUnits]) -> int:
    return sum(units.info.channels for units in layers)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more layers" if len(names) > 4 else "")


def _units(
    layers: Sequence[LayerUnits],
    mask: Callable[[LayerUnits], NDArray[np.bool_]],
    values: Callable[[LayerUnits], NDArray[np.floating]],
    text: Callable[[float], str],
) -> tuple[UnitEvidence, ...]:
    """Return the units of a mask, those with the largest values first."""
    found = [
        UnitEvidence(units.info.short_name, int(unit), float(values(units)[unit]), text(float(values(units)[unit])))
        for units in layers
        for unit in np.flatnonzero(mask(units))
    ]
    return tuple(sorted(found, key=lambda entry: -entry.value)[:_SHOWN])
