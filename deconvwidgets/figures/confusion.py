"""A confusion matrix as pixels: correct predictions in one hue, and errors, which are rare, in another with a scale of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CORRECT = (21, 96, 189)  # the accent colour
_ERROR = (196, 60, 20)
_EMPTY = (245, 246, 248)
_MIN_DEPTH = 0.15  # of an error


def confusion_pixels(confusion: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """Return a confusion matrix (rows, columns) as pixels (h, w, 3) uint8.

    The longer side is close to `side`, with a whole number of pixels per cell.

    The depth of a cell is its share of the row; for errors it is the square root of the share, so that single errors are visible.
    """
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    rows, columns = confusion.shape
    correct = np.eye(rows, columns, dtype=bool)
    depth = np.where(correct, shares, np.where(shares > 0, _MIN_DEPTH + (1 - _MIN_DEPTH) * np.sqrt(shares), 0.0))[:, :, None]
    hue = np.where(correct[:, :, None], np.array(_CORRECT), np.array(_ERROR))
    cells = np.rint(np.array(_EMPTY) * (1 - depth) + hue * depth).astype(np.uint8)
    scale = max(1, round(side / max(confusion.shape)))
    return np.ascontiguousarray(cells.repeat(scale, 0).repeat(scale, 1))
