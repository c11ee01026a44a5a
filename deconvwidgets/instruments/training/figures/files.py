"""Render the curves of a training as a file of any kind."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.arguments import one_of
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.training.figures.picture import training_drawing
from deconvwidgets.instruments.training.figures.sheet import TrainingSheet
from deconvwidgets.instruments.training.figures.table import log_csv
from deconvwidgets.instruments.training.records import TrainingFile

_RENDERERS: dict[TrainingFile, Callable[[TrainingSheet], bytes]] = {
    "training.csv": lambda sheet: log_csv(sheet.log),
    "training.png": lambda sheet: to_png(training_drawing(sheet)),
    "training.svg": lambda sheet: to_svg(training_drawing(sheet)),
    "training.pdf": lambda sheet: to_pdf(training_drawing(sheet), sheet.title()),
}


def training_file(kind: TrainingFile, sheet: TrainingSheet) -> bytes:
    """Return the curves of a training as the bytes of a file. Raises ServiceError for an unknown kind."""
    one_of(kind, "file", tuple(_RENDERERS))
    return _RENDERERS[kind](sheet)
