"""The heat map of an ablation, classes by units, and its table."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import instance, one_of
from deconvwidgets.display import diverging
from deconvwidgets.errors import ContributionError
from deconvwidgets.figures.csv_table import csv_table, csv_text
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten, wrap
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.contributions.ablation import UnitAblation

_KINDS = ("png", "svg", "pdf", "csv")
_EDGE, _NAMES, _CELL_WIDTH, _CELL_HEIGHT = 24.0, 150.0, 18.0, 13.0
_MAX_UNITS, _MAX_CLASSES = 60, 64
_FULL_COLOUR = 0.997  # the share of the cells that are less than fully coloured: a single large change would leave all others white
_BARS = 70.0  # the height of the changes of the accuracy
_TOP = 78.0


def ablation_file(ablation: UnitAblation, kind: str = "png") -> bytes:
    """Return the heat map of an ablation (classes by units), or a table of all units, as the bytes of a file.

    Parameters
    ----------
    ablation : UnitAblation
        What `dw.ablate_units` returned.
    kind : {"png", "svg", "pdf", "csv"}
        The heat map has the 60 units that change most, those that harm the accuracy most first, and the 64 classes that change most. The
        table has all units and classes.

    Raises
    ------
    ContributionError
        For an unknown kind, and for anything but an ablation.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> found = dw.ablate_units(dw.load_model("alexnet"), dw.open_images("photos"), "pool5", progress=False)
    >>> dw.ablation_file(found, "csv").decode().splitlines()[0][:37]
    'unit,accuracy change,now right,now wr'
    """
    found = instance(ablation, UnitAblation, "ablation", ContributionError)
    one_of(kind, "kind", _KINDS, ContributionError)
    if kind == "csv":
        return ablation_csv(found)
    drawing = ablation_drawing(found)
    if kind == "pdf":
        return to_pdf(drawing, f"Units of {found.layer}, each switched off alone")
    return to_svg(drawing) if kind == "svg" else to_png(drawing)


def ablation_csv(found: UnitAblation) -> bytes:
    """Return a table of all units: changes of accuracy and of answers, then the change of the probability of each class."""
    header = (
        "unit",
        "accuracy change",
        "now right",
        "now wrong",
        "answers changed",
        *(csv_text(found.name(label)) for label in found.labels),
    )
    rows = (
        (
            unit,
            f"{change:.6g}",
            *(found.now_right[unit], found.now_wrong[unit], found.changed[unit]),
            *(f"{value:.6g}" for value in found.probabilities[unit].tolist()),
        )
        for unit, change in enumerate(found.accuracy_changes.tolist())
    )
    return csv_table(header, rows)


def ablation_drawing(found: UnitAblation) -> Drawing:
    """Return the heat map: a row for each class, a column for each unit, and the change of the accuracy below."""
    units, classes = _chosen(found)
    width, height = len(units) * _CELL_WIDTH, len(classes) * _CELL_HEIGHT
    drawing = Drawing(max(width + _NAMES + 2 * _EDGE, 720.0))
    drawing.add(
        Text(_EDGE, 34, shorten(_title(found), 17, drawing.width - 2 * _EDGE), 17, strong=True), Rectangle(0, 50, drawing.width, 1, "line")
    )
    values = found.probabilities[np.ix_(units, classes)].T
    largest = max(float(np.quantile(np.abs(values), _FULL_COLOUR)), 1e-9)
    cells = diverging(values, -largest, largest).repeat(int(_CELL_HEIGHT), 0).repeat(int(_CELL_WIDTH), 1)
    drawing.add(Raster(_EDGE + _NAMES, _TOP, width, height, np.ascontiguousarray(cells), photograph=False))
    for row, position in enumerate(classes.tolist()):
        name = shorten(found.name(found.labels[position]), 10, _NAMES - 12)
        drawing.add(Text(_EDGE + _NAMES - 6, _TOP + row * _CELL_HEIGHT + 10, name, 10, anchor="end"))
    bottom = _add_units(drawing, found, units, _TOP + height)
    for line in wrap(_caption(found, largest, len(units), len(classes)), 12, drawing.width - 2 * _EDGE):
        drawing.add(Text(_EDGE, bottom, line, 12, "quiet"))
        bottom += 17
    drawing.height = math.ceil(bottom + 4)
    return drawing


def _add_units(drawing: Drawing, found: UnitAblation, units: NDArray[np.int64], y: float) -> float:
    """Add the numbers of the units and bars of the change of the accuracy; return where text may follow."""
    changes = 100 * found.accuracy_changes[units]
    largest = max(float(np.abs(changes).max(initial=0.0)), 1e-9)
    zero = y + 18 + _BARS / 2
    for column, (unit, change) in enumerate(zip(units.tolist(), changes.tolist(), strict=True)):
        x = _EDGE + _NAMES + column * _CELL_WIDTH
        drawing.add(Text(x + _CELL_WIDTH - 1, y + 11, str(unit), 8, "quiet", anchor="end"))
        length = abs(change) / largest * (_BARS / 2 - 4)
        drawing.add(Rectangle(x + 2, zero - (length if change > 0 else 0), _CELL_WIDTH - 4, length, "accent" if change > 0 else "ink"))
    drawing.add(Rectangle(_EDGE + _NAMES, zero, len(units) * _CELL_WIDTH, 1, "line"))
    drawing.add(Text(_EDGE + _NAMES - 6, y + 11, "unit", 10, "quiet", anchor="end"))
    drawing.add(Text(_EDGE + _NAMES - 6, zero + 4, f"accuracy, up to {largest:.2g} points", 10, "quiet", anchor="end"))
    return zero + _BARS / 2 + 22


def _chosen(found: UnitAblation) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the units that change most, the most harmful first, and the classes that change most, in order of their names."""
    sizes = np.abs(found.probabilities)
    units = np.argsort(-sizes.max(axis=1, initial=0.0), kind="stable")[:_MAX_UNITS]
    units = units[np.argsort(found.accuracy_changes[units], kind="stable")]
    classes = np.sort(np.argsort(-sizes[units].max(axis=0, initial=0.0), kind="stable")[:_MAX_CLASSES])
    return units, classes


def _title(found: UnitAblation) -> str:
    return f"Units of {found.layer}, each switched off alone · accuracy {100 * found.accuracy:.1f}%"


def _caption(found: UnitAblation, largest: float, units: int, classes: int) -> str:
    own = "the photographs' own class" if found.reference == "label" else "the predicted class"
    most = 100 * float(np.abs(found.probabilities).max(initial=0.0))
    colours = f"Blue lowers and red raises it; full colour is {100 * largest:.2g} points or more, the largest change {most:.2g}."
    return (
        f"Change of the probability of {own}, mean per class, over {found.photographs:,} photographs. {colours} Shown are the {units} "
        f"units and {classes} classes that change most, the units that harm the accuracy most on the left."
    )
