"""Occlusion maps as pixels, in their place on the image."""

from __future__ import annotations

import numpy as np
from PIL import Image

from deconvwidgets.display import VIRIDIS, Rgb, decode_image, hex_to_rgb, resize_image, viridis
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet
from deconvwidgets.instruments.occlusion.records import OcclusionMaps, ValueMap

_FAINT = 0.35  # how much is left of the image beneath
Edges = tuple[float, float, float, float]


def map_edges(maps: OcclusionMaps) -> Edges:
    """Left, top, right and bottom of the map on the image, in input pixels: a cell is a stride wide, around its window's centre."""
    (down, right), first, last = maps.stride, maps.centres[0, 0], maps.centres[-1, -1]
    return (first[1] - right / 2, first[0] - down / 2, last[1] + right / 2, last[0] + down / 2)


def value_pixels(sheet: OcclusionSheet, name: ValueMap, side: int) -> Rgb | None:
    """The map of a quantity on the faint image, the longer side `side` pixels; None where there is none."""
    found = sheet.values(name)
    if found is None or sheet.maps is None:
        return None
    values, _, low, high = found
    return _on_image(sheet, sheet.maps, viridis(values, low, high), np.isfinite(values), side)


def label_pixels(sheet: OcclusionSheet, side: int) -> Rgb | None:
    """The map of the most probable classes, likewise."""
    maps = sheet.maps
    if not sheet.colours or maps is None or maps.label is None:
        return None
    colours = np.zeros((*maps.label.shape, 3), np.uint8)
    for label, colour in sheet.colours.items():
        colours[maps.label == label] = hex_to_rgb(colour)
    return _on_image(sheet, maps, colours, maps.label >= 0, side)


def scale_pixels(width: int = 256) -> Rgb:
    """The colours of values from low to high, (1, width, 3)."""
    return viridis(np.linspace(0, 1, max(width, len(VIRIDIS)))[None], 0, 1)


def _on_image(
    sheet: OcclusionSheet, maps: OcclusionMaps, colours: Rgb, known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], side: int
) -> Rgb:
    """Cells on the image; each pixel of the picture takes the cell that it lies in, so that cells keep sharp edges."""
    picture = resize_image(decode_image(sheet.scene.picture.data), side)
    gray = np.asarray(Image.fromarray(picture).convert("L"), np.float64)[..., None]
    canvas = np.rint(255 - _FAINT * (255 - np.repeat(gray, 3, axis=2))).astype(np.uint8)
    scale = picture.shape[0] / sheet.size[0]
    left, top, _, _ = map_edges(maps)
    rows = np.floor(((np.arange(picture.shape[0]) + 0.5) / scale - top) / maps.stride[0]).astype(int)
    columns = np.floor(((np.arange(picture.shape[1]) + 0.5) / scale - left) / maps.stride[1]).astype(int)
    down, across = np.flatnonzero((rows >= 0) & (rows < colours.shape[0])), np.flatnonzero((columns >= 0) & (columns < colours.shape[1]))
    cells = np.ix_(rows[down], columns[across])
    place = np.ix_(down, across)
    canvas[place] = np.where(known[cells][..., None], colours[cells], canvas[place])
    return canvas
