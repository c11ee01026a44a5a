"""The state of an EvolutionExplorer: its keys and their check."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, get_args

from deconvwidgets.arguments import integer, is_integer, one_of
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.instruments.evolution.records import Choose, EvolutionLayer, EvolutionOverview, Measure, UnitChoice
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("EvolutionExplorer", "{'epoch': 20, 'unit': ['conv4', 16]}")
MAX_COUNT = 64  # units of a layer
MAX_UNITS = 1000
MAX_SEED = 2**31 - 1
_CHOICES: dict[str, tuple[str, ...]] = {
    "choose": get_args(Choose),
    "show": ("projections", "patches", "both"),
    "measure": get_args(Measure),
}
CHOICE_KEYS = ("choose", "units", "count", "seed", "layers")
DEFAULTS: State = {
    "choose": "random",
    "units": [],  # of "chosen": [layer, unit]
    "count": 4,  # units of each layer, unless they are chosen
    "seed": 0,  # of "random"
    "layers": [],  # empty: all
    "epoch": None,  # None: the last one that is ready
    "unit": None,  # [layer, unit]; None: that of the first row
    "rank": 0,  # of the selected activation among the nine strongest
    "show": "both",
    "measure": "correlation",
}


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], overview: EvolutionOverview) -> State:
    """Return the whole state after `state`, which may be a part, was set.

    Layers and units are checked as soon as the layers are known.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    ServiceError
        For an unknown key, an unknown epoch, or an invalid value.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    for key, choices in _CHOICES.items():
        one_of(merged[key], key, choices)
    merged.update(checked_choice(merged, overview))
    merged["rank"] = integer(merged["rank"], "rank", 0, 8)
    merged["epoch"] = _epoch(merged["epoch"], overview)
    if merged["unit"] is not None:
        merged["unit"] = _unit(merged["unit"], overview.layers)
    return merged


def checked_choice(choice: Mapping[str, Any], overview: EvolutionOverview) -> State:
    """Return the part of a state that says which units are shown, of a mapping that has all of its keys. Raises as `checked_state`."""
    one_of(choice["choose"], "choose", _CHOICES["choose"])
    layers = [
        _layer(name, overview.layers) for name in _sequence(choice["layers"], "layers", "names of layers, such as ['conv3', 'conv4']")
    ]
    units = [
        _unit(pair, overview.layers) for pair in _sequence(choice["units"], "units", "pairs of a layer and a unit, such as ['conv4', 16]")
    ]
    return {
        "choose": choice["choose"],
        "units": list(map(list, dict.fromkeys(map(tuple, units)))),
        "count": integer(choice["count"], "count", 1, MAX_COUNT),
        "seed": integer(choice["seed"], "seed", 0, MAX_SEED),
        "layers": list(dict.fromkeys(layers)),
    }


def unit_choice(choice: Mapping[str, Any]) -> UnitChoice:
    """Return the request for the rows of a checked state."""
    units = tuple((layer, unit) for layer, unit in choice["units"])
    return UnitChoice(choose=choice["choose"], count=choice["count"], seed=choice["seed"], units=units, layers=tuple(choice["layers"]))


def _sequence(value: object, name: str, expected: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ServiceError(f"{name!r} is a list of {expected}, not {reprlib.repr(value)}.")
    if len(value) > MAX_UNITS:
        raise ServiceError(f"{name!r} has {len(value):,} entries; at most {MAX_UNITS:,} can be shown.")
    return list(value)


def _epoch(value: object, overview: EvolutionOverview) -> int | None:
    if value is None:
        return None
    epoch = integer(value, "epoch", 0)
    known = [column.epoch for column in overview.epochs]
    if known and epoch not in known:
        raise ServiceError(f"There is no checkpoint of epoch {epoch}: they are of the epochs {', '.join(map(str, known))}.")
    return epoch


def _layer(name: object, layers: tuple[EvolutionLayer, ...]) -> str:
    """Return the short name of a layer. Before the layers are known, any name is taken."""
    if not isinstance(name, str) or not name:
        raise LayerError(f"A layer is a name, such as 'conv2', not {reprlib.repr(name)}.")
    for layer in layers:
        if name in (layer.short_name, layer.name):
            return layer.short_name
    if layers:
        raise LayerError(f"There is no layer {reprlib.repr(name)}; choose from {', '.join(layer.short_name for layer in layers)}.")
    return name


def _unit(pair: object, layers: tuple[EvolutionLayer, ...]) -> list[Any]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise ServiceError(f"A unit is a pair of a layer and a number, such as ['conv4', 16], not {reprlib.repr(pair)}.")
    name, unit = _layer(pair[0], layers), pair[1]
    units = next((layer.units for layer in layers if layer.short_name == name), None)
    if not is_integer(unit) or unit < 0 or (units is not None and unit >= units):
        known = "units are numbers from 0" if units is None else f"its units are 0 to {units - 1}"
        raise LayerError(f"{name} has no unit {reprlib.repr(unit)}: {known}.")
    return [name, int(unit)]
