"""The style of all charts: on the background of the page, in a gray that can be read on white and on near black."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
