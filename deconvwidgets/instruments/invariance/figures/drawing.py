"""The curves as a drawing, after figure 5: a chart for each layer and one of the probability, and the transformed photographs."""

from __future__ import annotations

from deconvwidgets.figures.chart_axes import Chart
from deconvwidgets.figures.drawing import Drawing, Polyline, Raster, Text, Tone, shorten
from deconvwidgets.figures.drawing_frame import EDGE, add_caption, add_title
from deconvwidgets.instruments.invariance.figures.sheet import (
    MAX_PHOTOGRAPHS,
    ChartContent,
    caption,
    chart_contents,
    describe,
    subtitle,
    title,
    x_range,
    x_title,
)
from deconvwidgets.instruments.invariance.records import InvarianceCurves, Measure, PhotographCurves

_WIDTH, _GAP, _TOP = 1200.0, 32.0, 70.0
_HEIGHT = 190.0  # of the lines
_ROW = _HEIGHT + 86  # with title and axis
_THUMBNAIL, _THUMBNAIL_GAP = 72.0, 8.0
_NAME = 150.0  # the width of a photograph's name
STYLES: tuple[tuple[Tone, bool], ...] = (
    ("accent", False),
    ("ink", False),
    ("soft", False),
    ("accent", True),
    ("ink", True),
    ("soft", True),
)


def invariance_drawing(curves: InvarianceCurves, measure: Measure = "relative") -> Drawing:
    """Return the charts, and below them each photograph with some of its transformations."""
    drawing = Drawing(_WIDTH)
    add_title(drawing, title(curves), subtitle(curves))
    charts = chart_contents(curves, measure)
    columns = max(1, min(3, len(charts)))
    width = (_WIDTH - 2 * EDGE - (columns - 1) * _GAP) / columns
    for number, content in enumerate(charts):
        row, column = divmod(number, columns)
        _add_chart(drawing, curves, content, EDGE + column * (width + _GAP), _TOP + row * _ROW, width)
    bottom = _TOP + -(-len(charts) // columns) * _ROW - 10
    add_caption(drawing, _add_photographs(drawing, curves, bottom), caption(curves, measure))
    return drawing


def _add_chart(drawing: Drawing, curves: InvarianceCurves, content: ChartContent, x: float, y: float, width: float) -> None:
    low, high = x_range(curves)
    chart = Chart(x, y + 20, width, _HEIGHT, content.axis, high, low, whole=False)
    drawing.add(Text(x, y + 4, shorten(content.title, 13, width), 13, strong=True))
    chart.draw(drawing)
    for number, line in enumerate(content.lines):
        if line:
            tone, dashed = STYLES[number % len(STYLES)]
            drawing.add(*chart.line(line, tone, dashed))
    drawing.add(Text(x + 46, chart.bottom + 40, x_title(curves), 12, "quiet"))


def _add_photographs(drawing: Drawing, curves: InvarianceCurves, top: float) -> float:
    """Add the photographs in two columns, each with the colour of its line and its examples; return where they end."""
    columns, step = 2, _THUMBNAIL + 44
    width = (_WIDTH - 2 * EDGE - _GAP) / columns
    shown = curves.photographs[:MAX_PHOTOGRAPHS]
    for number, photograph in enumerate(shown):
        row, column = divmod(number, columns)
        _add_photograph(drawing, curves, photograph, number, EDGE + column * (width + _GAP), top + row * step)
    return top + -(-len(shown) // columns) * step


def _add_photograph(drawing: Drawing, curves: InvarianceCurves, photograph: PhotographCurves, number: int, x: float, y: float) -> None:
    tone, dashed = STYLES[number % len(STYLES)]
    drawing.add(Polyline(((x, y + 10), (x + 28, y + 10)), tone, 2.0, dashed))
    drawing.add(Text(x, y + 32, shorten(photograph.name, 12, _NAME - 10), 12, strong=True))
    drawing.add(Text(x, y + 49, shorten(describe(photograph), 12, _NAME - 10), 12, "quiet"))
    if photograph.unchanged is not None and curves.quantity is not None:
        drawing.add(Text(x, y + 66, f"as it is: {curves.quantity.format(photograph.unchanged)}", 12, "quiet"))
    for place, (amount, pixels) in enumerate(zip(photograph.example_amounts, photograph.examples, strict=True)):
        left = x + _NAME + place * (_THUMBNAIL + _THUMBNAIL_GAP)
        text = curves.kind.format(amount)
        height = _THUMBNAIL * pixels.shape[0] / max(pixels.shape[:2])
        width = _THUMBNAIL * pixels.shape[1] / max(pixels.shape[:2])
        drawing.add(Raster(left, y, width, height, pixels, photograph=True, title=f"{photograph.name}, {curves.kind.label.lower()} {text}"))
        drawing.add(Text(left, y + _THUMBNAIL + 15, text, 11, "quiet"))
