"""Figures of what a LayerExplorer shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, integer, one_of
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.layers.figures.render import render
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet, UnitPanel
from deconvwidgets.instruments.layers.records import Contrast, FigureKind, Rule, UnitTable
from deconvwidgets.instruments.layers.service.protocol import LayersService
from deconvwidgets.records.overview import Overview

_TILE = 72
_UNIT_TILE = 144
_UNITS = {"explorer.png": 12, "layer.png": 16, "layer.svg": 16, "layer.html": 64}
_SORTS = ("strongest", "mean", "selectivity", "dead", "index")


def make_figure(service: LayersService, overview: Overview, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
    """Return a figure of what a LayerExplorer in `state` shows, as the bytes of a file.

    Parameters
    ----------
    state : mapping
        `layer`, `unit`, `rank`, `rule`, `contrast`, `sort`, `filter` and `units` (their number), each with a default.

    Raises
    ------
    ServiceError
        If `state` is no mapping, or for an unknown kind or sort.
    LayerError
        For an unknown layer or unit.
    """
    if not isinstance(state, Mapping):
        given = "None" if state is None else f"a {type(state).__name__}"
        raise ServiceError(f"A figure is drawn from a state: a dict such as {{'layer': 'conv5'}} or an explorer's state, not {given}")
    if not isinstance(kind, str):
        raise ServiceError(f"kind must be the name of a figure, not {describe(kind)}.")
    first = overview.layers[0].info
    layer = str(state.get("layer") or first.alias or first.name)
    rule: Rule = state.get("rule") or "deconvnet"
    contrast: Contrast = state.get("contrast") or "tile"
    table = service.unit_table(layer)
    order, description = _ordered(table, state.get("sort") or "strongest", str(state.get("filter") or ""))
    units = order[: max(0, integer(state.get("units") or _UNITS.get(kind, 0), "units"))]
    chosen = state.get("unit")
    unit = integer(chosen, "unit") if chosen is not None else order[0] if order else int(np.argmax(table.maximum))
    detailed = kind.startswith(("unit", "explorer"))
    panels = tuple(_panel(service, layer, one, rule, contrast, _TILE) for one in units)
    panel = _panel(service, layer, unit, rule, contrast, _UNIT_TILE) if detailed else None
    rank = integer(state.get("rank") or 0, "rank")
    source = service.source(layer, unit, rank) if panel is not None and rank < panel.count else None
    selection = description.format(count=len(units), total=len(table.maximum))
    return render(kind, FigureSheet(overview, layer, rule, contrast, panels, selection, chosen=panel, source=source))


def _panel(service: LayersService, layer: str, unit: int, rule: Rule, contrast: Contrast, tile: int) -> UnitPanel:
    return UnitPanel.from_records(service.top_activations(layer, unit, rule, contrast, tile), service.unit_detail(layer, unit))


def _ordered(table: UnitTable, sort: str, name: str) -> tuple[list[int], str]:
    """Return the units in the explorer's order, if `name` is given only those with such a class among their strongest activations, and a
    description of the selection as a format string."""
    one_of(sort, "sort order", _SORTS)
    keys: dict[str, tuple[NDArray[np.number], str]] = {
        "strongest": (-table.maximum, "the {count} strongest of {total} units"),
        "mean": (-table.mean, "the {count} units with the highest mean of {total}"),
        "selectivity": (-table.selectivity, "the {count} most selective of {total} units"),
        "dead": (_dead_first(table), "the {count} dead or weakest of {total} units"),
        "index": (np.arange(len(table.maximum)), "the first {count} of {total} units"),
    }
    key, description = keys[sort]
    order = np.argsort(key, kind="stable")
    if name:
        labels = [number for number, category in enumerate(table.categories) if name.casefold() in category.casefold()]
        fits = np.asarray(np.isin(table.labels, labels).any(axis=1))
        order = order[fits[order]]
        escaped = name.replace("{", "{{").replace("}", "}}")
        description += f" with \u201c{escaped}\u201d among their strongest activations"
    return [int(unit) for unit in order], description


def _dead_first(table: UnitTable) -> NDArray[np.float32]:
    """Return a sort key: the maximum activation, and less than any of them for units that are active in no crop."""
    return np.where(table.activation_rate == 0, -np.inf, table.maximum)
