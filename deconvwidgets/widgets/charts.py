"""Charts of a widget's page: plotly.js as the installed plotly has it, figures as JSON, and how every chart looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deconvwidgets.widgets.messages import Answer

if TYPE_CHECKING:
    from plotly import graph_objects as go

# Grey that reads on white and on near black: the page's own background shows through.
GREY, GRID = "#80878e", "rgba(128,135,142,0.18)"
AXIS: Mapping[str, Any] = {"gridcolor": GRID, "zeroline": False, "linecolor": GRID, "automargin": True}
LAYOUT: Mapping[str, Any] = {
    "template": None,
    "autosize": True,
    "height": None,
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": GREY, "size": 11},
    "dragmode": "zoom",
}


def plotly_answer() -> Answer:
    """Return plotly.js, 5 MB of source, for a page that shows its first chart. Buffer: the source."""
    from plotly.offline import get_plotlyjs  # importing plotly takes a second

    return {}, [get_plotlyjs().encode("utf-8")]


def figure_answer(figure: go.Figure) -> Answer:
    """Return a figure for the page to draw. Buffer: its JSON."""
    return {}, [figure.to_json().encode("utf-8")]
