"""The size of the tiles in figures."""

from __future__ import annotations

from deconvwidgets.arguments import describe, is_integer
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.layers.records import FigureSize

TILE_SIZES: dict[FigureSize, int] = {"small": 48, "medium": 72, "large": 120}
_PIXELS = range(16, 257)


def tile_pixels(size: object) -> int:
    """Return the side of a tile in pixels for "small", "medium", "large" or a number of pixels from 16 to 256.

    Raises
    ------
    ServiceError
        For anything else.
    """
    if isinstance(size, str) and size in TILE_SIZES:
        return TILE_SIZES[size]
    if is_integer(size) and size in _PIXELS:
        return int(size)
    names = ", ".join(map(repr, TILE_SIZES))
    raise ServiceError(f"size must be {names} or the pixels of a tile, 16 to 256, not {describe(size)}.")
