"""The map of the units of a layer as a chart, to select units from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from deconvwidgets.arguments import one_of
from deconvwidgets.instruments.layers.records import UnitTable
from deconvwidgets.records.unit_columns import UnitColumns
from deconvwidgets.records.unit_relations import UnitMap
from deconvwidgets.widgets.charts import GRAY, LAYOUT

COLOURS = ("selectivity", "purity", "maximum")
METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
_TITLES = {"selectivity": "selectivity", "purity": "class purity", "maximum": "maximum activation"}
_SVG_POINTS = 2000  # more are drawn with WebGL
_HOVER = "Unit %{customdata}<br>%{text}<extra></extra>"


def map_chart(units: UnitMap, table: UnitTable, columns: UnitColumns, colour: str, selected: Sequence[int] | None) -> go.Figure:
    """Return the chart of a map.

    Parameters
    ----------
    units : UnitMap
        The map.
    table, columns : UnitTable, UnitColumns
        The numbers of the units.
    colour : {"selectivity", "purity", "maximum"}
        What the colours of the points are.
    selected : sequence of int, optional
        The units that are selected; the others are faint.

    Raises
    ------
    ServiceError
        For another colour.
    """
    one_of(colour, "colour", COLOURS)
    values = _values(table, columns, colour)[units.units]
    points = None if selected is None else _points(units, selected)
    scatter = go.Scatter if len(units.units) <= _SVG_POINTS else go.Scattergl
    trace = scatter(
        x=units.coordinates[:, 0],
        y=units.coordinates[:, 1],
        mode="markers",
        customdata=units.units.tolist(),
        text=[f"{_TITLES[colour]} {value:.3g}" if np.isfinite(value) else "" for value in values],
        hovertemplate=_HOVER,
        selectedpoints=points,
        marker=_marker(values, _TITLES[colour]),
        unselected={"marker": {"opacity": 0.25}},
    )
    figure = go.Figure(data=[trace], layout=_layout(units))
    figure.layout.uirevision = f"{units.layer} {units.method}"  # plotly keeps the zoom while it is the same
    return figure


def _points(units: UnitMap, selected: Sequence[int]) -> list[int]:
    chosen = set(selected)
    return [point for point, unit in enumerate(units.units.tolist()) if unit in chosen]


def _values(table: UnitTable, columns: UnitColumns, colour: str) -> NDArray[np.float64]:
    if colour == "purity":
        return np.asarray(columns.columns["class_purity"], np.float64)
    return np.asarray(table.maximum if colour == "maximum" else table.selectivity, np.float64)


def _marker(values: NDArray[np.float64], title: str) -> dict[str, Any]:
    """Return the points. The colours end at the 98th percentile: a few units would leave one colour for all others."""
    known = values[np.isfinite(values)]
    return {
        "size": 8 if len(values) <= 600 else 5,
        "color": values.astype(np.float32),
        "colorscale": "Viridis",
        "line": {"width": 0.75, "color": "rgba(128, 128, 128, 0.8)"},  # Viridis ends near the background of the dark theme
        "showscale": True,
        "cmin": float(known.min()) if known.size else 0.0,
        "cmax": float(np.percentile(known, 98)) if known.size else 1.0,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "title": {"text": title, "side": "right"}, "tickformat": ".3~g"},
    }


def _layout(units: UnitMap) -> dict[str, Any]:
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "title": {"text": ""}}
    left_out = f" · {len(units.left_out)} without a correlation are left out" if len(units.left_out) else ""
    title = f"{METHODS.get(units.method, units.method)} of the correlations in {units.samples:,} images{left_out}"
    return {
        **LAYOUT,
        "dragmode": "lasso",
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "#2b3036", "bordercolor": "#2b3036", "font": {"color": "#fff"}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GRAY, "activecolor": "#3b82d0"},
        "margin": {"l": 4, "r": 4, "b": 4, "t": 26},
        "title": {"text": title, "font": {"size": 11}, "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "pad": {"t": 6}},
        "xaxis": axis,
        "yaxis": {**axis, "scaleanchor": "x"},
    }
