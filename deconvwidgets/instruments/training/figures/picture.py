"""The curves of a training as a drawing, which is also the static image of a TrainingPanel."""

from __future__ import annotations

from collections.abc import Sequence

from deconvwidgets.figures.chart_axes import Axis, Chart, linear_axis, log_axis
from deconvwidgets.figures.drawing import Drawing, Polyline, Text, Tone, shorten
from deconvwidgets.figures.drawing_frame import EDGE, add_caption, add_title
from deconvwidgets.instruments.training.figures.sheet import Curve, TrainingSheet
from deconvwidgets.records.training_log import learning_rate_steps

_WIDTH, _GAP, _TOP = 1200.0, 36.0, 70.0
_CHART = (_WIDTH - 2 * EDGE - _GAP) / 2
_HEIGHT = 210.0  # of the lines
_ROW = _HEIGHT + 96  # with title, axis and legend
_STYLES: tuple[tuple[Tone, bool], ...] = (
    ("soft", False),
    ("accent", False),
    ("soft", True),
    ("accent", True),
    ("ink", False),
    ("ink", True),
)
_MAX_LAYERS = 12  # with a line each; of more, the first and the last


def training_drawing(sheet: TrainingSheet) -> Drawing:
    """Return loss, error, learning rate, and update/weight ratio by epoch."""
    drawing = Drawing(_WIDTH)
    add_title(drawing, sheet.title(), sheet.subtitle())
    marks = tuple(step.epoch for step in learning_rate_steps(sheet.log))
    left, right = EDGE, EDGE + _CHART + _GAP
    _add_chart(drawing, left, _TOP, "Loss", sheet.losses(), sheet, marks)
    _add_chart(drawing, right, _TOP, "Error (%)", sheet.errors(), sheet, marks)
    _add_chart(drawing, left, _TOP + _ROW, "Learning rate", sheet.learning_rates(), sheet, marks, logarithmic=True)
    _add_chart(drawing, right, _TOP + _ROW, "RMS of a layer's update / weights", _some(sheet.ratios()), sheet, marks, logarithmic=True)
    add_caption(drawing, _TOP + 2 * _ROW - 10, sheet.caption())
    return drawing


def _some(curves: list[Curve]) -> list[Curve]:
    return curves if len(curves) <= _MAX_LAYERS else [*curves[: _MAX_LAYERS // 2], *curves[-_MAX_LAYERS // 2 :]]


def _add_chart(
    drawing: Drawing,
    x: float,
    y: float,
    title: str,
    curves: Sequence[Curve],
    sheet: TrainingSheet,
    marks: tuple[int, ...],
    logarithmic: bool = False,
) -> None:
    values = [value for curve in curves for _, value in curve.points]
    axis: Axis = log_axis(values) if logarithmic else linear_axis(values)
    chart = Chart(x, y + 20, _CHART, _HEIGHT, axis, float(max(1, sheet.log.epochs[-1].epoch)))
    drawing.add(Text(x, y + 4, title, 13, strong=True))
    if not curves:
        drawing.add(Text(x, y + 40, "Not measured.", 13, "quiet"))
        return
    chart.draw(drawing)
    for epoch in marks:
        place = chart.x_of(epoch)
        drawing.add(Polyline(((place, chart.top), (place, chart.bottom)), "quiet", 1.0, dashed=True))
    for epoch in sheet.status.checkpoints:
        chart.draw_triangle(drawing, epoch)
    for number, curve in enumerate(curves):
        tone, dashed = _STYLES[number % len(_STYLES)]
        drawing.add(*chart.line(curve.points, tone, dashed))
    _add_legend(drawing, x, chart.bottom + 38, curves)


def _add_legend(drawing: Drawing, x: float, y: float, curves: Sequence[Curve]) -> None:
    """Add the names of the lines, as many as fit in two rows."""
    columns = 4
    width = _CHART / columns
    for number, curve in enumerate(curves[: 3 * columns]):
        tone, dashed = _STYLES[number % len(_STYLES)]
        left, top = x + (number % columns) * width, y + (number // columns) * 16
        drawing.add(Polyline(((left, top - 4), (left + 20, top - 4)), tone, 2.0, dashed))
        drawing.add(Text(left + 26, top, shorten(curve.name, 12, width - 30), 12, "quiet"))
