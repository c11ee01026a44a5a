"""Relations among the units of a layer: near-copies, and a map in two dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.repr import compact_repr

SAME_UNIT = 0.95  # units whose activations correlate with at least this are the same; matched units of random networks do not reach it
RELATED_UNIT = 0.5  # the same unit changed, if neither of the two correlates more with another


@dataclass(frozen=True, slots=True)
class NearCopies:
    """Two units of a layer whose activations are strongly correlated; `unit` is the smaller number."""

    unit: int
    other: int
    correlation: float  # Pearson's, of the units' activations in the sampled crops


@dataclass(frozen=True, slots=True)
class UnitMap:
    """The units of a layer as points in two dimensions: units with correlated activations are close to each other.

    Attributes
    ----------
    layer : str
        The layer's alias, or its dotted name if it has none.
    method : str
        "pca", "tsne" or "umap".
    units : ndarray of shape (points,), int64
        The units, ascending.
    coordinates : ndarray of shape (points, 2), float32
        Their positions; between -1 and 1, with the same scale on both axes.
    left_out : ndarray of shape (units - points,), int64
        Units that have the same activation in every sampled crop, such as dead units, so that they have no correlation; ascending.
    samples : int
        The number of crops from which the correlations were computed.
    seed : int
        The seed of the method.
    """

    layer: str
    method: str
    units: NDArray[np.int64]
    coordinates: NDArray[np.float32]
    left_out: NDArray[np.int64]
    samples: int
    seed: int

    __repr__ = compact_repr
