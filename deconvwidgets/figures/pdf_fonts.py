"""Fonts for PDF figures. Text stays text: every character is written in a font that has it, so it can be searched and copied.

The fonts are embedded, and are those of PNG figures: Pillow's default font, then a common system font. Chinese, Japanese and Korean
characters that both lack are written in the fonts that PDF viewers have for these languages. A character that no font has is written
as its code point, such as "[U+1F600]".
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from PIL import ImageFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from deconvwidgets.figures.lettering import system_font_names

_CHINESE, _JAPANESE, _KOREAN = "STSong-Light", "HeiseiKakuGo-W5", "HYGothic-Medium"
_HAN = re.compile("[\u2e80-\u2fdf\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")
_KANA = re.compile("[\u3040-\u30ff\u31f0-\u31ff]")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
_ASTRAL = 0x10000  # reportlab writes no valid mapping to Unicode for characters from here on


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a text that is written in one font."""

    font: str  # a name that is registered with reportlab
    text: str

    def width(self, size: float) -> float:
        """Return the width at a font size."""
        return float(pdfmetrics.stringWidth(self.text, self.font, size))


def font_runs(text: str) -> list[Run]:
    """Split a text into runs, each of characters that its font has. Characters that no font has are replaced by their code points."""
    embedded = _embedded_fonts()
    for name, characters in embedded:  # one font for the whole text, if one has all of it
        if characters.issuperset(map(ord, text)):
            return [Run(name, text)] if text else []
    han = _JAPANESE if _KANA.search(text) else _CHINESE
    fonts = [(_font_of(character, embedded, han), character) for character in text]
    written = [(font or embedded[0][0], character if font else f"[U+{ord(character):04X}]") for font, character in fonts]
    return [Run(font, "".join(part for _, part in parts)) for font, parts in groupby(written, key=lambda item: item[0])]


def _font_of(character: str, embedded: tuple[tuple[str, frozenset[int]], ...], han: str) -> str | None:
    for name, characters in embedded:
        if ord(character) in characters:
            return name
    for pattern, font in ((_KANA, _JAPANESE), (_HANGUL, _KOREAN), (_HAN, han)):
        if pattern.match(character):
            return _viewer_font(font)
    return None


@lru_cache(maxsize=1)
def _embedded_fonts() -> tuple[tuple[str, frozenset[int]], ...]:
    """Register the fonts that are embedded, and return their names with the code points that they have."""
    fonts = []
    for number, file in enumerate(_font_files()):
        try:
            font = TTFont(f"Deconvwidgets{number}", file)
        except TTFError:  # reportlab embeds TrueType outlines only
            continue
        pdfmetrics.registerFont(font)
        fonts.append((font.fontName, frozenset(code for code, glyph in font.face.charToGlyph.items() if glyph and code < _ASTRAL)))
    return tuple(fonts)


def _font_files() -> list[io.BytesIO | str]:
    """Return Pillow's default font, and the first of the common system fonts that is installed."""
    default = ImageFont.load_default(12)
    files: list[io.BytesIO | str] = []
    if isinstance(default, ImageFont.FreeTypeFont) and isinstance(default.path, io.BytesIO):
        files.append(io.BytesIO(default.path.getvalue()))
    for name in system_font_names():
        try:
            path = ImageFont.truetype(name, 12).path
        except OSError:
            continue
        if isinstance(path, str):
            files.append(path)
            break
    return files


@lru_cache(maxsize=8)
def _viewer_font(name: str) -> str:
    """Register a font that PDF viewers have, and return its name."""
    pdfmetrics.registerFont(UnicodeCIDFont(name))
    return name
