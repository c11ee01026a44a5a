"""A LayerExplorer's state as a plain dict: what each key may hold, checked against the model that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.instruments.layers.records import Contrast, Rule
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.overview import Overview
from deconvwidgets.widgets.layers import find_layer
from deconvwidgets.widgets.state_trait import State, StateWords, one_of, whole

WORDS = StateWords("LayerExplorer", "{'layer': 'conv5', 'unit': 59}")

VIEWS = ("both", "projections", "patches")
SORTS = ("strongest", "mean", "selectivity", "dead", "index")
_CHOICES: dict[str, tuple[str, ...]] = {"rule": get_args(Rule), "contrast": get_args(Contrast), "view": VIEWS, "sort": SORTS}
DEFAULTS: State = {
    "layer": None,  # the paper's name where there is one ("conv5"), else the dotted name
    "unit": None,  # None: the front end takes the first in order, as soon as the index stands
    "rank": 0,  # which of the nine
    "rule": "deconvnet",
    "contrast": "tile",
    "view": "both",
    "sort": "strongest",
    "filter": "",  # words of a class; units without it among their nine are left out
    "pinned": None,  # {"layer": ..., "unit": ...}
    "scroll": None,  # the unit whose row stands at the top of the grid; None: wherever the chosen unit is in sight
}


def checked_state(wanted: Mapping[str, Any], now: Mapping[str, Any], overview: Overview) -> State:
    """The whole state after setting `wanted`; keys that it leaves out keep their value of `now`.

    A unit that is merely carried over from `now` to a layer with fewer units is forgotten; one that is asked for raises LayerError.
    Raises ServiceError for an unknown key or value.
    """
    WORDS.known_keys(WORDS.mapping(wanted), DEFAULTS)
    merged = {**DEFAULTS, **now, **wanted}
    info = find_layer(overview, merged["layer"] if merged["layer"] is not None else overview.layers[0].info.short_name)
    merged["layer"] = info.short_name
    carried = wanted.get("layer") is not None and merged["layer"] != now.get("layer") and merged["unit"] == now.get("unit")
    merged["unit"] = _unit(info, merged["unit"], carried)
    if merged["unit"] != now.get("unit") and "rank" not in wanted:
        merged["rank"] = 0
    merged["rank"] = whole(merged["rank"], "rank")
    if not 0 <= merged["rank"] < overview.k:
        raise ServiceError(f"A unit has {overview.k} strongest activations, counted from 0: there is no rank {merged['rank']}.")
    for key, choices in _CHOICES.items():
        one_of(merged[key], key, choices)
    if not isinstance(merged["filter"], str):
        raise ServiceError(f"The filter is a class's name or a part of it, not {merged['filter']!r}; '' shows every unit.")
    merged["pinned"] = _pinned(overview, merged["pinned"])
    moved = now.get("layer") not in (None, merged["layer"]) and merged["scroll"] == now.get("scroll")
    merged["scroll"] = None if moved else _unit(info, merged["scroll"], carried=False)
    return merged


def _unit(info: LayerInfo, unit: object, carried: bool) -> int | None:
    if unit is None:
        return None
    number = whole(unit, "unit")
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
    return {"layer": info.short_name, "unit": _unit(info, whole(pinned["unit"], "unit"), carried=False)}
