"""Sets of crops as half-open ranges (start, stop) of crop numbers, sorted and disjoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ActivationIndexError

CropRanges = tuple[tuple[int, int], ...]


def checked_crops(crops: range | None, count: int) -> range:
    """Return a range of the `count` crops of an image set, by default all. Raises ActivationIndexError for anything else."""
    if crops is None:
        return range(count)
    if not isinstance(crops, range) or (len(crops) and not (0 <= crops[0] < count and 0 <= crops[-1] < count)):
        raise ActivationIndexError(f"crops must be a range of crop numbers from 0 to {count - 1}, not {describe(crops)}.")
    ranges_of(crops)  # refuses steps
    return crops


def ranges_of(crops: range) -> CropRanges:
    """Return the ranges of a Python range; an empty one has none.

    Raises
    ------
    ActivationIndexError
        If the step is not 1.
    """
    if crops.step != 1:
        raise ActivationIndexError("An index is built over consecutive crops: pass crops=range(start, stop)")
    return ((crops.start, crops.stop),) if len(crops) else ()


def joined(left: CropRanges, right: CropRanges) -> CropRanges:
    """Return the union of disjoint ranges. Adjacent ranges become one."""
    union: list[tuple[int, int]] = []
    for start, stop in sorted((*left, *right)):
        if union and union[-1][1] == start:
            union[-1] = (union[-1][0], stop)
        else:
            union.append((start, stop))
    return tuple(union)


def overlap(left: CropRanges, right: CropRanges) -> tuple[int, int] | None:
    """Return the first range of `left` that overlaps a range of `right`; None if they are disjoint."""
    for start, stop in left:
        if any(max(start, other_start) < min(stop, other_stop) for other_start, other_stop in right):
            return start, stop
    return None


def crop_count(ranges: Sequence[tuple[int, int]]) -> int:
    """Return the number of crops in the ranges."""
    return sum(stop - start for start, stop in ranges)


def ranges_of_numbers(crops: NDArray[np.int64]) -> CropRanges:
    """Return the ranges of ascending crop numbers."""
    parts = np.split(crops, np.flatnonzero(np.diff(crops) > 1) + 1)
    return tuple((int(part[0]), int(part[-1]) + 1) for part in parts if len(part))


def missing(crops: range, known: CropRanges) -> CropRanges:
    """Return the parts of consecutive crops that are not in `known`."""
    starts = [crops.start, *(stop for _, stop in known)]
    stops = [*(start for start, _ in known), crops.stop]
    pairs = ((max(start, crops.start), min(stop, crops.stop)) for start, stop in zip(starts, stops, strict=True))
    return tuple((start, stop) for start, stop in pairs if start < stop)
