"""Where the window stands: the positions of an occlusion map, and the order in which they are computed."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.records import MapsSettings
from deconvwidgets.records.geometry import Box

_FIRST_SIDE = 4  # the first, coarsest level has at most so many rows and columns


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """The positions of a window on an image: `rows` x `columns` of them, the first at (row, column) `first` of its upper left pixel.

    border "inside": as many as fit, from the upper left corner on. "same": one for each started stride, ceil(H / stride), set in the
    middle of the image; the outer windows may pass the border.
    """

    rows: int
    columns: int
    first: tuple[int, int]
    window: tuple[int, int]
    stride: tuple[int, int]

    @classmethod
    def of(cls, size: tuple[int, int], settings: MapsSettings) -> WindowGrid:
        """The grid on an image of `size` (height, width). Raises OcclusionError for a window or stride that cannot be used."""
        window, stride = as_pair(settings.window, "window"), as_pair(settings.stride, "stride")
        if min(window) < 1 or min(stride) < 1:
            raise OcclusionError(f"window and stride are 1 pixel at least, not {window} and {stride}.")
        if window[0] > size[0] or window[1] > size[1]:
            raise OcclusionError(
                f"The window of {window[0]} x {window[1]} (rows x columns) is larger than the image of {size[0]} x {size[1]}: "
                "choose a smaller one."
            )
        if settings.border not in ("inside", "same"):
            raise OcclusionError(f"border is 'inside' or 'same', not {settings.border!r}.")
        axes = [_axis(*lengths, settings.border) for lengths in zip(size, window, stride, strict=True)]
        return cls(axes[0][0], axes[1][0], (axes[0][1], axes[1][1]), window, stride)

    @property
    def count(self) -> int:
        """Number of positions."""
        return self.rows * self.columns

    def box(self, row: int, column: int) -> Box:
        """The window at a position, in input pixels; it may pass the border."""
        top, left = self.first[0] + row * self.stride[0], self.first[1] + column * self.stride[1]
        return (left, top, left + self.window[1], top + self.window[0])

    def centres(self) -> NDArray[np.float64]:
        """(rows, columns, 2): each window's centre as (row, column) in input pixels, where pixel 0 covers 0 to 1."""
        down = self.first[0] + self.stride[0] * np.arange(self.rows) + self.window[0] / 2
        right = self.first[1] + self.stride[1] * np.arange(self.columns) + self.window[1] / 2
        return np.stack(np.meshgrid(down, right, indexing="ij"), axis=-1)

    def coarse_to_fine(self) -> NDArray[np.int64]:
        """(count, 2): every position (row, column) once, those of a wide grid first; each level halves the grid's step."""
        step = 1
        while max(self.rows, self.columns) > step * _FIRST_SIDE:
            step *= 2
        levels = []
        rows, columns = np.indices((self.rows, self.columns)).reshape(2, -1)
        left = np.ones(self.count, dtype=bool)
        while step:
            level = left & (rows % step == 0) & (columns % step == 0)
            levels.append(np.stack([rows[level], columns[level]], axis=1))
            left &= ~level
            step //= 2
        return np.concatenate(levels).astype(np.int64)


def as_pair(value: object, what: str) -> tuple[int, int]:
    """(rows, columns) of one whole number or two. Raises OcclusionError."""
    several = value if isinstance(value, tuple | list | np.ndarray) else (value, value)
    try:
        rows, columns = (index(one) for one in several)
    except (TypeError, ValueError):
        raise OcclusionError(f"{what} is a whole number of pixels, or two (rows, columns), not {value!r}.") from None
    return rows, columns


def _axis(length: int, window: int, stride: int, border: str) -> tuple[int, int]:
    """Number of positions along one side, and where the first begins."""
    if border == "inside":
        return (length - window) // stride + 1, 0
    count = -(-length // stride)
    covered = (count - 1) * stride + window
    return count, -((covered - length) // 2)
