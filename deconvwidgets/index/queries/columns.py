"""The columns of a table of the units of a layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, flag
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.queries.condition import Columns, Kind, parse_condition
from deconvwidgets.index.queries.correlation import Profiles, nearest_units
from deconvwidgets.index.queries.peaks import count_peaks
from deconvwidgets.index.queries.places import most_negative_values
from deconvwidgets.index.queries.sampled import sampled_layer
from deconvwidgets.records.activations import LayerStats
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.unit_columns import UnitColumns

if TYPE_CHECKING:
    from deconvwidgets.index.activation_index import ActivationIndex

PURITY_K = 9  # strongest photographs that the class purity is of, as in the paper's figure 2, however many the index keeps

KINDS: Mapping[str, Kind] = {
    "unit": "number",
    "max": "number",
    "mean": "number",
    "std": "number",
    "selectivity": "number",
    "share_active": "number",
    "dead": "flag",
    "top_class": "text",
    "class_count": "number",
    "class_purity": "number",
    "peaks": "number",
    "nearest_unit": "number",
    "nearest_correlation": "number",
    "most_negative": "number",
}  # the columns, in the order of the table


def unit_columns(index: ActivationIndex, layer: str, names: Collection[str] = tuple(KINDS)) -> UnitColumns:
    """Return the columns of these names, by default all."""
    info = index.layer(layer)
    columns: dict[str, NDArray[Any]] = {}
    for provided, compute in _GROUPS:
        if not set(provided).isdisjoint(names):
            columns.update(compute(index, info))
    ordered = {name: columns[name] for name in KINDS if name in names}
    return UnitColumns(info.name, info.alias or "", ordered, len(sampled_layer(index, layer).crops))


def units(index: ActivationIndex, layer: str, where: str, sort: str | None, descending: bool) -> list[int]:
    """Return the units for which the condition `where` holds, sorted by a column, by default by their numbers."""
    descending = flag(descending, "descending", ActivationIndexError)
    condition = parse_condition(where, KINDS)
    if sort is not None and (not isinstance(sort, str) or sort not in KINDS):
        raise ActivationIndexError(f"There is no column {describe(sort)} to sort by. The columns are {', '.join(KINDS)}.")
    columns = unit_columns(index, layer, condition.names | {sort or "unit"}).columns
    found = np.flatnonzero(condition.holds(columns, index.layer(layer).channels))
    return [int(unit) for unit in (found if sort is None else _sorted(found, columns[sort], descending))]


def dead_units(index: ActivationIndex, layer: str) -> list[int]:
    """Return the units that are 0 in every crop, ascending."""
    return [int(unit) for unit in np.flatnonzero(index.stats(layer).dead)]


def _sorted(found: NDArray[np.int64], column: NDArray[Any], descending: bool) -> NDArray[np.int64]:
    """Return units by their values in a column; equal ones by their numbers, and those without a value last."""
    values = column[found]
    missing = values == "" if values.dtype.kind == "U" else np.isnan(values.astype(np.float64))
    _, ranks = np.unique(values, return_inverse=True)
    return found[np.lexsort((found, -ranks if descending else ranks, missing))]


def _statistics(index: ActivationIndex, info: LayerInfo) -> Columns:
    stats = index.stats(info.name)
    crops = stats.histogram.sum(axis=1)
    active = np.rint(stats.activation_rate.astype(np.float64) * crops)  # the count itself, of less than 2^23 crops
    return {
        "unit": np.arange(info.channels),
        "max": stats.maximum,
        "mean": stats.mean,
        "std": stats.std,
        "selectivity": stats.selectivity,
        "share_active": active / np.maximum(crops, 1),  # in float64, so that share_active <= 0.1 holds for 10 crops of 100
        "dead": stats.dead,
        "peaks": count_peaks(active_histogram(stats)),
    }


def active_histogram(stats: LayerStats) -> NDArray[np.int64]:
    """Return the histograms (units, bins) without the crops in which a rectified unit is inactive, which are a spike at 0.

    A unit that is never below zero has an activation of exactly 0 in these crops; they are counted in the first bin from 0.
    """
    counts, zero = stats.histogram.copy(), int(np.argmin(np.abs(stats.edges[0]))) if len(stats.edges) else 0
    crops = counts.sum(axis=1)
    rectified = counts[:, :zero].sum(axis=1) == 0
    active = np.rint(stats.activation_rate.astype(np.float64) * crops).astype(np.int64)
    counts[rectified, zero] -= (crops - active)[rectified]
    return counts


def _classes(index: ActivationIndex, info: LayerInfo) -> Columns:
    return class_columns(index.labels(info.name)[:, :PURITY_K], index.categories)


def class_columns(labels: NDArray[np.int64], categories: Sequence[str]) -> Columns:
    """Return the most frequent class of each unit's photographs, of equally frequent ones the first in the list of classes.

    Parameters
    ----------
    labels : ndarray of shape (units, photographs), int64
        -1 for photographs without a label.
    categories : sequence of str
        The names of the classes.
    """
    units, classes = len(labels), int(labels.max(initial=-1)) + 1
    counts = np.zeros((units, classes + 1), np.int64)
    np.add.at(counts, (np.arange(units)[:, None], labels), 1)  # -1, without a label, is the last column
    counts = counts[:, :classes]
    most, labelled = counts.max(axis=1, initial=0), counts.sum(axis=1)
    first = counts.argmax(axis=1) if classes else most
    names = [class_name(categories, int(label)) if count else "" for label, count in zip(first, most, strict=True)]
    return {
        "top_class": np.array(names, np.str_),
        "class_count": most,
        "class_purity": np.divide(most, labelled, out=np.full(units, np.nan), where=labelled > 0),
    }


def class_name(categories: Sequence[str], label: int) -> str:
    """Return the name of a class, its number if it has none."""
    return categories[label] if label < len(categories) else str(label)


def _neighbours(index: ActivationIndex, info: LayerInfo) -> Columns:
    unit, correlation = nearest_units(Profiles.from_values(sampled_layer(index, info.name).values))
    return {"nearest_unit": unit, "nearest_correlation": correlation}


def _negative(index: ActivationIndex, info: LayerInfo) -> Columns:
    return {"most_negative": most_negative_values(index, info.name)}


_Compute = Callable[["ActivationIndex", LayerInfo], Columns]
_GROUPS: tuple[tuple[tuple[str, ...], _Compute], ...] = (
    (("unit", "max", "mean", "std", "selectivity", "share_active", "dead", "peaks"), _statistics),
    (("top_class", "class_count", "class_purity"), _classes),
    (("nearest_unit", "nearest_correlation"), _neighbours),
    (("most_negative",), _negative),
)
