"""Render the figure of an occlusion experiment as a file of any kind."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.pdf import to_pdf
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.occlusion.figures.html import occlusion_page
from deconvwidgets.instruments.occlusion.figures.picture import occlusion_drawing
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet

_RENDERERS: dict[str, Callable[[OcclusionSheet], bytes]] = {
    "figure.png": lambda sheet: to_png(occlusion_drawing(sheet)),
    "figure.svg": lambda sheet: to_svg(occlusion_drawing(sheet)),
    "figure.pdf": lambda sheet: to_pdf(occlusion_drawing(sheet), sheet.title()),
    "figure.html": occlusion_page,
}


def occlusion_file(kind: str, sheet: OcclusionSheet) -> bytes:
    """Return a figure as the bytes of a file: PNG, SVG or PDF (vector text, embedded images), or a standalone HTML page.

    Raises
    ------
    ServiceError
        For an unknown kind.
    """
    renderer = _RENDERERS.get(kind)
    if renderer is None:
        raise ServiceError(f"There is no file {kind!r}; choose one of maps.npz, {', '.join(_RENDERERS)}.")
    return renderer(sheet)
