"""The chart of a map, to zoom and to read values."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from plotly import graph_objects as go

from deconvwidgets.display import DIVERGING
from deconvwidgets.instruments.occlusion.records import MapName, OcclusionMaps, ValueMap
from deconvwidgets.records.quantity import format_percent
from deconvwidgets.widgets.charts import AXIS, LAYOUT

_MAX_LEGEND_CLASSES = 9
_LEGEND_LINE_LENGTH = 46  # characters
_LINE_HEIGHT = 15  # px
_COLOR_BAR_HEIGHT = 34  # px, with its numbers
# Above the map: beside it, the color bar would take the width that the map needs.
_COLOR_BAR = {"thickness": 10, "outlinewidth": 0, "title": "", "orientation": "h", "y": 1, "yanchor": "bottom"}


def map_chart(maps: OcclusionMaps, name: str, colours: Mapping[int, str]) -> go.Figure:
    """Return the chart of a map.

    Parameters
    ----------
    maps : OcclusionMaps
        The maps, complete or not.
    name : {"probability", "value", "activity", "label"}
        The map. It is "value" for a regression instead of "probability" and "label", and "activity" if the model predicts nothing.
    colours : mapping
        Class -> color of the classes that occur, the most frequent first.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    shown = shown_map(maps, name)
    trace = _label_trace(maps, colours) if shown == "label" else _value_trace(maps, shown)
    rows, columns = maps.centres[:, 0, 0], maps.centres[0, :, 1]
    lines = [*_title(maps, shown), *(_legend(maps, colours) if shown == "label" else ())]
    layout = _layout()
    layout["title"]["text"] = "<br>".join(lines)
    layout["margin"]["t"] = _LINE_HEIGHT * len(lines) + (0 if shown == "label" else _COLOR_BAR_HEIGHT) + 16
    # The range of all positions, so that the axes do not change while positions are added.
    layout["xaxis"]["range"] = [columns[0] - maps.stride[1] / 2, columns[-1] + maps.stride[1] / 2]
    layout["yaxis"]["range"] = [rows[-1] + maps.stride[0] / 2, rows[0] - maps.stride[0] / 2]
    return go.Figure(data=[go.Heatmap(x=columns, y=rows, zsmooth=False, **trace)], layout=layout)


def shown_map(maps: OcclusionMaps, name: str) -> MapName:
    """Return the map of that name, or the one in its place if the model does not predict it."""
    if name == "activity" or maps.scores is None:
        return "activity"
    if maps.value is not None:
        return "value"
    return "label" if name == "label" and maps.label is not None else "probability"


def _value_trace(maps: OcclusionMaps, name: ValueMap) -> dict[str, Any]:
    values = maps.activity if name == "activity" else maps.scores
    assert values is not None
    low, high = maps.colour_range(name)
    number_format = ".1%" if name == "probability" else ".4~g"
    unit = f" {escape(maps.quantity.unit)}" if name == "value" and maps.quantity.unit else ""
    return {
        "z": values.astype(np.float32),
        "zmin": low,
        "zmax": high,
        "colorscale": "Viridis" if name != "value" else [[number / 8, colour] for number, colour in enumerate(DIVERGING)],
        "showscale": True,
        "colorbar": {**_COLOR_BAR, "tickformat": _percent_format(high - low) if name == "probability" else ".3~s"},
        "hovertemplate": f"%{{z:{number_format}}}{unit}<br>with the patch at<br>row %{{y:.0f}}, column %{{x:.0f}}<extra></extra>",
    }


def _percent_format(span: float) -> str:
    """Return the number format of a color bar with values of that span, such that they differ."""
    return ".0%" if span >= 0.2 else ".1%" if span >= 0.02 else ".2%"


def _label_trace(maps: OcclusionMaps, colours: Mapping[int, str]) -> dict[str, Any]:
    """Number the classes in the order of their frequency."""
    assert maps.label is not None
    assert maps.label_probability is not None
    numbers = {label: number for number, label in enumerate(colours)}
    z = np.array([numbers.get(label, -1) for label in maps.label.ravel().tolist()], float).reshape(maps.label.shape)
    z[z < 0] = np.nan
    count = max(1, len(colours))
    scale = [[edge / count, colour] for number, colour in enumerate(colours.values()) for edge in (number, number + 1)]
    percents = (f"{100 * share:.1f}%" if np.isfinite(share) else "" for share in maps.label_probability.ravel().tolist())
    texts = [f"{maps.name(label)}, {text}" if label >= 0 else "" for label, text in zip(maps.label.ravel().tolist(), percents, strict=True)]
    return {
        "z": z.astype(np.float32),
        "zmin": -0.5,
        "zmax": count - 0.5,
        "colorscale": scale,
        "showscale": False,
        "customdata": np.array(texts, dtype=object).reshape(maps.label.shape).tolist(),
        "hovertemplate": "%{customdata}<br>with the patch at<br>row %{y:.0f}, column %{x:.0f}<extra></extra>",
    }


def _title(maps: OcclusionMaps, name: MapName) -> list[str]:
    """Return two lines."""
    before = maps.unoccluded
    if name == "activity":
        quantity, without = f"total activity of {maps.layer} / {maps.unit}", f"{before.activity:.4g}"
    elif name == "value":
        quantity, without = maps.quantity.describe(maps.name(_number(maps.target))), maps.quantity.format(before.value or 0.0)
    elif name == "probability":
        quantity, without = f"probability of {maps.name(_number(maps.target))}", format_percent(before.probability or 0)
    else:
        quantity, without = "most probable class", maps.name(_number(before.label))
    return [f"<b>{escape(quantity)}</b>", f"by position of the patch; without a patch {escape(without)}"]


def _legend(maps: OcclusionMaps, colours: Mapping[int, str]) -> list[str]:
    """Return lines with the classes, the most frequent first."""
    lines, room = [""], _LEGEND_LINE_LENGTH
    for label, colour in list(colours.items())[:_MAX_LEGEND_CLASSES]:
        name = maps.name(label)
        if room < len(name) + 4 and lines[-1]:
            lines, room = [*lines, ""], _LEGEND_LINE_LENGTH
        lines[-1] += f'<span style="color:{colour}">\u25a0</span> {escape(name)}   '
        room -= len(name) + 4
    more = len(colours) - _MAX_LEGEND_CLASSES
    return [*lines, f"and {more} more"] if more > 0 else lines


def _number(label: int | None) -> int:
    return -1 if label is None else label


def _layout() -> dict[str, Any]:
    axis = {**AXIS, "constrain": "domain", "showgrid": False, "nticks": 6}  # the same distance of ticks for rows and columns
    return {
        **LAYOUT,
        "margin": {"l": 8, "r": 8, "b": 8},
        "title": {"font": {"size": 11}, "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "pad": {"t": 14}},
        "xaxis": {**axis, "title": {"text": "column of the patch's centre, px", "standoff": 6}},
        "yaxis": {**axis, "constraintoward": "top", "scaleanchor": "x", "title": {"text": "row, px", "standoff": 6}},
    }
