"""How alike the units of two layers are, of one model or of two: correlations of units, and linear CKA of layers, in float64.

The activation of a unit in a crop is the maximum of its feature map. Sources: Li et al. 2016, "Convergent learning" (correlations of the
units of two networks); Kornblith et al. 2019, "Similarity of neural network representations revisited" (linear CKA).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import ActivationIndexError

if TYPE_CHECKING:
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.index.sample import Sample

Matrix = NDArray[np.float64]

DECIMALS = 12  # the order of the sums in a matrix product changes the digits after these
_ROUNDING = 8 * float(np.finfo(np.float32).eps)  # a range below this share of the magnitude is rounding, not variation


def aligned_values(index_a: ActivationIndex, layer_a: str, index_b: ActivationIndex, layer_b: str) -> tuple[Matrix, Matrix]:
    """Return the activations of two layers in the crops that both indexes sampled.

    Parameters
    ----------
    index_a, index_b : ActivationIndex
        Indexes of the same image set, of any models.
    layer_a, layer_b : str
        A layer of each.

    Returns
    -------
    tuple of (ndarray of shape (S, U), ndarray of shape (S, V)), float64
        The activations of the U units of one and the V units of the other layer in the same S crops, ordered by the crops' content and
        their numbers in their photographs, so that the order does not depend on the order of the files.

    Raises
    ------
    ActivationIndexError
        If the image sets differ (by digest), or if the samples have no crop in common.
    LayerError
        For an unknown layer.
    """
    rows_a, rows_b = aligned_rows(index_a, index_b)
    values_a = index_a.tallies[index_a.layer(layer_a).name].sample.values
    values_b = index_b.tallies[index_b.layer(layer_b).name].sample.values
    return values_a[rows_a].astype(np.float64), values_b[rows_b].astype(np.float64)


def aligned_rows(index_a: ActivationIndex, index_b: ActivationIndex) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows (S,) of the crops in the samples of two indexes that both have, in one order. Raises as `aligned_values`."""
    require_same_images(index_a, index_b)
    _, rows_a, rows_b = np.intersect1d(_crop_keys(index_a.sample), _crop_keys(index_b.sample), assume_unique=True, return_indices=True)
    if not len(rows_a):
        raise ActivationIndexError(
            "The two activation indexes have no sampled crop in common: build both with the same samples, such as samples=2048, and seed."
        )
    return np.asarray(rows_a, np.int64), np.asarray(rows_b, np.int64)


def _crop_keys(sample: Sample) -> NDArray[np.void]:
    """Return the content and the number in its photograph of each crop of a sample (S,), which no two have in common."""
    keys = np.empty(len(sample), [("content", np.uint64), ("number", np.int64)])
    keys["content"], keys["number"] = sample.contents, sample.numbers
    return keys


def require_same_images(index_a: ActivationIndex, index_b: ActivationIndex) -> None:
    """Raise ActivationIndexError, which names both, if two indexes are of different image sets."""
    first, second = index_a.identity, index_b.identity
    if first.images == second.images:
        return
    names = f"{first.image_set!r} (digest {first.images[:12]}) and {second.image_set!r} (digest {second.images[:12]})"
    raise ActivationIndexError(
        f"The activation indexes are of different image sets, {names}: activations can be compared only over the same images. Build both "
        "indexes from one image set"
    )


def varies(values: Matrix) -> NDArray[np.bool_]:
    """Return whether each unit's activations (S, U) differ by more than float32 rounding, bool (U,). Dead units do not vary."""
    if not len(values):
        return np.zeros(values.shape[1], np.bool_)
    span = values.max(axis=0) - values.min(axis=0)
    return np.asarray(span > _ROUNDING * np.abs(values).max(axis=0), np.bool_)


def correlations(values_a: Matrix, values_b: Matrix) -> Matrix:
    """Return Pearson's correlation of each unit of one layer with each of another.

    Activations that are equal up to a positive scale, or shifted, correlate with 1.

    Parameters
    ----------
    values_a, values_b : ndarray of shapes (S, U) and (S, V), float64
        Their activations in the same S crops, from `aligned_values`.

    Returns
    -------
    ndarray of shape (U, V), float64
        Rounded to 12 decimals; NaN for units whose activations do not vary.
    """
    profiles_a, profiles_b = profiles(values_a), profiles(values_b)
    return np.asarray(np.round(np.clip(profiles_a.T @ profiles_b, -1, 1), DECIMALS), np.float64)


def profiles(values: Matrix) -> Matrix:
    """Return activations (S, U), each unit's centred and scaled to length 1; NaN for units whose activations do not vary."""
    centred = values - values.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    length[~varies(values)] = np.nan
    return np.asarray(centred / length, np.float64)


def linear_cka(values_a: Matrix, values_b: Matrix) -> float:
    """Return the linear centred kernel alignment of two layers (Kornblith et al. 2019), from 0 to 1.

    It does not change if the units of a layer are permuted or rotated, or all scaled by one factor. Over fewer crops than units it is
    biased upwards: even unrelated layers have a high one.

    Parameters
    ----------
    values_a, values_b : ndarray of shapes (S, U) and (S, V), float64
        Their activations in the same S crops, from `aligned_values`.

    Returns
    -------
    float
        Rounded to 12 decimals; NaN if no unit of one of the layers varies.
    """
    centred_a, centred_b = centred_activations(values_a), centred_activations(values_b)
    return cka_of_centred(centred_a, centred_b, self_alignment(centred_a), self_alignment(centred_b))


def centred_activations(values: Matrix) -> Matrix:
    """Return activations (S, U) less each unit's mean, without the units that do not vary."""
    varied = values[:, varies(values)]
    return varied - varied.mean(axis=0) if varied.size else varied


def alignment(centred_a: Matrix, centred_b: Matrix) -> float:
    """Return the squared Frobenius norm of the cross-products of centred activations, by the cheaper of two equal formulas."""
    crops, units_a, units_b = len(centred_a), centred_a.shape[1], centred_b.shape[1]
    if units_a * units_b <= crops * (units_a + units_b):
        return float(np.square(centred_a.T @ centred_b).sum())
    return float(((centred_a @ centred_a.T) * (centred_b @ centred_b.T)).sum())


def self_alignment(centred: Matrix) -> float:
    """Return a layer's alignment with itself."""
    return alignment(centred, centred)


def cka_of_centred(centred_a: Matrix, centred_b: Matrix, own_a: float, own_b: float) -> float:
    """Return the linear CKA of centred activations, given each one's alignment with itself."""
    if not own_a > 0 or not own_b > 0:
        return float("nan")
    return round(min(alignment(centred_a, centred_b) / (math.sqrt(own_a) * math.sqrt(own_b)), 1.0), DECIMALS)
