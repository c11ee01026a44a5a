"""A confusion matrix as pixels: correct predictions in one hue, and errors, which are rare, in another with a scale of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CORRECT = (21, 96, 189)  # the accent colour
_ERROR = (196, 60, 20)
_EMPTY = (245, 246, 248)
_MIN_DEPTH = 0.15  # of an error


def confusion_pixels(confusion: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """Return a confusion matrix (classes, classes) as pixels (s, s, 3) uint8, with s close to `side` and a whole number of pixels per cell.

    The depth of a cell is its share of the row; for errors it is the square root of the share, so that single errors are visible.
    """
    classes = len(confusion)
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    correct = np.eye(classes, dtype=bool)
    depth = np.where(correct, shares, np.where(shares > 0, _MIN_DEPTH + (1 - _MIN_DEPTH) * np.sqrt(shares), 0.0))[:, :, None]
    hue = np.where(correct[:, :, None], np.array(_CORRECT), np.array(_ERROR))
    cells = np.rint(np.array(_EMPTY) * (1 - depth) + hue * depth).astype(np.uint8)
    scale = max(1, round(side / classes))
    return np.ascontiguousarray(cells.repeat(scale, 0).repeat(scale, 1))
