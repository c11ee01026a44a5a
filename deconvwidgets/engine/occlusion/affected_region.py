"""What patches touch: interval arithmetic up the graph, and the tiles in which it is computed again.

A patch changes a rectangle of every map. A tile is a rectangle that covers it and lies on the map; a tile may be larger than needed, since
what the patch leaves alone keeps its value. So for each map a few tile sizes do for all placings, and the tiles of one size are one batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from torch import fx

from deconvwidgets.engine.graph import Operation
from deconvwidgets.engine.windows import Window

Ints = NDArray[np.int64]
Pair = tuple[int, int]

_MORE_SIZES = (16, 64, 256, 1024)  # from so many placings on, one size more along each axis pays
_MOST_OF_A_MAP = 0.85  # beyond this share a tile saves less than cutting it out costs


@dataclass(frozen=True, slots=True)
class Touched:
    """The rectangle of a map that each of N placings may change: half-open, (N, 2), rows and columns. Never empty."""

    first: Ints
    last: Ints

    def union(self, other: Touched) -> Touched:
        """The smallest rectangles that hold both."""
        return Touched(np.minimum(self.first, other.first), np.maximum(self.last, other.last))

    def above(self, window: Window, extent: Pair) -> Touched:
        """What a windowed operation changes of its own map, of this extent, where its input changes so."""
        stride, before = np.array(window.stride), np.array(window.before)
        reach = np.array(window.dilation) * (np.array(window.kernel) - 1) + 1
        first = -((reach - 1 - before - self.first) // stride)  # rounded up
        last = (self.last - 1 + before) // stride + 1
        return on_map(first, last, extent)

    def same(self, other: Touched) -> bool:
        """Whether both are equal."""
        return bool(np.array_equal(self.first, other.first) and np.array_equal(self.last, other.last))


def on_map(first: Ints, last: Ints, extent: Pair) -> Touched:
    """The parts of rectangles that lie on a map; of one that lies beside it, the position next to it."""
    first = np.clip(first, 0, np.array(extent) - 1)
    return Touched(first, np.clip(last, first + 1, extent))


@dataclass(frozen=True, slots=True)
class TileGroup:
    """Tiles of one size: of the placings `members` (n,), from `starts` (n, 2) on."""

    members: Ints
    starts: Ints
    size: Pair

    @classmethod
    def covering(cls, touched: Touched, members: Ints, size: Ints, extent: Pair) -> TileGroup:
        """Tiles of this size (2,) over what each member touches; one at the map's border is moved inward."""
        return cls(members, np.minimum(touched.first[members], np.array(extent) - size), (int(size[0]), int(size[1])))


@dataclass(frozen=True)
class Layout:
    """The tiles of one map: every placing has one."""

    groups: tuple[TileGroup, ...]
    count: int  # of placings

    @cached_property
    def places(self) -> tuple[Ints, Ints]:
        """Which group (N,) each placing's tile is in, and where in it (N,)."""
        group, slot = np.zeros(self.count, np.int64), np.zeros(self.count, np.int64)
        for number, one in enumerate(self.groups):
            group[one.members], slot[one.members] = number, np.arange(len(one.members))
        return group, slot

    @property
    def area(self) -> int:
        """Positions of all tiles together."""
        return sum(len(one.members) * one.size[0] * one.size[1] for one in self.groups)

    @classmethod
    def covering(cls, touched: Touched, extent: Pair) -> Layout:
        """Tiles over what is touched, of a few sizes."""
        exact = touched.last - touched.first
        if len(exact) < _MORE_SIZES[0]:  # one size for all: someone waits for these
            return cls((TileGroup.covering(touched, np.arange(len(exact)), exact.max(axis=0), extent),), len(exact))
        sizes = np.stack([_rounded_up(exact[:, axis]) for axis in (0, 1)], axis=1)
        alike = [(size, np.flatnonzero((sizes == size).all(axis=1))) for size in np.unique(sizes, axis=0)]
        return cls(tuple(TileGroup.covering(touched, members, size, extent) for size, members in alike), len(exact))


def _rounded_up(sizes: Ints) -> Ints:
    """Each size rounded up to one of a few, chosen such that the sum is smallest. The more placings, the more sizes pay."""
    distinct, counts = np.unique(sizes, return_counts=True)
    wanted = min(len(distinct), 1 + sum(len(sizes) >= many for many in _MORE_SIZES))
    largest = len(distinct) - 1

    def area(chosen: tuple[int, ...]) -> int:
        return int((distinct[_next(chosen, largest)] * counts).sum())

    best = min(((*some, largest) for some in combinations(range(largest), wanted - 1)), key=area)
    return np.asarray(distinct[_next(best, largest)][np.searchsorted(distinct, sizes)], np.int64)


def _next(chosen: Sequence[int], largest: int) -> Ints:
    """For each of the sizes 0 .. largest, the smallest chosen one that is not smaller."""
    steps = np.array(chosen)
    return np.asarray(steps[np.searchsorted(steps, np.arange(largest + 1))], np.int64)


def layouts_of(operations: Sequence[Operation], boxes: Touched) -> Mapping[fx.Node, Layout | None]:
    """The tiles of every operation's map where the input changes in `boxes`; None where the whole map is computed. Operations that do not
    depend on the input are absent."""
    touched: dict[fx.Node, Touched] = {}
    layouts: dict[fx.Node, Layout | None] = {}
    for operation in operations:
        if operation.kind == "constant":
            continue
        feeders = [feeder for feeder in operation.node.all_input_nodes if feeder in layouts]
        if operation.kind == "input":
            touched[operation.node] = boxes
            layouts[operation.node] = _tiles_or_whole(boxes, operation)
        elif operation.kind == "whole" or any(layouts[feeder] is None for feeder in feeders):
            layouts[operation.node] = None
        else:
            touched[operation.node], layouts[operation.node] = _above(operation, feeders, touched, layouts)
    return layouts


def _above(
    operation: Operation, feeders: Sequence[fx.Node], touched: Mapping[fx.Node, Touched], layouts: Mapping[fx.Node, Layout | None]
) -> tuple[Touched, Layout | None]:
    if operation.window is not None:
        here = touched[feeders[0]].above(operation.window, operation.extent)
        return here, _tiles_or_whole(here, operation)
    here = touched[feeders[0]]
    for feeder in feeders[1:]:
        here = here.union(touched[feeder])
    for feeder in feeders:  # no other tiles than a feeder's, if they will do
        if touched[feeder].same(here):
            return here, layouts[feeder]
    return here, _tiles_or_whole(here, operation)


def _tiles_or_whole(touched: Touched, operation: Operation) -> Layout | None:
    rows, columns = operation.extent
    layout = Layout.covering(touched, operation.extent)
    return layout if layout.area < _MOST_OF_A_MAP * rows * columns * layout.count else None


def multiplications(
    operations: Sequence[Operation], modules: Mapping[str, object], layouts: Mapping[fx.Node, Layout | None] | None
) -> float:
    """Multiplications of all convolutions and linear layers, for one placing on average; without layouts, of whole maps. A whole map's
    padding counts nothing, since a library leaves it out."""
    known = {operation.node: operation for operation in operations}
    total = 0.0
    for operation in operations:
        if operation.kind == "constant" or operation.shape is None:
            continue
        window, layout = operation.window, layouts.get(operation.node) if layouts is not None else None
        if window is not None and window.kind == "conv":
            below = known[operation.node.all_input_nodes[0]]
            assert below.shape is not None
            taps = (
                _taps(window, operation.extent, below.extent)
                if layout is None
                else layout.area / layout.count * window.kernel[0] * window.kernel[1]
            )
            total += taps * operation.shape[1] * below.shape[1] / window.groups
        elif operation.node.op == "call_module" and hasattr(modules[str(operation.node.target)], "in_features"):
            total += operation.shape[-1] * getattr(modules[str(operation.node.target)], "in_features")  # noqa: B009 - an object to mypy
    return total


def _taps(window: Window, extent: Pair, below: Pair) -> int:
    """How often the windows of a whole map meet a position of the map below."""
    taps = 1
    for axis in (0, 1):
        starts = np.arange(extent[axis])[:, None] * window.stride[axis] - window.before[axis]
        places = starts + np.arange(window.kernel[axis]) * window.dilation[axis]
        taps *= int(((places >= 0) & (places < below[axis])).sum())
    return taps
