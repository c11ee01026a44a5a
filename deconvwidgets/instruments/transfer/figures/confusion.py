"""A confusion matrix as pixels: what is right in one hue, and errors, which are rare, in another on a scale of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_RIGHT = (21, 96, 189)  # the accent
_WRONG = (196, 60, 20)
_EMPTY = (245, 246, 248)
_FAINTEST = 0.15  # of an error's depth


def confusion_pixels(confusion: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """(classes, classes) counts as (s, s, 3) uint8, a whole number of pixels a cell, s as close to `side` as that allows.

    A cell's depth is its share of its row: as it is on the diagonal; beside it the square root, so that single errors are seen.
    """
    classes = len(confusion)
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    right = np.eye(classes, dtype=bool)
    depth = np.where(right, shares, np.where(shares > 0, _FAINTEST + (1 - _FAINTEST) * np.sqrt(shares), 0.0))[:, :, None]
    full = np.where(right[:, :, None], np.array(_RIGHT), np.array(_WRONG))
    cells = np.rint(np.array(_EMPTY) * (1 - depth) + full * depth).astype(np.uint8)
    scale = max(1, round(side / classes))
    return np.ascontiguousarray(cells.repeat(scale, 0).repeat(scale, 1))
