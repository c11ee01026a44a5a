"""The figure of several layers, one row of units each, for a lecture."""

from __future__ import annotations

from deconvwidgets.figures.drawing import Drawing, Rectangle, Text, shorten, wrap
from deconvwidgets.instruments.layers.figures.layout import MARGIN, PAIR_GAP, draw_caption, draw_heading, draw_pair
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet

_LABEL = 11.5  # width of the column of layer names, in font sizes


def all_layers_figure(sheet: FigureSheet) -> Drawing:
    """Return the rows of a sheet of several layers: the layer's name and geometry on the left, its units beside it."""
    rows = sheet.rows()
    side = float(max((panel.side for panel in sheet.panels), default=150))
    size = max(13.0, round(side / 12))
    pair, gap, label = 2 * side + PAIR_GAP, round(size * 1.5), round(size * _LABEL)
    columns = max((len(panels) for _, panels in rows), default=1)
    drawing = Drawing(2 * MARGIN + label + columns * pair + (columns - 1) * gap)
    top = draw_heading(drawing, sheet.title(), sheet.geometry(), size)
    step = side + size * 2.6
    for number, (layer, panels) in enumerate(rows):
        y = top + number * step
        drawing.add(Rectangle(MARGIN, y - size * 0.45, drawing.width - 2 * MARGIN, 1, "line"))
        _label(drawing, sheet, layer, y, size, label - gap)
        for column, panel in enumerate(panels):
            draw_pair(drawing, panel, str(panel.unit), (MARGIN + label + column * (pair + gap), y), side, size)
    draw_caption(drawing, sheet.caption(), top + len(rows) * step + size * 0.4, size)
    return drawing


def _label(drawing: Drawing, sheet: FigureSheet, layer: str, y: float, size: float, width: float) -> None:
    """Add the name of a layer above the lines of its geometry."""
    drawing.add(Text(MARGIN, y + size * 1.4, shorten(layer, size * 1.4, width), size * 1.4, strong=True))
    lines = [line for part in sheet.geometry(layer).split(" · ") for line in wrap(part, size * 0.9, width)]
    for number, line in enumerate(lines):
        drawing.add(Text(MARGIN, y + size * (3.0 + 1.4 * number), line, size * 0.9, "quiet"))
