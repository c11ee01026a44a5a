"""Signed projections and picture patches as RGB tiles and mosaics. NumPy and Pillow only.

Neighbouring pixels of a projection alternate in sign, so that a small tile made by scaling first, or by scaling with the
maximum, is almost grey. Therefore the *signed* projection is resampled to its display size first (antialiased); then zero
becomes mid-grey and 2.5 standard deviations reach black and white. The deviation is taken about zero, because zero means
"nothing excited the unit". This contrast is for the eye only (Zeiler & Fergus 2014, figure 2, enhance theirs too).
"""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.records.geometry import Box

GREY = 128
DEVIATIONS = 2.5
# The same colours as in the front end: viridis is ordered in lightness too, and read by the colour-blind.
VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")
CLASS_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#b279a2", "#eeca3b", "#72b7b2", "#9d755d", "#ff9da6", "#8c8c8c")

Rgb = NDArray[np.uint8]  # (height, width, 3)
Size = int | tuple[int, int]  # the longer side, or (height, width)


def resample_signed(signed: NDArray[np.floating], size: Size) -> NDArray[np.float32]:
    """A signed projection (C, h, w) at its display size: (C, height, width) float32, antialiased, sign kept.

    `size` is the longer side (the shape is kept) or (height, width).
    """
    height, width = fit_size(signed.shape[1:], size)
    planes = np.ascontiguousarray(signed, np.float32)
    if planes.shape[1:] == (height, width):
        return planes
    method = Image.Resampling.LANCZOS if height * width < planes.shape[1] * planes.shape[2] else Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(plane).resize((width, height), method), np.float32) for plane in planes])


def deviation(tiles: Sequence[NDArray[np.floating]]) -> float:
    """The standard deviation about zero over all values of `tiles`: the common scale of a shared contrast."""
    total = sum(float(np.square(tile, dtype=np.float64).sum()) for tile in tiles)
    return float(np.sqrt(total / max(1, sum(tile.size for tile in tiles))))


def contrast(signed: NDArray[np.floating], scale: float | None = None) -> Rgb:
    """Signed values (C, h, w) as RGB (h, w, 3): zero is mid-grey, 2.5 times `scale` black or white.

    `scale` is a standard deviation in the projection's own units; None takes this tile's own. One channel is shown in grey; three
    as red, green and blue; any other number as the grey mean over the channels.
    """
    colours = signed if signed.shape[0] == 3 else np.broadcast_to(signed.mean(axis=0), (3, *signed.shape[1:]))
    reach = DEVIATIONS * (deviation([signed]) if scale is None else scale)
    unit = np.clip(colours.astype(np.float64) / reach, -1, 1) if reach > 0 else np.zeros(colours.shape)
    return np.ascontiguousarray(np.rint(127.5 + 127.5 * unit).astype(np.uint8).transpose(1, 2, 0))


def projection_to_rgb(signed: NDArray[np.floating], size: Size, scale: float | None = None) -> Rgb:
    """A projection (C, h, w) as a tile to look at, (height, width, 3) uint8: resampled first, then scaled.

    `size` is the longer side or (height, width); `scale` as in `contrast`, measured on the resampled tiles
    (`deviation` over the nine for a shared contrast). A projection of zeros stays mid-grey.
    """
    return contrast(resample_signed(signed, size), scale)


def projections_to_rgb(projections: Sequence[NDArray[np.floating]], size: Size, shared: bool = False) -> list[Rgb]:
    """Several projections (C, h, w) as tiles; `shared` scales them all by one deviation, so that strengths can be compared."""
    resampled = [resample_signed(one, size) for one in projections]
    scale = deviation(resampled) if shared and resampled else None
    return [contrast(one, scale) for one in resampled]


def crop_patch(picture: Rgb, box: Box) -> Rgb:
    """The patch of `picture` (H, W, 3) inside a half-open box (left, top, right, bottom); mid-grey beyond the border."""
    left, top, right, bottom = (int(edge) for edge in box)
    height, width = picture.shape[:2]
    patch = np.full((bottom - top, right - left, 3), GREY, np.uint8)
    inner = (slice(max(top, 0), max(min(bottom, height), 0)), slice(max(left, 0), max(min(right, width), 0)))
    seen = picture[inner]
    if seen.size:
        patch[inner[0].start - top : inner[0].stop - top, inner[1].start - left : inner[1].stop - left] = seen
    return patch


def resize_image(picture: Rgb, size: Size) -> Rgb:
    """A picture (H, W, 3) uint8 at display size, antialiased when it shrinks."""
    height, width = fit_size(picture.shape[:2], size)
    if picture.shape[:2] == (height, width):
        return picture
    method = Image.Resampling.LANCZOS if height * width < picture.shape[0] * picture.shape[1] else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), method))


def fit_size(shape: Sequence[int], size: Size) -> tuple[int, int]:
    """(height, width) for a picture of `shape` (height, width): `size` itself, or its shape kept with `size` as the longer side."""
    if not isinstance(size, int):
        return size
    longer = max(shape)
    return max(1, round(shape[0] * size / longer)), max(1, round(shape[1] * size / longer))


def mosaic(tiles: Sequence[Rgb], grid: int = 3, tile: int = 54, gap: int = 2, background: int | tuple[int, int, int] = 255) -> Rgb:
    """`tiles` in reading order on a `grid` x `grid` mosaic of square places, `gap` pixels between them.

    Tiles are at most `tile` pixels a side; a smaller one (a receptive field that is not square) stands centred on mid-grey.
    Places without a tile keep the background (a level, or red, green, blue). Returns (side, side, 3) uint8 with
    side = grid * tile + (grid - 1) * gap.
    """
    if len(tiles) > grid * grid:
        raise ValueError(f"{len(tiles)} tiles do not fit a {grid} x {grid} mosaic")
    side = grid * tile + (grid - 1) * gap
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = background
    for place, one in enumerate(tiles):
        top, left = (place // grid) * (tile + gap), (place % grid) * (tile + gap)
        canvas[top : top + tile, left : left + tile] = letterbox(one, tile)
    return canvas


def letterbox(picture: Rgb, side: int) -> Rgb:
    """`picture` centred on a mid-grey square of `side` pixels; it must fit."""
    height, width = picture.shape[:2]
    if (height, width) == (side, side):
        return picture
    if max(height, width) > side:
        raise ValueError(f"a tile of {width} x {height} pixels does not fit a place of {side}: resize it first")
    square = np.full((side, side, 3), GREY, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


def viridis(values: NDArray[np.floating], low: float, high: float) -> Rgb:
    """Values (...) as colours (..., 3) from `low`, dark, to `high`, bright; what is no number is mid-grey."""
    anchors = np.array([hex_to_rgb(colour) for colour in VIRIDIS], np.float64)
    known = np.isfinite(values)
    share = np.clip((np.where(known, values, low) - low) / (high - low), 0, 1) if high > low else np.zeros(values.shape)
    places = np.linspace(0, 1, len(anchors))
    colours = np.stack([np.interp(share, places, anchors[:, channel]) for channel in range(3)], axis=-1)
    return np.where(known[..., None], np.rint(colours), GREY).astype(np.uint8)


def class_colour(at: int) -> str:
    """The colour "#rrggbb" of the n-th class of a map: never two alike."""
    if at < len(CLASS_COLOURS):
        return CLASS_COLOURS[at]
    red, green, blue = colorsys.hls_to_rgb((at * 137.508) % 360 / 360, 0.55, 0.55)
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * channel) for channel in (red, green, blue)))


def hex_to_rgb(colour: str) -> tuple[int, int, int]:
    """The levels of "#rrggbb"."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def decode_image(data: bytes) -> Rgb:
    """Return an encoded image as (height, width, 3) uint8."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)
