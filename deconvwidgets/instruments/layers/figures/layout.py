"""The layout of the figures: a layer (Zeiler & Fergus 2014, figure 2), and one unit."""

from __future__ import annotations

import math

from deconvwidgets.display import decode_image
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten, text_width, wrap
from deconvwidgets.instruments.layers.figures.sheet import RULE_NAMES, FigureSheet, UnitPanel
from deconvwidgets.records.quantity import format_percent

MARGIN = 28.0
PAIR_GAP = 4.0  # between a unit's projections and its patches
LINE = 1.45  # line height as a multiple of the font size


def layer_figure(sheet: FigureSheet) -> Drawing:
    """Return the figure of a layer: each unit's projections beside its patches, above its number and strongest activation."""
    side = float(sheet.panels[0].side if sheet.panels else 160)
    columns = _columns(len(sheet.panels))
    size = max(12.0, round(side / 13))
    pair = 2 * side + PAIR_GAP
    column_gap, label = round(size * 1.5), round(size * 2.3)
    drawing = Drawing(2 * MARGIN + columns * pair + (columns - 1) * column_gap)
    top = draw_heading(drawing, sheet.title(), sheet.geometry(), size)
    for position, panel in enumerate(sheet.panels):
        row, column = divmod(position, columns)
        left, upper = MARGIN + column * (pair + column_gap), top + row * (side + label)
        draw_pair(drawing, panel, sheet.unit_name(panel), (left, upper), side, size)
    bottom = top + math.ceil(len(sheet.panels) / columns) * (side + label)
    draw_caption(drawing, sheet.caption(), bottom + size * 0.6, size)
    return drawing


def _columns(count: int) -> int:
    """Return the number of columns that makes the grid about square: a pair of mosaics is twice as wide as high."""
    return max(1, min(count, 4, math.ceil(math.sqrt(count))))


def draw_heading(drawing: Drawing, title: str, subtitle: str, size: float) -> float:
    """Add title and subtitle, on one line if they fit; return the top of the figure below them."""
    title_size = size * 1.4
    baseline = MARGIN + title_size
    drawing.add(Text(MARGIN, baseline, title, title_size, strong=True))
    left = MARGIN + text_width(title, title_size, strong=True) + size
    available = drawing.width - MARGIN - left
    if available > text_width(subtitle, size) * 1.05:
        drawing.add(Text(left, baseline, subtitle, size, "quiet"))
        return round(baseline + size)
    baseline += size * LINE
    drawing.add(Text(MARGIN, baseline, shorten(subtitle, size, drawing.width - 2 * MARGIN), size, "quiet"))
    return round(baseline + size)


def draw_pair(drawing: Drawing, panel: UnitPanel, name: str, corner: tuple[float, float], side: float, size: float) -> None:
    """Add a unit's mosaics of `side` pixels, with their upper left corner at `corner`, above its name and strongest activation."""
    x, y = corner
    draw_mosaics(drawing, panel, x, y, side)
    baseline = y + side + size * 1.25
    drawing.add(Text(x, baseline, name, size, strong=True))
    left = x + text_width(name, size, strong=True) + size * 0.7
    drawing.add(Text(left, baseline, shorten(panel.summary(), size, x + 2 * side + PAIR_GAP - left), size, "quiet"))


def draw_mosaics(drawing: Drawing, panel: UnitPanel, x: float, y: float, side: float) -> None:
    """Add projections and patches, or two empty frames for a dead unit."""
    if panel.count == 0:
        drawing.add(Rectangle(x, y, side, side, "line", 1.0), Rectangle(x + side + PAIR_GAP, y, side, side, "line", 1.0))
        return
    details = "\n".join(filter(None, (panel.describe(rank) for rank in range(panel.count))))
    drawing.add(
        Raster(x, y, side, side, panel.projections, photograph=False, title=f"unit {panel.unit}, projections\n{details}"),
        Raster(x + side + PAIR_GAP, y, side, side, panel.patches, photograph=True, title=f"unit {panel.unit}, patches\n{details}"),
    )
    _gaps(drawing, panel, x, y, side)
    _gaps(drawing, panel, x + side + PAIR_GAP, y, side)


def _gaps(drawing: Drawing, panel: UnitPanel, x: float, y: float, side: float) -> None:
    """Add white lines between the tiles, at least one pixel wide: adjacent tiles may have the same gray at their edges."""
    scale = side / panel.side
    width = max(1.0, panel.gap * scale)
    for line in range(1, panel.grid):
        offset = (line * (panel.tile + panel.gap) - panel.gap) * scale
        drawing.add(Rectangle(x + offset, y, width, side, "paper"), Rectangle(x, y + offset, side, width, "paper"))


def draw_caption(drawing: Drawing, text: str, top: float, size: float) -> None:
    """Add the caption below the figure, and set the height of the drawing."""
    small = max(11.0, size * 0.85)
    baseline = top + small
    for line in wrap(text, small, (drawing.width - 2 * MARGIN) * 0.97):
        drawing.add(Text(MARGIN, baseline, line, small, "quiet"))
        baseline += small * LINE
    drawing.height = math.ceil(baseline - small * LINE + MARGIN)


def unit_figure(sheet: FigureSheet) -> Drawing:
    """Return the figure of one unit: enlarged mosaics, values and labels, the histogram, and the photograph of the strongest activation."""
    panel = sheet.unit
    scale = max(1.0, 132.0 / panel.tile)
    side = round(panel.side * scale)
    size = 15.0
    drawing = Drawing(2 * MARGIN + 2 * side + 3 * PAIR_GAP + 300)
    top = draw_heading(drawing, f"{sheet.title()} · unit {panel.unit}", panel.summary(), size)
    projections = Text(MARGIN, top + 4, f"Projections ({RULE_NAMES[sheet.rule]})", 13, "quiet")
    drawing.add(projections, Text(MARGIN + side + PAIR_GAP, top + 4, "Patches", 13, "quiet"))
    top += 14
    draw_mosaics(drawing, panel, MARGIN, top, side)
    left = MARGIN + 2 * side + PAIR_GAP + 24
    bottom = draw_details(drawing, sheet, panel, left, top + 2, drawing.width - MARGIN - left)
    draw_caption(drawing, sheet.caption(f"unit {panel.unit} of {sheet.info.channels}"), max(top + side, bottom) + 14, size)
    return drawing


def draw_details(drawing: Drawing, sheet: FigureSheet, panel: UnitPanel, x: float, y: float, width: float, beside: bool = False) -> float:
    """Add a unit's values and labels, its histogram, and the photograph below or `beside` the labels; return the lower edge."""
    end = top = y
    if panel.detail is not None:
        available = width * 0.5 - 10 if beside else width
        for entry in panel.detail.entries:
            name = shorten(entry.label or entry.source, 13, available - 44)
            drawing.add(Text(x + 34, y + 11, f"{entry.value:.1f}", 13, anchor="end"), Text(x + 44, y + 11, name, 13, "quiet"))
            y += 19
        y += 10
    if beside:
        end = _photograph(drawing, sheet, x + width * 0.5, top, width * 0.5) + 4
    y = _histogram(drawing, panel, sheet.image_unit, x, max(y, end), width)
    return y if beside else _photograph(drawing, sheet, x, y + 6, width)


def _histogram(drawing: Drawing, panel: UnitPanel, item: str, x: float, y: float, width: float) -> float:
    """Add the histogram of the maximum activation per crop or photograph (`item`), on a square-root scale since most are small."""
    detail = panel.detail
    if detail is None or not any(detail.histogram):
        return y
    height, gap = 48.0, 1.0
    step = width / len(detail.histogram)
    highest = math.sqrt(max(detail.histogram))
    drawing.add(Text(x, y + 10, f"active in {format_percent(detail.activation_rate)} of {sum(detail.histogram):,} {item}s", 12, "quiet"))
    drawing.add(Text(x, y + 26, f"maximum activation per {item}, square-root scale", 12, "quiet"))
    base = y + 34 + height
    for position, crops in enumerate(detail.histogram):
        bar = height * math.sqrt(crops) / highest
        if bar > 0:
            drawing.add(Rectangle(x + position * step, base - max(bar, 1.0), max(step - gap, 1.0), max(bar, 1.0), "soft"))
    low, high = f"{detail.edges[0]:.0f}", f"{detail.edges[-1]:.0f}"
    drawing.add(Text(x, base + 13, low, 12, "quiet"), Text(x + width, base + 13, high, 12, "quiet", anchor="end"))
    return base + 22


def _photograph(drawing: Drawing, sheet: FigureSheet, x: float, y: float, available: float) -> float:
    """Add the photograph of the strongest activation, with its receptive field; return the lower edge."""
    source = sheet.source
    if source is None:
        return y
    scale = min(available / source.image.width, 200.0 / source.image.height)
    width, height = source.image.width * scale, source.image.height * scale
    drawing.add(Raster(x, y, width, height, decode_image(source.image.data), photograph=True, title=source.caption))
    if source.box is not None:
        left, upper, right, lower = (min(max(edge, 0.0), 1.0) for edge in source.box)
        left, upper, box_width, box_height = x + left * width, y + upper * height, (right - left) * width, (lower - upper) * height
        drawing.add(Rectangle(left - 1, upper - 1, box_width + 2, box_height + 2, "paper", 4.0))  # visible on dark and bright photographs
        drawing.add(Rectangle(left, upper, box_width, box_height, "accent", 2.0))
    drawing.add(Text(x, y + height + 15, shorten(source.caption, 12, available), 12, "quiet"))
    return y + height + 22
