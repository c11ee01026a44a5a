"""What figures and tables are made of: rows with their pictures, and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.evolution.figures.drawing import TILE
from deconvwidgets.instruments.evolution.figures.files import check_kind, evolution_file
from deconvwidgets.instruments.evolution.figures.table import cells_csv, convergence_csv
from deconvwidgets.instruments.evolution.records import (
    CellKey,
    CellPicture,
    CellPicturesRequest,
    ConvergenceCurves,
    EvolutionFigure,
    EvolutionOverview,
    EvolutionRow,
    FigureKind,
    Measure,
    UnitChoice,
)

if TYPE_CHECKING:
    from deconvwidgets.instruments.evolution.service.protocol import EvolutionService

MAX_CELLS = 4000  # of a figure
MAX_STATIC_CELLS = 120  # of the static image
_BATCH = 64  # cells drawn at once
_SCALE = 2  # pictures are twice as large as they are drawn, for print
_DEFAULTS = {"choose": "random", "units": (), "count": 4, "seed": 0, "layers": (), "show": "both", "measure": "correlation"}


def evolution_figure(service: EvolutionService, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
    """Return a figure or a table as the bytes of a file.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    ServiceError
        For an unknown kind, an invalid state, before an index is ready, and for more cells than a figure can have.
    """
    check_kind(kind)
    if not isinstance(state, Mapping):
        raise ServiceError(f"state must be that of an EvolutionExplorer, a mapping, not {describe(state)}.")
    state = {**_DEFAULTS, **state}
    if kind == "convergence.csv":
        return convergence_csv([service.convergence(measure) for measure in get_args(Measure)])
    rows = tuple(service.rows(_choice(state)))
    if not rows:
        raise ServiceError("There is nothing to draw: no index is ready, or no unit is chosen.")
    if kind == "cells.csv":
        return cells_csv(rows)
    if kind == "explorer.png":
        rows = _first_of_each_layer(rows)
    shown = [cell.epoch for cell in rows[0].cells]
    overview, curves = _overview_of(shown, service.overview()), _curves_of(shown, service.convergence(state["measure"]))
    return evolution_file(
        kind, EvolutionFigure(overview=overview, rows=rows, pictures=_pictures(service, rows, kind, state), curves=curves, state=state)
    )


def _overview_of(shown: Sequence[int], overview: EvolutionOverview) -> EvolutionOverview:
    """Return the overview without epochs that became ready after the rows were asked for: cells are drawn below the columns by place."""
    columns = tuple(column for column in overview.epochs if column.state != "ready" or column.epoch in shown)
    return replace(overview, epochs=columns)


def _curves_of(shown: Sequence[int], curves: ConvergenceCurves) -> ConvergenceCurves:
    """Return the curves at some epochs."""
    places = [place for place, epoch in enumerate(curves.epochs) if epoch in shown]
    parts = (
        replace(one, values=tuple(one.values[place] for place in places), left_out=tuple(one.left_out[place] for place in places))
        for one in curves.curves
    )
    return replace(curves, epochs=tuple(curves.epochs[place] for place in places), curves=tuple(parts))


def _first_of_each_layer(rows: tuple[EvolutionRow, ...]) -> tuple[EvolutionRow, ...]:
    """Return so many rows of each layer that a static image, which a cell waits for, is drawn soon."""
    places = {id(row): sum(other.layer == row.layer for other in rows[:number]) for number, row in enumerate(rows)}
    count = max(places.values()) + 1
    while count > 1 and sum(len(row.cells) for row in rows if places[id(row)] < count) > MAX_STATIC_CELLS:
        count -= 1
    return tuple(row for row in rows if places[id(row)] < count)


def _choice(state: Mapping[str, Any]) -> UnitChoice:
    for name, expected in (("units", "pairs of a layer and a unit"), ("layers", "names")):
        if not isinstance(state[name], list | tuple):
            raise ServiceError(f"'{name}' is a list of {expected}, not {describe(state[name])}.")
    try:
        units = tuple((layer, unit) for layer, unit in state["units"])
    except (TypeError, ValueError) as error:
        raise ServiceError("'units' is a list of pairs of a layer and a unit.") from error
    return UnitChoice(choose=state["choose"], count=state["count"], seed=state["seed"], units=units, layers=tuple(state["layers"]))


def _pictures(service: EvolutionService, rows: tuple[EvolutionRow, ...], kind: str, state: Mapping[str, Any]) -> dict[CellKey, CellPicture]:
    keys = [CellKey(cell.epoch, row.layer, row.unit) for row in rows for cell in row.cells if cell.image is not None]
    if len(keys) > MAX_CELLS:
        raise ServiceError(f"A figure has at most {MAX_CELLS:,} cells, not {len(keys):,}: choose fewer units or layers.")
    parts: dict[object, tuple[Any, ...]] = {"projections": ("projections",), "patches": ("patches",), "both": ("projections", "patches")}
    shown = parts.get(state["show"] if isinstance(state["show"], str) else None)
    if shown is None:
        raise ServiceError(f"'show' is one of {', '.join(map(str, parts))}.")
    tile = TILE if kind == "explorer.png" else TILE * _SCALE
    found: dict[CellKey, CellPicture] = {}
    for start in range(0, len(keys), _BATCH):
        request = CellPicturesRequest(cells=tuple(keys[start : start + _BATCH]), parts=shown, tile=tile)
        found.update((picture.key, picture) for picture in service.cell_pictures(request))
    return found
