"""Top activations of a unit, and statistics of the units of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.geometry import Box
from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class Activation:
    """One of the top activations of a unit: crop `image` of the image set, and position and value in the feature map."""

    image: int
    row: int
    column: int
    value: float
    box: Box | None  # the receptive field in input pixels; None if it is unknown


def is_dead(share_active: NDArray[np.float32], maximum: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return whether units are 0 in every crop, by the share of crops in which they are above 0, and their maximum; all (units,).

    Examples
    --------
    >>> is_dead(np.float32([0.0, 0.0, 0.5]), np.float32([0.0, -2.0, 3.0]))  # dead, always negative, active
    array([ True, False, False])
    """
    return np.equal(share_active, 0) & np.equal(maximum, 0)


@dataclass(frozen=True, slots=True)
class LayerStats:
    """Statistics of the activations of each unit of a layer, over all crops of the image set.

    The activation of a unit in a crop is the maximum of its feature map.

    Attributes
    ----------
    maximum, mean, std : ndarray of shape (units,), float32
        Maximum, mean and standard deviation of the activations.
    activation_rate : ndarray of shape (units,), float32
        The fraction of crops in which the unit is active, that is, its activation is above zero.
    selectivity : ndarray of shape (units,), float32
        (maximum - mean) / std, and 0 where std is 0.
    histogram : ndarray of shape (units, bins), int64
        The number of activations in each bin.
    edges : ndarray of shape (units, bins + 1), float32
        The edges of the bins.
    """

    maximum: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    activation_rate: NDArray[np.float32]
    selectivity: NDArray[np.float32]
    histogram: NDArray[np.int64]
    edges: NDArray[np.float32]

    __repr__ = compact_repr

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Whether each unit is 0 in every crop, bool (units,). One that is always negative, as only without a rectifier, is not dead."""
        return is_dead(self.activation_rate, self.maximum)
