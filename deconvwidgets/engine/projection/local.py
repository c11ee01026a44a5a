"""Computing a layer on the receptive-field crops of some positions. The result is exact.

All crops of a layer have one size and run as one batch. They may extend beyond the image: before each windowed operation, positions
outside its input map are set to the operation's pad value (`crop_batch.py`), as its own padding would have done. Masking the result
afterwards would be wrong as soon as a bias or a batch norm stands between two windowed operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.ops import CHANNELWISE, operation_name
from deconvwidgets.engine.projection.crop_batch import CropBatch
from deconvwidgets.engine.receptive_field import Region, required_regions
from deconvwidgets.engine.tracing import last_uses
from deconvwidgets.engine.windows import parameters_of


@dataclass(frozen=True)
class LocalPlan:
    """How to compute one position of a layer from its receptive field.

    Parameters
    ----------
    graph : Graph
    target : fx.Node
        The layer.
    operations : tuple of Operation
        The operations up to the layer, in order of execution.
    regions : mapping of fx.Node to Region
        The region of every map that one position of the layer depends on.
    last_use : mapping of fx.Node to int
        The index of the operation after which a value can be freed.
    cost : float
        Multiplications for the crop, as a fraction of those for the whole image.
    head : fx.Node or None
        The last convolution, if one unit of the layer needs only one of its filters.
    """

    graph: Graph
    target: fx.Node
    operations: tuple[Operation, ...]
    regions: Mapping[fx.Node, Region]
    last_use: Mapping[fx.Node, int]
    cost: float
    head: fx.Node | None

    @property
    def receptive_field(self) -> Region:
        """The region of the input, as intervals that depend on the position."""
        return self.regions[self.graph.input_node]

    def boxes(self, positions: Tensor) -> Tensor:
        """Return the receptive fields (N, 4) of positions (N, 2): left, top, right, bottom in input pixels. They may pass the border."""
        rows, columns = self.receptive_field
        top, left = positions[:, 0] * rows.step + rows.start, positions[:, 1] * columns.step + columns.start
        return torch.stack([left, top, left + columns.size, top + rows.size], dim=1)

    def crop(self, batch: Tensor, positions: Tensor) -> Tensor:
        """Return the pixels (N, C, h, w) of the receptive fields, zero outside the images (N, C, H, W)."""
        return cut_boxes(batch, self.boxes(positions))

    def run(self, pixels: Tensor, positions: Tensor, units: Tensor, overwrite: bool = False) -> Tensor:
        """Compute one unit of each image at one position.

        Parameters
        ----------
        pixels : Tensor (N, C, h, w)
            The receptive fields, as `crop` returns them.
        positions : Tensor (N, 2)
        units : Tensor (N,)
        overwrite : bool
            Whether maps may be overwritten; see `CropBatch`.

        Returns
        -------
        Tensor (N,)
        """
        one_unit = int(units[0]) if self.head is not None and bool((units == units[0]).all()) else None
        maps = self._run_maps(pixels, CropBatch(self.graph, self.regions, positions, overwrite), one_unit)
        return maps[:, 0, 0, 0] if one_unit is not None else maps[torch.arange(len(maps), device=maps.device), units, 0, 0]

    def _run_maps(self, pixels: Tensor, crops: CropBatch, one_unit: int | None) -> Tensor:
        """Return the layer (N, channels, 1, 1), or (N, 1, 1, 1) for one unit."""
        source = self.graph.input_node
        values: dict[fx.Node, Any] = {source: crops.input_crops(pixels, source)}
        for number, operation in enumerate(self.operations):
            if operation.node is source or operation.node.op == "placeholder":
                values.setdefault(operation.node, operation.node.args[0] if operation.node.args else None)
                continue
            values[operation.node] = self._run_operation(operation, values, crops, one_unit)
            for input_node in operation.node.all_input_nodes:
                if self.last_use[input_node] == number:
                    values.pop(input_node, None)
        result = values[self.target]
        assert isinstance(result, Tensor)
        return result

    def _run_operation(self, operation: Operation, values: Mapping[fx.Node, Any], crops: CropBatch, one_unit: int | None) -> Any:
        node = operation.node
        if operation.window is None:

            def crop_of(input_node: fx.Node) -> Any:
                value = values[input_node]
                if input_node not in self.regions:
                    return value
                crop = crops.cut(value, input_node, crops.held_region(node))
                return crop.clone() if isinstance(crop, Tensor) and crop is not value else crop  # the operation may overwrite it

            return self.graph.call(node, fx.node.map_arg(node.args, crop_of), fx.node.map_arg(node.kwargs, crop_of))
        crop = crops.window_input(operation, values[node.all_input_nodes[0]])
        weight, bias = parameters_of(self.graph.modules, node, operation.window, values)
        if node is self.head and one_unit is not None:
            weight, bias = (None if value is None else value[one_unit : one_unit + 1] for value in (weight, bias))
        return operation.window.run(crop, weight, bias, crops.divisors(operation, crop))


def plan_local(graph: Graph, target: fx.Node) -> LocalPlan | None:
    """Return the plan for a layer; None if its receptive field is unknown."""
    regions = required_regions(graph, target)
    if regions is None:
        return None
    operations = tuple(graph.ancestors([target]))
    cost = _multiplications(graph, operations, regions) / max(1, _multiplications(graph, operations, None))
    last_use = last_uses([operation.node for operation in operations])
    return LocalPlan(graph, target, operations, regions, last_use, cost, _head(graph, target))


def _head(graph: Graph, target: fx.Node) -> fx.Node | None:
    """Return the convolution below `target` if only channelwise operations stand in between; else None."""
    node = target
    while operation_name(node, graph.modules) in CHANNELWISE:
        node = node.all_input_nodes[0]
    window = graph.operations[node].window
    return node if window is not None and window.kind == "conv" and window.groups == 1 else None


def cut_boxes(maps: Tensor, boxes: Tensor) -> Tensor:
    """Return one box of each map, zero outside the map.

    Parameters
    ----------
    maps : Tensor (N, C, H, W)
    boxes : Tensor (N, 4)
        Left, top, right, bottom, half-open; all of one size.

    Returns
    -------
    Tensor (N, C, h, w)
    """
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
    """Return the number of multiplications of all convolutions, on crops of these regions or, without regions, on whole maps."""
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
