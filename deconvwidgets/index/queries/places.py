"""Lists of a unit's activations with their positions and receptive fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deconvwidgets.arguments import as_integer, describe, integer
from deconvwidgets.errors import ActivationIndexError, LayerError
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.layers import LayerInfo

if TYPE_CHECKING:
    from deconvwidgets.index.activation_index import ActivationIndex


def top(index: ActivationIndex, layer: str, unit: int, k: int | None) -> list[Activation]:
    """Return a unit's strongest activations, at most k; by default all that the index keeps."""
    info = index.layer(layer)
    ranking, unit = index.tallies[info.name].ranking, checked_unit(info, unit)
    count = min(int(ranking.counts[unit]), checked_k(k, index.k))
    ranks = np.arange(count)
    return activations(
        index, info, ranking.crops[unit, ranks], ranking.values[unit, ranks], ranking.rows[unit, ranks], ranking.columns[unit, ranks]
    )


def activations(
    index: ActivationIndex, info: LayerInfo, crops: ArrayLike, values: ArrayLike, rows: ArrayLike, columns: ArrayLike
) -> list[Activation]:
    """Return records of activations, which are given as arrays (N,)."""
    places = zip(*(np.asarray(array).tolist() for array in (crops, rows, columns, values)), strict=True)
    return [
        Activation(image=crop, row=row, column=column, value=value, box=box(index.identity.input_size, info, row, column))
        for crop, row, column, value in places
    ]


def checked_unit(info: LayerInfo, unit: object) -> int:
    """Return the number of a unit of a layer. Raises LayerError if there is none."""
    number = as_integer(unit)
    if number is None or not 0 <= number < info.channels:
        raise LayerError(f"{info.short_name} has the units 0 to {info.channels - 1}, not {describe(unit)}")
    return number


def checked_k(k: object, available: int, what: str = "The index keeps {} activations per unit: build one with a larger k") -> int:
    """Return a number of activations, by default all. Raises ActivationIndexError if more are asked for than the index keeps."""
    if k is None:
        return available
    number = integer(k, "k", 1, error=ActivationIndexError)
    if number > available:
        raise ActivationIndexError(f"{what.format(available)}, or ask for at most {available}, not {number}.")
    return number


def box(input_size: tuple[int, int, int], info: LayerInfo, row: int, column: int) -> Box:
    """Return the same box as `Network.box`, which needs the model: the whole input if the receptive field is not smaller."""
    _, height, width = input_size
    field, stride, offset = info.receptive_field, info.stride, info.offset
    if field is None or stride is None or offset is None or field[0] >= height or field[1] >= width:
        return (0, 0, width, height)
    top, left = offset[0] + row * stride[0], offset[1] + column * stride[1]
    return (left, top, left + field[1], top + field[0])
