"""The state of two models' layers side by side: its keys, and their check against both models."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, get_args

from deconvwidgets.arguments import flag, integer, one_of
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.instruments.comparison.pair_order import SORTS
from deconvwidgets.instruments.comparison.pair_records import SIDES, PairedBy, Side
from deconvwidgets.instruments.comparison.records import STATUSES_A, STATUSES_B
from deconvwidgets.instruments.layers.records import Tab
from deconvwidgets.instruments.layers.widget.state import TILE_SIZES, VIEWS, distinct_pins
from deconvwidgets.records.find_layer import find_summary, known_layer
from deconvwidgets.records.layers import LayerSummary
from deconvwidgets.records.mosaics import Contrast, Rule
from deconvwidgets.records.overview import Overview
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("SideBySideLayers", "{'layer_a': 'conv5', 'unit_a': 59}")

MAX_PINS = 8
STATUSES = tuple(dict.fromkeys((*STATUSES_A, *STATUSES_B)))
_CHOICES: dict[str, tuple[str, ...]] = {
    "paired_by": get_args(PairedBy),
    "sort": SORTS,
    "rule": get_args(Rule),
    "contrast": get_args(Contrast),
    "view": VIEWS,
    "tile_size": TILE_SIZES,
    "side": SIDES,
    "pane": ("pair", *SIDES),
    "tab": get_args(Tab),
}
DEFAULTS: State = {
    "layer_a": None,  # the alias ("conv5") if there is one, else the name
    "layer_b": None,  # None: the layer of the same name, or else one at the same depth
    "unit_a": None,  # None: none; if both are, the front end selects the first pair
    "unit_b": None,
    "paired_by": "match",  # units are beside the ones that they match by correlation, or beside those of the same "number"
    "sort": "difference",
    "status": [],  # the statuses of the pairs that are shown; []: all
    "rule": "deconvnet",
    "contrast": "tile",
    "view": "both",
    "tile_size": "medium",
    "side": "a",  # whose activation is selected
    "rank": 0,  # of the selected activation among the strongest of that side's unit
    "pane": "pair",  # or "a" or "b": the LayerExplorer's pane of that side's unit
    "tab": "strongest",  # of that pane
    "more": False,  # of that pane: all strongest activations in place of nine
    "pinned": [],  # up to eight of {"side": "a", "model": ..., "layer": ..., "unit": ...}
}

Overviews = Mapping[Side, Overview]


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], overviews: Overviews) -> State:
    """Return the whole state after `state`, which may be a part, was set.

    A layer of B that is not given follows that of A. Units that are carried over to other layers are dropped.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    ServiceError
        For an unknown key or any other invalid value.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    layers = _layers(state, merged, overviews)
    for side in SIDES:
        merged[f"layer_{side}"] = layers[side].short_name
    moved = any(merged[f"layer_{side}"] != current.get(f"layer_{side}") for side in SIDES)
    for side in SIDES:
        key = f"unit_{side}"
        carried = moved and (key not in state or state[key] == current.get(key)) and bool(current)
        merged[key] = None if carried else _unit(layers[side], merged[key])
    if any(merged[f"unit_{side}"] != current.get(f"unit_{side}") for side in SIDES) and "rank" not in state:
        merged["rank"] = 0
    most = min(overview.k for overview in overviews.values())
    merged["rank"] = integer(merged["rank"], "rank, of one of the strongest activations,", 0, most - 1)
    for key, choices in _CHOICES.items():
        one_of(merged[key], key, choices)
    merged["status"] = _status(merged["status"])
    merged["more"] = flag(merged["more"], "more")
    merged["pinned"] = _pins(merged["pinned"], overviews)
    return merged


def pinned_layers(side: Side, pinned: object) -> list[object]:
    """Return the layers of a side's pins, before their check."""
    entries = pinned if isinstance(pinned, list | tuple) else []
    return [pin.get("layer") for pin in entries if isinstance(pin, Mapping) and pin.get("side") == side]


def counterpart(overviews: Overviews, layer: LayerSummary) -> LayerSummary:
    """Return the layer of B that belongs to one of A: of the same name, or else at the same depth among the listed ones."""
    same = known_layer(overviews["b"], layer.short_name) or known_layer(overviews["b"], layer.info.name)
    if same is not None:
        return same
    first, second = overviews["a"].layers, overviews["b"].layers
    position = next((at for at, one in enumerate(first) if one.short_name == layer.short_name), len(first) - 1)
    return second[min(len(second) - 1, round((position + 0.5) * len(second) / len(first) - 0.5))]


def _layers(state: Mapping[str, Any], merged: Mapping[str, Any], overviews: Overviews) -> dict[Side, LayerSummary]:
    first = merged["layer_a"] if merged["layer_a"] is not None else overviews["a"].layers[-1].short_name
    layer_a = find_summary(overviews["a"], first)
    follows = merged["layer_b"] is None or (state.get("layer_a") is not None and "layer_b" not in state)
    return {"a": layer_a, "b": counterpart(overviews, layer_a) if follows else find_summary(overviews["b"], merged["layer_b"])}


def _unit(layer: LayerSummary, unit: object) -> int | None:
    if unit is None:
        return None
    return integer(unit, f"the unit of {layer.short_name}", 0, layer.info.channels - 1, LayerError)


def _status(status: object) -> list[str]:
    if isinstance(status, str):
        status = [status]
    if not isinstance(status, list | tuple):
        raise ServiceError(f"The shown statuses are a list such as ['changed', 'new'], not {reprlib.repr(status)}; [] shows every pair.")
    for name in status:
        one_of(name, "status", STATUSES)
    return [name for name in STATUSES if name in status]


def _pins(pinned: object, overviews: Overviews) -> list[State]:
    if not isinstance(pinned, list | tuple):
        raise _not_a_pin(pinned)
    return distinct_pins((_pin(entry, overviews) for entry in pinned), MAX_PINS)


def _pin(pin: object, overviews: Overviews) -> State:
    """Return one pinned unit. Of a model that is not shown, only the types are checked: its layers are not known here."""
    if not isinstance(pin, Mapping) or not {"side", "layer", "unit"} <= set(pin) <= {"side", "model", "layer", "unit"}:
        raise _not_a_pin(pin)
    one_of(pin["side"], "side", SIDES)
    overview = overviews["a" if pin["side"] == "a" else "b"]
    model, unit = pin.get("model", overview.model), integer(pin["unit"], "the unit of a pin", 0, error=LayerError)
    if not isinstance(model, str) or not isinstance(pin["layer"], str):
        raise _not_a_pin(pin)
    if model != overview.model:
        return {"side": pin["side"], "model": model, "layer": pin["layer"], "unit": unit}
    layer = find_summary(overview, pin["layer"])
    return {"side": pin["side"], "model": model, "layer": layer.short_name, "unit": _unit(layer, unit)}


def _not_a_pin(given: object) -> ServiceError:
    return ServiceError(f"Pinned units are written [{{'side': 'a', 'layer': 'conv5', 'unit': 59}}], not {reprlib.repr(given)}.")
