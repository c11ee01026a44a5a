"""The positions of the window in an occlusion map, and the order in which they are computed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, integer_array
from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.records import MapsSettings
from deconvwidgets.records.geometry import Box

_COARSEST_SIDE = 4  # maximum number of rows and columns of the coarsest level
_MAX_LENGTH = 1_000_000  # pixels, for windows and strides


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """`rows` x `columns` positions of a window on an image.

    `origin` is (row, column) of the upper left pixel of the first window. With border "inside" the first window is in the upper left
    corner, and there are as many as fit into the image. With border "same" there are ceil(H / stride) rows, centred on the image, and the
    outer windows may extend beyond the border; columns likewise.
    """

    rows: int
    columns: int
    origin: tuple[int, int]
    window: tuple[int, int]
    stride: tuple[int, int]

    @classmethod
    def of(cls, size: tuple[int, int], settings: MapsSettings) -> WindowGrid:
        """Return the grid on an image of `size` (height, width).

        Raises
        ------
        OcclusionError
            For an invalid window, stride or border.
        """
        settings = checked_settings(settings)
        window, stride = settings.window, settings.stride
        if min(window) < 1 or min(stride) < 1:
            raise OcclusionError(f"window and stride must be at least 1 pixel, not {window} and {stride}.")
        if window[0] > size[0] or window[1] > size[1]:
            raise OcclusionError(
                f"The window of {window[0]} x {window[1]} (rows x columns) is larger than the image of {size[0]} x {size[1]}: "
                "choose a smaller one."
            )
        axes = [_axis(*lengths, settings.border) for lengths in zip(size, window, stride, strict=True)]
        return cls(axes[0][0], axes[1][0], (axes[0][1], axes[1][1]), window, stride)

    @property
    def count(self) -> int:
        """Number of positions."""
        return self.rows * self.columns

    def box(self, row: int, column: int) -> Box:
        """Return the window at a position, in input pixels. It may extend beyond the border."""
        top, left = self.origin[0] + row * self.stride[0], self.origin[1] + column * self.stride[1]
        return (left, top, left + self.window[1], top + self.window[0])

    def centres(self) -> NDArray[np.float64]:
        """Return the centres of the windows (rows, columns, 2), as (row, column) in input pixels, where pixel 0 extends from 0 to 1."""
        vertical = self.origin[0] + self.stride[0] * np.arange(self.rows) + self.window[0] / 2
        horizontal = self.origin[1] + self.stride[1] * np.arange(self.columns) + self.window[1] / 2
        return np.stack(np.meshgrid(vertical, horizontal, indexing="ij"), axis=-1)

    def coarse_to_fine(self) -> NDArray[np.int64]:
        """Return every position (row, column) once (count, 2), from a coarse grid to the full one; each level halves the step."""
        step = 1
        while max(self.rows, self.columns) > step * _COARSEST_SIDE:
            step *= 2
        levels = []
        rows, columns = np.indices((self.rows, self.columns)).reshape(2, -1)
        remaining = np.ones(self.count, dtype=bool)
        while step:
            level = remaining & (rows % step == 0) & (columns % step == 0)
            levels.append(np.stack([rows[level], columns[level]], axis=1))
            remaining &= ~level
            step //= 2
        return np.concatenate(levels).astype(np.int64)


def checked_settings(settings: MapsSettings) -> MapsSettings:
    """Return settings with Python integers. Raises OcclusionError for a window or stride that is not one integer or two, and for an
    unknown border."""
    if not isinstance(settings.border, str) or settings.border not in ("inside", "same"):
        raise OcclusionError(f"border must be 'inside' or 'same', not {describe(settings.border)}.")
    return replace(settings, window=as_pair(settings.window, "window"), stride=as_pair(settings.stride, "stride"))


def as_pair(value: object, name: str) -> tuple[int, int]:
    """Return (rows, columns) for one integer or two. Raises OcclusionError, with the `name` of the argument, for anything else."""
    expected = "an integer number of pixels, or two (rows, columns)"
    rows, columns = np.broadcast_to(integer_array(value, name, ((), (2,)), expected, OcclusionError), 2).tolist()
    if max(rows, columns) > _MAX_LENGTH:
        raise OcclusionError(f"{name} must be at most {_MAX_LENGTH:,} pixels, not {rows} x {columns}.")
    return rows, columns


def _axis(length: int, window: int, stride: int, border: str) -> tuple[int, int]:
    """Return the number of positions along one axis, and the first pixel of the first window."""
    if border == "inside":
        return (length - window) // stride + 1, 0
    count = -(-length // stride)
    covered = (count - 1) * stride + window
    return count, -((covered - length) // 2)
