"""Checks of the units of a network: dead, always active, responding to one photograph, near-copies, and dominating filters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from deconvwidgets.engine.filters import ConvolutionFilters
from deconvwidgets.engine.network import Network
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.diagnosis.compute.activation_limit import upper_limit
from deconvwidgets.instruments.diagnosis.compute.first_layer import rms_and_ratio
from deconvwidgets.instruments.diagnosis.limits import (
    COPY_COSINE,
    COPY_FOUND,
    COPY_NEAR,
    FLIP_FOUND,
    FLIP_NEAR,
    ONE_PHOTOGRAPH_RATIO,
    RMS_FOUND,
    RMS_FOUND_DEPTHWISE,
    RMS_NEAR,
)
from deconvwidgets.records.layers import LayerInfo

_MIN_UNITS = 4  # of a layer, for a median that means something
_MAX_PAIRS = 1 << 16  # of near-copies in one layer


@dataclass(frozen=True, slots=True)
class LayerUnits:
    """What an index has of the units of a layer, each (units,).

    Attributes
    ----------
    info : LayerInfo
    minimum, maximum : arrays, float32
        The weakest and the strongest of the unit's activations over the crops; each is the maximum over the map.
    active : array, bool
        Whether it is above 0 in every crop.
    first, second : arrays, float32
        The activations in the two photographs that are strongest; NaN without.
    limit : float
        The upper limit of the layer's activation function; infinite without.
    varies : array, bool
        Whether the unit's map is known to differ between photographs, though its strongest activation does not: see `varying_maps`.
    """

    info: LayerInfo
    minimum: NDArray[np.float32]
    maximum: NDArray[np.float32]
    active: NDArray[np.bool_]
    first: NDArray[np.float32]
    second: NDArray[np.float32]
    limit: float
    varies: NDArray[np.bool_]

    @property
    def same(self) -> NDArray[np.bool_]:
        """Whether the strongest activation is the same in every crop, and the map is not known to vary."""
        return np.asarray((self.minimum == self.maximum) & ~self.varies, np.bool_)

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Whether the activation is the same in every crop, and not above 0. A unit that is always negative and varies is not dead."""
        return np.asarray(self.same & (self.maximum <= 0), np.bool_)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Whether the activation is above 0 and the same in every crop, and not at the activation function's upper limit."""
        return np.asarray(self.same & (self.maximum > 0) & ~self.saturated, np.bool_)

    @property
    def saturated(self) -> NDArray[np.bool_]:
        """Whether the activation is in every crop above 0 and at the upper limit of the activation function, as that of ReLU6."""
        return np.asarray(self.same & (self.maximum > 0) & (self.maximum >= np.float32(self.limit)), np.bool_)

    @property
    def ratio(self) -> NDArray[np.float64]:
        """The strongest activation over that in the second photograph; infinite if no second photograph activates the unit."""
        first, second = self.first.astype(np.float64), self.second.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(np.isnan(second) | (second <= 0), np.inf, first / second)
        return np.where(np.isnan(first) | (first <= 0), 0.0, ratio)


def units_of(index: ActivationIndex, network: Network) -> tuple[LayerUnits, ...]:
    """Return the units of each layer of an index with k of at least 2, of a network."""
    found = []
    for info in index.layers:
        tally = index.tallies[info.name]
        values = np.where(tally.ranking.crops < 0, np.nan, tally.ranking.values).astype(np.float32)
        minimum, maximum = tally.stats.minimum.cpu().numpy(), tally.stats.maximum.cpu().numpy()
        active = tally.stats.fired.cpu().numpy() == tally.stats.count
        limit, varies = upper_limit(network, info.name), np.zeros(len(maximum), np.bool_)
        found.append(LayerUnits(info, minimum, maximum, active, values[:, 0], values[:, 1], limit, varies))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two units of a layer that are alike, or each other's negative. `found`: beyond the limit, not only close to it."""

    layer: str
    unit: int
    other: int
    value: float  # the correlation of activations, or the cosine of negatives
    negative: bool
    found: bool


def near_pairs(index: ActivationIndex, filters: Sequence[ConvolutionFilters]) -> list[Pair]:
    """Return the pairs of near-copies, and of filters that are each other's negative; found ones first, then by value."""
    by_layer = {one.layer.name: one for one in filters}
    pairs = []
    for info in index.layers:
        cosines = filter_cosines(by_layer[info.name]) if info.name in by_layer else None
        for one in index.near_copies(info.name, COPY_NEAR)[:_MAX_PAIRS]:
            found = one.correlation >= COPY_FOUND and cosines is not None and bool(cosines[one.unit, one.other] >= COPY_COSINE)
            pairs.append(Pair(info.short_name, one.unit, one.other, one.correlation, negative=False, found=found))
        if cosines is not None:
            for unit, other in np.argwhere(np.triu(cosines <= FLIP_NEAR, 1)).tolist()[:_MAX_PAIRS]:
                value = float(cosines[unit, other])
                pairs.append(Pair(info.short_name, unit, other, value, negative=True, found=value <= FLIP_FOUND))
    return sorted(pairs, key=lambda pair: (not pair.found, -abs(pair.value)))


def filter_cosines(filters: ConvolutionFilters) -> NDArray[np.float64] | None:
    """Return the cosine of each pair of filters (U, U), with batch norm folded in; NaN where one is zero, or they read other channels.

    None for depthwise convolutions, whose filters read different channels.
    """
    units, own = filters.weight.shape[:2]
    if filters.window.groups > 1 and own == 1:
        return None
    flat = filters.folded.flatten(1)
    length = flat.norm(dim=1, keepdim=True)
    unit = torch.where(length > 1e-6 * length.max(), flat / length, torch.nan)
    cosines = (unit @ unit.T).numpy()
    groups = np.arange(units) // (units // filters.window.groups)
    return np.where(groups[:, None] == groups[None], cosines, np.nan)


@dataclass(frozen=True, slots=True)
class Dominating:
    """The filters of a layer by size.

    Attributes
    ----------
    layer : str
    ratio : array (units,), float64
        The root mean square of each filter over the median of the layer.
    found : float
        The limit: larger for depthwise convolutions.
    near : float
    """

    layer: str
    ratio: NDArray[np.float64]
    found: float
    near: float


def filter_sizes(filters: Iterable[ConvolutionFilters], names: Iterable[str]) -> list[Dominating]:
    """Return the sizes of the filters of the layers of these names that have at least four."""
    checked, found = set(names), []
    for one in filters:
        if one.layer.name in checked and len(one.weight) >= _MIN_UNITS:
            depthwise = one.window.groups > 1 and one.weight.shape[1] == 1
            limits = (RMS_FOUND_DEPTHWISE, RMS_FOUND_DEPTHWISE) if depthwise else (RMS_FOUND, RMS_NEAR)
            found.append(Dominating(one.layer.short_name, rms_and_ratio(one)[1], *limits))
    return found


def responds_to_one(units: LayerUnits) -> NDArray[np.bool_]:
    """Return which units respond to one photograph much more strongly than any other."""
    return units.ratio >= ONE_PHOTOGRAPH_RATIO
