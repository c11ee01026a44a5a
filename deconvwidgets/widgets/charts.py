"""Charts of a page: figures as JSON, plotly.js as the installed plotly contains it, and the common style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deconvwidgets.widgets.messages import Reply, Request

if TYPE_CHECKING:  # importing plotly takes a second
    from plotly import graph_objects as go

# Gray that is legible on white and on near black: the background of the page is visible through the chart.
GRAY, GRID = "#80878e", "rgba(128,135,142,0.18)"
AXIS: Mapping[str, Any] = {"gridcolor": GRID, "zeroline": False, "linecolor": GRID, "automargin": True}
LAYOUT: Mapping[str, Any] = {
    "template": None,
    "autosize": True,
    "height": None,
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": GRAY, "size": 11},
    "dragmode": "zoom",
}


def plotly_reply(service: object, request: Request) -> Reply:
    """Return plotly.js for a page that shows its first chart. Buffer: the source, 5 MB."""
    from plotly.offline import get_plotlyjs

    return {}, [get_plotlyjs().encode("utf-8")]


def figure_reply(figure: go.Figure) -> Reply:
    """Return a figure for the page to draw. Buffer: the figure as JSON."""
    return {}, [figure.to_json().encode("utf-8")]
