"""A diagnosis as a drawing: findings, first-layer filters by frequency, and the curves of change by shift."""

from __future__ import annotations

import numpy as np

from deconvwidgets.figures.chart_axes import Chart, linear_axis
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, Tone, shorten, wrap
from deconvwidgets.figures.drawing_frame import EDGE, add_caption, add_title
from deconvwidgets.instruments.diagnosis.figures.energy import Box, draw_energy, frequency_order, largest_share, shares_text
from deconvwidgets.instruments.diagnosis.figures.filter_tiles import filter_sheet
from deconvwidgets.instruments.diagnosis.records import Diagnosis, Finding, FirstLayer, ShiftCurves

WIDTH = 1360.0
_LIST, _RIGHT = 560.0, 620.0  # the width of the findings, and where the figures begin
_TOP = 78.0
_TILE, _COLUMNS, _MAX_FILTERS = 30, 20, 100
_LEVEL_TONES: dict[str, Tone] = {"found": "accent", "near": "soft", "clear": "line", "not_checked": "quiet"}


def diagnosis_drawing(diagnosis: Diagnosis) -> Drawing:
    """Return the drawing of a diagnosis."""
    drawing = Drawing(WIDTH)
    add_title(drawing, f"Diagnosis of {diagnosis.model}", f"{diagnosis.photographs:,} photographs of {diagnosis.image_set}")
    left = _add_findings(drawing, diagnosis)
    right = _TOP
    if diagnosis.first_layer is not None:
        right = _add_filters(drawing, diagnosis.first_layer, right)
        right = _add_histogram(drawing, diagnosis.first_layer, right + 24)
    if diagnosis.shift is not None and len(diagnosis.shift.shifts) > 1:
        right = _add_shift(drawing, diagnosis.shift, right + 24)
    add_caption(drawing, max(left, right) + 8, caption(diagnosis))
    return drawing


def caption(diagnosis: Diagnosis) -> str:
    """Return what a diagnosis was measured on, and how it is meant."""
    notes = " ".join(diagnosis.notes)
    return (
        f"{diagnosis.weights}. {diagnosis.units:,} units of {len(diagnosis.layers)} layers, {diagnosis.crops:,} crops. The checks extend "
        f"what Zeiler & Fergus 2014, section 4.1, saw by eye; the limits are our choice. {notes}"
    ).strip()


def counts(diagnosis: Diagnosis) -> str:
    """Return the number of findings of each level."""
    names = {"found": "found", "near": "close", "clear": "clear", "not_checked": "not checked"}
    levels = ", ".join(f"{diagnosis.count(level)} {name}" for level, name in names.items())  # type: ignore[arg-type]
    return f"{len(diagnosis.findings)} checks: {levels}"


def _add_findings(drawing: Drawing, diagnosis: Diagnosis) -> float:
    y = _TOP
    drawing.add(Text(EDGE, y, counts(diagnosis), 13, "quiet"))
    y += 26
    for finding in diagnosis.findings:
        y = _add_finding(drawing, finding, y)
    return y


def level_mark(finding: Finding, x: float, y: float) -> Rectangle:
    """Return the mark of a finding's level, 10 pixels wide, before a text with its baseline at y."""
    tone = _LEVEL_TONES[finding.level]
    if finding.level == "not_checked":
        return Rectangle(x, y - 6, 10, 2, tone)
    return Rectangle(x, y - 10, 10, 10, tone, 0.0 if finding.level == "found" else 2.0)


def _add_finding(drawing: Drawing, finding: Finding, y: float) -> float:
    drawing.add(level_mark(finding, EDGE, y))
    drawing.add(
        Text(EDGE + 20, y, finding.title, 14, strong=True), Text(EDGE + _LIST, y, finding.count_text, 14, strong=True, anchor="end")
    )
    for line in wrap(finding.summary, 12, _LIST - 20):
        y += 17
        drawing.add(Text(EDGE + 20, y, line, 12))
    for line in wrap(finding.evidence, 11, _LIST - 20):
        y += 15
        drawing.add(Text(EDGE + 20, y, line, 11, "quiet"))
    return y + 30


def _add_filters(drawing: Drawing, layer: FirstLayer, y: float) -> float:
    order = frequency_order(layer)[:_MAX_FILTERS]
    size, stride = layer.kernel_size, max(layer.stride)
    cut = "" if len(layer.weights) <= _MAX_FILTERS else f", the {_MAX_FILTERS} of lowest frequency"
    title = f"{len(layer.weights):,} filters of {layer.alias}, {size[0]} x {size[1]}, stride {stride}: by frequency{cut}"
    sheet = filter_sheet(layer.weights, order, _COLUMNS, _TILE)
    height, width = sheet.shape[:2]
    drawing.add(
        Text(_RIGHT, y, shorten(title, 13, WIDTH - _RIGHT - EDGE), 13, strong=True),
        Raster(_RIGHT, y + 12, width, height, sheet, photograph=False, title=title),
    )
    return float(y + 12 + height + 8)


def _add_histogram(drawing: Drawing, layer: FirstLayer, y: float) -> float:
    """Add the energy by frequency."""
    drawing.add(Text(_RIGHT, y, f"Energy by spatial frequency, cycles per pixel: {shares_text(layer)}", 13, strong=True))
    return draw_energy(drawing, layer, Box(_RIGHT, y + 14, WIDTH - _RIGHT - EDGE, 110.0), largest_share(layer))


def _add_shift(drawing: Drawing, curves: ShiftCurves, y: float) -> float:
    """Add the change of each layer by shift: the first and the last layer in their own tones."""
    width, height = WIDTH - _RIGHT - EDGE, 160.0
    title = f"Median change of strongest activations (%) by shift to the {curves.direction} (pixels), {curves.photographs} photographs"
    title = title if curves.direction in ("right", "left") else title.replace("to the ", "")
    axis = linear_axis((100 * curves.changes[np.isfinite(curves.changes)]).tolist())
    chart = Chart(_RIGHT, y + 16, width, height, axis, float(max(curves.shifts) or 1))
    drawing.add(Text(_RIGHT, y, title, 13, strong=True))
    chart.draw(drawing)
    order = np.argsort(curves.shifts)
    shown = [number for number in range(len(curves.layers)) if np.isfinite(curves.changes[number]).all()]
    for number in shown:
        tone: Tone = "ink" if number == shown[-1] else "accent" if number == shown[0] else "soft"
        points = [(float(curves.shifts[place]), 100 * float(curves.changes[number, place])) for place in order]
        drawing.add(*chart.line(points, tone))
    if shown:
        first, last = curves.layers[shown[0]], curves.layers[shown[-1]]
        drawing.add(Text(_RIGHT + 46, chart.bottom + 40, f"Dark: {last}. Blue: {first}. Light: the layers between.", 12, "quiet"))
    return float(chart.bottom + 48)
