"""The static image of a LayerExplorer: layers, units, and the chosen unit."""

from __future__ import annotations

import math

from deconvwidgets.figures.drawing import Drawing, Rectangle, Text, Tone, shorten, text_width
from deconvwidgets.instruments.layers.figures.layout import PAIR_GAP, draw_details, draw_mosaics, draw_pair
from deconvwidgets.instruments.layers.figures.sheet import RULE_NAMES, FigureSheet

_ROW, _COMPACT_ROW = 52.0, 21.0  # heights of an entry of the list of layers


def explorer_figure(sheet: FigureSheet) -> Drawing:
    """Return the static image of a LayerExplorer: layers on the left, units in the middle, the chosen unit on the right."""
    drawing = Drawing(1200.0)
    overview, chosen, chosen_side = sheet.overview, sheet.unit, 176.0
    drawing.add(Text(20, 32, overview.label, 17, strong=True))
    line = f"{sheet.layer} · {sheet.geometry()} · top {overview.k} of {overview.photographs:,} photographs · {RULE_NAMES[sheet.rule]}"
    left = 20 + text_width(overview.label, 17, strong=True) + 14
    drawing.add(Text(left, 32, shorten(line, 13, 1180 - left), 13, "quiet"), Rectangle(0, 48, 1200, 1, "line"))
    side, size = 152.0, 13.0
    panels = sheet.panels[:6]
    for position, panel in enumerate(panels):
        row, column = divmod(position, 2)
        draw_pair(drawing, panel, str(panel.unit), (168 + column * (2 * side + PAIR_GAP + 16), 62 + row * (side + 32)), side, size)
    right = 168 + 2 * (2 * side + PAIR_GAP + 16) + 8
    drawing.add(Text(right, 76, f"unit {chosen.unit}", 15, strong=True))
    after = right + text_width(f"unit {chosen.unit}", 15, strong=True) + 14
    drawing.add(Text(after, 76, shorten(chosen.summary(), 12, 1180 - after), 12, "quiet"))
    draw_mosaics(drawing, chosen, right, 90, chosen_side)
    bottom = draw_details(drawing, sheet, chosen, right, 90 + chosen_side + 14, 1180 - right, beside=True)
    height = max(bottom, 62 + math.ceil(len(panels) / 2) * (side + 32)) + 8
    _layers(drawing, sheet, (20, 62), height - 4)
    drawing.add(
        Rectangle(156, 48, 1, height - 48, "line"), Rectangle(right - 12, 48, 1, height - 48, "line"), Rectangle(0, height, 1200, 1, "line")
    )
    shown = f"Static image: run the notebook for the interactive widget. In the middle: {sheet.selection}."
    drawing.add(Text(20, height + 22, shorten(shown, 12, 760), 12, "quiet"))
    scaled = "Each tile is scaled" if sheet.contrast == "tile" else "The tiles of a unit are scaled together"
    drawing.add(Text(1180, height + 22, f"Mid-gray is zero. {scaled} by 2.5 standard deviations.", 12, "quiet", anchor="end"))
    drawing.height = math.ceil(height + 36)
    return drawing


def _layers(drawing: Drawing, sheet: FigureSheet, corner: tuple[float, float], bottom: float) -> None:
    """Add the list of layers, each with a bar proportional to its number of units; where they are many, in one line each, or only some."""
    x, y = corner
    max_units = max((summary.info.channels for summary in sheet.layers), default=1)
    entries = list(zip(sheet.layers, sheet.layer_names(), strict=True))
    row = _ROW if len(entries) * _ROW <= bottom - y else _COMPACT_ROW
    current = next((index for index, (summary, _) in enumerate(entries) if summary.has_name(sheet.layer)), 0)
    shown = visible_rows(len(entries), current, int((bottom - y) // row))
    if left_out := len(entries) - len(shown):
        drawing.add(Text(x, bottom - 4, f"and {left_out} more layers", 12, "quiet"))
    for index in shown:
        summary, name = entries[index]
        info = summary.info
        colour: Tone = "accent" if index == current else "ink"
        units = f"{info.channels} units" + (f" · {summary.dead} dead" if summary.dead else "")
        filled = Rectangle(x, y, 120 * info.channels / max_units, 2.5, "accent" if index == current else "soft")
        drawing.add(Rectangle(x, y, 120, 2.5, "line"), filled)
        if row == _ROW:
            drawing.add(Text(x, y + 19, shorten(name, 13.5, 120), 13.5, colour, strong=True))
            drawing.add(Text(x, y + 35, shorten(units, 12, 126), 12, "quiet"))
        else:
            drawing.add(Text(x, y + 15, shorten(name, 12, 90), 12, colour, strong=True))
            drawing.add(Text(x + 120, y + 15, str(info.channels), 11, "quiet", anchor="end"))
        y += row


def visible_rows(count: int, current: int, fit: int) -> range:
    """Return which of `count` rows are shown where only `fit` fit: those around the current one, and one row for the others' number."""
    if count <= fit:
        return range(count)
    fit = max(1, fit - 1)
    first = min(max(0, current - fit // 2), count - fit)
    return range(first, first + fit)
