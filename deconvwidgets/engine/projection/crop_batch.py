"""Crops at the image's border: which part of each map they hold, and what stands where they leave it.

A batch of crops holds of every map what at least one of them has on the map; what lies outside for all of them is never computed. Before
each windowed operation, the positions outside the real extent of its input are set to that operation's pad value: for all crops alike by
padding, for some of them by writing strips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, fx

from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.ops import CHANNELWISE, operation_name
from deconvwidgets.engine.projection.crop_ops import Inside, fill_outside
from deconvwidgets.engine.receptive_field import Region, Span, region_below
from deconvwidgets.engine.windows import Window


class Crops:
    """The crops of some positions (N, 2), computed as one batch.

    `overwrite`: a map may be written into after a rectifier made it, which autograd's own rectifiers (rule "gradient") forbid, as they
    keep their results.
    """

    def __init__(self, graph: Graph, regions: Mapping[fx.Node, Region], positions: Tensor, overwrite: bool) -> None:
        self._graph = graph
        self._regions = regions  # what one position of the layer needs of every map, wherever it is
        self._positions = positions
        self._places: list[list[int]] = positions.tolist()
        self._overwrite = overwrite
        self._insides: dict[tuple[tuple[int, int], Region], list[Inside]] = {}
        self._held: dict[fx.Node, Region] = {}

    def held(self, node: fx.Node) -> Region:
        """The part of a position's region of `node` that lies on its map for at least one crop (one position where there is none)."""
        if node not in self._held:
            whole, shape = self._regions[node], self._graph.operations[node].shape
            self._held[node] = whole if shape is None else _restrict(whole, _union(self._inside((shape[-2], shape[-1]), whole)))
        return self._held[node]

    def begin(self, pixels: Tensor, source: fx.Node) -> Tensor:
        """What is held of the input, out of the pixels (N, C, h, w) of the whole receptive fields."""
        return _cut(pixels, self._regions[source], self.held(source), 0.0)

    def take(self, value: Any, node: fx.Node, needed: Region, fill: float = 0.0) -> Any:
        """A region of what is held of `node`'s map; `fill` outside of it."""
        if isinstance(value, tuple | list):
            return type(value)(self.take(part, node, needed, fill) for part in value)
        return _cut(value, self.held(node), needed, fill)

    def read(self, reader: Operation, value: Any) -> Tensor:
        """The input of a windowed operation, with its pad value outside the real extent of the map."""
        window, feeder = _window(reader), reader.node.all_input_nodes[0]
        have, needed = self.held(feeder), region_below(self.held(reader.node), window)
        crop: Tensor = self.take(value, feeder, needed, window.fill)
        inside = self._inside(self._graph.operations[feeder].extent, needed)
        padded = _overlap_of(have, needed)
        if all(part == padded for part in inside):
            return crop
        own = crop is not value and padded != _all_of(needed)  # made by padding
        own = own or (self._overwrite and crop is value and self._is_sole_reader(feeder))
        return fill_outside(crop, inside, window.fill, own and window.kind != "pad")

    def counts(self, operation: Operation, like: Tensor) -> Tensor | None:
        """Average pooling's divisors (N, 1, h, w) in `like`'s dtype, None where no window passes the border (or none are needed)."""
        window = _window(operation)
        if window.kind != "average" or window.divisor is not None:
            return None
        feeder, region = operation.node.all_input_nodes[0], self.held(operation.node)
        extent, needed = self._graph.operations[feeder].extent, region_below(region, window)
        if all(part == _all_of(needed) for part in self._inside(extent, needed)):
            return None
        rows, columns = (
            window.divisors(self._positions[:, axis] * span.step + span.start, span.size, extent[axis], axis)
            for axis, span in enumerate(region)
        )
        return (rows[:, None, :, None] * columns[:, None, None, :]).to(like)

    def _inside(self, extent: tuple[int, int], region: Region) -> list[Inside]:
        """The part of each crop that lies on the map, counted from the region's start."""
        key = (extent, region)
        if key not in self._insides:
            self._insides[key] = [
                (*_overlap(row, region[0], extent[0]), *_overlap(column, region[1], extent[1])) for row, column in self._places
            ]
        return self._insides[key]

    def _is_sole_reader(self, node: fx.Node) -> bool:
        """Whether `node`'s map was made for its one reader: a window's result, or what rectifiers (perhaps in place) made of one."""
        graph = self._graph
        while operation_name(node, graph.modules) in CHANNELWISE and len(node.users) == 1:
            node = node.all_input_nodes[0]
        window = graph.operations[node].window
        return window is not None and window.kind != "pad" and len(node.users) == 1


def _cut(value: Tensor, have: Region, needed: Region, fill: float) -> Tensor:
    """A region out of a map of which the region `have` is there; `fill` beyond it."""
    if have == needed:
        return value
    (top, bottom), (left, right) = (_margins(*spans) for spans in zip(have, needed, strict=True))
    rows, columns = (
        slice(max(-before, 0), span.size + min(after, 0))
        for (before, after), span in zip(((top, bottom), (left, right)), have, strict=True)
    )
    piece = value[..., rows, columns]
    padding = [max(margin, 0) for margin in (left, right, top, bottom)]
    return F.pad(piece, padding, value=fill) if any(padding) else piece


def _overlap(position: int, span: Span, extent: int) -> tuple[int, int]:
    """Where a span's crop begins and ends to lie on a map of this extent, counted from the crop's own start."""
    first = position * span.step + span.start
    begin = min(max(-first, 0), span.size)
    return begin, max(begin, min(extent - first, span.size))


def _window(operation: Operation) -> Window:
    assert operation.window is not None
    return operation.window


def _all_of(region: Region) -> Inside:
    return (0, region[0].size, 0, region[1].size)


def _union(parts: Sequence[Inside]) -> Inside:
    """What at least one part covers, as one rectangle; its first position where no part covers any."""
    filled = [part for part in parts if part[0] < part[1] and part[2] < part[3]] or [(0, 1, 0, 1)]
    tops, bottoms, lefts, rights = zip(*filled, strict=True)
    return (min(tops), max(bottoms), min(lefts), max(rights))


def _restrict(region: Region, part: Inside) -> Region:
    (rows, columns), (top, bottom, left, right) = region, part
    return (Span(rows.step, rows.start + top, bottom - top), Span(columns.step, columns.start + left, right - left))


def _margins(have: Span, needed: Span) -> tuple[int, int]:
    """How far `needed` goes beyond `have` at its start and at its end; negative where it stays inside."""
    return have.start - needed.start, (needed.start + needed.size) - (have.start + have.size)


def _overlap_of(have: Region, needed: Region) -> Inside:
    """The part of `needed` that is held, counted from its own start."""
    (top, bottom), (left, right) = (_margins(*spans) for spans in zip(have, needed, strict=True))
    rows, columns = needed
    return (max(top, 0), rows.size - max(bottom, 0), max(left, 0), columns.size - max(right, 0))
