"""Running a layer on the receptive-field crops of chosen positions, exactly.

All crops of one layer have one size and run as one batch. They live on a *virtual plane* that goes on beyond the image: before each
windowed operation, the positions outside the real extent of its input are set to that operation's pad value, which is just what the
operation's own padding would have put there. (Cutting the result afterwards would be wrong as soon as a bias or a batch norm stands
between two windowed operations.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.engine.crop_operations import Inside, fill_outside
from deconvwidgets.engine.graph import Graph, Operation, last_uses
from deconvwidgets.engine.naming import operation_name
from deconvwidgets.engine.regions import Region, Span, demand, region_below

_CHANNELS_ALIKE = {"ReLU", "ReLU6", "LeakyReLU", "Hardtanh", "relu", "relu_", "relu6", "leaky_relu", "hardtanh", "Identity", "Dropout"}


@dataclass(frozen=True)
class LocalPlan:
    """How to compute one position of a layer from its receptive field."""

    graph: Graph
    target: fx.Node
    operations: tuple[Operation, ...]  # the ancestors, in order
    regions: Mapping[fx.Node, Region]
    last_use: Mapping[fx.Node, int]  # after which operation a crop can be dropped
    cost: float  # multiplications of the crop over those of the whole image
    head: fx.Node | None  # the last convolution, where one unit of the layer needs one filter of it only

    @property
    def receptive_field(self) -> Region:
        """The region of the input, as spans of the position."""
        return self.regions[self.graph.source]

    def boxes(self, positions: Tensor) -> Tensor:
        """Receptive fields (N, 4) as (left, top, right, bottom) in input pixels; may pass the border. positions (N, 2)."""
        rows, columns = self.receptive_field
        top, left = positions[:, 0] * rows.step + rows.start, positions[:, 1] * columns.step + columns.start
        return torch.stack([left, top, left + columns.size, top + rows.size], dim=1)

    def crop(self, batch: Tensor, positions: Tensor) -> Tensor:
        """The receptive fields' pixels (N, C, h, w), zero outside the images."""
        return cut(batch, self.boxes(positions))

    def run(self, crops: Tensor, positions: Tensor, units: Tensor, overwrite: bool = False) -> Tensor:
        """Each image's unit (N,) at its position (N, 2): (N,) from the crops (N, C, h, w). `overwrite`: maps may be written into after a
        rectifier made them, which autograd's own rectifiers (rule "gradient") forbid, as they keep their results."""
        alone = int(units[0]) if self.head is not None and bool((units == units[0]).all()) else None
        maps = self._maps(crops, positions, alone, overwrite)
        return maps[:, 0, 0, 0] if alone is not None else maps[torch.arange(len(maps), device=maps.device), units, 0, 0]

    def _maps(self, crops: Tensor, positions: Tensor, alone: int | None, overwrite: bool) -> Tensor:
        """(N, channels, 1, 1), or (N, 1, 1, 1) for a unit alone."""
        values: dict[fx.Node, Any] = {self.graph.source: crops}
        border = _Border(self, positions, overwrite)
        for number, operation in enumerate(self.operations):
            if operation.node is self.graph.source or operation.node.op == "placeholder":
                values.setdefault(operation.node, operation.node.args[0] if operation.node.args else None)
                continue
            values[operation.node] = self._step(operation, values, border, alone)
            for feeder in operation.node.all_input_nodes:
                if self.last_use[feeder] == number:
                    values.pop(feeder, None)
        result = values[self.target]
        assert isinstance(result, Tensor)
        return result

    def _step(self, operation: Operation, values: Mapping[fx.Node, Any], border: _Border, alone: int | None) -> Any:
        node = operation.node
        if operation.window is None:

            def part(feeder: fx.Node) -> Any:
                whole = values[feeder]
                if feeder not in self.regions:
                    return whole
                piece = self._slice(whole, feeder, self.regions[node])
                return piece.clone() if isinstance(piece, Tensor) and piece is not whole else piece  # it may be written in place

            return self.graph.call(node, fx.node.map_arg(node.args, part), fx.node.map_arg(node.kwargs, part))
        feeder = node.all_input_nodes[0]
        needed = region_below(self.regions[node], operation.window)
        crop = border.fill(self._slice(values[feeder], feeder, needed), operation, needed)
        weight, bias = _parameters(self.graph, node, values)
        if node is self.head and alone is not None:
            weight, bias = (None if part is None else part[alone : alone + 1] for part in (weight, bias))
        return operation.window.run(crop, weight, bias, border.counts(operation, crop))

    def _slice(self, value: Any, feeder: fx.Node, needed: Region) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(self._slice(part, feeder, needed) for part in value)
        have = self.regions[feeder]
        if have == needed:
            return value
        top, left = needed[0].start - have[0].start, needed[1].start - have[1].start
        return value[..., top : top + needed[0].size, left : left + needed[1].size]


def plan_local(graph: Graph, target: fx.Node) -> LocalPlan | None:
    """The plan for a layer, or None where its receptive field is unknown."""
    regions = demand(graph, target)
    if regions is None:
        return None
    operations = tuple(graph.ancestors([target]))
    cost = _multiplications(graph, operations, regions) / max(1, _multiplications(graph, operations, None))
    return LocalPlan(graph, target, operations, regions, last_uses(operations), cost, _head(graph, target))


def _head(graph: Graph, target: fx.Node) -> fx.Node | None:
    """The convolution under `target`, if between them every channel goes its own way without parameters of its own."""
    node = target
    while operation_name(graph, node) in _CHANNELS_ALIKE:
        node = node.all_input_nodes[0]
    window = graph.operations[node].window
    return node if window is not None and window.kind == "conv" and window.groups == 1 else None


def cut(maps: Tensor, boxes: Tensor) -> Tensor:
    """Equal-sized boxes (N, 4) out of maps (N, C, H, W): (N, C, h, w), zero outside the maps."""
    height, width = maps.shape[-2:]
    left, top, right, bottom = (int(value) for value in boxes[0])
    pieces = maps.new_zeros((*maps.shape[:2], bottom - top, right - left))
    for piece, whole, (left, top, right, bottom) in zip(pieces, maps, boxes.tolist(), strict=True):
        inside = (max(top, 0), min(bottom, height), max(left, 0), min(right, width))
        if inside[0] < inside[1] and inside[2] < inside[3]:
            piece[:, inside[0] - top : inside[1] - top, inside[2] - left : inside[3] - left] = whole[
                :, inside[0] : inside[1], inside[2] : inside[3]
            ]
    return pieces


class _Border:
    """Where a batch of crops passes the real extent of a map."""

    def __init__(self, plan: LocalPlan, positions: Tensor, overwrite: bool) -> None:
        self._plan = plan
        self._overwrite = overwrite
        self._positions = positions
        self._places = positions.tolist()
        self._known: dict[tuple[tuple[int, int], Region], list[Inside] | None] = {}

    def fill(self, crop: Tensor, reader: Operation, region: Region) -> Tensor:
        """A windowed operation's crop with everything outside the real extent of its input set to the operation's pad value."""
        assert reader.window is not None
        feeder = reader.node.all_input_nodes[0]
        inside = self._inside(self._plan.graph.operations[feeder].extent, region)
        if inside is None:
            return crop
        sole = self._overwrite and region == self._plan.regions[feeder] and reader.window.kind != "pad" and self._is_sole_reader(feeder)
        return fill_outside(crop, inside, reader.window.fill, sole)

    def _is_sole_reader(self, node: fx.Node) -> bool:
        """Whether `node`'s map was made for its one reader: a window's result, or what rectifiers (perhaps in place) made of one."""
        graph = self._plan.graph
        while operation_name(graph, node) in _CHANNELS_ALIKE and len(node.users) == 1:
            node = node.all_input_nodes[0]
        window = graph.operations[node].window
        return window is not None and window.kind != "pad" and len(node.users) == 1

    def counts(self, operation: Operation, like: Tensor) -> Tensor | None:
        """Average pooling's divisors (N, 1, h, w) in `like`'s dtype, None where no window passes the border (or none are needed)."""
        window = operation.window
        assert window is not None
        if window.kind != "average" or window.divisor is not None:
            return None
        feeder, region = operation.node.all_input_nodes[0], self._plan.regions[operation.node]
        extent = self._plan.graph.operations[feeder].extent
        if self._inside(extent, region_below(region, window)) is None:
            return None
        rows, columns = (
            window.divisors(self._positions[:, axis] * span.step + span.start, span.size, extent[axis], axis)
            for axis, span in enumerate(region)
        )
        return (rows[:, None, :, None] * columns[:, None, None, :]).to(like)

    def _inside(self, extent: tuple[int, int], region: Region) -> list[Inside] | None:
        """The part of each crop that lies on the map; None where all of every crop does."""
        key = (extent, region)
        if key not in self._known:
            parts = [(*_overlap(row, region[0], extent[0]), *_overlap(column, region[1], extent[1])) for row, column in self._places]
            whole = (0, region[0].size, 0, region[1].size)
            self._known[key] = None if all(part == whole for part in parts) else parts
        return self._known[key]


def _overlap(position: int, span: Span, extent: int) -> tuple[int, int]:
    """Where a span's crop begins and ends to lie on a map of this extent, counted from the crop's own start."""
    first = position * span.step + span.start
    begin = min(max(-first, 0), span.size)
    return begin, max(begin, min(extent - first, span.size))


def _parameters(graph: Graph, node: fx.Node, values: Mapping[fx.Node, Any]) -> tuple[Tensor | None, Tensor | None]:
    """A convolution's weight and bias; (None, None) for pooling and padding."""
    window = graph.operations[node].window
    if window is None or window.kind != "conv":
        return None, None
    if node.op == "call_module":
        module: Any = graph.modules[str(node.target)]
        return module.weight, module.bias
    arguments = dict(zip(("input", "weight", "bias"), node.args, strict=False)) | node.kwargs
    weight, bias = (values[feeder] if isinstance(feeder := arguments.get(name), fx.Node) else None for name in ("weight", "bias"))
    return weight, bias


def _multiplications(graph: Graph, operations: tuple[Operation, ...], regions: Mapping[fx.Node, Region] | None) -> float:
    """Multiplications of all convolutions, on crops of these regions or on whole maps."""
    total = 0.0
    for operation in operations:
        window, shape = operation.window, operation.shape
        if window is None or window.kind != "conv" or shape is None:
            continue
        area = shape[-2] * shape[-1] if regions is None else regions[operation.node][0].size * regions[operation.node][1].size
        channels = graph.operations[operation.node.all_input_nodes[0]].shape
        assert channels is not None
        total += area * shape[1] * channels[1] / window.groups * window.kernel[0] * window.kernel[1]
    return total
