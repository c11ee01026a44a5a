"""Running a layer on the receptive-field crops of chosen positions, exactly.

All crops of one layer have one size and run as one batch. They live on a *virtual plane* that goes on beyond the image: before each
windowed operation, the positions outside the real extent of its input are set to that operation's pad value (`border.py`), which is just
what the operation's own padding would have put there. (Cutting the result afterwards would be wrong as soon as a bias or a batch norm
stands between two windowed operations.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.ops import CHANNELWISE, operation_name
from deconvwidgets.engine.projection.crop_batch import Crops
from deconvwidgets.engine.receptive_field import Region, demand
from deconvwidgets.engine.tracing import last_uses
from deconvwidgets.engine.windows import parameters_of


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

    def run(self, pixels: Tensor, positions: Tensor, units: Tensor, overwrite: bool = False) -> Tensor:
        """Each image's unit (N,) at its position (N, 2): (N,) from the crops' pixels (N, C, h, w). `overwrite`: see `border.Crops`."""
        alone = int(units[0]) if self.head is not None and bool((units == units[0]).all()) else None
        maps = self._maps(pixels, Crops(self.graph, self.regions, positions, overwrite), alone)
        return maps[:, 0, 0, 0] if alone is not None else maps[torch.arange(len(maps), device=maps.device), units, 0, 0]

    def _maps(self, pixels: Tensor, crops: Crops, alone: int | None) -> Tensor:
        """(N, channels, 1, 1), or (N, 1, 1, 1) for a unit alone."""
        source = self.graph.source
        values: dict[fx.Node, Any] = {source: crops.begin(pixels, source)}
        for number, operation in enumerate(self.operations):
            if operation.node is source or operation.node.op == "placeholder":
                values.setdefault(operation.node, operation.node.args[0] if operation.node.args else None)
                continue
            values[operation.node] = self._step(operation, values, crops, alone)
            for feeder in operation.node.all_input_nodes:
                if self.last_use[feeder] == number:
                    values.pop(feeder, None)
        result = values[self.target]
        assert isinstance(result, Tensor)
        return result

    def _step(self, operation: Operation, values: Mapping[fx.Node, Any], crops: Crops, alone: int | None) -> Any:
        node = operation.node
        if operation.window is None:

            def part(feeder: fx.Node) -> Any:
                whole = values[feeder]
                if feeder not in self.regions:
                    return whole
                piece = crops.take(whole, feeder, crops.held(node))
                return piece.clone() if isinstance(piece, Tensor) and piece is not whole else piece  # it may be written in place

            return self.graph.call(node, fx.node.map_arg(node.args, part), fx.node.map_arg(node.kwargs, part))
        crop = crops.read(operation, values[node.all_input_nodes[0]])
        weight, bias = parameters_of(self.graph.modules, node, operation.window, values)
        if node is self.head and alone is not None:
            weight, bias = (None if part is None else part[alone : alone + 1] for part in (weight, bias))
        return operation.window.run(crop, weight, bias, crops.counts(operation, crop))


def plan_local(graph: Graph, target: fx.Node) -> LocalPlan | None:
    """The plan for a layer, or None where its receptive field is unknown."""
    regions = demand(graph, target)
    if regions is None:
        return None
    operations = tuple(graph.ancestors([target]))
    cost = _multiplications(graph, operations, regions) / max(1, _multiplications(graph, operations, None))
    last_use = last_uses([operation.node for operation in operations])
    return LocalPlan(graph, target, operations, regions, last_use, cost, _head(graph, target))


def _head(graph: Graph, target: fx.Node) -> fx.Node | None:
    """The convolution under `target`, if between them every channel goes its own way without parameters of its own."""
    node = target
    while operation_name(node, graph.modules) in CHANNELWISE:
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
