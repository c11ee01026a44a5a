"""Arrays to encoded pictures, as they cross to the browser."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

from PIL import Image

from deconvwidgets import display
from deconvwidgets.display import Rgb
from deconvwidgets.records.images import EncodedImage

Format = Literal["jpeg", "png", "webp"]

GRID = 3
GAP = 2


def encode_picture(pixels: Rgb, form: Format = "jpeg", quality: int = 90) -> EncodedImage:
    """(H, W, 3) uint8 as a picture. JPEG keeps full colour resolution (4:4:4): a projection's detail is in its colours."""
    buffer, image = io.BytesIO(), Image.fromarray(pixels)
    if form == "jpeg":
        image.save(buffer, "JPEG", quality=quality, subsampling=0)
    elif form == "webp":
        image.save(buffer, "WEBP", quality=quality, method=2)
    else:
        image.save(buffer, "PNG", compress_level=3)
    return EncodedImage(buffer.getvalue(), f"image/{form}", image.width, image.height)


def encode_mosaic(tiles: Sequence[Rgb], tile: int) -> EncodedImage:
    """Up to nine tiles as one picture. Gaps and empty places are mid-grey, which is neither theme's background and no projection's edge."""
    return encode_picture(display.mosaic(tiles, GRID, tile, GAP, display.GREY))
