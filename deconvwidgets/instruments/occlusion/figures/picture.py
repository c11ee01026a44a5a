"""The paper's figure 7 as one still picture: a file to keep, and what an OcclusionExplorer shows where no notebook runs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from deconvwidgets.display import Rgb, decode_image, hex_to_rgb, viridis
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten, text_width, wrap
from deconvwidgets.instruments.occlusion.figures.pixels import label_pixels, scale_pixels, value_pixels
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet, activity_words, percent
from deconvwidgets.instruments.occlusion.records import ValueMap

_WIDTH, _EDGE, _GAP = 1200.0, 24.0, 20.0
_SIDE = (_WIDTH - 2 * _EDGE - 4 * _GAP) / 5  # of a panel
_TOP = 92.0
_PIXELS = 2 * round(_SIDE)  # of a panel's picture: sharp where it is printed
_LEGEND = 9
_SMALL = 12.0
_OTHER_FACES = 1.16  # an SVG is lettered in whatever face its reader has: some are so much wider


def occlusion_picture(sheet: OcclusionSheet) -> Drawing:
    """Panels (a) to (e) in a row; beneath them the answers, the feature map, what the projections saw, scales and the legend."""
    drawing = Drawing(_WIDTH)
    title = shorten(sheet.title(), 17, 700)
    drawing.add(Text(_EDGE, 34, title, 17, strong=True))
    after = _EDGE + text_width(title, 17, strong=True) + 16
    drawing.add(Text(after, 34, shorten(sheet.subtitle(), 13, _WIDTH - _EDGE - after), 13, "quiet"), Rectangle(0, 50, _WIDTH, 1, "line"))
    panels: tuple[tuple[str, Callable[[Drawing, OcclusionSheet, float], float]], ...] = (
        ("(a) the image", _image),
        (f"(b) activity of {sheet.watched()}", _activity),
        (f"(c) projections of {sheet.watched()}", _projections),
        (f"(d) probability of {sheet.target() or 'a class'}", _probability),
        ("(e) most probable class", _classes),
    )
    bottom = 0.0
    for at, (words, draw) in enumerate(panels):
        left = _EDGE + at * (_SIDE + _GAP)
        drawing.add(Text(left, 78, shorten(words, 13, (_SIDE + _GAP - 4) / _OTHER_FACES), 13, "quiet"))
        bottom = max(bottom, draw(drawing, sheet, left))
    drawing.add(Rectangle(0, bottom + 14, _WIDTH, 1, "line"))
    baseline = bottom + 36
    for line in wrap(sheet.caption(), _SMALL, (_WIDTH - 2 * _EDGE) / _OTHER_FACES):
        drawing.add(Text(_EDGE, baseline, line, _SMALL, "quiet"))
        baseline += 17
    drawing.height = math.ceil(baseline + 4)
    return drawing


def _image(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """The input with its patches; beneath it the answers, light bars without the patches."""
    high = _whole(drawing, sheet, x, sheet.occluded(), photograph=True)
    scale = _SIDE / max(sheet.size)
    height, width = sheet.size
    for left, top, right, bottom in sheet.boxes:
        box = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
        if box[0] < box[2] and box[1] < box[3]:
            drawing.add(
                Rectangle(x + box[0] * scale, _TOP + box[1] * scale, (box[2] - box[0]) * scale, (box[3] - box[1]) * scale, "paper", 1.0)
            )
    y = _TOP + high + 20
    if not sheet.answer.classes:
        return _lines(drawing, x, y, "The network has no classifier: it names no class.")
    words = "with the patches (light: without)" if sheet.boxes else "what the network says"
    drawing.add(Text(x, y, words, _SMALL, "quiet"))
    for share in sorted(sheet.answer.classes, key=lambda one: (-one.now, one.label)):
        value = percent(share.now)
        drawing.add(Text(x, y + 19, shorten(share.name, _SMALL, _SIDE - 56), _SMALL, strong=share.label == sheet.scene.wanted.target))
        drawing.add(Text(x + _SIDE, y + 19, value, _SMALL, "quiet", anchor="end"))
        drawing.add(Rectangle(x, y + 24, _SIDE, 5, "line"), Rectangle(x, y + 24, max(_SIDE * share.before, 1.0), 5, "soft"))
        drawing.add(Rectangle(x, y + 24, max(_SIDE * share.now, 1.0), 5, "accent"))
        y += 30
    return y + 6


def _activity(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """The map of activities; beneath it the feature map itself, without and with the patches."""
    y = _values(drawing, sheet, x, "activity", value_pixels(sheet, "activity", _PIXELS), activity_words)
    before, now = sheet.scene.map, sheet.answer.map
    half, span = (_SIDE - 8) / 2, sheet.map_span()
    parts = ((before, sheet.scene.activity, "the map itself"), (now, sheet.answer.activity, "with the patches"))
    tall = 0.0
    for at, (values, total, words) in enumerate(parts if sheet.boxes else parts[:1]):
        left = x + at * (half + 8)
        drawing.add(Text(left, y + 12, words, _SMALL, "quiet"))
        tall = half * values.shape[0] / values.shape[1]
        drawing.add(Raster(left, y + 20, half, tall, _enlarged(viridis(values, *span)), photograph=False, title=words))
        drawing.add(Text(left, y + 20 + tall + 15, f"sum {activity_words(total)}", _SMALL, "quiet"))
    return y + 20 + tall + 20


def _projections(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """Two by two, projections above and below what they saw."""
    half = (_SIDE - 4) / 2
    if not sheet.projections:
        drawing.add(Rectangle(x, _TOP, _SIDE, _SIDE, "line", 1.0))
        words = sheet.refusal or "This map fires nowhere in this image."
        return max(_TOP + _SIDE, _lines(drawing, x + 10, _TOP + 24, words, _SIDE - 20))
    y = _TOP + 2 * half + 4 + 8
    drawing.add(Text(x, y + 12, "what it saw there", _SMALL, "quiet"))
    for at, one in enumerate(sheet.projections[:4]):
        row, column = divmod(at, 2)
        left, down = x + column * (half + 4), row * (half + 4)
        for top, picture, photograph in ((_TOP, one.projection, False), (y + 20, one.patch, True)):
            scale = half / max(picture.width, picture.height)
            wide, high = picture.width * scale, picture.height * scale
            pixels, title = decode_image(picture.data), f"{one.caption}: {one.value:.1f}"
            drawing.add(Raster(left, top + down, wide, high, pixels, photograph=photograph, title=title))
    rows = math.ceil(len(sheet.projections[:4]) / 2)
    y += 20 + rows * (half + 4) + 12
    names = ["this image" if one.own else one.caption.partition(" · ")[0] for one in sheet.projections[:4]]
    return _lines(drawing, x, y, "; ".join(shorten(name, _SMALL, _SIDE - 20) for name in names))


def _probability(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    return _values(drawing, sheet, x, "probability", value_pixels(sheet, "probability", _PIXELS), percent)


def _classes(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """The map of classes and its legend."""
    pixels = label_pixels(sheet, _PIXELS)
    if pixels is None:
        return _missing(drawing, sheet, x)
    y = _TOP + _whole(drawing, sheet, x, pixels, photograph=False) + 8
    legend = sheet.legend()
    for label, name, share in legend[:_LEGEND]:
        drawing.add(Raster(x, y + 3, 10, 10, _plain(sheet.colours[label]), photograph=False))
        drawing.add(Text(x + 17, y + 12, shorten(name, _SMALL, _SIDE - 68), _SMALL))
        drawing.add(Text(x + _SIDE, y + 12, percent(share), _SMALL, "quiet", anchor="end"))
        y += 19
    if len(legend) > _LEGEND:
        drawing.add(Text(x + 17, y + 12, f"and {len(legend) - _LEGEND} more", _SMALL, "quiet"))
        y += 19
    return y


def _values(drawing: Drawing, sheet: OcclusionSheet, x: float, name: ValueMap, pixels: Rgb | None, words: Callable[[float], str]) -> float:
    """A map of values with its scale, a mark where the value without a patch is."""
    found = sheet.values(name)
    if pixels is None or found is None:
        return _missing(drawing, sheet, x)
    _, before, low, high = found
    y = _TOP + _whole(drawing, sheet, x, pixels, photograph=False) + 8
    drawing.add(Raster(x, y, _SIDE, 8, scale_pixels(), photograph=False))
    mark = x + _SIDE * ((before - low) / (high - low) if high > low else 0.0)
    drawing.add(Rectangle(min(mark, x + _SIDE - 2) - 1, y - 3, 2, 14, "ink"))
    drawing.add(Text(x, y + 24, words(low), _SMALL, "quiet"), Text(x + _SIDE, y + 24, words(high), _SMALL, "quiet", anchor="end"))
    drawing.add(Text(x, y + 42, f"without a patch {words(before)}", _SMALL, "quiet"))
    return y + 54


def _missing(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """An empty frame, and why."""
    drawing.add(Rectangle(x, _TOP, _SIDE, _SIDE, "line", 1.0))
    words = "The maps have not been computed." if sheet.maps is None or not sheet.maps.done else "The network has no classifier."
    return max(_TOP + _SIDE, _lines(drawing, x + 10, _TOP + 24, words, _SIDE - 20))


def _whole(drawing: Drawing, sheet: OcclusionSheet, x: float, pixels: Rgb, *, photograph: bool) -> float:
    """A picture of the whole input in a panel; its height."""
    height, width = sheet.size
    wide, high = _SIDE * width / max(sheet.size), _SIDE * height / max(sheet.size)
    drawing.add(Raster(x, _TOP, wide, high, pixels, photograph=photograph, title=sheet.scene.caption))
    return high


def _lines(drawing: Drawing, x: float, y: float, words: str, width: float = _SIDE) -> float:
    """Small words; where they end."""
    for line in wrap(words, _SMALL, width):
        drawing.add(Text(x, y, line, _SMALL, "quiet"))
        y += 16
    return y


def _enlarged(pixels: Rgb) -> Rgb:
    """Cells as squares of pixels: scaling a map of 13 x 13 smoothly would invent what lies between."""
    scale = max(1, 256 // max(pixels.shape[:2]))
    return np.ascontiguousarray(pixels.repeat(scale, 0).repeat(scale, 1))


def _plain(colour: str) -> Rgb:
    return np.full((2, 2, 3), hex_to_rgb(colour), np.uint8)
