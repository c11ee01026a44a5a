"""The regions of feature maps that patches on the image may change: interval arithmetic from the input to the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.engine.occlusion.patches import PatchSet
from deconvwidgets.engine.windows import Window

Ints = NDArray[np.int64]
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AffectedRegion:
    """For each of N patch sets, the rectangle of a map that it may change.

    Parameters
    ----------
    start, stop : array (N, 2) of int64
        Rows and columns, half-open. A rectangle is never empty.
    """

    start: Ints
    stop: Ints

    def union(self, other: AffectedRegion) -> AffectedRegion:
        """Return the smallest rectangles that contain both."""
        return AffectedRegion(np.minimum(self.start, other.start), np.maximum(self.stop, other.stop))

    def affected_output(self, window: Window, extent: Pair) -> AffectedRegion:
        """Return the region of a windowed operation's output, of size `extent`, that depends on this region of its input."""
        stride, before = np.array(window.stride), np.array(window.before)
        dilated_kernel = np.array(window.dilation) * (np.array(window.kernel) - 1) + 1
        start = -((dilated_kernel - 1 - before - self.start) // stride)  # rounded up
        stop = (self.stop - 1 + before) // stride + 1
        return clip_to_map(start, stop, extent)

    def equals(self, other: AffectedRegion) -> bool:
        """Return whether all rectangles are equal."""
        return bool(np.array_equal(self.start, other.start) and np.array_equal(self.stop, other.stop))


def clip_to_map(start: Ints, stop: Ints, extent: Pair) -> AffectedRegion:
    """Return the parts of rectangles that lie on a map. A rectangle outside it along an axis is replaced by the nearest row or column."""
    start = np.clip(start, 0, np.array(extent) - 1)
    return AffectedRegion(start, np.clip(stop, start + 1, extent))


def affected_input(patch_sets: Sequence[PatchSet], extent: Sequence[int]) -> AffectedRegion:
    """Return the region of the image, of size `extent`, that each patch set changes: one rectangle that contains its patches."""
    boxes = np.array([_bounding_box(patches, extent) for patches in patch_sets], np.int64).reshape(-1, 4)
    return clip_to_map(boxes[:, :2], boxes[:, 2:], (int(extent[0]), int(extent[1])))


def _bounding_box(patches: PatchSet, extent: Sequence[int]) -> tuple[int, int, int, int]:
    clipped = [(max(top, 0), max(left, 0), min(bottom, extent[0]), min(right, extent[1])) for left, top, right, bottom in patches]
    filled = [box for box in clipped if box[0] < box[2] and box[1] < box[3]] or [(0, 0, 1, 1)]
    tops, lefts, bottoms, rights = zip(*filled, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)
