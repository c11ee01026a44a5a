"""Conversion of signed projections and image patches to RGB tiles and mosaics, with NumPy and Pillow only.

Neighbouring pixels of a projection alternate in sign, so a small tile is almost gray if values are converted to colours before
resampling, or scaled by their maximum. Here the signed projection is resampled to its display size first. Then zero is mapped to
mid-gray, and 2.5 standard deviations to black and white. The deviation is about zero, because zero means no contribution to the
activation. The contrast is for display only (as in Zeiler & Fergus 2014, figure 2).
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
# Also used by the front end. Viridis is ordered by lightness, and suitable for colour-blind readers.
VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")
# For changes in both directions: blue is less, white is no change, red is more. Also used by the front end.
DIVERGING = ("#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b")
# For the difference of two classes: teal contributes to the second one, orange for the first. Also used by the front end.
COMPARED = ("#00695f", "#11857a", "#7cc4bc", "#eeeeee", "#f3b583", "#c2570c", "#8f3d04")
# For the difference of two models: blue is higher in B, orange in A, mid-grey is no difference. Must agree with colormap.ts.
MODELS = ("#0b4a9e", "#2f78c4", "#6f9cc4", "#808080", "#d19a66", "#cf6a1f", "#9c4304")
CLASS_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#b279a2", "#eeca3b", "#72b7b2", "#9d755d", "#ff9da6", "#8c8c8c")

Rgb = NDArray[np.uint8]  # (height, width, 3)
Size = int | tuple[int, int]  # the longer side, or (height, width)


def resample_signed(signed: NDArray[np.floating], size: Size) -> NDArray[np.float32]:
    """Resample a signed projection to its display size, with antialiasing.

    Parameters
    ----------
    signed : ndarray of shape (C, h, w)
        The projection.
    size : int or tuple of (int, int)
        The longer side, or (height, width).

    Returns
    -------
    ndarray of shape (C, height, width), float32
        The resampled projection.
    """
    height, width = fit_size(signed.shape[1:], size)
    planes = np.ascontiguousarray(signed, np.float32)
    if planes.shape[1:] == (height, width):
        return planes
    method = Image.Resampling.LANCZOS if height * width < planes.shape[1] * planes.shape[2] else Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(plane).resize((width, height), method), np.float32) for plane in planes])


def deviation(tiles: Sequence[NDArray[np.floating]]) -> float:
    """Return the standard deviation about zero over all values of `tiles`, the scale of a shared contrast."""
    total = sum(float(np.square(tile, dtype=np.float64).sum()) for tile in tiles)
    return float(np.sqrt(total / max(1, sum(tile.size for tile in tiles))))


def contrast(signed: NDArray[np.floating], scale: float | None = None) -> Rgb:
    """Convert signed values to RGB. Zero is mid-gray; -2.5 and 2.5 times `scale` are black and white.

    Parameters
    ----------
    signed : ndarray of shape (C, h, w)
        The values. Three channels are red, green and blue; any other number of channels is averaged and shown in gray.
    scale : float, optional
        A standard deviation. Defaults to that of `signed` about zero.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        The image.
    """
    colours = signed if signed.shape[0] == 3 else np.broadcast_to(signed.mean(axis=0), (3, *signed.shape[1:]))
    limit = DEVIATIONS * (deviation([signed]) if scale is None else scale)
    unit = np.clip(colours.astype(np.float64) / limit, -1, 1) if limit > 0 else np.zeros(colours.shape)
    return np.ascontiguousarray(np.rint(127.5 + 127.5 * unit).astype(np.uint8).transpose(1, 2, 0))


def projection_to_rgb(signed: NDArray[np.floating], size: Size, scale: float | None = None) -> Rgb:
    """Resample a projection (C, h, w) and convert it to an RGB tile (height, width, 3), uint8.

    `size` is the longer side or (height, width). `scale` is that of `contrast`, for resampled values. A projection of zeros is
    mid-gray.
    """
    return contrast(resample_signed(signed, size), scale)


def projections_to_rgb(projections: Sequence[NDArray[np.floating]], size: Size, shared: bool = False) -> list[Rgb]:
    """Convert projections (C, h, w) to RGB tiles. With `shared`, all have the same scale, so that strengths can be compared."""
    resampled = [resample_signed(projection, size) for projection in projections]
    scale = deviation(resampled) if shared and resampled else None
    return [contrast(signed, scale) for signed in resampled]


def crop_patch(image: Rgb, box: Box) -> Rgb:
    """Return the pixels of `image` (H, W, 3) in a half-open box (left, top, right, bottom); mid-gray outside the image."""
    left, top, right, bottom = (int(edge) for edge in box)
    height, width = image.shape[:2]
    patch = np.full((bottom - top, right - left, 3), GREY, np.uint8)
    inner = (slice(max(top, 0), max(min(bottom, height), 0)), slice(max(left, 0), max(min(right, width), 0)))
    visible = image[inner]
    if visible.size:
        patch[inner[0].start - top : inner[0].stop - top, inner[1].start - left : inner[1].stop - left] = visible
    return patch


def resize_image(image: Rgb, size: Size) -> Rgb:
    """Resize an image (H, W, 3), uint8. `size` is the longer side or (height, width)."""
    height, width = fit_size(image.shape[:2], size)
    if image.shape[:2] == (height, width):
        return image
    method = Image.Resampling.LANCZOS if height * width < image.shape[0] * image.shape[1] else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((width, height), method))


def fit_size(shape: Sequence[int], size: Size) -> tuple[int, int]:
    """Return `size` if it is (height, width); otherwise `shape` (height, width) scaled so that the longer side is `size`."""
    if not isinstance(size, int):
        return size
    longer = max(shape)
    return max(1, round(shape[0] * size / longer)), max(1, round(shape[1] * size / longer))


def mosaic(tiles: Sequence[Rgb], grid: int = 3, tile: int = 54, gap: int = 2, background: int | tuple[int, int, int] = 255) -> Rgb:
    """Arrange tiles in reading order on a square grid.

    Parameters
    ----------
    tiles : sequence of ndarray of shape (h, w, 3), uint8
        The tiles, with at most `tile` pixels per side. Smaller ones are centred on mid-gray.
    grid : int
        The number of rows and columns.
    tile : int
        The side of a cell in pixels.
    gap : int
        The space between cells in pixels.
    background : int or tuple of (int, int, int)
        The colour of gaps and empty cells.

    Returns
    -------
    ndarray of shape (side, side, 3), uint8
        The mosaic, with side = grid * tile + (grid - 1) * gap.

    Raises
    ------
    ValueError
        If there are too many tiles, or a tile is too large.
    """
    if len(tiles) > grid * grid:
        raise ValueError(f"{len(tiles)} tiles do not fit a {grid} x {grid} mosaic")
    side = grid * tile + (grid - 1) * gap
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = background
    for cell, image in enumerate(tiles):
        top, left = (cell // grid) * (tile + gap), (cell % grid) * (tile + gap)
        canvas[top : top + tile, left : left + tile] = letterbox(image, tile)
    return canvas


def letterbox(image: Rgb, side: int) -> Rgb:
    """Return an image centred on a mid-gray square of `side` pixels. Raises ValueError if it is larger."""
    height, width = image.shape[:2]
    if (height, width) == (side, side):
        return image
    if max(height, width) > side:
        raise ValueError(f"a tile of {width} x {height} pixels does not fit a cell of {side}: resize it first")
    square = np.full((side, side, 3), GREY, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = image
    return square


def viridis(values: NDArray[np.floating], low: float, high: float) -> Rgb:
    """Map values (...) between `low` and `high` to viridis colours (..., 3), uint8. NaN and infinity are mid-gray."""
    return _interpolated(VIRIDIS, values, low, high)


def diverging(values: NDArray[np.floating], low: float, high: float) -> Rgb:
    """Map values (...) to colours (..., 3) from blue at `low` to red at `high`, white in the middle. NaN and infinity are mid-gray."""
    if high <= low:  # no change
        low, high = low - 1, low + 1
    return _interpolated(DIVERGING, values, low, high)


def compared(values: NDArray[np.floating], low: float, high: float) -> Rgb:
    """Map values (...) to colours (..., 3) from teal at `low` to orange at `high`. NaN and infinity are mid-gray."""
    return _interpolated(COMPARED, values, low, high)


def between_models(values: NDArray[np.floating], low: float, high: float) -> Rgb:
    """Return the difference of two models in colours, as `viridis` does; mid-grey is the middle of the range."""
    return _interpolated(MODELS, values, low, high)


def _interpolated(colours: Sequence[str], values: NDArray[np.floating], low: float, high: float) -> Rgb:
    anchors = np.array([hex_to_rgb(colour) for colour in colours], np.float64)
    finite = np.isfinite(values)
    fraction = np.clip((np.where(finite, values, low) - low) / (high - low), 0, 1) if high > low else np.zeros(values.shape)
    positions = np.linspace(0, 1, len(anchors))
    interpolated = np.stack([np.interp(fraction, positions, anchors[:, channel]) for channel in range(3)], axis=-1)
    return np.where(finite[..., None], np.rint(interpolated), GREY).astype(np.uint8)


def class_colour(index: int) -> str:
    """Return the colour "#rrggbb" of a class in a map. Different indices have different colours."""
    if index < len(CLASS_COLOURS):
        return CLASS_COLOURS[index]
    red, green, blue = colorsys.hls_to_rgb((index * 137.508) % 360 / 360, 0.55, 0.55)
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * channel) for channel in (red, green, blue)))


def hex_to_rgb(colour: str) -> tuple[int, int, int]:
    """Convert "#rrggbb" to (red, green, blue)."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def decode_image(data: bytes) -> Rgb:
    """Decode an image file to (height, width, 3), uint8."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)
