"""Fonts for PNG figures: Pillow's default font, or a system font for text with other characters, such as umlauts."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from PIL import ImageFont

from deconvwidgets.errors import PictureError

_SYSTEM_FONTS = ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf")  # Linux, macOS, Windows
_UNDEFINED = "\U0010ffff"  # drawn like every character that is missing in a font
_TRANSLITERATION = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "Oe", "ł": "l", "Ł": "L", "–": "-", "→": "->"}
)


def choose_font(text: str, size: float) -> tuple[ImageFont.FreeTypeFont, str]:
    """Return a font of `size` pixels, and the text to draw with it.

    It is Pillow's font if that has all characters of the text, else the first of the common system fonts that is installed. Without one,
    the text is transliterated and its accents are removed.

    Raises
    ------
    PictureError
        If Pillow was built without FreeType.
    """
    default = _default_font(size)
    if _count_missing(text, default) == 0:
        return default, text
    system = _system_font(size)
    if system is not None:
        return system, text
    decomposed = unicodedata.normalize("NFKD", text.translate(_TRANSLITERATION))
    return default, "".join(character for character in decomposed if not unicodedata.combining(character))


def system_font_names() -> tuple[str, ...]:
    """Return the file names of common system fonts, in the order in which they are tried."""
    return _SYSTEM_FONTS


def _count_missing(text: str, font: ImageFont.FreeTypeFont) -> int:
    """Return the number of distinct non-ASCII characters that a font lacks."""
    missing = bytes(font.getmask(_UNDEFINED))
    return sum(bytes(font.getmask(character)) == missing for character in set(text) if not character.isascii())


@lru_cache(maxsize=32)
def _default_font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise PictureError("This Pillow was built without FreeType and cannot draw text; run: pip install --force-reinstall pillow")
    return font


@lru_cache(maxsize=32)
def _system_font(size: float) -> ImageFont.FreeTypeFont | None:
    """Return the first of the common system fonts that is installed; None if there is none."""
    for name in _SYSTEM_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None
