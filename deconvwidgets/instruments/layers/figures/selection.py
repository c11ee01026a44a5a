"""Which units of a layer a figure shows, and how the caption describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import integer, one_of
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.instruments.layers.records import UnitTable
from deconvwidgets.records.activations import is_dead

COLUMN_SORTS = {"peaks": "peaks", "purity": "class_purity", "copies": "nearest_correlation"}  # the columns of the index
SORTS = ("strongest", "mean", "selectivity", "dead", "index", "random", *COLUMN_SORTS)


@dataclass(frozen=True, slots=True)
class Restriction:
    """What only the complete index tells about the order and the choice of units.

    Parameters
    ----------
    values : ndarray of shape (units,), optional
        The column that a sort order by a column needs; the largest values are first, NaN last.
    only : sequence of int, optional
        The units that are left by a condition and by a selection on the map.
    description : str
        The condition and the selection in words, such as " where selectivity > 5".
    """

    values: NDArray[np.floating] | None = None
    only: Sequence[int] | None = None
    description: str = ""


def ordered_units(
    table: UnitTable, sort: str = "strongest", class_name: str = "", seed: int = 0, restriction: Restriction | None = None
) -> tuple[list[int], str]:
    """Return the units of a layer in an order.

    Parameters
    ----------
    table : UnitTable
        The units of the layer.
    sort : {"strongest", "mean", "selectivity", "dead", "index", "random", "peaks", "purity", "copies"}
        The last three need the values of `restriction`. "random": the units that are ever active, in random order, as in the paper.
    class_name : str
        Part of a class name: only units with such a class among their strongest activations are returned.
    seed : int
        The random seed.
    restriction : Restriction, optional
        The values of a column to sort by, and the units that are left.

    Returns
    -------
    units : list of int
        The units.
    description : str
        A format string, such as "the {count} strongest of {total} units".

    Raises
    ------
    ServiceError
        For an unknown `sort`, and for an order by a column without its values.
    LayerError
        For a seed that is no integer from 0 on.
    """
    one_of(sort, "sort order", SORTS)
    seed, restriction = integer(seed, "seed", 0, error=LayerError), restriction or Restriction()
    if sort in COLUMN_SORTS and restriction.values is None:
        raise ServiceError(
            f"The order {sort!r} needs the column {COLUMN_SORTS[sort]} of the index: pass it as the values of `restriction`."
        )
    if sort == "random":
        order = np.random.default_rng(seed).permutation(np.flatnonzero(table.activation_rate > 0))
        description = f"{{count}} of {{total}} units, selected at random (seed {seed})"
    else:
        key, description = _sort_keys(table, restriction)[sort]
        order = np.argsort(key, kind="stable")
    if class_name:
        labels = [number for number, category in enumerate(table.categories) if class_name.casefold() in category.casefold()]
        fits = np.asarray(np.isin(table.labels, labels).any(axis=1))
        order = order[fits[order]]
        escaped = class_name.replace("{", "{{").replace("}", "}}")
        description += f" with \u201c{escaped}\u201d among their strongest activations"
    if restriction.only is not None:
        order = order[np.isin(order, np.asarray(list(restriction.only), np.int64))]
        description += ", of those" + restriction.description.replace("{", "{{").replace("}", "}}")
    return [int(unit) for unit in order], description


def _sort_keys(table: UnitTable, restriction: Restriction) -> dict[str, tuple[NDArray[np.number], str]]:
    """Return the key (units,) of each order, of which the smallest is first, and its description."""
    column = table.maximum if restriction.values is None else restriction.values
    return {
        "strongest": (-table.maximum, "the {count} strongest of {total} units"),
        "mean": (-table.mean, "the {count} units with the highest mean of {total}"),
        "selectivity": (-table.selectivity, "the {count} most selective of {total} units"),
        "dead": (_dead_first(table), "the {count} dead or weakest of {total} units"),
        "index": (np.arange(len(table.maximum)), "the first {count} of {total} units"),
        "peaks": (-column, "the {count} units with the most peaks of {total}"),
        "purity": (-column, "the {count} of {total} units whose strongest activations are most of one class"),
        "copies": (-column, "the {count} of {total} units that are most like another one"),
    }


def _dead_first(table: UnitTable) -> NDArray[np.float32]:
    """Return a sort key: the maximum activation, and less than any of them for dead units."""
    return np.where(is_dead(table.activation_rate, table.maximum), -np.inf, table.maximum)


def choose_units(
    table: UnitTable, count: int, sort: str = "strongest", class_name: str = "", seed: int = 0, restriction: Restriction | None = None
) -> tuple[list[int], str]:
    """Return the first `count` units of an order, random ones by their numbers, and a description ("the 16 strongest of 256 units").

    Raises
    ------
    LayerError
        If `count` is less than 1; otherwise as `ordered_units`.
    """
    if count < 1:
        raise LayerError(f"A figure needs at least one unit, not {count}.")
    order, description = ordered_units(table, sort, class_name, seed, restriction)
    units = sorted(order[:count]) if sort == "random" else order[:count]
    return units, description.format(count=len(units), total=len(table.maximum))


def describe_rows(count: int, sort: str, class_name: str = "", seed: int = 0) -> str:
    """Return the description of `count` units of each of several layers, such as "the 5 strongest units of each layer"."""
    descriptions = {
        "strongest": f"the {count} strongest units of each layer",
        "mean": f"the {count} units of each layer with the highest mean",
        "selectivity": f"the {count} most selective units of each layer",
        "dead": f"the {count} dead or weakest units of each layer",
        "index": f"the first {count} units of each layer",
        "random": f"{count} units of each layer, selected at random (seed {seed})",
        "peaks": f"the {count} units of each layer with the most peaks",
        "purity": f"the {count} units of each layer whose strongest activations are most of one class",
        "copies": f"the {count} units of each layer that are most like another one",
    }
    return descriptions[sort] + (f" with \u201c{class_name}\u201d among their strongest activations" if class_name else "")
