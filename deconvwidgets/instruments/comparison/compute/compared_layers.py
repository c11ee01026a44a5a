"""One pair of layers compared, and the similarity of all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.similarity import Matrix, centred_activations, cka_of_centred, correlations, self_alignment
from deconvwidgets.instruments.comparison.compute.matching import chance_correlation, match_units, nearest, partner_values, silent_units
from deconvwidgets.instruments.comparison.records import LayerComparison, Pairing, Thresholds, UnitSide
from deconvwidgets.records.layers import LayerInfo

Rows = tuple[NDArray[np.int64], NDArray[np.int64]]
Place = tuple[ActivationIndex, LayerInfo]
TOP_K = 9  # strongest photographs that are compared, as in Zeiler & Fergus 2014, figure 2


def compared_layer(place_a: Place, place_b: Place, rows: Rows, paired: Pairing, cka: float, thresholds: Thresholds) -> LayerComparison:
    """Compare the units of two layers.

    Parameters
    ----------
    place_a, place_b : tuples of (ActivationIndex, LayerInfo)
    rows : tuple of ndarrays of shape (S,), int64
        The rows of the common crops in the samples of both indexes.
    paired : {"name", "CKA", "given"}
    cka : float
    thresholds : Thresholds
    """
    values_a, values_b = activations(*place_a, rows[0]), activations(*place_b, rows[1])
    matrix = correlations(values_a, values_b)
    silent_a, silent_b = _silent(*place_a, values_a), _silent(*place_b, values_b)
    matrix[silent_a != ""] = np.nan
    matrix[:, silent_b != ""] = np.nan
    chance = chance_correlation(different_photographs(place_a[0], rows[0]), matrix.size)
    raised = replace(thresholds, same=max(thresholds.same, chance), related=max(thresholds.related, chance))
    found = match_units(matrix, silent_a, silent_b, raised)
    return LayerComparison(
        info_a=place_a[1],
        info_b=place_b[1],
        paired=paired,
        cka=cka,
        thresholds=raised,
        a=_side(place_a, matrix, found.match_a, found.copy_of_a, found.status_a),
        b=_side(place_b, matrix.T, found.match_b, found.copy_of_b, found.status_b),
        strongest=strongest_in_common(place_a, place_b, found.match_a),
    )


def different_photographs(index: ActivationIndex, rows: NDArray[np.int64]) -> int:
    """Return how many photographs some of the sampled crops are of. Crops of one photograph are not independent of each other."""
    return len(np.unique(index.sample.contents[rows]))


def activations(index: ActivationIndex, info: LayerInfo, rows: NDArray[np.int64]) -> Matrix:
    """Return the activations (S, units) of a layer in some of the sampled crops, float64."""
    return index.tallies[info.name].sample.values[rows].astype(np.float64)


def _silent(index: ActivationIndex, info: LayerInfo, values: Matrix) -> NDArray[np.str_]:
    return silent_units(index.stats(info.name).dead, values)


def similarity_of_layers(
    index_a: ActivationIndex, infos_a: Sequence[LayerInfo], index_b: ActivationIndex, infos_b: Sequence[LayerInfo], rows: Rows
) -> Matrix:
    """Return the linear CKA (layers_a, layers_b) of each layer of a with each of b. Two layers are in memory at a time."""
    found = np.full((len(infos_a), len(infos_b)), np.nan)
    own_b = [self_alignment(centred_activations(activations(index_b, info, rows[1]))) for info in infos_b]
    for row, info_a in enumerate(infos_a):
        centred_a = centred_activations(activations(index_a, info_a, rows[0]))
        own_a = self_alignment(centred_a)
        for column, info_b in enumerate(infos_b):
            centred_b = centred_activations(activations(index_b, info_b, rows[1]))
            found[row, column] = cka_of_centred(centred_a, centred_b, own_a, own_b[column])
    return found


def strongest_in_common(place_a: Place, place_b: Place, match: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share (U,) of the strongest photographs, at most nine, that each unit of a has in common with its match.

    Photographs are the same if their contents are. If the two list different numbers, as of a unit that is active in few photographs, it
    is the share of the longer list. NaN without a match, and if neither is ever active.
    """
    (index_a, info_a), (index_b, info_b) = place_a, place_b
    k = min(TOP_K, index_a.k, index_b.k)
    listed_a = [_contents(row) for row in index_a.tallies[info_a.name].ranking.contents[:, :k]]
    listed_b = [_contents(row) for row in index_b.tallies[info_b.name].ranking.contents[:, :k]]
    found = np.full(len(match), np.nan)
    for unit, other in enumerate(match.tolist()):
        longer = max(len(listed_a[unit]), len(listed_b[other])) if other >= 0 else 0
        if longer:
            found[unit] = len(listed_a[unit] & listed_b[other]) / longer
    return found


def _contents(row: NDArray[np.uint64]) -> set[int]:
    return set(row[row != 0].tolist())  # 0 for missing activations


def _side(place: Place, matrix: Matrix, match: NDArray[np.int64], copy_of: NDArray[np.int64], status: NDArray[np.str_]) -> UnitSide:
    index, info = place
    stats, (unit, value), others = index.stats(info.name), nearest(matrix), matrix.copy()
    matched = np.flatnonzero(match >= 0)
    others[matched, match[matched]] = np.nan
    return UnitSide(
        match=match,
        correlation=partner_values(matrix, match),
        nearest=unit,
        nearest_correlation=value,
        other_correlation=nearest(others)[1],
        copy_of=copy_of,
        status=status,
        maximum=stats.maximum.astype(np.float64),
        mean=stats.mean.astype(np.float64),
        share_active=stats.activation_rate.astype(np.float64),
    )
