"""What is shown in place of a photograph whose file is gone or damaged since the index was built: a square that says so."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from deconvwidgets.display import GREY, Rgb
from deconvwidgets.errors import PictureError
from deconvwidgets.figures.lettering import choose_font

_WORDS = "photograph\ncannot\nbe read"
_LETTERS = 0.16  # the size of the font, as a share of the side


@lru_cache(maxsize=16)
def unreadable_tile(side: int) -> Rgb:
    """Return a mid-gray square (side, side, 3) uint8, with words in it. It must not be written to."""
    image = Image.new("RGB", (side, side), (GREY, GREY, GREY))
    font, words = choose_font(_WORDS, max(6.0, side * _LETTERS))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, side - 1, side - 1), outline=(0, 0, 0))
    draw.text((side / 2, side / 2), words, fill=(0, 0, 0), font=font, anchor="mm", align="center", spacing=1)
    return np.asarray(image)


def tile_or_unreadable(picture: Rgb | PictureError, side: int) -> Rgb:
    """Return a picture; that of a photograph which cannot be read if it is an error."""
    return unreadable_tile(side) if isinstance(picture, PictureError) else picture
