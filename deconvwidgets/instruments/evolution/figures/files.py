"""Render the rows and the curves as a file of any kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.evolution.figures.drawing import evolution_drawing
from deconvwidgets.instruments.evolution.figures.html import evolution_page
from deconvwidgets.instruments.evolution.figures.sheet import title
from deconvwidgets.instruments.evolution.records import EvolutionFigure, FigureKind

_RENDERERS: dict[str, Callable[[EvolutionFigure], bytes]] = {
    "explorer.png": lambda figure: to_png(evolution_drawing(figure), colours=256),
    "evolution.png": lambda figure: to_png(evolution_drawing(figure)),
    "evolution.svg": lambda figure: to_svg(evolution_drawing(figure)),
    "evolution.pdf": lambda figure: to_pdf(evolution_drawing(figure), title(figure)),
    "evolution.html": evolution_page,
}


def check_kind(kind: object) -> None:
    """Raise ServiceError for an unknown kind of file."""
    kinds = get_args(FigureKind)
    if not isinstance(kind, str) or kind not in kinds:
        raise ServiceError(f"There is no figure {describe(kind)}; choose one of {', '.join(kinds)}.")


def evolution_file(kind: FigureKind, figure: EvolutionFigure) -> bytes:
    """Return the rows as the bytes of a picture or a page. Raises ServiceError for any other kind."""
    check_kind(kind)
    if kind not in _RENDERERS:
        raise ServiceError(f"{kind} is a table, not a drawing.")
    return _RENDERERS[kind](figure)
