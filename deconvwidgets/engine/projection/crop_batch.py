"""A batch of receptive-field crops: which part of each map is computed, and what is filled in outside the map.

Of every map, the batch holds the part of the required region that lies on the map for at least one crop. What lies outside for all of
them is not computed. Before each windowed operation, positions outside its input map are set to the operation's pad value: by padding
where they lie outside for all crops, by writing strips where they do for some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, fx

from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.projection.crop_ops import Part, fill_outside
from deconvwidgets.engine.receptive_field import Interval, Region, required_input
from deconvwidgets.engine.windows import Window


class CropBatch:
    """The crops of several positions of a layer, computed as one batch.

    Parameters
    ----------
    graph : Graph
    regions : mapping of fx.Node to Region
        The region of every map that one position of the layer depends on.
    positions : Tensor (N, 2)
        Rows and columns.
    overwrite : bool
        Whether a map may be overwritten after a rectifier computed it. Autograd's own rectifiers (rule "gradient") forbid it, because
        they save their results.
    """

    def __init__(self, graph: Graph, regions: Mapping[fx.Node, Region], positions: Tensor, overwrite: bool) -> None:
        self._graph = graph
        self._regions = regions
        self._positions = positions
        self._position_list: list[list[int]] = positions.tolist()
        self._overwrite = overwrite
        self._parts: dict[tuple[tuple[int, int], Region], list[Part]] = {}
        self._held: dict[fx.Node, Region] = {}

    def held_region(self, node: fx.Node) -> Region:
        """Return the part of a node's region that lies on its map for at least one crop; one position if there is none."""
        if node not in self._held:
            region, shape = self._regions[node], self._graph.operations[node].shape
            self._held[node] = region if shape is None else _restrict(region, _hull(self._parts_on_map((shape[-2], shape[-1]), region)))
        return self._held[node]

    def input_crops(self, pixels: Tensor, source: fx.Node) -> Tensor:
        """Return the held part of the input, given the pixels (N, C, h, w) of the receptive fields."""
        return _cut(pixels, self._regions[source], self.held_region(source), 0.0)

    def cut(self, value: Any, node: fx.Node, region: Region, fill: float = 0.0) -> Any:
        """Return a region of the held part of a node's map, with `fill` outside of it. Tuples and lists are cut item by item."""
        if isinstance(value, tuple | list):
            return type(value)(self.cut(part, node, region, fill) for part in value)
        return _cut(value, self.held_region(node), region, fill)

    def window_input(self, operation: Operation, value: Any) -> Tensor:
        """Return the input (N, C, h, w) of a windowed operation, with its pad value outside the input map."""
        window, input_node = _window(operation), operation.node.all_input_nodes[0]
        held, required = self.held_region(input_node), required_input(self.held_region(operation.node), window)
        crop: Tensor = self.cut(value, input_node, required, window.fill)
        parts = self._parts_on_map(self._graph.operations[input_node].extent, required)
        not_padded = _overlap_of(held, required)
        if all(part == not_padded for part in parts):
            return crop
        writable = crop is not value and not_padded != _all_of(required)  # padding copied it
        writable = writable or (self._overwrite and crop is value and self._has_one_user(input_node))
        return fill_outside(crop, parts, window.fill, writable and window.kind != "pad")

    def divisors(self, operation: Operation, like: Tensor) -> Tensor | None:
        """Return the divisors (N, 1, h, w) of average pooling in the dtype of `like`; None if all windows lie inside the map."""
        window = _window(operation)
        if window.kind != "average" or window.divisor is not None:
            return None
        input_node, region = operation.node.all_input_nodes[0], self.held_region(operation.node)
        extent, required = self._graph.operations[input_node].extent, required_input(region, window)
        if all(part == _all_of(required) for part in self._parts_on_map(extent, required)):
            return None
        rows, columns = (
            window.divisors(self._positions[:, axis] * interval.step + interval.start, interval.size, extent[axis], axis)
            for axis, interval in enumerate(region)
        )
        return (rows[:, None, :, None] * columns[:, None, None, :]).to(like)

    def _parts_on_map(self, extent: tuple[int, int], region: Region) -> list[Part]:
        """Return the part of each crop that lies on a map of this extent, relative to the region's start."""
        key = (extent, region)
        if key not in self._parts:
            self._parts[key] = [
                (*_part_on_axis(row, region[0], extent[0]), *_part_on_axis(column, region[1], extent[1]))
                for row, column in self._position_list
            ]
        return self._parts[key]

    def _has_one_user(self, node: fx.Node) -> bool:
        """Return whether a map has one user and shares its memory with no other: the output of a window, or its rectification."""
        graph = self._graph
        while graph.operations[node].op.channelwise and len(node.users) == 1:
            node = node.all_input_nodes[0]
        window = graph.operations[node].window
        return window is not None and window.kind != "pad" and len(node.users) == 1


def _cut(value: Tensor, held: Region, region: Region, fill: float) -> Tensor:
    """Return a region of a map of which the region `held` is given, with `fill` outside of it."""
    if held == region:
        return value
    (top, bottom), (left, right) = (_margins(*intervals) for intervals in zip(held, region, strict=True))
    rows, columns = (
        slice(max(-before, 0), interval.size + min(after, 0))
        for (before, after), interval in zip(((top, bottom), (left, right)), held, strict=True)
    )
    piece = value[..., rows, columns]
    padding = [max(margin, 0) for margin in (left, right, top, bottom)]
    return F.pad(piece, padding, value=fill) if any(padding) else piece


def _part_on_axis(position: int, interval: Interval, extent: int) -> tuple[int, int]:
    """Return where an interval begins and ends to lie on a map of this extent, relative to its own start."""
    first = position * interval.step + interval.start
    begin = min(max(-first, 0), interval.size)
    return begin, max(begin, min(extent - first, interval.size))


def _window(operation: Operation) -> Window:
    assert operation.window is not None
    return operation.window


def _all_of(region: Region) -> Part:
    return (0, region[0].size, 0, region[1].size)


def _hull(parts: Sequence[Part]) -> Part:
    """Return the smallest rectangle that contains all parts; the first position if they are empty."""
    filled = [part for part in parts if part[0] < part[1] and part[2] < part[3]] or [(0, 1, 0, 1)]
    tops, bottoms, lefts, rights = zip(*filled, strict=True)
    return (min(tops), max(bottoms), min(lefts), max(rights))


def _restrict(region: Region, part: Part) -> Region:
    (rows, columns), (top, bottom, left, right) = region, part
    return (Interval(rows.step, rows.start + top, bottom - top), Interval(columns.step, columns.start + left, right - left))


def _margins(held: Interval, required: Interval) -> tuple[int, int]:
    """Return how far `required` extends beyond `held` at its start and at its end; negative if it ends inside."""
    return held.start - required.start, (required.start + required.size) - (held.start + held.size)


def _overlap_of(held: Region, required: Region) -> Part:
    """Return the part of `required` that is held, relative to its own start."""
    (top, bottom), (left, right) = (_margins(*intervals) for intervals in zip(held, required, strict=True))
    rows, columns = required
    return (max(top, 0), rows.size - max(bottom, 0), max(left, 0), columns.size - max(right, 0))
