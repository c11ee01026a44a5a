"""The title above a drawing, and the caption below it."""

from __future__ import annotations

import math

from deconvwidgets.figures.drawing import Drawing, Rectangle, Text, shorten, text_width, wrap

EDGE = 24.0  # the margin
_TITLE, _SUBTITLE, _CAPTION = 17.0, 13.0, 12.0  # font sizes
_TITLE_WIDTH = 760.0  # at most, so that a subtitle has room


def add_title(drawing: Drawing, title: str, subtitle: str) -> None:
    """Add a title with a subtitle beside it, and a line below them at 50."""
    title = shorten(title, _TITLE, _TITLE_WIDTH)
    after = EDGE + text_width(title, _TITLE, strong=True) + 16
    drawing.add(
        Text(EDGE, 34, title, _TITLE, strong=True),
        Text(after, 34, shorten(subtitle, _SUBTITLE, drawing.width - EDGE - after), _SUBTITLE, "quiet"),
        Rectangle(0, 50, drawing.width, 1, "line"),
    )


def add_caption(drawing: Drawing, y: float, caption: str, font_margin: float = 1.0) -> None:
    """Add a caption in several lines below `y`, and end the drawing there.

    `font_margin` is the factor by which a viewer's font may be wider, as in an SVG.
    """
    baseline = y + 20
    for line in wrap(caption, _CAPTION, (drawing.width - 2 * EDGE) / font_margin):
        drawing.add(Text(EDGE, baseline, line, _CAPTION, "quiet"))
        baseline += 17
    drawing.height = math.ceil(baseline + 4)
