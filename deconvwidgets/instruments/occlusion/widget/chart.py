"""The explorer's chart: the chosen map, to be zoomed and read. One figure for all three: each brings its 5 MB of front end along."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from plotly import graph_objects as go

from deconvwidgets.instruments.occlusion.records import OcclusionMaps
from deconvwidgets.widgets.chart_style import AXIS, LAYOUT

_SENT = ("x", "y", "z", "zmin", "zmax", "showscale", "customdata", "hovertemplate")
_MOST_NAMES = 9  # of classes in the legend
_LINE = 46  # characters of the legend, in a column as narrow as the explorer's
_LINE_HEIGHT = 15
_SCALE_HEIGHT = 34  # with its numbers


class OcclusionChart:
    """A plotly figure with one heatmap, so that drawing only ever changes its values."""

    def __init__(self) -> None:
        # The scale lies above the map: beside it, it would take the width that the map needs.
        scale = {"thickness": 10, "outlinewidth": 0, "title": "", "orientation": "h", "y": 1, "yanchor": "bottom"}
        trace = go.Heatmap(z=[], x=[], y=[], colorscale="Viridis", zsmooth=False, colorbar=scale)
        figure = go.FigureWidget(data=[trace], layout=_layout())  # at once: what is added later may find no front end yet
        figure._config = {**(figure._config or {}), "responsive": True, "displayModeBar": False, "scrollZoom": True}
        self.figure = figure

    def say_again(self) -> None:
        """Send everything that drawing changes to the views: a new one misses what was drawn while its front end was loading, and
        plotly sends only what is not yet as asked."""
        (trace,), layout = self.figure.data, self.figure.layout
        style = {name: [trace[name]] for name in _SENT}
        style["colorscale"] = [trace.colorscale]
        style["colorbar.tickformat"] = [trace.colorbar.tickformat]
        shown = {"title.text": layout.title.text, "margin.t": layout.margin.t}
        shown |= {"xaxis.range": layout.xaxis.range, "yaxis.range": layout.yaxis.range}
        self.figure._send_update_msg(style, shown, [0])

    def draw(self, maps: OcclusionMaps, name: str, colours: Mapping[int, str]) -> None:
        """Show one of "probability", "activity" and "label"; "activity" where there are no classes. `colours` are those of the classes
        that occur, the most frequent first."""
        shown = name if getattr(maps, name) is not None else "activity"
        changes = _labels(maps, colours) if shown == "label" else _values(maps, shown)
        rows, columns = maps.centres[:, 0, 0], maps.centres[0, :, 1]
        with self.figure.batch_update():
            (trace,), layout = self.figure.data, self.figure.layout
            trace.update({"x": columns, "y": rows, **changes})
            lines = [*_title(maps, shown), *(_legend(maps, colours) if shown == "label" else ())]
            layout.title.text = "<br>".join(lines)
            layout.margin.t = _LINE_HEIGHT * len(lines) + (0 if shown == "label" else _SCALE_HEIGHT) + 16
            # What the positions cover: a map that begins has few of them, and the place must not jump as it grows.
            layout.xaxis.range = [columns[0] - maps.stride[1] / 2, columns[-1] + maps.stride[1] / 2]
            layout.yaxis.range = [rows[-1] + maps.stride[0] / 2, rows[0] - maps.stride[0] / 2]


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
        "colorbar": {"tickformat": _percents(high - low) if name == "probability" else ".3~s"},
        "customdata": None,
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
    shares = (f"{100 * share:.1f} %" if np.isfinite(share) else "" for share in maps.label_probability.ravel().tolist())
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
        what, without = f"probability of {maps.name(_number(maps.target))}", f"{100 * (before.probability or 0):.1f} %"
    else:
        what, without = "most probable class", maps.name(_number(before.label))
    return [f"<b>{escape(what)}</b>", f"by the patch's place; without a patch {escape(without)}"]


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


def _layout() -> Mapping[str, Any]:
    axis = {**AXIS, "constrain": "domain", "showgrid": False}
    return {
        **LAYOUT,
        "margin": {"l": 8, "r": 8, "t": 64, "b": 8},
        "title": {"text": "", "font": {"size": 11}, "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "pad": {"t": 14}},
        "xaxis": {**axis, "title": {"text": "column of the patch's centre, px", "standoff": 6}},
        "yaxis": {**axis, "constraintoward": "top", "scaleanchor": "x", "title": {"text": "row, px", "standoff": 6}},
    }
