"""Render a figure of any kind as a file."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.drawing import Drawing
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.layers.figures.all_layers import all_layers_figure
from deconvwidgets.instruments.layers.figures.explorer_image import explorer_figure
from deconvwidgets.instruments.layers.figures.html import unit_page
from deconvwidgets.instruments.layers.figures.layout import layer_figure, unit_figure
from deconvwidgets.instruments.layers.figures.live_page import live_page
from deconvwidgets.instruments.layers.figures.sheet import FigureSheet
from deconvwidgets.instruments.layers.records import FigureKind

_DRAWINGS: dict[str, Callable[[FigureSheet], Drawing]] = {
    "layer": layer_figure,
    "unit": unit_figure,
    "pinned": layer_figure,
    "layers": all_layers_figure,
}
_PAGES: dict[str, Callable[[FigureSheet], bytes]] = {"layer": live_page, "unit": unit_page, "pinned": live_page, "layers": live_page}
FORMATS = ("png", "svg", "pdf", "html")


def render(kind: FigureKind, sheet: FigureSheet) -> bytes:
    """Return a figure as the bytes of a file: PNG, SVG or PDF (vector text, embedded images), or a standalone HTML page.

    Raises
    ------
    ServiceError
        For an unknown kind.
    LayerError
        For an unknown layer, and if there is no unit to draw.
    """
    if kind == "explorer.png":
        return to_png(explorer_figure(sheet), colours=256)
    figure, _, suffix = kind.partition(".")
    if figure not in _DRAWINGS or suffix not in FORMATS:
        kinds = ", ".join(f"{name}.{form}" for name in _DRAWINGS for form in FORMATS)
        raise ServiceError(f"There is no figure {kind!r}; choose one of explorer.png, {kinds}.")
    if suffix == "html":
        return _PAGES[figure](sheet)
    drawing = _DRAWINGS[figure](sheet)
    if suffix == "pdf":
        return to_pdf(drawing, sheet.title())
    return to_svg(drawing) if suffix == "svg" else to_png(drawing)
