"""Units of one or several layers as one HTML file that works without a kernel: layers, order, class filter, enlarged tiles, photographs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from deconvwidgets.display import Rgb, decode_image
from deconvwidgets.figures.html_page import html_page
from deconvwidgets.figures.page_images import Quality, encode_to_fit
from deconvwidgets.instruments.layers.figures.sheet import RULE_NAMES, FigureSheet, UnitPanel
from deconvwidgets.instruments.layers.records import SourceImage
from deconvwidgets.records.quantity import format_percent

_FOLDER = Path(__file__).parent
# The share of the three kinds is by what they are looked at for: projections lose most by compression.
_STEPS = tuple(
    {"projections": Quality(projections), "patches": Quality(patches), "photographs": Quality(photographs, side)}
    for projections, patches, photographs, side in (
        (92, 90, 85, 480), (86, 84, 80, 360), (80, 78, 75, 300), (74, 72, 70, 240), (68, 66, 62, 200), (60, 58, 55, 180),
        (52, 50, 50, 160), (42, 42, 42, 140), (32, 32, 32, 120), (20, 20, 25, 96),
    )
)  # fmt: skip


def live_page(sheet: FigureSheet) -> bytes:
    """Return the page of the units of a sheet. Each photograph and each mosaic is stored once."""
    photographs = _Photographs()
    layers = [_layer(sheet, layer, panels, photographs) for layer, panels in sheet.rows()]
    shown = [panel for _, panels in sheet.rows() for panel in panels if panel.count]
    groups = {
        "projections": [panel.projections for panel in shown],
        "patches": [panel.patches for panel in shown],
        "photographs": photographs.pixels(),
    }
    mosaics = {(panel.layer, panel.unit): number for number, panel in enumerate(shown)}
    for layer in layers:
        for unit in layer["units"]:
            unit["mosaic"] = mosaics.get((layer["id"], unit["unit"]))
    first = next(iter(shown), None)
    data = {
        "layers": layers,
        "images": encode_to_fit(groups, _STEPS),
        "mosaic": None if first is None else {"grid": first.grid, "tile": first.tile, "gap": first.gap, "side": first.side},
        "rule": RULE_NAMES[sheet.rule],
        "items": f"{sheet.image_unit}s",
    }
    style, script, body = ((_FOLDER / name).read_text("utf-8") for name in ("live_page.css", "live_page.js", "live_page.html"))
    return html_page(sheet.title(), sheet.geometry(), body, sheet.caption(), style, script, data)


class _Photographs:
    """Photographs, each once."""

    def __init__(self) -> None:
        self._images: dict[bytes, int] = {}

    def add(self, source: SourceImage) -> int:
        """Return the number of a photograph."""
        return self._images.setdefault(source.image.data, len(self._images))

    def pixels(self) -> list[Rgb]:
        """Return the photographs in the order of their numbers."""
        return [decode_image(data) for data in self._images]


def _layer(sheet: FigureSheet, layer: str, panels: list[UnitPanel], photographs: _Photographs) -> dict[str, Any]:
    units = [_unit(panel, photographs) for panel in panels]
    return {"id": layer, "name": sheet.layer_info(layer).name, "geometry": sheet.geometry(layer), "units": units}


def _unit(panel: UnitPanel, photographs: _Photographs) -> dict[str, Any]:
    """Return what the page shows of a unit. Labels are counted as in the widget: by the strongest activations."""
    detail = panel.detail
    entries = () if detail is None else detail.entries
    labels = Counter(entry.label for entry in entries if entry.label)
    return {
        "unit": panel.unit,
        "maximum": None if detail is None else detail.maximum,
        "mean": None if detail is None else detail.mean,
        "selectivity": None if detail is None else detail.selectivity,
        "rate": None if detail is None else detail.activation_rate,
        "active": "an unknown share" if detail is None else format_percent(detail.activation_rate),
        "summary": panel.summary(),
        "labels": [[name, count] for name, count in labels.most_common()],
        "entries": [
            {
                "value": entry.value,
                "label": entry.label,
                "text": panel.describe(rank),
                **_photograph(panel, rank, photographs),
            }
            for rank, entry in enumerate(entries)
        ],
    }


def _photograph(panel: UnitPanel, rank: int, photographs: _Photographs) -> dict[str, Any]:
    if rank >= len(panel.sources):
        return {"photograph": None, "box": None}
    source = panel.sources[rank]
    box = None if source.box is None else [round(edge, 4) for edge in source.box]
    return {"photograph": photographs.add(source), "box": box}
