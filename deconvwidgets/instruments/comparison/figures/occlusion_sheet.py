"""The picture of one photograph and two models: predictions of both, and their occlusion maps with the difference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.display import between_models, decode_image, viridis
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten
from deconvwidgets.figures.raster import to_png
from deconvwidgets.instruments.layers.figures.layout import MARGIN, draw_caption, draw_heading
from deconvwidgets.instruments.occlusion.patch_boxes import patch_boxes
from deconvwidgets.instruments.occlusion.records import OcclusionMaps, OcclusionScene, PatchAnswer
from deconvwidgets.records.overview import Overview
from deconvwidgets.records.quantity import format_percent

_SIDE, _GAP, _SIZE = 260.0, 24.0, 13.0
_CLASSES = 6


@dataclass(frozen=True, slots=True, eq=False)
class OcclusionSide:
    """One of the two models: what it returns for the photograph, without the patches (`scene`) and with them (`answer`)."""

    name: str
    overview: Overview
    state: Mapping[str, Any]  # in the pixels of its input
    input: tuple[int, int]
    scene: OcclusionScene
    answer: PatchAnswer
    target: str | None


def draw_sides(
    sides: tuple[OcclusionSide, OcclusionSide], maps: tuple[OcclusionMaps, OcclusionMaps] | None, difference: NDArray[np.float64] | None
) -> bytes:
    """Return the picture as a PNG; without `maps`, of the predictions alone."""
    columns = 3 if maps is None else 4
    drawing = Drawing(2 * MARGIN + columns * _SIDE + (columns - 1) * _GAP)
    random = [f"{side.name}: random weights" for side in sides if not side.overview.trained]
    top = draw_heading(drawing, f"{sides[0].name} beside {sides[1].name}", " · ".join([sides[0].scene.caption, *random]), _SIZE) + 22
    bottom = _photograph(drawing, sides[0], MARGIN, top)
    if maps is None:
        for number, side in enumerate(sides):
            bottom = max(bottom, _predictions(drawing, "AB"[number], side, MARGIN + (number + 1) * (_SIDE + _GAP), top))
    else:
        bottom = max(bottom, _maps(drawing, sides, maps, difference, top))
        left = MARGIN
        for number, side in enumerate(sides):
            after = _predictions(drawing, "AB"[number], side, left + (number + 1) * (_SIDE + _GAP), top + _SIDE + 64)
            bottom = max(bottom, after)
    draw_caption(drawing, _caption(sides, difference is not None), bottom + 12, _SIZE)
    return to_png(drawing, colours=256)


def _caption(sides: tuple[OcclusionSide, OcclusionSide], has_difference: bool) -> str:
    rows, columns = sides[0].state["window"]
    maps = " Maps: the score of the target by the position of the patch, on one colour scale; A minus B: grey is no difference."
    return f"Light bars: without the patch of {rows} x {columns} pixels; dark bars: with it.{maps if has_difference else ''}"


def _photograph(drawing: Drawing, side: OcclusionSide, x: float, y: float) -> float:
    pixels = decode_image(side.scene.image.data)
    fill = decode_image(side.scene.fill.data)
    height, width = pixels.shape[:2]
    shown = pixels.copy()
    for left, top, right, bottom in patch_boxes(side.state):
        part = (slice(max(0, top), max(0, min(height, bottom))), slice(max(0, left), max(0, min(width, right))))
        shown[part] = fill[part]
    scale = _SIDE / max(height, width)
    drawing.add(Text(x, y - 8, "Photograph", _SIZE, "quiet"))
    drawing.add(Raster(x, y, width * scale, height * scale, shown, photograph=True, title=side.scene.caption))
    return float(y + height * scale)


def _predictions(drawing: Drawing, letter: str, side: OcclusionSide, x: float, y: float) -> float:
    drawing.add(Text(x, y - 8, shorten(f"{letter} {side.overview.model}", _SIZE, _SIDE), _SIZE, strong=True))
    if not side.answer.classes:
        drawing.add(Text(x, y + 14, "It predicts no classes.", _SIZE, "quiet"))
        return y + 24
    probabilities = side.overview.quantity is None or side.overview.quantity.kind == "probability"
    for share in sorted(side.answer.classes, key=lambda one: -one.now)[:_CLASSES]:
        value = format_percent(share.now) if probabilities else f"{share.now:.3g}"
        drawing.add(Text(x, y + 14, shorten(share.name, _SIZE, _SIDE - 60), _SIZE, strong=share.name == side.target))
        drawing.add(Text(x + _SIDE, y + 14, value, _SIZE, "quiet", anchor="end"))
        if probabilities:
            drawing.add(Rectangle(x, y + 19, _SIDE, 5, "line"), Rectangle(x, y + 19, max(1.0, _SIDE * share.before), 5, "soft"))
            drawing.add(Rectangle(x, y + 19, max(1.0, _SIDE * share.now), 5, "accent"))
        y += 32
    return y


def _maps(
    drawing: Drawing,
    sides: tuple[OcclusionSide, OcclusionSide],
    maps: tuple[OcclusionMaps, OcclusionMaps],
    difference: NDArray[np.float64] | None,
    y: float,
) -> float:
    """Add both maps on one colour scale, and their difference."""
    values = [(found.scores if found.scores is not None else found.activity).astype(np.float64) for found in maps]
    alike = all(found.scores is not None and (found.value is None) == (maps[0].value is None) for found in maps)
    shared = min(float(part.min()) for part in values), max(float(part.max()) for part in values)
    bottom = y
    for number, (side, part) in enumerate(zip(sides, values, strict=True)):
        low, high = shared if alike else (float(part.min()), float(part.max()))
        x = MARGIN + (number + 1) * (_SIDE + _GAP)
        title = f"{'AB'[number]}: {side.target or 'activity'}"
        bottom = max(bottom, _map(drawing, title, viridis(part, low, high), (low, high), (x, y)))
    if difference is not None:
        edge = float(np.nanmax(np.abs(difference))) or 1.0
        x = MARGIN + 3 * (_SIDE + _GAP)
        bottom = max(bottom, _map(drawing, "A minus B", between_models(difference, -edge, edge), (-edge, edge), (x, y)))
    return bottom


def _map(drawing: Drawing, title: str, pixels: NDArray[np.uint8], edges: tuple[float, float], corner: tuple[float, float]) -> float:
    x, y = corner
    rows, columns = pixels.shape[:2]
    scale = _SIDE / max(rows, columns)
    times = max(1, math.ceil(_SIDE / max(rows, columns)))
    enlarged = pixels.repeat(times, axis=0).repeat(times, axis=1)
    drawing.add(Text(x, y - 8, shorten(title, _SIZE, _SIDE), _SIZE, strong=True))
    drawing.add(Raster(x, y, columns * scale, rows * scale, enlarged, photograph=False, title=title))
    drawing.add(Text(x, y + rows * scale + 16, f"{edges[0]:.3g}", _SIZE, "quiet"))
    drawing.add(Text(x + columns * scale, y + rows * scale + 16, f"{edges[1]:.3g}", _SIZE, "quiet", anchor="end"))
    return float(y + rows * scale + 24)
