"""The results of an evaluation as a drawing, which is also the static image of an EvaluationPanel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.figures.class_drawing import add_bar, add_classes, add_heading, add_lines, add_matrix
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten, text_width
from deconvwidgets.figures.drawing_frame import EDGE, add_caption, add_title
from deconvwidgets.instruments.evaluation.figures.sheet import EvaluationSheet
from deconvwidgets.instruments.evaluation.records import ClassificationEvaluation, MultilabelEvaluation, RegressionEvaluation
from deconvwidgets.records.calibration import Calibration
from deconvwidgets.records.quantity import format_value

_WIDTH = 1200.0
_LEFT, _MIDDLE, _RIGHT = 24.0, 392.0, 852.0  # the columns
_COLUMN = 324.0
_MATRIX = 420.0
_DIAGRAM = 150.0  # height of the reliability diagram
_DOT = (21, 96, 189)
_OTHERS = "; the last one is any other class of the model"


def evaluation_drawing(sheet: EvaluationSheet) -> Drawing:
    """Return the scores and the calibration on the left, the confusion matrix or true against predicted values, and the classes."""
    drawing = Drawing(_WIDTH)
    add_title(drawing, sheet.title(), sheet.subtitle())
    bottom = max(_scores(drawing, sheet, 70), _middle(drawing, sheet, 70), _classes(drawing, sheet, 70))
    drawing.add(Rectangle(_MIDDLE - 22, 50, 1, bottom - 50, "line"), Rectangle(0, bottom, _WIDTH, 1, "line"))
    add_caption(drawing, bottom, sheet.caption())
    return drawing


def _scores(drawing: Drawing, sheet: EvaluationSheet, y: float) -> float:
    drawing.add(
        Text(_LEFT, y + 36, sheet.headline(), 42, strong=True), Text(_LEFT, y + 60, shorten(sheet.progress(), 13, _COLUMN), 13, "quiet")
    )
    y += 82
    for name, share, text in sheet.scores():
        y = add_bar(drawing, _LEFT, y, _COLUMN, name, share, text, "accent")
    found = sheet.evaluation
    if isinstance(found, ClassificationEvaluation):
        y = add_heading(drawing, _LEFT, y + 10, "Accuracy by confidence")
        y = _reliability(drawing, y + 4, found.reliability)
        y = add_lines(drawing, _LEFT, y, _COLUMN, sheet.calibration())
    if isinstance(found, RegressionEvaluation):
        for row, name in enumerate(found.classes):
            mean, root = (format_value(float(errors[row])) for errors in (found.mean_absolute_error, found.root_mean_squared_error))
            y = add_lines(drawing, _LEFT, y, _COLUMN, f"{name}: MAE {mean}, RMSE {root}, R2 {found.r2[row]:.3f}")
    return y + 14


def _reliability(drawing: Drawing, y: float, calibration: Calibration) -> float:
    """Add a bar of the accuracy of each bin, and a tick at its mean confidence. The width of a bar grows with its photographs."""
    bins = len(calibration.counts)
    wide, most = _COLUMN / bins, max(1, int(calibration.counts.max()))
    drawing.add(Rectangle(_LEFT, y + _DIAGRAM, _COLUMN, 1, "line"))
    for row in range(bins):
        if not calibration.counts[row]:
            continue
        width = max(3.0, (wide - 2) * math.sqrt(calibration.counts[row] / most))
        x, height = _LEFT + (row + 0.5) * wide - width / 2, _DIAGRAM * float(calibration.accuracies[row])
        confidence = _DIAGRAM * (1 - float(calibration.confidences[row]))
        drawing.add(Rectangle(x, y + _DIAGRAM - height, width, max(height, 1.0), "soft"))
        drawing.add(Rectangle(_LEFT + row * wide, y + confidence - 1, wide, 2, "ink"))
    drawing.add(
        Text(_LEFT, y + _DIAGRAM + 16, "0%", 11, "quiet"), Text(_LEFT + _COLUMN, y + _DIAGRAM + 16, "100%", 11, "quiet", anchor="end")
    )
    legend = "bar: accuracy; line: mean confidence"
    drawing.add(Text(_LEFT + _COLUMN / 2 - text_width(legend, 11) / 2, y + _DIAGRAM + 16, legend, 11, "quiet"))
    return y + _DIAGRAM + 24


def _middle(drawing: Drawing, sheet: EvaluationSheet, y: float) -> float:
    found = sheet.evaluation
    if isinstance(found, ClassificationEvaluation):
        others = bool(found.confusion[:, -1].any())
        legend = (
            f"Rows: true class. Columns: predicted class{_OTHERS if others else ''}. Blue: correct. Red: mistakes, on a square-root scale."
        )
        return add_matrix(drawing, _MIDDLE, y, _MATRIX, found.confusion if others else found.confusion[:, :-1], legend)
    if isinstance(found, RegressionEvaluation):
        unit = f" in {found.unit}" if found.unit else ""
        y = add_heading(drawing, _MIDDLE, y - 4, f"Predicted against true {found.classes[0]}{unit}")
        pixels, low, high = scatter_pixels(found.truths[:, 0], found.predictions[:, 0], int(_MATRIX))
        drawing.add(Raster(_MIDDLE, y, _MATRIX, _MATRIX, pixels, photograph=False), Rectangle(_MIDDLE, y, _MATRIX, _MATRIX, "line", 1.0))
        text = f"Both axes from {format_value(low)} to {format_value(high)}; on the diagonal, predictions are right."
        return add_lines(drawing, _MIDDLE, y + _MATRIX + 4, _MATRIX, text) + 12
    return y


def _classes(drawing: Drawing, sheet: EvaluationSheet, y: float) -> float:
    results = sheet.classes()
    if not results:
        return y
    single = isinstance(sheet.evaluation, MultilabelEvaluation)
    x = _MIDDLE if single else _RIGHT
    return add_classes(drawing, x, y, _WIDTH - EDGE - x, results, "classes by average precision" if single else "classes")


def scatter_pixels(truths: NDArray[np.float64], predictions: NDArray[np.float64], side: int) -> tuple[NDArray[np.uint8], float, float]:
    """Return a scatter plot (side, side, 3) uint8 of true values (rightwards) and predictions (upwards), and the range of both axes."""
    low, high = float(min(truths.min(), predictions.min())), float(max(truths.max(), predictions.max()))
    span = (high - low) or 1.0
    pixels = np.full((side, side, 3), 250, np.uint8)
    diagonal = np.arange(side)
    pixels[side - 1 - diagonal, diagonal] = 200
    columns, rows = (np.rint((values - low) / span * (side - 5)).astype(int) + 2 for values in (truths, predictions))
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            pixels[side - 1 - rows + down, columns + right] = _DOT
    return pixels, low, high
