"""First-layer filters as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GAP = 2


def filter_tile(weight: NDArray[np.floating], side: int) -> NDArray[np.uint8]:
    """Return a filter as a picture with mid-grey as zero: uint8 (side, side, 3). One channel, or more than three, are averaged to grey.

    Parameters
    ----------
    weight : array (C, rows, columns)
    side : int
        Pixels; each weight is a rectangle of equal pixels.
    """
    values = weight if weight.shape[0] == 3 else np.repeat(weight.mean(axis=0, keepdims=True), 3, axis=0)
    largest = float(np.abs(values).max())
    scaled = values / largest if largest > 0 else np.zeros_like(values)
    pixels = np.round(127.5 + 127.5 * scaled).astype(np.uint8).transpose(1, 2, 0)
    rows, columns = (np.arange(side) * size // side for size in pixels.shape[:2])
    return np.asarray(pixels[rows][:, columns])


def filter_sheet(weights: NDArray[np.floating], order: Sequence[int], columns: int, side: int) -> NDArray[np.uint8]:
    """Return filters in rows, in an order, on white: uint8 (height, width, 3)."""
    step, rows = side + _GAP, max(1, -(-len(order) // columns))
    sheet = np.full((rows * step - _GAP, columns * step - _GAP, 3), 255, np.uint8)
    for place, unit in enumerate(order):
        top, left = place // columns * step, place % columns * step
        sheet[top : top + side, left : left + side] = filter_tile(weights[unit], side)
    return sheet
