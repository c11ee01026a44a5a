"""A unit's strongest activations and the statistics of a layer's units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.geometry import Box
from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class Activation:
    """One of a unit's strongest activations: the item of the image set, where in the map, how strong, what it saw."""

    image: int
    row: int
    column: int
    value: float
    box: Box | None  # in input pixels; None where the layer's receptive field is unknown


@dataclass(frozen=True, slots=True)
class LayerStats:
    """Per unit of one layer, over the maxima that the unit reached in each view (crop) of the image set; all arrays
    start with (units,)."""

    maximum: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    fires: NDArray[np.float32]  # share of views in which the maximum is above zero
    selectivity: NDArray[np.float32]  # (maximum - mean) / std, 0 where std is 0
    histogram: NDArray[np.int64]  # (units, bins)
    edges: NDArray[np.float32]  # (units, bins + 1)

    __repr__ = compact_repr

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Units that fired in no view."""
        return np.equal(self.fires, 0)
