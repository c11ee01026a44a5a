"""A drawing as a flat list of pictures, words and bars: laid out once, then written as PNG or as SVG, so that both agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.figures.lettering import lettered

Tone = Literal["ink", "quiet", "line", "accent", "soft", "paper"]
Anchor = Literal["start", "end"]

# One accent, two greys; the same numbers are the light theme of the HTML page.
LIGHT: dict[Tone, str] = {
    "ink": "#1a1f26",
    "quiet": "#6a737d",
    "line": "#d9dee4",
    "accent": "#1560bd",
    "soft": "#8ab4e3",
    "paper": "#ffffff",
}
DARK: dict[Tone, str] = {
    "ink": "#e6e9ed",
    "quiet": "#98a2ad",
    "line": "#363d45",
    "accent": "#6cabf5",
    "soft": "#3f6ea5",
    "paper": "#14171a",
}


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A picture, (h, w, 3) uint8, drawn `width` x `height` with its top left corner at (x, y)."""

    x: float
    y: float
    width: float
    height: float
    pixels: NDArray[np.uint8]
    photograph: bool  # photographs may be stored as JPEG; projections may not
    title: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text; y is its baseline."""

    x: float
    y: float
    text: str
    size: float
    tone: Tone = "ink"
    strong: bool = False
    anchor: Anchor = "start"


@dataclass(frozen=True, slots=True)
class Block:
    """A filled rectangle, or its outline `stroke` pixels wide."""

    x: float
    y: float
    width: float
    height: float
    tone: Tone
    stroke: float = 0.0


Item = Raster | Words | Block
_STRONG = 1.06  # times as wide as plain words


@dataclass(slots=True)
class Drawing:
    """Items in painting order on a sheet of paper."""

    width: float
    height: float = 0.0
    items: list[Item] = field(default_factory=list)

    def add(self, *items: Item) -> None:
        """Paint on top of what is there."""
        self.items.extend(items)


def text_width(text: str, size: float, *, strong: bool = False) -> float:
    """Width in pixels. Other faces differ by some per cent, in bold by a quarter: therefore an SVG's strong words are fitted to it."""
    face, drawn = lettered(text, size)
    return float(face.getlength(drawn)) * (_STRONG if strong else 1.0)


def wrap(text: str, size: float, width: float) -> list[str]:
    """The words of `text` as lines no wider than `width` (a single longer word is cut)."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, size) > width:
            lines.append(line)
            line = shorten(word, size, width)
        else:
            line = shorten(longer, size, width) if not line else longer
    return [*lines, line] if line else lines


def shorten(text: str, size: float, width: float) -> str:
    """`text`, ending in an ellipsis where it would be wider than `width`."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"
