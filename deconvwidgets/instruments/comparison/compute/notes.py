"""Sentences about what limits a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.comparison.records import LayerComparison, Thresholds
from deconvwidgets.records.layers import LayerInfo

_MARGIN = 0.05  # between median correlations; 0.2 and more in networks that have units in common
_MAX_NAMES = 6  # of layers in a note


def notes_of(
    index_a: ActivationIndex,
    index_b: ActivationIndex,
    counts: tuple[int, int],
    thresholds: Thresholds,
    layers: Sequence[LayerComparison],
    left_out: Sequence[LayerInfo],
) -> tuple[str, ...]:
    """Return notes about the sample, transforms, thresholds, CKA, layers whose units do not correspond, and layers that are left out.

    `counts` are the numbers of crops, and of the photographs that they are of.
    """
    crops, photographs = counts
    first, second, notes = index_a.identity, index_b.identity, []
    total = min(index_a.crops, index_b.crops)
    if crops < total:
        notes.append(f"Correlations and CKA are over {crops:,} of {total:,} crops: a random sample, or all that differ.")
    if (first.transform, first.input_size) != (second.transform, second.input_size):
        sizes = " and ".join(" x ".join(map(str, one.input_size[1:])) for one in (first, second))
        notes.append(f"The models prepare images differently (inputs of {sizes} pixels): each sees the photographs by its own transform.")
    raised = [pair for pair in layers if pair.thresholds != thresholds]
    if raised:
        highest = max(pair.thresholds.related for pair in raised)
        notes.append(
            f"Over {photographs:,} photographs, correlations up to {highest:.2f} can be chance: thresholds are raised in {_listed(raised)}."
        )
    biased = [pair for pair in layers if crops < max(len(pair.a.status), len(pair.b.status))]
    if biased:
        notes.append(f"Over {crops:,} crops, CKA is biased upwards in layers with more units: {_listed(biased)}.")
    unrelated = [pair for pair in layers if pair.median_correlation < pair.median_other + _MARGIN]
    if unrelated:
        notes.append(f"In {_listed(unrelated)}, units correlate with their match hardly more than with other units: they mean little.")
    if left_out:
        notes.append(f"Layers of {second.model} without a partner: {', '.join(info.short_name for info in left_out)}.")
    return tuple(notes)


def _listed(pairs: Sequence[LayerComparison]) -> str:
    names = [pair.short_name for pair in pairs]
    return ", ".join(names) if len(names) <= _MAX_NAMES else f"{', '.join(names[: _MAX_NAMES - 1])} and {len(names) - _MAX_NAMES + 1} more"
