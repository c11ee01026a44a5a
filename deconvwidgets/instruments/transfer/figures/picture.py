"""The results of a run as a drawing, which is also the static image of a TransferPanel."""

from __future__ import annotations

import math
from collections.abc import Sequence

from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, Tone, shorten, text_width, wrap
from deconvwidgets.instruments.transfer.figures.confusion import confusion_pixels
from deconvwidgets.instruments.transfer.figures.sheet import ClassResult, TransferSheet

_WIDTH, _EDGE = 1200.0, 24.0
_LEFT, _MIDDLE, _RIGHT = 24.0, 392.0, 852.0  # the columns
_COLUMN = 324.0
_MATRIX = 420.0
_BEST, _WORST = 6, 10  # number of classes
_MAX_FOLDS = 10  # folds are listed up to this number


def transfer_drawing(sheet: TransferSheet) -> Drawing:
    """Return accuracy, results of the paper, folds and learning curve on the left; the confusion matrix; the best and worst classes."""
    drawing = Drawing(_WIDTH)
    title = shorten(sheet.title(), 17, 760)
    drawing.add(Text(_EDGE, 34, title, 17, strong=True))
    after = _EDGE + text_width(title, 17, strong=True) + 16
    drawing.add(Text(after, 34, shorten(sheet.subtitle(), 13, _WIDTH - _EDGE - after), 13, "quiet"), Rectangle(0, 50, _WIDTH, 1, "line"))
    bottom = max(_numbers(drawing, sheet, 70), _matrix(drawing, sheet, 70), _classes(drawing, sheet, 70))
    for x in (_MIDDLE - 22, _RIGHT - 18):
        drawing.add(Rectangle(x, 50, 1, bottom - 50, "line"))
    drawing.add(Rectangle(0, bottom, _WIDTH, 1, "line"))
    baseline = bottom + 20
    for line in wrap(sheet.caption(), 12, _WIDTH - 2 * _EDGE):
        drawing.add(Text(_EDGE, baseline, line, 12, "quiet"))
        baseline += 17
    drawing.height = math.ceil(baseline + 4)
    return drawing


def _numbers(drawing: Drawing, sheet: TransferSheet, y: float) -> float:
    run = sheet.results.summary
    drawing.add(Text(_LEFT, y + 36, sheet.headline(), 42, strong=True), Text(_LEFT, y + 60, sheet.progress(), 13, "quiet"))
    y += 64
    for line in wrap(sheet.calibration(), 12, _COLUMN):
        drawing.add(Text(_LEFT, y + 14, line, 12, "quiet"))
        y += 16
    y += 18
    y = _bar(drawing, y, "this run", 100 * (run.mean or 0.0), sheet.headline(), "accent")
    for row in run.paper:
        std = f" ± {row.std:.1f}" if row.std is not None else ""
        y = _bar(drawing, y, row.description, row.mean, f"{row.mean:.1f}{std}%", "soft")
    if 1 < len(run.per_fold) <= _MAX_FOLDS:
        y = _heading(drawing, _LEFT, y + 10, "Folds")
        for number, (accuracy, decay) in enumerate(zip(run.per_fold, run.weight_decays, strict=True), 1):
            y = _line(drawing, y, f"{number} (weight decay {decay:g})", 100 * accuracy)
    if run.curve is not None:
        y = _heading(drawing, _LEFT, y + 10, "By training images per class")
        for count, mean in zip(run.curve.images_per_class, run.curve.means, strict=True):
            y = _line(drawing, y, f"{count}", 100 * mean)
    return y + 10


def _bar(drawing: Drawing, y: float, text: str, percent: float, value: str, tone: Tone) -> float:
    """Add a text and a value above a bar of the length of an accuracy; return the lower edge."""
    available = _COLUMN - text_width(value, 13) - 12
    drawing.add(Text(_LEFT, y + 11, shorten(text, 12.5, available), 12.5), Text(_LEFT + _COLUMN, y + 11, value, 13, anchor="end"))
    drawing.add(Rectangle(_LEFT, y + 18, _COLUMN, 6, "line"), Rectangle(_LEFT, y + 18, max(_COLUMN * percent / 100, 1.0), 6, tone))
    return y + 34


def _line(drawing: Drawing, y: float, text: str, percent: float) -> float:
    """Add a text, a bar of the length of an accuracy, and its value on one line; return the lower edge."""
    bar = 130.0
    left = _LEFT + _COLUMN - bar - 54
    drawing.add(Text(_LEFT, y + 11, shorten(text, 12, left - _LEFT - 8), 12, "quiet"), Rectangle(left, y + 4, bar, 6, "line"))
    drawing.add(Rectangle(left, y + 4, max(bar * percent / 100, 1.0), 6, "accent"))
    drawing.add(Text(_LEFT + _COLUMN, y + 11, f"{percent:.1f}%", 12, anchor="end"))
    return y + 18


def _heading(drawing: Drawing, x: float, y: float, text: str) -> float:
    drawing.add(Text(x, y + 12, text, 13, strong=True))
    return y + 22


def _matrix(drawing: Drawing, sheet: TransferSheet, y: float) -> float:
    y = _heading(drawing, _MIDDLE, y - 4, "Confusion matrix")
    pixels = confusion_pixels(sheet.results.confusion, int(_MATRIX))
    side = min(float(len(pixels)), _MATRIX)
    drawing.add(Raster(_MIDDLE, y, side, side, pixels, photograph=False), Rectangle(_MIDDLE - 1, y - 1, side + 2, side + 2, "line", 1.0))
    legend = "Rows: true class. Columns: predicted class. Blue: correct. Red: mistakes, on a square-root scale."
    y += side + 2
    for line in wrap(legend, 12, _MATRIX):
        drawing.add(Text(_MIDDLE, y + 16, line, 12, "quiet"))
        y += 16
    return y + 12


def _classes(drawing: Drawing, sheet: TransferSheet, y: float) -> float:
    worst, ranked = sheet.worst(_WORST), sheet.ranked()
    best = ranked[: max(1, min(_BEST + _WORST - len(worst), len(ranked) - len(worst)))]
    y = _class_list(drawing, _heading(drawing, _RIGHT, y - 4, "Worst classes and their most frequent mistakes"), worst)
    return _class_list(drawing, _heading(drawing, _RIGHT, y + 8, "Best classes"), best)


def _class_list(drawing: Drawing, y: float, classes: Sequence[ClassResult]) -> float:
    width = _WIDTH - _EDGE - _RIGHT
    for result in classes:
        drawing.add(Rectangle(_RIGHT, y + 4, 60, 6, "line"), Rectangle(_RIGHT, y + 4, max(60 * result.accuracy, 1.0), 6, "accent"))
        drawing.add(Text(_RIGHT + 104, y + 11, f"{100 * result.accuracy:.0f}%", 12, anchor="end"))
        name = shorten(result.name, 12, width - 116)
        drawing.add(Text(_RIGHT + 116, y + 11, name, 12))
        left = _RIGHT + 116 + text_width(name, 12) + 4
        if result.times and left < _WIDTH - _EDGE - 60:
            mistake = f"{result.times} x {result.mistake}"
            drawing.add(Text(left + 4, y + 11, shorten(mistake, 12, _WIDTH - _EDGE - left - 4), 12, "quiet"))
        y += 20
    return y + 6
