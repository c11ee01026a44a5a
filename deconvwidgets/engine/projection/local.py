"""Computing a layer on the receptive-field crops of some positions. The result is exact.

All crops of a layer have one size and run as one batch. They may extend beyond the image: before each windowed operation, positions
outside its input map are set to the operation's pad value (`crop_batch.py`), as its own padding would have done. Masking the result
afterwards would be wrong as soon as a bias or a batch norm stands between two windowed operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.engine.executor import Executor, OperationCall
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.projection.crop_batch import CropBatch
from deconvwidgets.engine.receptive_field import Region, required_regions
from deconvwidgets.engine.spatial import resized_arguments


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
    cost : float
        Multiplications for the crop, as a fraction of those for the whole image.
    head : fx.Node or None
        The last convolution, if one unit of the layer needs only one of its filters.
    """

    graph: Graph
    target: fx.Node
    operations: tuple[Operation, ...]
    regions: Mapping[fx.Node, Region]
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

    def run(
        self,
        pixels: Tensor,
        positions: Tensor,
        units: Tensor,
        parameters: Mapping[fx.Node, Tensor],
        call: OperationCall,
        overwrite: bool = False,
    ) -> Tensor:
        """Compute one unit of each image at one position.

        Parameters
        ----------
        pixels : Tensor (N, C, h, w)
            The receptive fields, as `crop` returns them.
        positions : Tensor (N, 2)
        units : Tensor (N,)
        parameters : mapping of fx.Node to Tensor
            The model's parameters (`Trace.bind`).
        call : callable
            Calls an operation; see `Executor`.
        overwrite : bool
            Whether maps may be overwritten; see `CropBatch`.

        Returns
        -------
        Tensor (N,)
        """
        one_unit = int(units[0]) if self.head is not None and bool((units == units[0]).all()) else None
        crops = CropBatch(self.graph, self.regions, positions, overwrite)
        maps = pixels
        for operation, value in _CropExecutor(self, crops, one_unit, parameters, call).execute(pixels):
            if operation.node is self.target:
                maps = value
        return maps[:, 0, 0, 0] if one_unit is not None else maps[torch.arange(len(maps), device=maps.device), units, 0, 0]


class _CropExecutor(Executor):
    """Runs the operations of a plan on a batch of crops. Its input is the pixels of the receptive fields.

    The layer's value is (N, channels, 1, 1), or (N, 1, 1, 1) for one unit.
    """

    def __init__(
        self, plan: LocalPlan, crops: CropBatch, one_unit: int | None, parameters: Mapping[fx.Node, Tensor], call: OperationCall
    ) -> None:
        super().__init__(plan.graph, plan.operations, parameters, call)
        self._plan, self._crops, self._one_unit = plan, crops, one_unit

    def execute(self, batch: Tensor) -> Iterator[tuple[Operation, Any]]:
        return super().execute(self._crops.input_crops(batch, self.traced.input_node))

    def run_operation(self, operation: Operation) -> Any:
        node = operation.node
        if operation.window is not None:
            return self._run_window(operation)
        if operation.kind != "pointwise":
            return super().run_operation(operation)

        def crop_of(input_node: fx.Node) -> Any:
            value = self.env[input_node]
            if input_node not in self._plan.regions:
                return value
            crop = self._crops.cut(value, input_node, self._crops.held_region(node))
            return crop.clone() if operation.overwrites and crop is not value else crop

        args, kwargs = fx.node.map_arg((node.args, node.kwargs), crop_of)
        if operation.op.spatial == "reshape":
            args = resized_arguments(args, operation.shape or ())
        return self.call(operation, args, kwargs)

    def _run_window(self, operation: Operation) -> Tensor:
        window, node = operation.window, operation.node
        assert window is not None
        crop = self._crops.window_input(operation, self.env[node.args[0]])  # type: ignore[index]
        weight, bias = window.parameters(node, self.env)
        if node is self._plan.head and self._one_unit is not None:
            weight, bias = (None if value is None else value[self._one_unit : self._one_unit + 1] for value in (weight, bias))
        return window.run(crop, weight, bias, self._crops.divisors(operation, crop))


def plan_local(graph: Graph, target: fx.Node) -> LocalPlan | None:
    """Return the plan for a layer; None if its receptive field is unknown."""
    regions = required_regions(graph, target)
    if regions is None:
        return None
    operations = tuple(graph.ancestors([target]))
    cost = _multiplications(graph, operations, regions) / max(1, _multiplications(graph, operations, None))
    return LocalPlan(graph, target, operations, regions, cost, _head(graph, target))


def _head(graph: Graph, target: fx.Node) -> fx.Node | None:
    """Return the convolution below `target` if only channelwise operations stand in between; else None."""
    node = target
    while graph.operations[node].op.channelwise and len(node.all_input_nodes) == 1:
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
        channels = graph.operations[graph.varying_inputs(operation.node)[0]].shape
        assert channels is not None
        total += area * shape[1] * channels[1] / window.groups * window.kernel[0] * window.kernel[1]
    return total
