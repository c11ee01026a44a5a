"""The state of a LayerExplorer: its keys, and their check against the model."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from deconvwidgets.arguments import integer, one_of
from deconvwidgets.errors import LayerError, OcclusionError, ServiceError
from deconvwidgets.instruments.layers.records import MapMethod, Tab
from deconvwidgets.instruments.layers.widget.bookmarks import checked_bookmarks
from deconvwidgets.records.class_names import CLASS_NAMES_HINT, class_index
from deconvwidgets.records.find_layer import find_summary
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.mosaics import Contrast, Rule
from deconvwidgets.records.overview import Overview
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("LayerExplorer", "{'layer': 'conv5', 'unit': 59}")

VIEWS = ("both", "projections", "patches")
SORTS = ("strongest", "mean", "selectivity", "dead", "index", "contribution", "peaks", "purity", "copies")
DISPLAYS = ("grid", "map")
MAP_COLOURS = ("selectivity", "purity", "maximum")
TILE_SIZES = ("small", "medium", "large")
MAX_PINS = 6
_CHOICES: dict[str, tuple[str, ...]] = {
    "rule": get_args(Rule),
    "contrast": get_args(Contrast),
    "view": VIEWS,
    "tile_size": TILE_SIZES,
    "sort": SORTS,
    "tab": get_args(Tab),
    "display": DISPLAYS,
    "map_method": get_args(MapMethod),
    "map_colour": MAP_COLOURS,
}
DEFAULTS: State = {
    "layer": None,  # the alias ("conv5") if there is one, else the name
    "unit": None,  # None: the front end chooses the first one, as soon as the index is complete
    "rank": 0,  # of the chosen activation among the unit's strongest
    "rule": "deconvnet",
    "contrast": "tile",
    "view": "both",
    "tile_size": "medium",  # of the grid
    "sort": "strongest",
    "target": None,  # the name of the class that sort="contribution" refers to
    "filter": "",  # part of a class name; only units with such a class among their strongest activations are shown
    "where": "",  # a condition on the columns of the units, such as "selectivity > 5 and not dead"; "" for all units
    "tab": "strongest",  # which activations of the chosen unit are shown: the strongest, the whole "range", or the most "negative"
    "more": False,  # whether all strongest activations of the index are shown in place of nine
    "display": "grid",  # the units as a grid, or as a "map" with units of correlated activations near to each other
    "map_method": "auto",
    "map_colour": "selectivity",
    "selected_units": None,  # the units that are selected on the map, which the grid shows; None: all units
    "pinned": [],  # up to six of {"model": ..., "layer": ..., "unit": ...}; those of other models are kept, but not shown
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
    layer = find_summary(overview, merged["layer"] if merged["layer"] is not None else overview.layers[0].short_name)
    info, merged["layer"] = layer.info, layer.short_name
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
    if not isinstance(merged["where"], str):
        raise ServiceError(f"The condition is text such as 'selectivity > 5', not {reprlib.repr(merged['where'])}; '' shows every unit.")
    if not isinstance(merged["more"], bool):
        raise ServiceError(f"more is True or False, not {reprlib.repr(merged['more'])}.")
    carried = merged["selected_units"] == current.get("selected_units") and current.get("layer") not in (None, merged["layer"])
    merged["selected_units"] = None if carried else _selected(info, merged["selected_units"])
    merged["pinned"] = _pinned(overview, merged["pinned"])
    merged["bookmarks"] = checked_bookmarks(overview, merged["bookmarks"])
    moved = current.get("layer") not in (None, merged["layer"]) and merged["scroll"] == current.get("scroll")
    merged["scroll"] = None if moved else _unit(info, merged["scroll"], carried=False)
    return merged


def checked_target(target: object, classes: Sequence[str] | None, model: str) -> str:
    """Return the name of a class as the model has it; as it is if the classes are not known. Raises ServiceError for anything else."""
    if not isinstance(target, str) or not target:
        raise ServiceError(f"The target is the name of a class of the model, or None, not {reprlib.repr(target)}.")
    if classes is None:
        return target
    if not classes:
        raise ServiceError(f"{model} has no class {target!r}, as it predicts none: leave the target out. {CLASS_NAMES_HINT}")
    try:
        return classes[class_index(target, classes, model, "The explorer lists them all, beside the order by contribution.")]
    except OcclusionError as error:
        raise ServiceError(str(error)) from error


def _unit(info: LayerInfo, unit: object, carried: bool) -> int | None:
    if unit is None:
        return None
    number = integer(unit, "unit")
    if 0 <= number < info.channels:
        return number
    if carried:
        return None
    raise LayerError(f"{info.short_name} has {info.channels} units, 0 to {info.channels - 1}: there is no unit {number}.")


def _selected(info: LayerInfo, units: object) -> list[int] | None:
    """Return units of a layer in ascending order, each once; None for all."""
    if units is None:
        return None
    if not isinstance(units, list | tuple) or len(units) > info.channels:
        raise ServiceError(f"The selected units are a list such as [3, 17], or None for all, not {reprlib.repr(units)}.")
    return sorted({unit for given in units if (unit := _unit(info, integer(given, "a selected unit"), carried=False)) is not None})


def pinned_layers(overview: Overview, pinned: object) -> list[object]:
    """Return the layers of the pinned units of this model, before their check."""
    entries = [pinned] if isinstance(pinned, Mapping) else pinned if isinstance(pinned, list | tuple) else []
    return [pin.get("layer") for pin in entries if isinstance(pin, Mapping) and pin.get("model", overview.model) == overview.model]


def _pinned(overview: Overview, pinned: object) -> list[State]:
    """Return the pinned units without repetitions. One unit, or None, is accepted as well: older states have at most one."""
    if pinned is None:
        return []
    entries = [pinned] if isinstance(pinned, Mapping) else pinned
    if not isinstance(entries, list | tuple):
        raise _not_a_pin(pinned)
    return distinct_pins((_pin(overview, entry) for entry in entries), MAX_PINS)


def distinct_pins(pins: Iterable[State], most: int) -> list[State]:
    """Return pinned units without repetitions. Raises ServiceError if there are more than `most`."""
    distinct: list[State] = []
    for pin in pins:
        if pin not in distinct:
            distinct.append(pin)
    if len(distinct) > most:
        raise ServiceError(f"At most {most} units can be pinned, not {len(distinct)}: leave some out.")
    return distinct


def _pin(overview: Overview, pin: object) -> State:
    """Return one pinned unit. Of another model, only the types are checked: its layers are not known here."""
    if not isinstance(pin, Mapping) or not {"layer", "unit"} <= set(pin) <= {"model", "layer", "unit"}:
        raise _not_a_pin(pin)
    model, unit = pin.get("model", overview.model), integer(pin["unit"], "unit")
    if not isinstance(model, str) or not isinstance(pin["layer"], str):
        raise _not_a_pin(pin)
    if model != overview.model:
        if unit < 0:
            raise LayerError(f"The pinned unit {unit} of {model} cannot exist: units are counted from 0.")
        return {"model": model, "layer": pin["layer"], "unit": unit}
    layer = find_summary(overview, pin["layer"])
    return {"model": model, "layer": layer.short_name, "unit": _unit(layer.info, unit, carried=False)}


def _not_a_pin(given: object) -> ServiceError:
    return ServiceError(f"Pinned units are written [{{'layer': 'conv5', 'unit': 59}}], not {reprlib.repr(given)}.")
