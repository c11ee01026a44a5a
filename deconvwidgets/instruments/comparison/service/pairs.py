"""The units of two layers, paired, and how similar the layers of two models are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.similarity import aligned_values, correlations
from deconvwidgets.instruments.comparison.compute.compare import compare_indexes
from deconvwidgets.instruments.comparison.pair_records import LayerMatch, LayerPairs, LayerSimilarity, PairedBy
from deconvwidgets.instruments.comparison.records import LayerComparison

Names = tuple[str, str]  # of a layer of A and one of B


def paired_units(index_a: ActivationIndex, index_b: ActivationIndex, names: Names, shown: Names, paired_by: PairedBy) -> LayerPairs:
    """Return the units of two layers, by dotted names, in pairs. `shown` are the layers' names in the record."""
    comparison = compare_indexes(index_a, index_b, {names[0]: names[1]})
    layer = comparison.layers[0]
    if paired_by == "match":
        unit_a, unit_b = _matched(layer)
    else:
        unit_a, unit_b = _numbered(len(layer.a.status), len(layer.b.status))
    values = correlations(*aligned_values(index_a, names[0], index_b, names[1]))
    return LayerPairs(
        layer_a=shown[0],
        layer_b=shown[1],
        paired_by=paired_by,
        unit_a=unit_a,
        unit_b=unit_b,
        correlation=np.where((unit_a >= 0) & (unit_b >= 0), values[unit_a, unit_b], np.nan),
        status_a=_statuses(layer.a.status, unit_a),
        status_b=_statuses(layer.b.status, unit_b),
        match_a=_matches(layer.a.match, unit_a),
        match_b=_matches(layer.b.match, unit_b),
        crops=comparison.crops,
    )


def layer_similarity(
    index_a: ActivationIndex, index_b: ActivationIndex, shown: tuple[Mapping[str, str], Mapping[str, str]]
) -> LayerSimilarity:
    """Return how similar the layers of two indexes are. `shown` are the layers' names in the record, by dotted names."""
    comparison = compare_indexes(index_a, index_b)
    names_a, names_b = shown
    matches = [
        LayerMatch(
            names_a[one.info_a.name],
            names_b[one.info_b.name],
            one.cka,
            one.median_correlation,
            int(np.isin(one.a.status, ("kept", "moved")).sum()),
            len(one.a.status),
        )
        for one in comparison.layers
    ]
    layers = [
        tuple(names[info.name] for info in infos) for names, infos in ((names_a, comparison.layers_a), (names_b, comparison.layers_b))
    ]
    return LayerSimilarity(layers[0], layers[1], comparison.cka, tuple(matches), comparison.crops, comparison.notes)


def _matched(layer: LayerComparison) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the units of both in pairs, -1 for none: those of A in order with their matches, then those of B without one."""
    matches = layer.matches
    units = [[-1 if unit is None else unit for unit in column] for column in ([m.unit_a for m in matches], [m.unit_b for m in matches])]
    return np.array(units[0], np.int64), np.array(units[1], np.int64)


def _numbered(units_a: int, units_b: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the units of both in pairs of equal numbers, -1 for none."""
    numbers = np.arange(max(units_a, units_b))
    return np.where(numbers < units_a, numbers, -1), np.where(numbers < units_b, numbers, -1)


def _matches(match: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(units >= 0, match[units], -1)


def _statuses(status: NDArray[np.str_], units: NDArray[np.int64]) -> tuple[str | None, ...]:
    return tuple(str(status[unit]) if unit >= 0 else None for unit in units.tolist())
