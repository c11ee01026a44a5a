"""Encoding arrays as images, to be sent to the browser."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

from PIL import Image

from deconvwidgets import display
from deconvwidgets.display import Rgb
from deconvwidgets.records.images import EncodedImage

Format = Literal["jpeg", "png", "webp"]

GRID = 3  # tiles per row and column of a mosaic
GAP = 2  # pixels between tiles


def encode_image(pixels: Rgb, form: Format = "jpeg", quality: int = 90) -> EncodedImage:
    """Encode (H, W, 3) uint8. JPEG keeps the full resolution of colours (4:4:4): the detail of a projection is in its colours."""
    buffer, image = io.BytesIO(), Image.fromarray(pixels)
    if form == "jpeg":
        image.save(buffer, "JPEG", quality=quality, subsampling=0)
    elif form == "webp":
        image.save(buffer, "WEBP", quality=quality, method=2)
    else:
        image.save(buffer, "PNG", compress_level=3)
    return EncodedImage(buffer.getvalue(), f"image/{form}", image.width, image.height)


def encode_mosaic(tiles: Sequence[Rgb], tile: int) -> EncodedImage:
    """Encode up to nine tiles as one image. Gaps and empty places are mid-gray, which differs from the background of both themes."""
    return encode_image(display.mosaic(tiles, GRID, tile, GAP, display.GREY))
