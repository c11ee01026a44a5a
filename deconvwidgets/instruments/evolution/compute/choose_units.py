"""The choice of units to look at: at random, or those whose strongest photograph changed most often."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import get_args

import numpy as np

from deconvwidgets.arguments import integer, integer_array, one_of
from deconvwidgets.errors import LayerError
from deconvwidgets.instruments.evolution.records import Choose, StrongestActivations

MAX_UNITS = 1 << 16


def choose_units(strongest: StrongestActivations, choose: Choose | Sequence[int], count: int, seed: int) -> tuple[int, ...]:
    """Return units of a layer.

    Parameters
    ----------
    strongest : StrongestActivations
        Of the layer.
    choose : {"random", "changed"} or sequence of int
        "random": units that are active at some checkpoint, ascending. A larger `count` adds units and removes none. "changed": those whose
        strongest photograph changed most often, of equal ones the strongest at the last checkpoint. A sequence is returned after a check.
    count : int
        How many; all if there are fewer.
    seed : int
        Of "random".

    Raises
    ------
    LayerError
        For a unit that does not exist, or an invalid choice.
    """
    units = len(strongest.values)
    count, seed = integer(count, "count", 1, MAX_UNITS, LayerError), integer(seed, "seed", 0, error=LayerError)
    if not isinstance(choose, str):
        return _checked(choose, units, strongest.layer)
    one_of(choose, "choice of units", get_args(Choose)[:2], LayerError)
    if choose == "random":
        alive = np.flatnonzero((strongest.images >= 0).any(axis=1))
        order = np.random.default_rng([seed, zlib.crc32(strongest.layer.encode())]).permutation(alive)
        return tuple(sorted(map(int, order[:count])))
    jumps = strongest.changed.sum(axis=1)
    order = np.lexsort((np.arange(units), -strongest.values[:, -1], -jumps))
    return tuple(map(int, order[:count]))


def _checked(units: Sequence[int], known: int, layer: str) -> tuple[int, ...]:
    expected = "'random', 'changed', or a list of units"
    chosen = integer_array(units, "choose", [(_length(units),)], expected, LayerError)
    wrong = chosen[(chosen < 0) | (chosen >= known)]
    if wrong.size:
        raise LayerError(f"choose must name units of {layer}, 0 to {known - 1}, not {int(wrong[0])}.")
    return tuple(map(int, dict.fromkeys(chosen.tolist())))


def _length(units: object) -> int:
    try:
        return len(units)  # type: ignore[arg-type]
    except TypeError:  # no sequence, or an array without dimensions
        return -1
