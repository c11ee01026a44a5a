"""The tiles in which the affected regions of feature maps are computed.

A tile is a rectangle of a map that covers an affected region. It may be larger than the region, because what a patch does not affect keeps
its value. So a few tile sizes per map suffice for all patch sets, and the tiles of one size run as one batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import fx

from deconvwidgets.engine.graph import Operation
from deconvwidgets.engine.occlusion.affected_region import AffectedRegion, Ints, Pair
from deconvwidgets.engine.windows import Window

_SIZE_THRESHOLDS = (16, 64, 256, 1024)  # from each of these numbers of patch sets on, one more size along each axis pays off
_MAX_TILE_SHARE = 0.85  # of the map: larger tiles save less than it costs to cut them


@dataclass(frozen=True, slots=True)
class TileGroup:
    """Tiles of one size.

    Parameters
    ----------
    members : array (n,) of int64
        The patch sets that the tiles belong to.
    starts : array (n, 2) of int64
        First row and column of each tile.
    size : (int, int)
        Rows and columns.
    """

    members: Ints
    starts: Ints
    size: Pair

    @classmethod
    def covering(cls, affected: AffectedRegion, members: Ints, size: Ints, extent: Pair) -> TileGroup:
        """Return tiles of this size (2,) that cover the affected regions of the members. Tiles at the map's border are moved inward."""
        return cls(members, np.minimum(affected.start[members], np.array(extent) - size), (int(size[0]), int(size[1])))


@dataclass(frozen=True)
class Layout:
    """The tiles of one map, one for each patch set.

    Parameters
    ----------
    groups : tuple of TileGroup
    count : int
        Number of patch sets.
    """

    groups: tuple[TileGroup, ...]
    count: int

    @cached_property
    def places(self) -> tuple[Ints, Ints]:
        """The group (N,) of each patch set's tile, and its index in the group (N,)."""
        group_numbers, indices = np.zeros(self.count, np.int64), np.zeros(self.count, np.int64)
        for number, group in enumerate(self.groups):
            group_numbers[group.members], indices[group.members] = number, np.arange(len(group.members))
        return group_numbers, indices

    @property
    def area(self) -> int:
        """The number of positions of all tiles."""
        return sum(len(group.members) * group.size[0] * group.size[1] for group in self.groups)

    @classmethod
    def covering(cls, affected: AffectedRegion, extent: Pair) -> Layout:
        """Return tiles of a few sizes that cover the affected regions of a map of this extent."""
        exact = affected.stop - affected.start
        if len(exact) < _SIZE_THRESHOLDS[0]:  # one size for all: few patch sets are interactive, and one batch is fastest
            return cls((TileGroup.covering(affected, np.arange(len(exact)), exact.max(axis=0), extent),), len(exact))
        sizes = np.stack([_round_up(exact[:, axis]) for axis in (0, 1)], axis=1)
        by_size = [(size, np.flatnonzero((sizes == size).all(axis=1))) for size in np.unique(sizes, axis=0)]
        return cls(tuple(TileGroup.covering(affected, members, size, extent) for size, members in by_size), len(exact))


def _round_up(sizes: Ints) -> Ints:
    """Return each size rounded up to one of a few, which minimise the sum. The more sizes are given, the more are used."""
    distinct, counts = np.unique(sizes, return_counts=True)
    number = min(len(distinct), 1 + sum(len(sizes) >= threshold for threshold in _SIZE_THRESHOLDS))
    chosen = distinct[_best_choice(distinct, counts, number)]
    return np.asarray(chosen[np.searchsorted(chosen, sizes)], np.int64)


def _best_choice(distinct: Ints, counts: Ints, number: int) -> Ints:
    """Return the indices (number,) of the sizes that all sizes are rounded up to, with the smallest sum.

    Dynamic programming over the number of chosen sizes and the largest of them: after a choice, the smaller sizes no longer matter.

    Parameters
    ----------
    distinct : array (n,) of int64
        Different sizes, in increasing order.
    counts : array (n,) of int64
        How often each occurs.
    number : int
        How many to choose, from 1 to n. The largest is always among them.
    """
    below = np.concatenate([[0], np.cumsum(counts)])  # how many sizes are smaller than each
    indices = np.arange(len(distinct))
    impossible = np.iinfo(np.int64).max // 2
    # From one choice to the next larger one: all sizes between them are rounded up to the larger one.
    step_costs = np.where(indices[:, None] < indices, distinct * (below[1:] - below[1:, None]), impossible)
    costs, previous = distinct * below[1:], []
    for _ in range(number - 1):
        totals = np.minimum(costs[:, None] + step_costs, impossible)  # further additions would overflow
        previous.append(totals.argmin(axis=0))
        costs = totals.min(axis=0)
    chosen = [len(distinct) - 1]
    for predecessors in reversed(previous):
        chosen.append(int(predecessors[chosen[-1]]))
    return np.array(chosen[::-1], np.int64)


def tile_layouts(operations: Sequence[Operation], affected_input: AffectedRegion) -> Mapping[fx.Node, Layout | None]:
    """Return the tiles of every operation's map.

    Parameters
    ----------
    operations : sequence of Operation
        In order of execution.
    affected_input : AffectedRegion
        The regions of the input that change.

    Returns
    -------
    mapping of fx.Node to Layout or None
        None if the whole map is computed. Operations that do not depend on the input are absent.
    """
    affected: dict[fx.Node, AffectedRegion] = {}
    layouts: dict[fx.Node, Layout | None] = {}
    for operation in operations:
        if not operation.varies:
            continue
        inputs = [input_node for input_node in operation.node.all_input_nodes if input_node in layouts]
        if operation.kind == "input":
            affected[operation.node] = affected_input
            layouts[operation.node] = _tiles_or_whole(affected_input, operation)
        elif operation.kind == "whole" or any(layouts[input_node] is None for input_node in inputs):
            layouts[operation.node] = None
        else:
            affected[operation.node], layouts[operation.node] = _tile_output(operation, inputs, affected, layouts)
    return layouts


def _tile_output(
    operation: Operation, inputs: Sequence[fx.Node], affected: Mapping[fx.Node, AffectedRegion], layouts: Mapping[fx.Node, Layout | None]
) -> tuple[AffectedRegion, Layout | None]:
    """Return the affected region of an operation's output, and its tiles."""
    if operation.window is not None:
        region = affected[inputs[0]].affected_output(operation.window, operation.extent)
        return region, _tiles_or_whole(region, operation)
    region = affected[inputs[0]]
    for input_node in inputs[1:]:
        region = region.union(affected[input_node])
    for input_node in inputs:  # the tiles of an input are used again if they cover the region
        if affected[input_node].equals(region):
            return region, layouts[input_node]
    return region, _tiles_or_whole(region, operation)


def _tiles_or_whole(affected: AffectedRegion, operation: Operation) -> Layout | None:
    rows, columns = operation.extent
    layout = Layout.covering(affected, operation.extent)
    return layout if layout.area < _MAX_TILE_SHARE * rows * columns * layout.count else None


def multiplications(operations: Sequence[Operation], layouts: Mapping[fx.Node, Layout | None] | None) -> float:
    """Return the number of multiplications of all convolutions and linear layers, per patch set on average; of whole maps without layouts.

    The padding of whole maps is not counted, because convolution libraries skip it.
    """
    known = {operation.node: operation for operation in operations}
    total = 0.0
    for operation in operations:
        if not operation.varies or operation.shape is None:
            continue
        window, layout = operation.window, layouts.get(operation.node) if layouts is not None else None
        if window is not None and window.kind == "conv":
            source = known[operation.node.args[0]]  # type: ignore[index]
            assert source.shape is not None
            taps = (
                _taps(window, operation.extent, source.extent)
                if layout is None
                else layout.area / layout.count * window.kernel[0] * window.kernel[1]
            )
            total += taps * operation.shape[1] * source.shape[1] / window.groups
        elif operation.op.role == "linear":
            features = known[operation.node.args[0]].shape  # type: ignore[index]
            assert features is not None
            total += operation.shape[-1] * features[-1]
    return total


def _taps(window: Window, extent: Pair, input_extent: Pair) -> int:
    """Return how many positions inside the input map the windows of a whole output map read."""
    taps = 1
    for axis in (0, 1):
        starts = np.arange(extent[axis])[:, None] * window.stride[axis] - window.before[axis]
        positions = starts + np.arange(window.kernel[axis]) * window.dilation[axis]
        taps *= int(((positions >= 0) & (positions < input_extent[axis])).sum())
    return taps
