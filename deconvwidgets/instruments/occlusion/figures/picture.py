"""The figure of an occlusion experiment as a drawing, which is also the static image of an OcclusionExplorer."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from deconvwidgets.display import Rgb, decode_image, hex_to_rgb, viridis
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten, text_width, wrap
from deconvwidgets.figures.drawing_frame import add_caption, add_title
from deconvwidgets.instruments.occlusion.figures.pixels import label_pixels, scale_pixels, value_pixels
from deconvwidgets.instruments.occlusion.figures.sheet import NO_PROJECTIONS, OcclusionSheet, format_activity, image_name
from deconvwidgets.instruments.occlusion.records import ValueMap
from deconvwidgets.records.quantity import format_percent

_WIDTH, _EDGE, _GAP = 1200.0, 24.0, 20.0
_SIDE = (_WIDTH - 2 * _EDGE - 4 * _GAP) / 5  # of a panel
_TOP = 92.0
_PIXELS = 2 * round(_SIDE)  # resolution of a map: twice that of the drawing, for print
_LEGEND = 9  # maximum number of classes in the legend
_SMALL = 12.0  # font size
_Draw = Callable[[Drawing, OcclusionSheet, float], float]  # adds a panel at its left edge, and returns its lower edge
_FONT_MARGIN = 1.16  # an SVG is displayed in a font of the viewer: some are wider by this factor


def occlusion_drawing(sheet: OcclusionSheet) -> Drawing:
    """Return panels (a) to (e) in a row, each above its details: class probabilities, feature maps, patches, colour scales, legend."""
    drawing = Drawing(_WIDTH)
    add_title(drawing, sheet.title(), sheet.subtitle())
    bottom = 0.0
    for number, (title, draw) in enumerate(_panels(sheet)):
        left = _EDGE + number * (_SIDE + _GAP)
        drawing.add(Text(left, 78, shorten(title, 13, (_SIDE + _GAP - 4) / _FONT_MARGIN), 13, "quiet"))
        bottom = max(bottom, draw(drawing, sheet, left))
    drawing.add(Rectangle(0, bottom + 14, _WIDTH, 1, "line"))
    add_caption(drawing, bottom + 16, sheet.caption(), _FONT_MARGIN)
    return drawing


def _panels(sheet: OcclusionSheet) -> list[tuple[str, _Draw]]:
    """Return the titles of the panels, and what draws them. Two classes that are compared stand in place of the feature map."""
    classes: list[tuple[str, _Draw]] = [("(e) most probable class", _classes)] if sheet.has_classes else []
    against = sheet.against()
    if against is not None:
        maps: list[tuple[str, _Draw]] = [
            (f"(b) {sheet.target_title()}", _target),
            (f"(c) {sheet.quantity.describe(against)}", lambda drawing, sheet, x: _map(drawing, sheet, x, "against")),
            ("(d) difference", lambda drawing, sheet, x: _map(drawing, sheet, x, "difference")),
        ]
        return [("(a) image", _image), *maps, *classes]
    unit = sheet.feature_map()
    watched: list[tuple[str, _Draw]] = [(f"(b) activity of {unit}", _activity), (f"(c) projections of {unit}", _projections)]
    return [("(a) image", _image), *watched, (f"(d) {sheet.target_title()}", _target), *classes]


def _image(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """Add the input with its patches, above the class probabilities; light bars are without the patches."""
    image_height = _whole(drawing, sheet, x, sheet.occluded(), photograph=True)
    scale = _SIDE / max(sheet.size)
    height, width = sheet.size
    for left, top, right, bottom in sheet.boxes:
        box = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
        if box[0] < box[2] and box[1] < box[3]:
            drawing.add(
                Rectangle(x + box[0] * scale, _TOP + box[1] * scale, (box[2] - box[0]) * scale, (box[3] - box[1]) * scale, "paper", 1.0)
            )
    y = _TOP + image_height + 20
    if not sheet.result.classes:
        return _lines(drawing, x, y, "The model has no classifier.")
    y = _lines(drawing, x, y, sheet.scores_title()) - 16
    for share in sheet.listed():
        value = sheet.score_text(share)
        room = max(_SIDE - 8 - max(48.0, text_width(value, _SMALL)), 48.0)
        drawing.add(Text(x, y + 19, shorten(share.name, _SMALL, room), _SMALL, strong=share.label == sheet.scene.request.target))
        drawing.add(Text(x + _SIDE, y + 19, value, _SMALL, "quiet", anchor="end"))
        y += 30
        if not sheet.has_classes:  # values have no common scale for bars
            continue
        drawing.add(Rectangle(x, y - 6, _SIDE, 5, "line"), Rectangle(x, y - 6, max(_SIDE * share.before, 1.0), 5, "soft"))
        drawing.add(Rectangle(x, y - 6, max(_SIDE * share.now, 1.0), 5, "accent"))
    return y + 6


def _activity(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """Add the map of activities, above the feature map without and with the patches."""
    y = _values(drawing, sheet, x, "activity", value_pixels(sheet, "activity", _PIXELS), format_activity)
    before, now = sheet.scene.map, sheet.result.map
    half, colour_range = (_SIDE - 8) / 2, sheet.map_colour_range()
    parts = ((before, sheet.scene.activity, "feature map"), (now, sheet.result.activity, "with the patches"))
    height = 0.0
    for number, (values, total, title) in enumerate(parts if sheet.boxes else parts[:1]):
        left = x + number * (half + 8)
        drawing.add(Text(left, y + 12, title, _SMALL, "quiet"))
        height = half * values.shape[0] / values.shape[1]
        drawing.add(Raster(left, y + 20, half, height, _enlarged(viridis(values, *colour_range)), photograph=False, title=title))
        drawing.add(Text(left, y + 20 + height + 15, f"sum {format_activity(total)}", _SMALL, "quiet"))
    return y + 20 + height + 20


def _projections(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """Add up to four projections, above the patches in their receptive fields."""
    half = (_SIDE - 4) / 2
    if not sheet.projections:
        drawing.add(Rectangle(x, _TOP, _SIDE, _SIDE, "line", 1.0))
        note = sheet.projection_error or NO_PROJECTIONS
        return max(_TOP + _SIDE, _lines(drawing, x + 10, _TOP + 24, note, _SIDE - 20))
    y = _TOP + 2 * half + 4 + 8
    drawing.add(Text(x, y + 12, "Patches", _SMALL, "quiet"))
    for number, projection in enumerate(sheet.projections[:4]):
        row, column = divmod(number, 2)
        left, offset = x + column * (half + 4), row * (half + 4)
        for top, image, photograph in ((_TOP, projection.projection, False), (y + 20, projection.patch, True)):
            scale = half / max(image.width, image.height)
            pixels, title = decode_image(image.data), f"{projection.caption}: {projection.value:.1f}"
            drawing.add(Raster(left, top + offset, image.width * scale, image.height * scale, pixels, photograph=photograph, title=title))
    rows = math.ceil(len(sheet.projections[:4]) / 2)
    y += 20 + rows * (half + 4) + 12
    names = [image_name(projection) for projection in sheet.projections[:4]]
    return _lines(drawing, x, y, "; ".join(shorten(name, _SMALL, _SIDE - 20) for name in names))


def _target(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    return _map(drawing, sheet, x, sheet.target_map)


def _map(drawing: Drawing, sheet: OcclusionSheet, x: float, name: ValueMap) -> float:
    return _values(drawing, sheet, x, name, value_pixels(sheet, name, _PIXELS), sheet.quantity.format)


def _classes(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """Add the map of the most probable classes, above its legend."""
    pixels = label_pixels(sheet, _PIXELS)
    if pixels is None:
        return _missing(drawing, sheet, x)
    y = _TOP + _whole(drawing, sheet, x, pixels, photograph=False) + 8
    legend = sheet.legend()
    for label, name, share in legend[:_LEGEND]:
        drawing.add(Raster(x, y + 3, 10, 10, _uniform(sheet.colours[label]), photograph=False))
        drawing.add(Text(x + 17, y + 12, shorten(name, _SMALL, _SIDE - 68), _SMALL))
        drawing.add(Text(x + _SIDE, y + 12, format_percent(share), _SMALL, "quiet", anchor="end"))
        y += 19
    if len(legend) > _LEGEND:
        drawing.add(Text(x + 17, y + 12, f"and {len(legend) - _LEGEND} more", _SMALL, "quiet"))
        y += 19
    return y


def _values(drawing: Drawing, sheet: OcclusionSheet, x: float, name: ValueMap, pixels: Rgb | None, text: Callable[[float], str]) -> float:
    """Add a map of values, above its colour scale with a mark at the value without a window."""
    value_map = sheet.value_map(name)
    if pixels is None or value_map is None:
        return _missing(drawing, sheet, x)
    _, before, low, high = value_map
    y = _TOP + _whole(drawing, sheet, x, pixels, photograph=False) + 8
    drawing.add(Raster(x, y, _SIDE, 8, scale_pixels(name), photograph=False))
    mark = x + _SIDE * ((before - low) / (high - low) if high > low else 0.5 if name == "value" else 0.0)
    drawing.add(Rectangle(min(mark, x + _SIDE - 2) - 1, y - 3, 2, 14, "ink"))
    drawing.add(Text(x, y + 24, text(low), _SMALL, "quiet"), Text(x + _SIDE, y + 24, text(high), _SMALL, "quiet", anchor="end"))
    drawing.add(Text(x, y + 42, f"no patch: {text(before)}", _SMALL, "quiet"))
    return y + 54


def _missing(drawing: Drawing, sheet: OcclusionSheet, x: float) -> float:
    """Add an empty frame and the reason why there is no map."""
    drawing.add(Rectangle(x, _TOP, _SIDE, _SIDE, "line", 1.0))
    note = "The maps have not been computed." if sheet.maps is None or not sheet.maps.done else "The model has no classifier."
    return max(_TOP + _SIDE, _lines(drawing, x + 10, _TOP + 24, note, _SIDE - 20))


def _whole(drawing: Drawing, sheet: OcclusionSheet, x: float, pixels: Rgb, *, photograph: bool) -> float:
    """Add an image of the whole input to a panel; return its height in the drawing."""
    height, width = sheet.size
    drawn_width, drawn_height = _SIDE * width / max(sheet.size), _SIDE * height / max(sheet.size)
    drawing.add(Raster(x, _TOP, drawn_width, drawn_height, pixels, photograph=photograph, title=sheet.scene.caption))
    return drawn_height


def _lines(drawing: Drawing, x: float, y: float, text: str, width: float = _SIDE) -> float:
    """Add wrapped text in the small font; return the baseline of the next line."""
    for line in wrap(text, _SMALL, width):
        drawing.add(Text(x, y, line, _SMALL, "quiet"))
        y += 16
    return y


def _enlarged(pixels: Rgb) -> Rgb:
    """Return the cells of a map as squares of pixels, so that later scaling does not interpolate between cells."""
    scale = max(1, 256 // max(pixels.shape[:2]))
    return np.ascontiguousarray(pixels.repeat(scale, 0).repeat(scale, 1))


def _uniform(colour: str) -> Rgb:
    return np.full((2, 2, 3), hex_to_rgb(colour), np.uint8)
