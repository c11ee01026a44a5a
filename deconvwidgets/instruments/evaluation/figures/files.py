"""Render the results of an evaluation as a file of any kind."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.evaluation.figures.html import evaluation_page
from deconvwidgets.instruments.evaluation.figures.picture import evaluation_drawing
from deconvwidgets.instruments.evaluation.figures.sheet import EvaluationSheet
from deconvwidgets.instruments.evaluation.figures.table import classes_csv, photographs_csv
from deconvwidgets.instruments.evaluation.records import EvaluationFile

_RENDERERS: dict[EvaluationFile, Callable[[EvaluationSheet], bytes]] = {
    "photographs.csv": photographs_csv,
    "classes.csv": classes_csv,
    "results.png": lambda sheet: to_png(evaluation_drawing(sheet)),
    "results.svg": lambda sheet: to_svg(evaluation_drawing(sheet)),
    "results.pdf": lambda sheet: to_pdf(evaluation_drawing(sheet), sheet.title()),
    "results.html": evaluation_page,
}


def check_kind(kind: object) -> None:
    """Raise ServiceError for an unknown kind of file."""
    if not isinstance(kind, str) or kind not in _RENDERERS:
        raise ServiceError(f"There is no file {describe(kind)}; choose one of {', '.join(_RENDERERS)}.")


def evaluation_file(kind: EvaluationFile, sheet: EvaluationSheet) -> bytes:
    """Return the results of an evaluation as the bytes of a file. Raises ServiceError for an unknown kind."""
    check_kind(kind)
    return _RENDERERS[kind](sheet)
