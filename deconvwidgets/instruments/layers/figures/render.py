"""Render a figure of any kind as a file."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.layers.figures.html import layer_page, unit_page
from deconvwidgets.instruments.layers.figures.layout import explorer_figure, layer_figure, unit_figure
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet
from deconvwidgets.instruments.layers.records import FigureKind

_RENDERERS: dict[FigureKind, Callable[[FigureSheet], bytes]] = {
    "explorer.png": lambda sheet: to_png(explorer_figure(sheet), colours=256),
    "layer.png": lambda sheet: to_png(layer_figure(sheet)),
    "layer.svg": lambda sheet: to_svg(layer_figure(sheet)),
    "layer.html": layer_page,
    "unit.png": lambda sheet: to_png(unit_figure(sheet)),
    "unit.svg": lambda sheet: to_svg(unit_figure(sheet)),
    "unit.html": unit_page,
}


def render(kind: FigureKind, sheet: FigureSheet) -> bytes:
    """Return a figure as the bytes of a file: PNG, SVG (vector text, embedded images) or a standalone HTML page.

    Raises
    ------
    ServiceError
        For an unknown kind.
    LayerError
        For an unknown layer, and if there is no unit to draw.
    """
    renderer = _RENDERERS.get(kind)
    if renderer is None:
        raise ServiceError(f"There is no figure {kind!r}; choose one of {', '.join(_RENDERERS)}.")
    return renderer(sheet)
