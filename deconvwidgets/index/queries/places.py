"""Lists of a unit's activations with their positions and receptive fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import as_integer, describe, integer
from deconvwidgets.errors import ActivationIndexError, LayerError
from deconvwidgets.index.top_k import RunningTopK
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.layers import LayerInfo

if TYPE_CHECKING:
    from deconvwidgets.index.activation_index import ActivationIndex


_NO_NEGATIVE = {
    True: "The index has no most negative activations: the model was run by hooks, so that the input of its rectifiers is not known.",
    False: "The index has no most negative activations: build it with negative=True.",
}  # by whether it was built with negative=True
_NO_CLASSES = "The index has no strongest activations per class: build it with per_class=9, from images with labels."


def top(index: ActivationIndex, layer: str, unit: int, k: int | None) -> list[Activation]:
    """Return a unit's strongest activations, at most k; by default all that the index keeps."""
    info = index.layer(layer)
    return _ranked(index, info, index.tallies[info.name].ranking, checked_unit(info, unit), checked_k(k, index.k, "k"))


def most_negative(index: ActivationIndex, layer: str, unit: int, k: int | None) -> list[Activation]:
    """Return where a unit is most negative before its rectifier, at most k places, the most negative first."""
    info = index.layer(layer)
    ranking, unit = index.tallies[info.name].negative, checked_unit(info, unit)
    if ranking is None:
        raise ActivationIndexError(_NO_NEGATIVE[index.identity.options.negative])
    places = _ranked(index, info, ranking, unit, checked_k(k, ranking.k, "k"))
    return [replace(place, value=-place.value) for place in places]  # the ranking is of magnitudes


def most_negative_values(index: ActivationIndex, layer: str) -> NDArray[np.float64]:
    """Return the most negative activation of each unit before its rectifier (units,); NaN if it is never negative, or not known."""
    info = index.layer(layer)
    ranking = index.tallies[info.name].negative
    if ranking is None:
        return np.full(info.channels, np.nan)
    values = ranking.values[:, 0].astype(np.float64)
    return np.where(np.isfinite(values), -values, np.nan)


def top_of_class(index: ActivationIndex, layer: str, unit: int, label: str | int, k: int | None) -> list[Activation]:
    """Return a unit's strongest activations in photographs of a class, at most k, strongest first."""
    info = index.layer(layer)
    ranking, unit = index.tallies[info.name].per_class, checked_unit(info, unit)
    if ranking is None:
        raise ActivationIndexError(_NO_CLASSES)
    classes = ranking.units // info.channels
    number = class_number(index.categories, label, classes)
    return _ranked(index, info, ranking, unit * classes + number, checked_k(k, ranking.k, "per_class"))


def class_number(categories: Sequence[str], label: str | int, classes: int) -> int:
    """Return the number of a class, which is given by its name or number. Raises ActivationIndexError if there is none."""
    if isinstance(label, str):
        if label not in categories:
            close = get_close_matches(label, categories, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise ActivationIndexError(f"The image set has no class {describe(label)}.{guess} It has {len(categories)} classes with names.")
        return list(categories).index(label)
    return integer(label, "label", 0, classes - 1, ActivationIndexError)


def _ranked(index: ActivationIndex, info: LayerInfo, ranking: RunningTopK, row: int, k: int) -> list[Activation]:
    """Return the first k activations in a row of a ranking."""
    ranks = np.arange(min(int(ranking.counts[row]), k))
    columns = (array[row, ranks] for array in (ranking.crops, ranking.values, ranking.rows, ranking.columns))
    return activations(index.identity.input_size, info, *columns)


def activations(
    input_size: tuple[int, int, int],
    info: LayerInfo,
    crops: NDArray[np.int64],
    values: NDArray[np.floating],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> list[Activation]:
    """Return records of activations, which are given as arrays (N,)."""
    fields = boxes(input_size, info, rows, columns)
    places = zip(*(array.tolist() for array in (crops, rows, columns, values, fields)), strict=True)
    return [Activation(crop, row, column, value, tuple(field)) for crop, row, column, value, field in places]


def checked_unit(info: LayerInfo, unit: object) -> int:
    """Return the number of a unit of a layer. Raises LayerError if there is none."""
    number = as_integer(unit)
    if number is None or not 0 <= number < info.channels:
        raise LayerError(f"{info.short_name} has the units 0 to {info.channels - 1}, not {describe(unit)}")
    return number


def checked_k(k: object, available: int, option: str) -> int:
    """Return a number of activations, by default all that an index keeps. Raises ActivationIndexError if it keeps fewer."""
    if k is None:
        return available
    number = integer(k, "k", 1, error=ActivationIndexError)
    if number > available:
        raise ActivationIndexError(
            f"The index keeps {available} activations, not {number}: ask for fewer, or build one with {option}={number}."
        )
    return number


def boxes(input_size: tuple[int, int, int], info: LayerInfo, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the receptive fields (N, 4) of positions in a feature map: left, top, right, bottom in input pixels.

    They are those of `Network.box`, which needs the model: the whole input if the receptive field is not smaller.
    """
    _, height, width = input_size
    field, stride, offset = info.receptive_field, info.stride, info.offset
    if field is None or stride is None or offset is None or field[0] >= height or field[1] >= width:
        return np.tile(np.array([0, 0, width, height], np.int64), (len(rows), 1))
    top, left = offset[0] + rows.astype(np.int64) * stride[0], offset[1] + columns.astype(np.int64) * stride[1]
    return np.stack([left, top, left + field[1], top + field[0]], axis=1)
