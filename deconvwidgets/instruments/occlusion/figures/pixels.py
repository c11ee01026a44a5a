"""Occlusion maps as pixels, at their position on the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.display import VIRIDIS, Rgb, compared, decode_image, diverging, hex_to_rgb, resize_image, viridis
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet
from deconvwidgets.instruments.occlusion.records import OcclusionMaps, ValueMap

_FAINT = 0.35  # contrast of the image below the map
_COLOUR_MAPS: Mapping[ValueMap, Callable[[NDArray[np.floating], float, float], Rgb]] = {
    "probability": viridis,
    "value": diverging,
    "activity": viridis,
    "against": viridis,
    "difference": compared,
}
Edges = tuple[float, float, float, float]


def map_edges(maps: OcclusionMaps) -> Edges:
    """Return the left, top, right and bottom edge of the map in input pixels: each cell is one stride wide, centred on its window."""
    (rows, columns), first, last = maps.stride, maps.centres[0, 0], maps.centres[-1, -1]
    return (first[1] - columns / 2, first[0] - rows / 2, last[1] + columns / 2, last[0] + rows / 2)


def value_pixels(sheet: OcclusionSheet, name: ValueMap, side: int) -> Rgb | None:
    """Return the map of a quantity over the faint image, `side` pixels on the longer side; None if there is no map."""
    value_map = sheet.value_map(name)
    if value_map is None or sheet.maps is None:
        return None
    values, _, low, high = value_map
    return _on_image(sheet, sheet.maps, _COLOUR_MAPS[name](values, low, high), np.isfinite(values), side)


def label_pixels(sheet: OcclusionSheet, side: int) -> Rgb | None:
    """Return the map of the most probable classes over the faint image; None if there is no map."""
    maps = sheet.maps
    if not sheet.colours or maps is None or maps.label is None:
        return None
    colours = np.zeros((*maps.label.shape, 3), np.uint8)
    for label, colour in sheet.colours.items():
        colours[maps.label == label] = hex_to_rgb(colour)
    return _on_image(sheet, maps, colours, maps.label >= 0, side)


def scale_pixels(name: ValueMap, width: int = 256) -> Rgb:
    """Return the colours of a map's values from low to high as pixels (1, width, 3)."""
    return _COLOUR_MAPS[name](np.linspace(0, 1, max(width, len(VIRIDIS)))[None], 0, 1)


def _on_image(
    sheet: OcclusionSheet, maps: OcclusionMaps, colours: Rgb, known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], side: int
) -> Rgb:
    """Return the cells over the image. Each pixel has the colour of the cell that it is in, so that cells have sharp edges."""
    image = resize_image(decode_image(sheet.scene.image.data), side)
    gray = np.asarray(Image.fromarray(image).convert("L"), np.float64)[..., None]
    canvas = np.repeat(np.rint(255 - _FAINT * (255 - gray)).astype(np.uint8), 3, axis=2)
    scale = image.shape[0] / sheet.size[0]
    left, top, _, _ = map_edges(maps)
    rows = np.floor(((np.arange(image.shape[0]) + 0.5) / scale - top) / maps.stride[0]).astype(int)
    columns = np.floor(((np.arange(image.shape[1]) + 0.5) / scale - left) / maps.stride[1]).astype(int)
    y, x = np.flatnonzero((rows >= 0) & (rows < colours.shape[0])), np.flatnonzero((columns >= 0) & (columns < colours.shape[1]))
    cells = np.ix_(rows[y], columns[x])
    pixels = np.ix_(y, x)
    canvas[pixels] = np.where(known[cells][..., None], colours[cells], canvas[pixels])
    return canvas
