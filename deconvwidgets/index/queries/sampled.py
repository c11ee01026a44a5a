"""What the units of one layer do in the sampled crops of an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.records.layers import LayerInfo

if TYPE_CHECKING:
    from deconvwidgets.index.activation_index import ActivationIndex


@dataclass(frozen=True)
class SampledLayer:
    """The activations of a layer's units in the sampled crops.

    Attributes
    ----------
    info : LayerInfo
        The layer.
    input_size : tuple of int
        Channels, height and width of the model's input.
    crops : ndarray of shape (crops,), int64
        The numbers of the crops.
    values : ndarray of shape (crops, units), float32
        The activations: the maxima of the feature maps.
    positions : ndarray of shape (crops, units), int32
        Where they are in the feature maps: row * width + column.
    """

    info: LayerInfo
    input_size: tuple[int, int, int]
    crops: NDArray[np.int64]
    values: NDArray[np.float32]
    positions: NDArray[np.int32]


def sampled_layer(index: ActivationIndex, layer: str) -> SampledLayer:
    """Return the sample of a layer; it has no crops if the index keeps none."""
    info = index.layer(layer)
    sample = index.tallies[info.name].sample
    return SampledLayer(info, index.identity.input_size, index.sample.crops, sample.values, sample.positions)


def required_sample(index: ActivationIndex, layer: str) -> SampledLayer:
    """Return the sample of a layer. Raises ActivationIndexError if the index keeps none."""
    sampled = sampled_layer(index, layer)
    if not len(sampled.crops):
        raise ActivationIndexError(
            "The index has no sampled crops, from which ranges, correlations and maps of units are computed: build one with samples=256."
        )
    return sampled
