"""The faces that figures are lettered in: Pillow's own, and another where its letters do not suffice (class names have umlauts)."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from PIL import ImageFont

from deconvwidgets.errors import PictureError

_WIDER = ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf")  # Linux, macOS, Windows
_NOT_A_LETTER = "\U0010ffff"  # drawn as the box that stands for every letter that a face lacks
_SPELT = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "Oe", "ł": "l", "Ł": "L", "–": "-", "→": "->"})


def lettered(text: str, size: float) -> tuple[ImageFont.FreeTypeFont, str]:
    """The face to draw `text` in, and the text as it can be drawn: where no face at hand has its letters, without their accents."""
    own = _own(size)
    if _missing(text, own) == 0:
        return own, text
    wider = _wider(size)
    if wider is not None:
        return wider, text
    plain = unicodedata.normalize("NFKD", text.translate(_SPELT))
    return own, "".join(mark for mark in plain if not unicodedata.combining(mark))


def _missing(text: str, face: ImageFont.FreeTypeFont) -> int:
    """How many letters the face lacks."""
    box = bytes(face.getmask(_NOT_A_LETTER))
    return sum(bytes(face.getmask(mark)) == box for mark in set(text) if not mark.isascii())


@lru_cache(maxsize=32)
def _own(size: float) -> ImageFont.FreeTypeFont:
    """Pillow's own FreeType face: present wherever Pillow is."""
    face = ImageFont.load_default(size)
    if not isinstance(face, ImageFont.FreeTypeFont):
        raise PictureError("This Pillow was built without FreeType and cannot draw text; run: pip install --force-reinstall pillow")
    return face


@lru_cache(maxsize=32)
def _wider(size: float) -> ImageFont.FreeTypeFont | None:
    """The first face of this machine that has more letters; None where there is none."""
    for name in _WIDER:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None
