"""Where everything stands: the paper's figure 2 for a layer, one unit large, and the explorer's static picture."""

from __future__ import annotations

import math

from deconvwidgets.display import decode_image
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten, text_width, wrap
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet, UnitPanel

MARGIN = 28.0
PAIR_GAP = 4.0  # between a unit's projections and its patches
LINE = 1.45  # line height as a multiple of the type size


def layer_figure(sheet: FigureSheet) -> Drawing:
    """Figure 2: for each unit the mosaic of projections beside the mosaic of patches, its number and strongest value below."""
    side = float(sheet.panels[0].side if sheet.panels else 160)
    columns = _columns(len(sheet.panels))
    size = max(12.0, round(side / 13))
    pair = 2 * side + PAIR_GAP
    column_gap, label = round(size * 1.5), round(size * 2.3)
    drawing = Drawing(2 * MARGIN + columns * pair + (columns - 1) * column_gap)
    top = _heading(drawing, sheet.title(), sheet.geometry(), size)
    for position, panel in enumerate(sheet.panels):
        row, column = divmod(position, columns)
        _pair(drawing, panel, MARGIN + column * (pair + column_gap), top + row * (side + label), side, size)
    bottom = top + math.ceil(len(sheet.panels) / columns) * (side + label)
    _caption(drawing, sheet.caption(), bottom + size * 0.6, size)
    return drawing


def _columns(count: int) -> int:
    """A grid about as wide as it is high, given that a pair is twice as wide as high."""
    return max(1, min(count, 4, math.ceil(math.sqrt(count))))


def _heading(drawing: Drawing, title: str, subtitle: str, size: float) -> float:
    """Title and subtitle on one line; returns where the figure may start."""
    big = size * 1.4
    baseline = MARGIN + big
    drawing.add(Text(MARGIN, baseline, title, big, strong=True))
    left = MARGIN + text_width(title, big, strong=True) + size
    room = drawing.width - MARGIN - left
    if room > text_width(subtitle, size) * 1.05:
        drawing.add(Text(left, baseline, subtitle, size, "quiet"))
        return round(baseline + size)
    baseline += size * LINE
    drawing.add(Text(MARGIN, baseline, shorten(subtitle, size, drawing.width - 2 * MARGIN), size, "quiet"))
    return round(baseline + size)


def _pair(drawing: Drawing, panel: UnitPanel, x: float, y: float, side: float, size: float) -> None:
    _mosaics(drawing, panel, x, y, side)
    baseline = y + side + size * 1.25
    number = str(panel.unit)
    drawing.add(Text(x, baseline, number, size, strong=True))
    left = x + text_width(number, size, strong=True) + size * 0.7
    drawing.add(Text(left, baseline, shorten(panel.summary(), size, x + 2 * side + PAIR_GAP - left), size, "quiet"))


def _mosaics(drawing: Drawing, panel: UnitPanel, x: float, y: float, side: float) -> None:
    """Projections, then patches; a unit that never fired is an empty frame."""
    if panel.count == 0:
        drawing.add(Rectangle(x, y, side, side, "line", 1.0), Rectangle(x + side + PAIR_GAP, y, side, side, "line", 1.0))
        return
    values = "\n".join(filter(None, (panel.describe(rank) for rank in range(panel.count))))
    drawing.add(
        Raster(x, y, side, side, panel.projections, photograph=False, title=f"unit {panel.unit}, projections\n{values}"),
        Raster(x + side + PAIR_GAP, y, side, side, panel.patches, photograph=True, title=f"unit {panel.unit}, patches\n{values}"),
    )
    _gaps(drawing, panel, x, y, side)
    _gaps(drawing, panel, x + side + PAIR_GAP, y, side)


def _gaps(drawing: Drawing, panel: UnitPanel, x: float, y: float, side: float) -> None:
    """Paper between the tiles: most of a tile at the border of a photograph is grey, like its neighbour."""
    scale = side / panel.side
    thin = max(1.0, panel.gap * scale)
    for line in range(1, panel.grid):
        place = (line * (panel.tile + panel.gap) - panel.gap) * scale
        drawing.add(Rectangle(x + place, y, thin, side, "paper"), Rectangle(x, y + place, side, thin, "paper"))


def _caption(drawing: Drawing, text: str, top: float, size: float) -> None:
    """The caption across the sheet; fixes the sheet's height."""
    small = max(11.0, size * 0.85)
    baseline = top + small
    for line in wrap(text, small, (drawing.width - 2 * MARGIN) * 0.97):
        drawing.add(Text(MARGIN, baseline, line, small, "quiet"))
        baseline += small * LINE
    drawing.height = math.ceil(baseline - small * LINE + MARGIN)


def unit_figure(sheet: FigureSheet) -> Drawing:
    """One unit: its nine large, each with its value and label, the source of the strongest, the histogram."""
    panel = sheet.unit
    scale = max(1.0, 132.0 / panel.tile)
    side = round(panel.side * scale)
    size = 15.0
    drawing = Drawing(2 * MARGIN + 2 * side + 3 * PAIR_GAP + 300)
    top = _heading(drawing, f"{sheet.title()} · unit {panel.unit}", panel.summary(), size)
    left_words, right_words = f"what excited it ({sheet.rule})", "what it saw"
    drawing.add(Text(MARGIN, top + 4, left_words, 13, "quiet"), Text(MARGIN + side + PAIR_GAP, top + 4, right_words, 13, "quiet"))
    top += 14
    _mosaics(drawing, panel, MARGIN, top, side)
    left = MARGIN + 2 * side + PAIR_GAP + 24
    bottom = _facts(drawing, sheet, panel, left, top + 2, drawing.width - MARGIN - left)
    _caption(drawing, sheet.caption(f"unit {panel.unit} of {sheet.info.channels}"), max(top + side, bottom) + 14, size)
    return drawing


def _facts(drawing: Drawing, sheet: FigureSheet, panel: UnitPanel, x: float, y: float, width: float, beside: bool = False) -> float:
    """A unit's nine in words, its histogram and the strongest photograph (below, or `beside` the words); returns the lower end."""
    end = top = y
    if panel.detail is not None:
        room = width * 0.5 - 10 if beside else width
        for entry in panel.detail.entries:
            name = shorten(entry.label or entry.source, 13, room - 44)
            drawing.add(Text(x + 34, y + 11, f"{entry.value:.1f}", 13, anchor="end"), Text(x + 44, y + 11, name, 13, "quiet"))
            y += 19
        y += 10
    if beside:
        end = _source(drawing, sheet, x + width * 0.5, top, width * 0.5) + 4
    y = _histogram(drawing, panel, x, max(y, end), width)
    return y if beside else _source(drawing, sheet, x, y + 6, width)


def _histogram(drawing: Drawing, panel: UnitPanel, x: float, y: float, width: float) -> float:
    """Strongest activation of each view, on a root scale: most views leave a unit almost silent."""
    detail = panel.detail
    if detail is None or not any(detail.histogram):
        return y
    height, gap = 48.0, 1.0
    step = width / len(detail.histogram)
    highest = math.sqrt(max(detail.histogram))
    drawing.add(Text(x, y + 10, f"strongest activation per view · fires in {detail.fires:.0%}", 12, "quiet"))
    base = y + 18 + height
    for position, number in enumerate(detail.histogram):
        tall = height * math.sqrt(number) / highest
        if tall > 0:
            drawing.add(Rectangle(x + position * step, base - max(tall, 1.0), max(step - gap, 1.0), max(tall, 1.0), "soft"))
    low, high = f"{detail.edges[0]:.0f}", f"{detail.edges[-1]:.0f}"
    drawing.add(Text(x, base + 13, low, 12, "quiet"), Text(x + width, base + 13, high, 12, "quiet", anchor="end"))
    return base + 22


def _source(drawing: Drawing, sheet: FigureSheet, x: float, y: float, width: float) -> float:
    """The strongest member's photograph with its receptive field."""
    source = sheet.source
    if source is None:
        return y
    scale = min(width / source.picture.width, 200.0 / source.picture.height)
    wide, high = source.picture.width * scale, source.picture.height * scale
    drawing.add(Raster(x, y, wide, high, decode_image(source.picture.data), photograph=True, title=source.caption))
    if source.box is not None:
        left, upper, right, lower = (min(max(edge, 0.0), 1.0) for edge in source.box)
        left, upper, wide_box, high_box = x + left * wide, y + upper * high, (right - left) * wide, (lower - upper) * high
        drawing.add(Rectangle(left - 1, upper - 1, wide_box + 2, high_box + 2, "paper", 4.0))  # seen on dark and on bright photographs
        drawing.add(Rectangle(left, upper, wide_box, high_box, "accent", 2.0))
    drawing.add(Text(x, y + high + 15, shorten(source.caption, 12, width), 12, "quiet"))
    return y + high + 22


def explorer_figure(sheet: FigureSheet) -> Drawing:
    """The LayerExplorer as a still: layers on the left, units in the middle, the chosen unit on the right."""
    drawing = Drawing(1200.0)
    view, chosen, chosen_side = sheet.overview, sheet.unit, 176.0
    drawing.add(Text(20, 32, view.model, 17, strong=True))
    line = f"{sheet.layer} · {sheet.geometry()} · strongest {view.k} of {view.photographs:,} photographs · {sheet.rule}"
    drawing.add(Text(20 + text_width(view.model, 17, strong=True) + 14, 32, line, 13, "quiet"), Rectangle(0, 48, 1200, 1, "line"))
    _layers(drawing, sheet, 20, 62)
    side, size = 152.0, 13.0
    shown = sheet.panels[:6]
    for position, panel in enumerate(shown):
        row, column = divmod(position, 2)
        _pair(drawing, panel, 168 + column * (2 * side + PAIR_GAP + 16), 62 + row * (side + 32), side, size)
    right = 168 + 2 * (2 * side + PAIR_GAP + 16) + 8
    drawing.add(Text(right, 76, f"unit {chosen.unit}", 15, strong=True))
    after = right + text_width(f"unit {chosen.unit}", 15, strong=True) + 14
    drawing.add(Text(after, 76, shorten(chosen.summary(), 12, 1180 - after), 12, "quiet"))
    _mosaics(drawing, chosen, right, 90, chosen_side)
    bottom = _facts(drawing, sheet, chosen, right, 90 + chosen_side + 14, 1180 - right, beside=True)
    height = max(bottom, 62 + math.ceil(len(shown) / 2) * (side + 32), 62 + 56 * len(view.layers)) + 8
    drawing.add(
        Rectangle(156, 48, 1, height - 48, "line"), Rectangle(right - 12, 48, 1, height - 48, "line"), Rectangle(0, height, 1200, 1, "line")
    )
    drawing.add(Text(20, height + 22, "A still picture: run the notebook to explore.", 12, "quiet"))
    scaling = "Mid-grey is zero. Each tile is" if sheet.contrast == "tile" else "Mid-grey is zero. The nine of a unit are"
    drawing.add(Text(1180, height + 22, f"{scaling} scaled by 2.5 standard deviations.", 12, "quiet", anchor="end"))
    drawing.height = math.ceil(height + 36)
    return drawing


def _layers(drawing: Drawing, sheet: FigureSheet, x: float, y: float) -> None:
    """The network, layer below layer, each with a bar as long as its number of units."""
    most = max((summary.info.channels for summary in sheet.overview.layers), default=1)
    for summary, name in zip(sheet.overview.layers, sheet.layer_names(), strict=True):
        info = summary.info
        here = sheet.layer in (info.alias, info.name)
        drawing.add(Rectangle(x, y, 120, 2.5, "line"), Rectangle(x, y, 120 * info.channels / most, 2.5, "accent" if here else "soft"))
        dead = f" · {summary.dead} dead" if summary.dead else ""
        drawing.add(Text(x, y + 19, shorten(name, 13.5, 120), 13.5, "accent" if here else "ink", strong=True))
        drawing.add(Text(x, y + 35, shorten(f"{info.channels} units{dead}", 12, 126), 12, "quiet"))
        y += 52
