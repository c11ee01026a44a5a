"""The results of a run as a drawing, which is also the static image of a TransferPanel."""

from __future__ import annotations

from deconvwidgets.figures.class_drawing import add_bar, add_classes, add_heading, add_lines, add_matrix
from deconvwidgets.figures.drawing import Drawing, Rectangle, Text, shorten
from deconvwidgets.figures.drawing_frame import EDGE, add_caption, add_title
from deconvwidgets.instruments.transfer.figures.sheet import TransferSheet

_WIDTH = 1200.0
_LEFT, _MIDDLE, _RIGHT = 24.0, 392.0, 852.0  # the columns
_COLUMN = 324.0
_MATRIX = 420.0
_LEGEND = "Rows: true class. Columns: predicted class. Blue: correct. Red: mistakes, on a square-root scale."
_MAX_FOLDS = 10  # folds are listed up to this number


def transfer_drawing(sheet: TransferSheet) -> Drawing:
    """Return accuracy, results of the paper, folds and learning curve on the left; the confusion matrix; the best and worst classes."""
    drawing = Drawing(_WIDTH)
    add_title(drawing, sheet.title(), sheet.subtitle())
    bottom = max(
        _numbers(drawing, sheet, 70),
        add_matrix(drawing, _MIDDLE, 70, _MATRIX, sheet.results.confusion, _LEGEND),
        add_classes(drawing, _RIGHT, 70, _WIDTH - EDGE - _RIGHT, sheet.classes()),
    )
    for x in (_MIDDLE - 22, _RIGHT - 18):
        drawing.add(Rectangle(x, 50, 1, bottom - 50, "line"))
    drawing.add(Rectangle(0, bottom, _WIDTH, 1, "line"))
    add_caption(drawing, bottom, sheet.caption())
    return drawing


def _numbers(drawing: Drawing, sheet: TransferSheet, y: float) -> float:
    run = sheet.results.summary
    drawing.add(Text(_LEFT, y + 36, sheet.headline(), 42, strong=True), Text(_LEFT, y + 60, sheet.progress(), 13, "quiet"))
    y = add_lines(drawing, _LEFT, y + 64, _COLUMN, sheet.calibration()) + 18
    y = add_bar(drawing, _LEFT, y, _COLUMN, "this run", 100 * (run.mean or 0.0), sheet.headline(), "accent")
    for row in run.paper:
        std = f" ± {row.std:.1f}" if row.std is not None else ""
        y = add_bar(drawing, _LEFT, y, _COLUMN, row.description, row.mean, f"{row.mean:.1f}{std}%", "soft")
    if 1 < len(run.per_fold) <= _MAX_FOLDS:
        y = add_heading(drawing, _LEFT, y + 10, "Folds")
        for number, (accuracy, decay) in enumerate(zip(run.per_fold, run.weight_decays, strict=True), 1):
            y = _line(drawing, y, f"{number} (weight decay {decay:g})", 100 * accuracy)
    if run.curve is not None:
        y = add_heading(drawing, _LEFT, y + 10, "By training images per class")
        for count, mean in zip(run.curve.images_per_class, run.curve.means, strict=True):
            y = _line(drawing, y, f"{count}", 100 * mean)
    return y + 10


def _line(drawing: Drawing, y: float, text: str, percent: float) -> float:
    """Add a text, a bar of the length of an accuracy, and its value on one line; return the lower edge."""
    bar = 130.0
    left = _LEFT + _COLUMN - bar - 54
    drawing.add(Text(_LEFT, y + 11, shorten(text, 12, left - _LEFT - 8), 12, "quiet"), Rectangle(left, y + 4, bar, 6, "line"))
    drawing.add(Rectangle(left, y + 4, max(bar * percent / 100, 1.0), 6, "accent"))
    drawing.add(Text(_LEFT + _COLUMN, y + 11, f"{percent:.1f}%", 12, anchor="end"))
    return y + 18
