"""The state of a LayerExplorer: its keys, and their check against the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from deconvwidgets.arguments import integer, one_of
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.instruments.layers.records import Contrast, Rule
from deconvwidgets.instruments.layers.widget.bookmarks import checked_bookmarks
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.overview import Overview
from deconvwidgets.widgets.layers import find_layer
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("LayerExplorer", "{'layer': 'conv5', 'unit': 59}")

VIEWS = ("both", "projections", "patches")
SORTS = ("strongest", "mean", "selectivity", "dead", "index")
_CHOICES: dict[str, tuple[str, ...]] = {"rule": get_args(Rule), "contrast": get_args(Contrast), "view": VIEWS, "sort": SORTS}
DEFAULTS: State = {
    "layer": None,  # the alias ("conv5") if there is one, else the name
    "unit": None,  # None: the front end chooses the first one, as soon as the index is complete
    "rank": 0,  # of the chosen activation among the unit's strongest
    "rule": "deconvnet",
    "contrast": "tile",
    "view": "both",
    "sort": "strongest",
    "filter": "",  # part of a class name; only units with such a class among their strongest activations are shown
    "pinned": None,  # {"layer": ..., "unit": ...}
    "bookmarks": [],  # [layer, unit] of units to come back to, at most 100
    "scroll": None,  # the unit in the top row of the grid; None: the chosen unit is visible
}


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], overview: Overview) -> State:
    """Return the whole state after `state`, which may be a part, was set.

    A unit that is carried over from `current` to a layer with fewer units is dropped.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    ServiceError
        For an unknown key or any other invalid value.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    info = find_layer(overview, merged["layer"] if merged["layer"] is not None else overview.layers[0].info.short_name)
    merged["layer"] = info.short_name
    carried = state.get("layer") is not None and merged["layer"] != current.get("layer") and merged["unit"] == current.get("unit")
    merged["unit"] = _unit(info, merged["unit"], carried)
    if merged["unit"] != current.get("unit") and "rank" not in state:
        merged["rank"] = 0
    merged["rank"] = integer(merged["rank"], "rank")
    if not 0 <= merged["rank"] < overview.k:
        raise ServiceError(f"A unit has {overview.k} strongest activations, counted from 0: there is no rank {merged['rank']}.")
    for key, choices in _CHOICES.items():
        one_of(merged[key], key, choices)
    if not isinstance(merged["filter"], str):
        raise ServiceError(f"The filter is a class name or a part of one, not {merged['filter']!r}; '' shows every unit.")
    merged["pinned"] = _pinned(overview, merged["pinned"])
    merged["bookmarks"] = checked_bookmarks(overview, merged["bookmarks"])
    moved = current.get("layer") not in (None, merged["layer"]) and merged["scroll"] == current.get("scroll")
    merged["scroll"] = None if moved else _unit(info, merged["scroll"], carried=False)
    return merged


def _unit(info: LayerInfo, unit: object, carried: bool) -> int | None:
    if unit is None:
        return None
    number = integer(unit, "unit")
    if 0 <= number < info.channels:
        return number
    if carried:
        return None
    raise LayerError(f"{info.short_name} has {info.channels} units, 0 to {info.channels - 1}: there is no unit {number}.")


def _pinned(overview: Overview, pinned: object) -> State | None:
    if pinned is None:
        return None
    if not isinstance(pinned, Mapping) or set(pinned) != {"layer", "unit"}:
        raise ServiceError(f"A pinned unit is written {{'layer': 'conv5', 'unit': 59}}, not {pinned!r}.")
    info = find_layer(overview, pinned["layer"])
    return {"layer": info.short_name, "unit": _unit(info, integer(pinned["unit"], "unit"), carried=False)}
