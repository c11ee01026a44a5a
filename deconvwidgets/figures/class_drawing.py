"""What the drawings of classifiers share: bars, a confusion matrix, and lists of classes. All return the lower edge of what they add."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.figures.class_results import ClassResult, ranked, worst
from deconvwidgets.figures.confusion import confusion_pixels
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, Tone, shorten, text_width, wrap

_BEST, _WORST = 6, 10  # number of classes


def add_heading(drawing: Drawing, x: float, y: float, text: str) -> float:
    """Add a heading."""
    drawing.add(Text(x, y + 12, text, 13, strong=True))
    return y + 22


def add_lines(drawing: Drawing, x: float, y: float, width: float, text: str) -> float:
    """Add a text in several lines."""
    for line in wrap(text, 12, width):
        drawing.add(Text(x, y + 14, line, 12, "quiet"))
        y += 16
    return y


def add_bar(drawing: Drawing, x: float, y: float, width: float, text: str, percent: float, value: str, tone: Tone) -> float:
    """Add a text and a value above a bar of the length of a percentage."""
    available = width - text_width(value, 13) - 12
    drawing.add(Text(x, y + 11, shorten(text, 12.5, available), 12.5), Text(x + width, y + 11, value, 13, anchor="end"))
    drawing.add(Rectangle(x, y + 18, width, 6, "line"), Rectangle(x, y + 18, max(width * percent / 100, 1.0), 6, tone))
    return y + 34


def add_matrix(drawing: Drawing, x: float, y: float, side: float, confusion: NDArray[np.int64], legend: str) -> float:
    """Add a confusion matrix (rows, columns) with a legend below."""
    y = add_heading(drawing, x, y - 4, "Confusion matrix")
    pixels = confusion_pixels(confusion, int(side))
    width, height = (min(float(length), side * length / max(pixels.shape[:2])) for length in (pixels.shape[1], pixels.shape[0]))
    drawing.add(Raster(x, y, width, height, pixels, photograph=False), Rectangle(x - 1, y - 1, width + 2, height + 2, "line", 1.0))
    y += height + 2
    for line in wrap(legend, 12, side):
        drawing.add(Text(x, y + 16, line, 12, "quiet"))
        y += 16
    return y + 12


def add_classes(drawing: Drawing, x: float, y: float, width: float, results: Sequence[ClassResult], what: str = "classes") -> float:
    """Add the worst classes with their most frequent mistakes, and the best ones."""
    bad, order = worst(results, _WORST), ranked(results)
    best = order[: max(1, min(_BEST + _WORST - len(bad), len(order) - len(bad)))]
    mistakes = " and their most frequent mistakes" if any(result.times for result in bad) else ""
    y = _class_list(drawing, x, add_heading(drawing, x, y - 4, f"Worst {what}{mistakes}"), width, bad)
    return _class_list(drawing, x, add_heading(drawing, x, y + 8, f"Best {what}"), width, best)


def _class_list(drawing: Drawing, x: float, y: float, width: float, classes: Sequence[ClassResult]) -> float:
    for result in classes:
        drawing.add(Rectangle(x, y + 4, 60, 6, "line"), Rectangle(x, y + 4, max(60 * result.accuracy, 1.0), 6, "accent"))
        drawing.add(Text(x + 104, y + 11, f"{100 * result.accuracy:.0f}%", 12, anchor="end"))
        name = shorten(result.name, 12, width - 116)
        drawing.add(Text(x + 116, y + 11, name, 12))
        left = x + 116 + text_width(name, 12) + 4
        if result.times and left < x + width - 60:
            mistake = f"{result.times} x {result.mistake}"
            drawing.add(Text(left + 4, y + 11, shorten(mistake, 12, x + width - left - 4), 12, "quiet"))
        y += 20
    return y + 6
