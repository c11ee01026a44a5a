"""From a kind of file to the figure in it."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.raster import to_png
from deconvwidgets.figures.vector import to_svg
from deconvwidgets.instruments.occlusion.figures.html import occlusion_page
from deconvwidgets.instruments.occlusion.figures.picture import occlusion_picture
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet

_WRITERS: dict[str, Callable[[OcclusionSheet], bytes]] = {
    "figure.png": lambda sheet: to_png(occlusion_picture(sheet)),
    "figure.svg": lambda sheet: to_svg(occlusion_picture(sheet)),
    "figure.html": occlusion_page,
}


def occlusion_file(kind: str, sheet: OcclusionSheet) -> bytes:
    """A finished figure as a file's bytes: PNG, SVG (vector text, embedded pictures) or one standalone HTML page.

    Raises ServiceError for a kind that does not exist.
    """
    writer = _WRITERS.get(kind)
    if writer is None:
        raise ServiceError(f"There is no file {kind!r}; choose one of maps.npz, {', '.join(_WRITERS)}.")
    return writer(sheet)
