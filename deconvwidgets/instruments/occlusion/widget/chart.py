"""The explorer's chart: one map, to zoom and read."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from plotly import graph_objects as go

from deconvwidgets.instruments.occlusion.records import OcclusionMaps
from deconvwidgets.widgets.charts import AXIS, LAYOUT

_MOST_NAMES = 9  # of classes in the legend
_LINE = 46  # characters of the legend, in a column as narrow as the explorer's
_LINE_HEIGHT = 15
_SCALE_HEIGHT = 34  # with its numbers
# Above the map: beside it, the scale would take the width that the map needs.
_SCALE = {"thickness": 10, "outlinewidth": 0, "title": "", "orientation": "h", "y": 1, "yanchor": "bottom"}


def map_chart(maps: OcclusionMaps, name: str, colours: Mapping[int, str]) -> go.Figure:
    """Return a chart of one of "probability", "activity" and "label"; of "activity" where there are no classes.

    Args:
        maps: as far as they are computed.
        name: of the map.
        colours: of the classes that occur, the most frequent first.
    """
    shown = name if getattr(maps, name) is not None else "activity"
    changes = _labels(maps, colours) if shown == "label" else _values(maps, shown)
    rows, columns = maps.centres[:, 0, 0], maps.centres[0, :, 1]
    lines = [*_title(maps, shown), *(_legend(maps, colours) if shown == "label" else ())]
    layout = _layout()
    layout["title"]["text"] = "<br>".join(lines)
    layout["margin"]["t"] = _LINE_HEIGHT * len(lines) + (0 if shown == "label" else _SCALE_HEIGHT) + 16
    # What the positions cover: a map that begins has few of them, and the place must not jump as it grows.
    layout["xaxis"]["range"] = [columns[0] - maps.stride[1] / 2, columns[-1] + maps.stride[1] / 2]
    layout["yaxis"]["range"] = [rows[-1] + maps.stride[0] / 2, rows[0] - maps.stride[0] / 2]
    return go.Figure(data=[go.Heatmap(x=columns, y=rows, zsmooth=False, **changes)], layout=layout)


def _values(maps: OcclusionMaps, name: str) -> dict[str, Any]:
    values = maps.probability if name == "probability" else maps.activity
    assert values is not None
    low, high = maps.span("probability" if name == "probability" else "activity")
    form = ".1%" if name == "probability" else ".4~g"
    return {
        "z": values.astype(np.float32),
        "zmin": low,
        "zmax": high,
        "colorscale": "Viridis",
        "showscale": True,
        "colorbar": {**_SCALE, "tickformat": _percents(high - low) if name == "probability" else ".3~s"},
        "hovertemplate": f"%{{z:{form}}}<br>with the patch at<br>row %{{y:.0f}}, column %{{x:.0f}}<extra></extra>",
    }


def _percents(span: float) -> str:
    """The format of a scale's numbers, which must differ from each other."""
    return ".0%" if span >= 0.2 else ".1%" if span >= 0.02 else ".2%"


def _labels(maps: OcclusionMaps, colours: Mapping[int, str]) -> dict[str, Any]:
    """Classes as whole numbers in the order of their frequency."""
    assert maps.label is not None
    assert maps.label_probability is not None
    found = list(colours)
    places = {label: place for place, label in enumerate(found)}
    place = np.array([places.get(label, -1) for label in maps.label.ravel().tolist()], float).reshape(maps.label.shape)
    place[place < 0] = np.nan
    count = max(1, len(found))
    scale = [[edge / count, colour] for at, colour in enumerate(colours.values()) for edge in (at, at + 1)]
    shares = (f"{100 * share:.1f}%" if np.isfinite(share) else "" for share in maps.label_probability.ravel().tolist())
    words = [f"{maps.name(label)}, {share}" if label >= 0 else "" for label, share in zip(maps.label.ravel().tolist(), shares, strict=True)]
    return {
        "z": place.astype(np.float32),
        "zmin": -0.5,
        "zmax": count - 0.5,
        "colorscale": scale,
        "showscale": False,
        "customdata": np.array(words, dtype=object).reshape(maps.label.shape).tolist(),
        "hovertemplate": "%{customdata}<br>with the patch at<br>row %{y:.0f}, column %{x:.0f}<extra></extra>",
    }


def _title(maps: OcclusionMaps, name: str) -> list[str]:
    """In two lines."""
    before = maps.unoccluded
    if name == "activity":
        what, without = f"total activity of {maps.layer} / {maps.unit}", f"{before.activity:.4g}"
    elif name == "probability":
        what, without = f"probability of {maps.name(_number(maps.target))}", f"{100 * (before.probability or 0):.1f}%"
    else:
        what, without = "most probable class", maps.name(_number(before.label))
    return [f"<b>{escape(what)}</b>", f"by position of the patch; without a patch {escape(without)}"]


def _legend(maps: OcclusionMaps, colours: Mapping[int, str]) -> list[str]:
    """The classes, the most frequent first, in as few lines as they take."""
    lines, room = [""], _LINE
    for label, colour in list(colours.items())[:_MOST_NAMES]:
        name = maps.name(label)
        if room < len(name) + 4 and lines[-1]:
            lines, room = [*lines, ""], _LINE
        lines[-1] += f'<span style="color:{colour}">\u25a0</span> {escape(name)}   '
        room -= len(name) + 4
    more = len(colours) - _MOST_NAMES
    return [*lines, f"and {more} more"] if more > 0 else lines


def _number(label: int | None) -> int:
    return -1 if label is None else label


def _layout() -> dict[str, Any]:
    axis = {**AXIS, "constrain": "domain", "showgrid": False}
    return {
        **LAYOUT,
        "margin": {"l": 8, "r": 8, "b": 8},
        "title": {"font": {"size": 11}, "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "pad": {"t": 14}},
        "xaxis": {**axis, "title": {"text": "column of the patch's centre, px", "standoff": 6}},
        "yaxis": {**axis, "constraintoward": "top", "scaleanchor": "x", "title": {"text": "row, px", "standoff": 6}},
    }
