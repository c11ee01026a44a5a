"""A drawing is a list of images, text, rectangles and lines with fixed positions, which is rendered as PNG, SVG or PDF."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.figures.characters import single_line
from deconvwidgets.figures.lettering import choose_font

Tone = Literal["ink", "quiet", "line", "accent", "soft", "paper"]
Anchor = Literal["start", "end"]

# The colours of drawings, and of HTML pages in light mode
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
    """An image of pixels (h, w, 3), uint8, drawn at `width` x `height` with its top left corner at (x, y)."""

    x: float
    y: float
    width: float
    height: float
    pixels: NDArray[np.uint8]
    photograph: bool  # whether an SVG may store it as JPEG
    title: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text. `y` is its baseline. Line breaks and invalid characters are replaced."""

    x: float
    y: float
    text: str
    size: float
    tone: Tone = "ink"
    strong: bool = False
    anchor: Anchor = "start"

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", single_line(self.text))


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A filled rectangle, or an outline of `stroke` pixels if `stroke` is not 0."""

    x: float
    y: float
    width: float
    height: float
    tone: Tone
    stroke: float = 0.0


Segment = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Polyline:
    """A line through two points (x, y) or more, `stroke` pixels wide."""

    points: tuple[tuple[float, float], ...]
    tone: Tone
    stroke: float = 1.5
    dashed: bool = False

    def segments(self) -> list[Segment]:
        """Return the parts to draw as (start, end): those between two points, or the dashes along them."""
        pairs = list(zip(self.points, self.points[1:], strict=False))
        return pairs if not self.dashed else list(_dashes(pairs))


Item = Raster | Text | Rectangle | Polyline
DASH, GAP = 4.0, 3.0  # pixels
_STRONG = 1.06  # the width of bold text relative to regular text


@dataclass(slots=True)
class Drawing:
    """Items in drawing order on a canvas of `width` x `height` pixels."""

    width: float
    height: float = 0.0
    items: list[Item] = field(default_factory=list)

    def add(self, *items: Item) -> None:
        """Add items on top."""
        self.items.extend(items)


def text_width(text: str, size: float, *, strong: bool = False) -> float:
    """Return the width in pixels in the font of PNG files. Other fonts differ by a few percent, and by up to 25% in bold."""
    font, drawable = choose_font(single_line(text), size)
    return float(font.getlength(drawable)) * (_STRONG if strong else 1.0)


def _dashes(pairs: list[Segment]) -> Iterator[Segment]:
    """Yield the dashes along consecutive segments. The pattern goes on from one segment to the next."""
    place = 0.0  # on the whole line
    for (x0, y0), (x1, y1) in pairs:
        length, at = math.hypot(x1 - x0, y1 - y0), 0.0
        while at < length:
            phase = (place + at) % (DASH + GAP)
            end = min(length, at + (DASH if phase < DASH else DASH + GAP) - phase)
            if phase < DASH:
                across, down = (x1 - x0) / length, (y1 - y0) / length
                yield (x0 + across * at, y0 + down * at), (x0 + across * end, y0 + down * end)
            at = max(end, at + 1e-6)
        place += length


def wrap(text: str, size: float, width: float) -> list[str]:
    """Split text at spaces into lines of at most `width` pixels. A single word that is wider is shortened."""
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
    """Return `text`, cut and with an ellipsis if it is wider than `width` pixels."""
    if text_width(text, size) <= width:
        return text
    fits, too_long = 0, len(text)  # by halves: names may have thousands of characters
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if text_width(text[:middle] + "…", size) <= width:
            fits = middle
        else:
            too_long = middle
    return text[:fits].rstrip() + "…"
