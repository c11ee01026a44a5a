"""Figures of what a LayerExplorer shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deconvwidgets.arguments import describe, integer, text
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.instruments.layers.figures.render import render
from deconvwidgets.instruments.layers.figures.selection import COLUMN_SORTS, Restriction, choose_units, describe_rows
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet, UnitPanel
from deconvwidgets.instruments.layers.figures.size import tile_pixels
from deconvwidgets.instruments.layers.records import FigureKind
from deconvwidgets.instruments.layers.service.protocol import LayersService
from deconvwidgets.records.mosaics import Contrast, Rule
from deconvwidgets.records.overview import Overview

_STATIC_TILE, _STATIC_UNIT_TILE = 72, 144  # of the static image
_COUNTS = {"explorer": 6, "layer": 16, "layers": 5, "unit": 1}  # default numbers of units
_PAGE_COUNT = 64  # units of each layer of an HTML page
_PAGE_TILES = ((24, 144), (100, 96))  # (at most so many units, their tile size)
_SMALL_PAGE_TILE = 64
_PHOTOGRAPH = 480  # pixels on the longer side, in a page
_NO_UNIT = "There is no unit to draw; select at least one."

Units = dict[str, list[int]]  # by layer


@dataclass(frozen=True, slots=True)
class _Options:
    """How the units of a figure are drawn."""

    rule: Rule
    contrast: Contrast
    tile: int
    page: bool  # whether the figure is an HTML page, which also shows the photographs


def make_figure(service: LayersService, overview: Overview, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
    """Return a figure of what a LayerExplorer in `state` shows, as the bytes of a file.

    Parameters
    ----------
    kind : str
        "layer", "unit", "pinned" or "layers" (several layers, one row each), a dot, and "png", "svg", "pdf" or "html".
    state : mapping
        `layer`, `unit`, `rank`, `rule`, `contrast`, `sort`, `filter` and the pinned units of an explorer's state, each with a default,
        and:

        - `units`: how many, or a list of their numbers; of several layers also a dict from layers to such lists;
        - `layers`: a list of layers for "layers"; by default all of the overview;
        - `size`: "small", "medium", "large", or the pixels of a tile;
        - `sort` may also be "random", with a `seed`.

    Raises
    ------
    ServiceError
        If `state` is no mapping, or for an unknown kind, sort or size.
    LayerError
        For an unknown layer or unit, and if there is no unit to draw.
    """
    if not isinstance(state, Mapping):
        given = "None" if state is None else f"a {type(state).__name__}"
        raise ServiceError(f"A figure is drawn from a state: a dict such as {{'layer': 'conv5'}} or an explorer's state, not {given}")
    if not isinstance(kind, str):
        raise ServiceError(f"kind must be the name of a figure, not {describe(kind)}.")
    figure, _, suffix = kind.partition(".")
    if figure in ("pinned", "layers"):
        sheet = _several_layers(service, overview, figure, state, suffix == "html")
    else:
        sheet = _one_layer(service, overview, figure, state, suffix == "html")
    return render(kind, sheet)


def _one_layer(service: LayersService, overview: Overview, figure: str, state: Mapping[str, Any], page: bool) -> FigureSheet:
    """Return units of one layer, and for a figure of one unit or the static image the chosen unit."""
    first = overview.layers[0].info
    layer = _layer_name(_given(state, "layer", first.short_name))
    units, selection = _units_of_layer(service, layer, _counted(state, _PAGE_COUNT if page else _COUNTS.get(figure, 1)))
    options = _options(state, figure, page, len(units))
    detailed = figure in ("unit", "explorer")
    panels = () if figure == "unit" else tuple(_panel(service, layer, unit, replace(options, page=page)) for unit in units)
    sheet = FigureSheet(overview, layer, options.rule, options.contrast, panels, selection)
    if not detailed:
        return sheet
    table = service.unit_table(layer)
    chosen = integer(state["unit"], "unit") if state.get("unit") is not None else units[0] if units else int(np.argmax(table.maximum))
    tile = _STATIC_UNIT_TILE if figure == "explorer" else min(2 * options.tile, 512)
    panel = _panel(service, layer, chosen, replace(options, tile=tile, page=False))
    rank = integer(_given(state, "rank", 0), "rank")
    source = service.source(layer, chosen, rank) if rank < panel.count else None
    return replace(sheet, chosen=panel, source=source)


def _several_layers(service: LayersService, overview: Overview, figure: str, state: Mapping[str, Any], page: bool) -> FigureSheet:
    """Return the pinned units, or units of several layers."""
    if figure == "pinned":
        units = _pinned(overview, state)
        selection = "the pinned units" if sum(map(len, units.values())) > 1 else "the pinned unit"
    else:
        units, selection = _units_of_layers(service, overview, _counted(state, _PAGE_COUNT if page else _COUNTS["layers"]))
    options = _options(state, figure, page, sum(map(len, units.values())))
    panels = tuple(_panel(service, layer, unit, options) for layer, numbers in units.items() for unit in numbers)
    if not panels:
        raise LayerError(_NO_UNIT)
    return FigureSheet(overview, "", options.rule, options.contrast, panels, selection)


def _counted(state: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return a state with `units`."""
    return {**state, "units": count if state.get("units") is None else state["units"]}


def _units_of_layer(service: LayersService, layer: str, state: Mapping[str, Any]) -> tuple[list[int], str]:
    """Return the units of a layer that `units` lists, or the first ones in the order of the state, and their description."""
    table, requested = service.unit_table(layer), state["units"]
    total = len(table.maximum)
    if _is_list(requested):
        # Each is checked before the next one is read: a range may have more numbers than fit into memory.
        units = list(dict.fromkeys(integer(unit, f"a unit of {layer}", 0, total - 1, LayerError) for unit in requested))
        if not units:
            raise LayerError(_NO_UNIT)
        return units, f"{'unit' if len(units) == 1 else 'units'} {', '.join(map(str, units))} of {total}"
    count = integer(requested, "units, a number or a list of units,")
    return choose_units(table, count, *_order(state), _restriction(service, layer, state))


def _restriction(service: LayersService, layer: str, state: Mapping[str, Any]) -> Restriction:
    """Return the column that the units are sorted by, and those that a condition and a selection on the map leave."""
    sort, values = _given(state, "sort", "strongest"), None
    if isinstance(sort, str) and sort in COLUMN_SORTS:
        values = np.asarray(service.unit_columns(layer).columns[COLUMN_SORTS[sort]], np.float64)
    where, selected = _given(state, "where", ""), None
    if layer == state.get("layer") and state.get("selected_units") is not None:
        selected = set(state["selected_units"])
    if not where and selected is None:
        return Restriction(values)
    matching = service.matching_units(layer, where) if where else range(service.unit_table(layer).maximum.size)
    only = [unit for unit in matching if selected is None or unit in selected]
    parts = [f" where {where}" if where else "", " selected on the map" if selected is not None else ""]
    return Restriction(values, only, ",".join(part for part in parts if part))


def _units_of_layers(service: LayersService, overview: Overview, state: Mapping[str, Any]) -> tuple[Units, str]:
    requested = state["units"]
    if isinstance(requested, Mapping):
        for layer, numbers in requested.items():
            if not _is_list(numbers):
                raise ServiceError(f"The units of {describe(layer)} must be a list such as [3, 17], not {describe(numbers)}.")
        lists = {_layer_name(layer): {**state, "units": numbers} for layer, numbers in requested.items()}
        return {layer: _units_of_layer(service, layer, listed)[0] for layer, listed in lists.items()}, "selected units"
    layers = _given(state, "layers", [summary.info.short_name for summary in overview.layers])
    if not _is_list(layers):
        raise ServiceError(f"layers must be a list such as ['conv1', 'conv5'], not {describe(layers)}.")
    chosen = {layer: _units_of_layer(service, layer, state) for layer in map(_layer_name, layers)}
    most = max((len(units) for units, _ in chosen.values()), default=0)
    return {layer: units for layer, (units, _) in chosen.items()}, describe_rows(most, *_order(state))


def _order(state: Mapping[str, Any]) -> tuple[str, str, int]:
    """Return the order of the units, the class name that filters them, and the seed of a random order."""
    name = _given(state, "filter", "")
    if not isinstance(name, str):
        raise ServiceError(f"The filter is a class name or a part of one, not {describe(name)}; '' draws every unit.")
    return _given(state, "sort", "strongest"), name, _given(state, "seed", 0)


def _given(state: Mapping[str, Any], key: str, default: Any) -> Any:
    """Return a value of the state, or the default if it is missing or None; whatever else it is, it is checked."""
    value = state.get(key)
    return default if value is None else value


def _is_list(value: object) -> bool:
    """Return whether a value is a sequence and no string, or an array (n,)."""
    return (isinstance(value, np.ndarray) and value.ndim == 1) or (isinstance(value, Sequence) and not isinstance(value, str | bytes))


def _layer_name(value: object) -> str:
    return text(value, "layer", "the name of a layer", LayerError)


def _pinned(overview: Overview, state: Mapping[str, Any]) -> Units:
    """Return the pinned units of this model by layer. A state has one of them, or a list."""
    pinned = state.get("pinned") or []
    pins = [pinned] if isinstance(pinned, Mapping) else pinned
    units: Units = {}
    try:
        for pin in pins:
            if pin.get("model") in (None, overview.model):
                layer_units = units.setdefault(str(pin["layer"]), [])
                layer_units += [] if pin["unit"] in layer_units else [integer(pin["unit"], "unit", error=LayerError)]
    except (AttributeError, KeyError, TypeError):
        raise ServiceError(f"A pinned unit is written {{'layer': 'conv5', 'unit': 59}}, not {describe(pins)}.") from None
    if not units:
        raise LayerError("No unit is pinned: pin one with the key p or the button beside it first.")
    return units


def _options(state: Mapping[str, Any], figure: str, page: bool, units: int) -> _Options:
    size = state.get("size")
    if figure == "explorer":
        tile = _STATIC_TILE
    elif size is None and page and figure != "unit":
        tile = next((pixels for most, pixels in _PAGE_TILES if units <= most), _SMALL_PAGE_TILE)
    else:
        tile = tile_pixels("medium" if size is None else size)
    return _Options(_given(state, "rule", "deconvnet"), _given(state, "contrast", "tile"), tile, page)


def _panel(service: LayersService, layer: str, unit: int, options: _Options) -> UnitPanel:
    top = service.top_activations(layer, unit, options.rule, options.contrast, options.tile)
    sources = tuple(service.source(layer, unit, rank, _PHOTOGRAPH) for rank in range(top.count)) if options.page else ()
    return UnitPanel.from_records(top, service.unit_detail(layer, unit), sources)
