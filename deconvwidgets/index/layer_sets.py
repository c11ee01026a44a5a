"""Indexes of the same images with other layers: chosen ones, and those of two indexes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.records.layers import LayerInfo


def only_layers(index: ActivationIndex, layers: Sequence[LayerInfo]) -> ActivationIndex:
    """Return the index of some of an index's layers."""
    digests = dict(index.identity.layers)
    chosen = replace(
        index,
        identity=replace(index.identity, layers=tuple((info.name, digests[info.name]) for info in layers)),
        layers=tuple(layers),
        tallies={info.name: index.tallies[info.name] for info in layers},
        other_names={info.name: index.other_names[info.name] for info in layers if info.name in index.other_names},
    )
    return chosen.with_needed_labels()


def with_layers(index: ActivationIndex, other: ActivationIndex) -> ActivationIndex:
    """Return the index of the layers of both; layers that both have are those of `index`.

    Raises
    ------
    ActivationIndexError
        If they differ in model, images, settings or crops.
    """
    index.check(replace(other.identity, layers=index.identity.layers))
    common = [pair for pair in other.identity.layers if pair[0] in index.tallies]
    if index.crop_ranges != other.crop_ranges or not set(common) <= set(index.identity.layers):
        raise ActivationIndexError("Indexes of other crops or of another model cannot be joined: build one for this model and these images")
    added = tuple(info for info in other.layers if info.name not in index.tallies)
    digests = tuple(pair for pair in other.identity.layers if pair[0] not in index.tallies)
    return replace(
        index,
        identity=replace(index.identity, layers=(*index.identity.layers, *digests)),
        layers=(*index.layers, *added),
        tallies={**index.tallies, **{info.name: other.tallies[info.name] for info in added}},
        source_labels={**other.source_labels, **index.source_labels},
        other_names={**other.other_names, **index.other_names},
    )
