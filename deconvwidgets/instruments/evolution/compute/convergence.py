"""How far the units of a layer have converged at each checkpoint: agreement with the last checkpoint.

Source: Zeiler & Fergus 2014, section 4, found by eye that lower layers converge within a few epochs and upper ones only late. These
measures of it are our extension.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.similarity import DECIMALS, Matrix, aligned_values, linear_cka, profiles
from deconvwidgets.instruments.evolution.records import LayerConvergence, StrongestActivations


def measure_convergence(indexes: Mapping[int, ActivationIndex], strongest: StrongestActivations) -> LayerConvergence:
    """Return how far a layer has converged at each checkpoint.

    Parameters
    ----------
    indexes : mapping of int to ActivationIndex
        By epoch, ascending; at least one.
    strongest : StrongestActivations
        Of the layer, from the same indexes.

    Raises
    ------
    ActivationIndexError
        If the indexes are of different image sets, or keep no sample.
    """
    layer, contents, last = strongest.layer, strongest.contents, list(indexes.values())[-1]
    pairs = [aligned_values(index, layer, last, layer) for index in indexes.values()]
    correlations = np.stack([unit_correlations(values, final) for values, final in pairs])
    constant = np.isnan(correlations)
    has_one = contents[:, -1] != 0
    same = (contents == contents[:, -1:])[has_one]
    return LayerConvergence(
        layer=layer,
        units=correlations.shape[1],
        epochs=strongest.epochs,
        samples=len(pairs[-1][0]),
        correlation=np.array([_median(row[~none]) for row, none in zip(correlations, constant, strict=True)]),
        same_strongest=same.mean(axis=0) if len(same) else np.full(contents.shape[1], np.nan),
        cka=np.array([linear_cka(values, final) for values, final in pairs]),
        unit_correlation=correlations,
        constant=constant,
        without_strongest=int((~has_one).sum()),
    )


def unit_correlations(values: Matrix, final: Matrix) -> Matrix:
    """Return Pearson's correlation of each unit's activations in two networks (units,); NaN where it is constant in one of them.

    Parameters
    ----------
    values, final : ndarray of shape (crops, units)
        The activations in the same crops.
    """
    products = (profiles(values) * profiles(final)).sum(axis=0)
    return np.asarray(np.round(np.clip(products, -1, 1), DECIMALS))


def _median(values: Matrix) -> float:
    return float(np.median(values)) if values.size else np.nan
