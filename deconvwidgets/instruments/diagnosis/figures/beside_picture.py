"""Several diagnoses beside each other as a drawing: a column for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten, wrap
from deconvwidgets.figures.drawing_frame import EDGE, add_caption, add_title
from deconvwidgets.instruments.diagnosis.figures import beside
from deconvwidgets.instruments.diagnosis.figures.energy import Box, draw_energy, frequency_order, shares_text
from deconvwidgets.instruments.diagnosis.figures.filter_tiles import filter_sheet
from deconvwidgets.instruments.diagnosis.figures.picture import counts, level_mark
from deconvwidgets.instruments.diagnosis.records import Diagnosis, Finding, FirstLayer

_NAMES, _COLUMN, _GAP = 212.0, 478.0, 32.0  # the widths of the names of rows and of a column, and the space between columns
_TOP = 82.0
_TILE, _TILES, _MAX_FILTERS = 28, 16, 96  # of 16 tiles with their gaps a row is as wide as a column
_ENERGY, _BAR = 120.0, 12.0  # heights
_LINE = 24.0  # of a finding

_Part = Callable[[Diagnosis, float, float], float]  # draws a part of a column at (x, y), and returns its end


def beside_drawing(diagnoses: Sequence[Diagnosis]) -> Drawing:
    """Return the drawing of two or more diagnoses."""
    drawing = Drawing(2 * EDGE + _NAMES + len(diagnoses) * (_COLUMN + _GAP) - _GAP)
    add_title(drawing, beside.title(diagnoses), beside.subtitle(diagnoses))
    largest, same = beside.largest_of(diagnoses), beside.same_photographs(diagnoses)

    def filters(one: Diagnosis, x: float, y: float) -> float:
        return _add_filters(drawing, one.first_layer, x, y)

    def energy(one: Diagnosis, x: float, y: float) -> float:
        return _add_energy(drawing, one.first_layer, x, y, largest)

    def aliased(one: Diagnosis, x: float, y: float) -> float:
        return _add_aliased(drawing, one.first_layer, x, y)

    y = _add_row(drawing, diagnoses, "", _TOP, lambda one, x, y: _add_head(drawing, one, same, x, y))
    for name, part in (("First layer, by frequency", filters), ("Energy by frequency", energy), ("Aliased by the stride", aliased)):
        y = _add_row(drawing, diagnoses, name, y + 26, part)
    y = _add_row(drawing, diagnoses, "Findings", y + 30, lambda one, x, y: _add_text(drawing, counts(one), x, y))
    for title, found in beside.findings_by_check(diagnoses):
        y += _LINE
        _add_findings(drawing, title, found, y)
    add_caption(drawing, y + 20, beside.caption())
    return drawing


def _add_row(drawing: Drawing, diagnoses: Sequence[Diagnosis], name: str, y: float, part: _Part) -> float:
    """Add a row: its name, and a part of each column. Return its end."""
    drawing.add(Text(EDGE, y, name, 13, strong=True))
    return max(part(diagnosis, _left(place), y) for place, diagnosis in enumerate(diagnoses))


def _left(column: int) -> float:
    return EDGE + _NAMES + column * (_COLUMN + _GAP)


def _add_text(drawing: Drawing, text: str, x: float, y: float) -> float:
    drawing.add(Text(x, y, shorten(text, 13, _COLUMN), 13, "quiet"))
    return y


def _add_head(drawing: Drawing, diagnosis: Diagnosis, same: bool, x: float, y: float) -> float:
    drawing.add(Text(x, y, shorten(diagnosis.model, 16, _COLUMN), 16, strong=True))
    for line in wrap(beside.measured_on(diagnosis, same), 12, _COLUMN)[:3]:
        y += 17
        drawing.add(Text(x, y, line, 12, "quiet"))
    return y


def _add_filters(drawing: Drawing, layer: FirstLayer | None, x: float, y: float) -> float:
    text = beside.first_layer_text(layer)
    if layer is None:
        return _add_text(drawing, text, x, y)
    order = frequency_order(layer)[:_MAX_FILTERS]
    text += "" if len(order) == len(layer.weights) else f"; the {_MAX_FILTERS} of lowest frequency"
    sheet = filter_sheet(layer.weights, order, _TILES, _TILE)
    height, width = sheet.shape[:2]
    drawing.add(Text(x, y, shorten(text, 13, _COLUMN), 13), Raster(x, y + 10, width, height, sheet, photograph=False, title=text))
    return float(y + 10 + height)


def _add_energy(drawing: Drawing, layer: FirstLayer | None, x: float, y: float, largest: float) -> float:
    if layer is None:
        return y
    drawing.add(Text(x, y, shares_text(layer), 13))
    return draw_energy(drawing, layer, Box(x, y + 10, _COLUMN, _ENERGY), largest)


def _add_aliased(drawing: Drawing, layer: FirstLayer | None, x: float, y: float) -> float:
    share = beside.aliased_share(layer)
    drawing.add(Text(x, y, shorten(beside.aliased_text(layer), 13, _COLUMN), 13))
    if share is None:
        return y
    drawing.add(Rectangle(x, y + 10, _COLUMN, _BAR, "line"))
    if share:
        drawing.add(Rectangle(x, y + 10, max(1.0, _COLUMN * share), _BAR, "accent"))
    return y + 10 + _BAR


def _add_findings(drawing: Drawing, title: str, found: Sequence[Finding | None], y: float) -> None:
    drawing.add(Rectangle(EDGE, y - 17, drawing.width - 2 * EDGE, 1, "line"), Text(EDGE, y, shorten(title, 13, _NAMES - 8), 13))
    for column, finding in enumerate(found):
        if finding is not None:
            x = _left(column)
            drawing.add(level_mark(finding, x, y), Text(x + 20, y, shorten(finding.count_text, 13, _COLUMN - 20), 13))
