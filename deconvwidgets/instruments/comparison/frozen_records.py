"""What a file of frozen units holds: what each unit of some layers looks for, without the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.activations import is_dead
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.repr import compact_repr

DESCRIPTOR_SIDE = 8  # pixels; docs/decisions/frozen-units.md says why


@dataclass(frozen=True, slots=True, eq=False)
class TopPlaces:
    """The strongest activations of the units of a layer, strongest first. Missing ones are -1, and NaN as a value.

    Attributes
    ----------
    sources : array (units, k), int64
        The photographs, as numbers in the set that the units were frozen with.
    numbers : array (units, k), int64
        The number of the crop in its photograph.
    rows, columns : array (units, k), int64
        The position in the feature map.
    values : array (units, k), float32
    """

    sources: NDArray[np.int64]
    numbers: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True, eq=False)
class UnitStatistics:
    """Maximum, mean and standard deviation of each unit's activations, and the share of crops in which it is active; float32 (units,)."""

    maximum: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    share_active: NDArray[np.float32]

    __repr__ = compact_repr

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Whether each unit is 0 in every crop, bool (units,)."""
        return is_dead(self.share_active, self.maximum)


@dataclass(frozen=True, slots=True, eq=False)
class FrozenLayer:
    """The units of a layer.

    Attributes
    ----------
    info : LayerInfo
    digest : str
        SHA-256 of everything that decided the layer's values.
    values : array (samples, units), float32
        The activations in the sampled crops, restored from 8 bits: each is off by at most `max_error`.
    max_error : array (units,), float32
    top : TopPlaces
    statistics : UnitStatistics
        Over all crops.
    rule : str or None
        The rule of the projections: "deconvnet" or "extended"; None if there are none.
    descriptors : array (units, projections, channels, 8, 8), int8
        The projections of the first of the strongest activations, resampled to 8 x 8 pixels and scaled to -127 to 127; zeros if missing.
    pictures : tuple of bytes
        Of each unit these projections side by side, as WebP; empty if it has none.
    """

    info: LayerInfo
    digest: str
    values: NDArray[np.float32]
    max_error: NDArray[np.float32]
    top: TopPlaces
    statistics: UnitStatistics
    rule: str | None
    descriptors: NDArray[np.int8]
    pictures: tuple[bytes, ...]

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True, eq=False)
class FrozenUnits:
    """What the units of some layers of a model look for in an image set, as `freeze` writes it and `check` reads it.

    Attributes
    ----------
    package : str
        The version of deconvwidgets that wrote it.
    model, weights : str
        The names of the model, with "(random weights)" if it is not trained, and of its weights.
    trained : bool
    input_size : tuple of (int, int, int)
    transform : str
        The digest of the transform.
    channels : tuple of int
        The input channels that the projections show.
    image_set : str
        The name of the image set.
    crops : str
        The digest of the boxes of all crops, by the content of their photographs.
    names : tuple of str
        The names of the photographs.
    contents : array (photographs,), uint64
        Their content ids, as in `ImageSet.read_source`; 0 for those that could not be read.
    sample_sources, sample_numbers : array (samples,), int64
        The photographs of the sampled crops, and their numbers in their photographs.
    k, samples, seed, projections : int
        What was kept of each unit: strongest activations, sampled crops at most, the seed of their choice, and projections.
    layers : tuple of FrozenLayer
    """

    package: str
    model: str
    weights: str
    trained: bool
    input_size: tuple[int, int, int]
    transform: str
    channels: tuple[int, ...]
    image_set: str
    crops: str
    names: tuple[str, ...]
    contents: NDArray[np.uint64]
    sample_sources: NDArray[np.int64]
    sample_numbers: NDArray[np.int64]
    k: int
    samples: int
    seed: int
    projections: int
    layers: tuple[FrozenLayer, ...]

    def __repr__(self) -> str:
        names = ", ".join(layer.info.short_name for layer in self.layers)
        return f"<FrozenUnits of {self.model} on {self.image_set}: {self.units:,} units of {names}>"

    @property
    def units(self) -> int:
        """The number of units of all layers."""
        return sum(layer.info.channels for layer in self.layers)
