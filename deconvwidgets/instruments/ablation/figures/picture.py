"""The table of an ablation study as a drawing, which is also the static image of an AblationPanel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deconvwidgets.figures.drawing import Drawing, Polyline, Rectangle, Text, shorten
from deconvwidgets.figures.drawing_frame import EDGE, add_caption, add_title
from deconvwidgets.instruments.ablation.figures.texts import (
    caption,
    difference_text,
    error_text,
    paper_text,
    parameters_text,
    speed_text,
    subtitle,
    title,
)
from deconvwidgets.instruments.ablation.records import AblationRow, AblationTable, Difference

_WIDTH, _TOP, _ROW = 1200.0, 96.0, 38.0
_PLOT = 160.0  # the width of the plot of differences
_LEAST = 0.01  # half of the width of the plot, as a difference of errors


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    x: float
    width: float
    text: Callable[[AblationRow], str]


_COLUMNS = (
    _Column("Parameters", 280, 94, lambda row: parameters_text(row.variant.parameters)),
    _Column("Train error", 376, 100, lambda row: error_text(row.train_error)),
    _Column("Top-1 error", 480, 100, lambda row: error_text(row.top1_error)),
    _Column("Top-5 error", 584, 100, lambda row: error_text(row.top5_error)),
    _Column("Images/s", 688, 60, lambda row: speed_text(row.images_per_second)),
    _Column("Top-1, difference", 752, 136, lambda row: difference_text(row.top1_difference)),
)
_PLOT_X = 910.0
_PAPER = _Column("Paper, top-1", 1094, 88, paper_text)


def ablation_drawing(table: AblationTable) -> Drawing:
    """Return the variants with their errors, and a plot of the differences to the baseline."""
    drawing = Drawing(_WIDTH)
    add_title(drawing, title(table), subtitle(table))
    has_paper = any(row.variant.paper is not None for row in table.rows)
    columns = (*_COLUMNS, _PAPER) if has_paper else _COLUMNS
    for column in columns:
        drawing.add(Text(column.x, 76, column.title, 12, "quiet"))
    bottom = _TOP + _ROW * len(table.rows)
    scale = _scale(table)
    centre = _PLOT_X + _PLOT / 2
    drawing.add(Polyline(((centre, _TOP - 14), (centre, bottom - 8)), "quiet", 1.0, dashed=True))
    for place, text in ((_PLOT_X, f"−{100 * scale:.0f}"), (centre, "0"), (_PLOT_X + _PLOT, f"+{100 * scale:.0f}")):
        drawing.add(Text(place - 8, 76, text, 12, "quiet"))
    for number, row in enumerate(table.rows):
        y = _TOP + _ROW * number
        drawing.add(Rectangle(EDGE, y - 16, _WIDTH - 2 * EDGE, 1, "line"))
        _add_name(drawing, y, row, row.variant.name == table.baseline)
        for column in columns:
            drawing.add(Text(column.x, y + 8, shorten(column.text(row), 13, column.width), 13))
        if row.top1_difference is not None:
            _add_interval(drawing, y + 4, row.top1_difference, scale)
    add_caption(drawing, bottom, caption(table))
    return drawing


def _add_name(drawing: Drawing, y: float, row: AblationRow, baseline: bool) -> None:
    about = row.variant.description if row.variant.description != row.variant.name else ""
    about = ", ".join(part for part in (about, "baseline" if baseline else "", *row.variant.surgery) if part)
    width = _COLUMNS[0].x - EDGE - 10
    drawing.add(Text(EDGE, y + (1 if about else 8), shorten(row.variant.name, 13, width), 13, strong=True))
    if about:
        drawing.add(Text(EDGE, y + 16, shorten(about, 11, width), 11, "quiet"))


def _add_interval(drawing: Drawing, y: float, difference: Difference, scale: float) -> None:
    """Add a dot at the difference, and a line over its interval, cut off at the edges of the plot."""

    def place(value: float) -> float:
        return _PLOT_X + _PLOT * (0.5 + 0.5 * max(-1.0, min(1.0, value / scale)))

    if difference.interval is not None:
        low, high = map(place, difference.interval)
        drawing.add(Polyline(((low, y), (high, y)), "accent", 2.0))
    drawing.add(Rectangle(place(difference.mean) - 3, y - 3, 6, 6, "accent"))


def _scale(table: AblationTable) -> float:
    """Return the difference at the edge of the plot: of the means and of the intervals, but for those that are much wider."""
    changes = [row.top1_difference for row in table.rows if row.top1_difference is not None]
    means = [abs(change.mean) for change in changes]
    bounds = [abs(bound) for change in changes if change.interval is not None for bound in change.interval]
    widest = min(max(bounds, default=0.0), 3 * max(means, default=0.0) + 0.02)
    return max(_LEAST, *means, widest) * 1.05 if means else _LEAST
