"""Running a model on occluded images by computing only the regions that the patches affect. The result is exact.

Every operation runs on tiles (`tiles.py`), cut from the maps of the unoccluded image (`saved_maps.py`) and batched over patch sets. From
the first operation on whose tiles would cover most of the map, or that depends on whole maps, whole maps are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from deconvwidgets.engine.executor import Executor
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.occlusion.affected_region import AffectedRegion, affected_input
from deconvwidgets.engine.occlusion.patches import PatchSet, draw_patch
from deconvwidgets.engine.occlusion.saved_maps import Margins, SavedMap
from deconvwidgets.engine.occlusion.tiles import Layout, TileGroup, multiplications, tile_layouts
from deconvwidgets.engine.spatial import resized_arguments
from deconvwidgets.engine.windows import Window

Key = tuple[fx.Node, float]  # a map, and the value around it


class IncrementalRun:
    """An image whose maps are saved, so that the effect of patches can be computed.

    Parameters
    ----------
    graph : Graph
    parameters : mapping of fx.Node to Tensor
        The model's parameters (`Trace.bind`).
    image : Tensor (1, C, H, W)
    fill : Tensor (C, H, W)
        The content of the patches.
    layer : fx.Node
        The layer of the feature map that is returned.
    unit : int
        The feature map.
    logits_node : fx.Node or None
        The node of the logits; None if they are not needed.

    Attributes
    ----------
    map : Tensor (1, h, w)
        The feature map of the unoccluded image.
    logits : Tensor (1, classes) or None
    """

    def __init__(
        self,
        graph: Graph,
        parameters: Mapping[fx.Node, Tensor],
        image: Tensor,
        fill: Tensor,
        layer: fx.Node,
        unit: int,
        logits_node: fx.Node | None,
    ) -> None:
        self.graph, self.parameters, self.image, self.fill = graph, parameters, image, fill
        self.layer, self.unit, self.logits_node = layer, unit, logits_node
        self.operations = tuple(graph.ancestors([layer] if logits_node is None else [layer, logits_node]))
        self.by_node = {operation.node: operation for operation in self.operations}
        self.constants: dict[fx.Node, Any] = {}
        self.saved: dict[Key, SavedMap] = {}
        self.map, self.logits = self._save_maps()

    def run(self, patch_sets: Sequence[PatchSet]) -> tuple[Tensor, Tensor | None]:
        """Return the feature map (N, h, w) and the logits (N, classes) of the image with each patch set."""
        affected = affected_input(patch_sets, self.image.shape[-2:])
        order = _similar_first(affected)
        ordered = [patch_sets[number] for number in order]
        affected = AffectedRegion(affected.start[order], affected.stop[order])
        maps, logits = _TileExecutor(self, ordered, tile_layouts(self.operations, affected)).responses()
        original_order = torch.from_numpy(np.argsort(order)).to(maps.device)
        return maps[original_order], None if logits is None else logits[original_order]

    def bytes_each(self, patch_sets: Sequence[PatchSet]) -> int:
        """Return an estimate of the memory per patch set: four times the largest tile, for crops, tiles and intermediate results."""
        layouts = tile_layouts(self.operations, affected_input(patch_sets, self.image.shape[-2:]))
        return 4 * self.image.element_size() * max(self._tile_elements(operation, layouts) for operation in self.operations)

    def _tile_elements(self, operation: Operation, layouts: Mapping[fx.Node, Layout | None]) -> int:
        if not operation.varies or operation.shape is None:
            return 0
        layout, size = layouts[operation.node], torch.Size(operation.shape)
        return size.numel() if layout is None else size[1] * layout.area // layout.count

    def saving(self, patch_sets: Sequence[PatchSet]) -> tuple[float, float]:
        """Return the multiplications of whole images over those of exact affected regions, and over those of the tiles that are used."""
        affected = affected_input(patch_sets, self.image.shape[-2:])
        whole = multiplications(self.operations, None)
        exact_layouts = [
            tile_layouts(self.operations, AffectedRegion(affected.start[number : number + 1], affected.stop[number : number + 1]))
            for number in range(len(patch_sets))
        ]
        exact = float(np.mean([multiplications(self.operations, layouts) for layouts in exact_layouts]))
        batched = multiplications(self.operations, tile_layouts(self.operations, affected))
        return whole / exact, whole / batched

    def saved_map(self, node: fx.Node) -> SavedMap:
        """Return the saved map of a node, with any value around it."""
        return next(saved for (saved_node, _), saved in self.saved.items() if saved_node is node)

    def _save_maps(self) -> tuple[Tensor, Tensor | None]:
        """Run the unoccluded image, and save the maps that tiles are cut from. Return the feature map and the logits."""
        margins = self._margins()
        found: dict[fx.Node, Tensor] = {}
        for operation, value in Executor(self.graph, self.operations, self.parameters).execute(self.image):
            node = operation.node
            if operation.kind == "constant":
                self.constants[node] = value
            for (saved_node, fill), margin in margins.items():
                if saved_node is node:
                    self.saved[saved_node, fill] = SavedMap(as_maps(value), fill, margin)
            if node is self.layer:
                found[node] = as_maps(value)[:, self.unit].clone()
            if node is self.logits_node:
                found[node] = value
        return found[self.layer], None if self.logits_node is None else found[self.logits_node]

    def _margins(self) -> dict[Key, Margins]:
        """Return the maps that tiles are cut from, with the margin that their readers need."""
        margins: dict[Key, Margins] = {(self.layer, 0.0): (0, 0, 0, 0)}
        for operation in self.operations:
            inputs = self.graph.varying_inputs(operation.node)
            if operation.window is not None:
                required = operation.window.margins(operation.extent, self.by_node[inputs[0]].extent)
                key = (inputs[0], operation.window.fill)
                margins[key] = _larger(margins.get(key, (0, 0, 0, 0)), required)
            elif len(inputs) > 1 or operation.kind == "whole":
                for input_node in inputs:
                    if has_maps(self.by_node[input_node]):
                        margins.setdefault((input_node, 0.0), (0, 0, 0, 0))
        if has_maps(self.by_node[self.graph.input_node]):
            margins.setdefault((self.graph.input_node, 0.0), (0, 0, 0, 0))
        return margins


class _TileExecutor(Executor):
    """Runs one batch of patch sets. Its values are a list of the tiles of each group, or the value for all patch sets without a layout."""

    def __init__(self, run: IncrementalRun, patch_sets: Sequence[PatchSet], layouts: Mapping[fx.Node, Layout | None]) -> None:
        super().__init__(run.graph, [operation for operation in run.operations if operation.kind != "constant"], run.constants)
        self._run, self._patch_sets, self._layouts = run, patch_sets, layouts

    def responses(self) -> tuple[Tensor, Tensor | None]:
        """Return the feature map (N, h, w) and the logits (N, classes) for all patch sets."""
        maps, logits = torch.empty(0), None
        for operation, _ in self.execute(self._occluded_pixels(self.traced.input_node)):
            if operation.node is self._run.layer:
                maps = self._feature_map(operation.node)
            if operation.node is self._run.logits_node:
                logits = self._whole(operation.node)
        return maps, logits

    def _occluded_pixels(self, source: fx.Node) -> Any:
        """Return the pixels of the occluded images, in tiles or whole."""
        run, layout = self._run, self._layouts[source]
        groups = layout.groups if layout is not None else [_whole_image_tiles(len(self._patch_sets), run.image)]
        tiles = []
        for group in groups:
            pixels = run.saved_map(source).cut(group.starts, group.size)
            for tile, member, (top, left) in zip(pixels, group.members, group.starts, strict=True):
                for box in self._patch_sets[member]:
                    draw_patch(tile, run.fill, box, int(top), int(left))
            tiles.append(pixels)
        return tiles if layout is not None else tiles[0]

    def run_operation(self, operation: Operation) -> Any:
        if operation.kind == "size":
            return self._size(operation)
        layout = self._layouts[operation.node]
        if layout is None:
            return self._call(operation, self._whole)
        if operation.window is not None:
            return [self._run_window(operation, operation.window, group) for group in layout.groups]
        return [
            self._call(operation, lambda source, number=number: self._tiles(source, layout, number))  # type: ignore[misc]
            for number in range(len(layout.groups))
        ]

    def _call(self, operation: Operation, value_of: Callable[[fx.Node], Any]) -> Any:
        def value(input_node: fx.Node) -> Any:
            return value_of(input_node) if self._run.by_node[input_node].varies else self.env[input_node]

        args, kwargs = fx.node.map_arg((operation.node.args, operation.node.kwargs), value)
        if operation.kind == "pointwise" and operation.op.spatial == "reshape":
            args = resized_arguments(args, operation.shape or ())
        return self.call(operation, args, kwargs)

    def _size(self, operation: Operation) -> Any:
        """Return a value that depends on the number of images only."""
        pixels = self._run.image.expand(len(self._patch_sets), -1, -1, -1)

        def value(input_node: fx.Node) -> Any:
            source = self._run.by_node[input_node]
            if not source.varies:
                return self.env[input_node]
            return pixels if source.shape is None else pixels.new_empty(0).expand(len(pixels), *source.shape[1:-1], 0)

        args, kwargs = fx.node.map_arg((operation.node.args, operation.node.kwargs), value)
        return self.call(operation, args, kwargs)

    def _tiles(self, input_node: fx.Node, layout: Layout, number: int) -> Any:
        """Return an input's values on the tiles of a group of another map's layout."""
        input_layout = self._layouts[input_node]
        assert input_layout is not None
        if input_layout is layout:
            return self.env[input_node][number]
        group = layout.groups[number]
        tiles = [as_maps(tile) for tile in self.env[input_node]]
        crops = self._run.saved_map(input_node).cut_with_tiles(group.starts, group.size, tiles, input_layout, group.members)
        return _in_shape_of(self.env[input_node][0], crops)

    def _run_window(self, operation: Operation, window: Window, group: TileGroup) -> Tensor:
        run, (input_node,) = self._run, self.traced.varying_inputs(operation.node)
        layout, stride, before = self._layouts[input_node], np.array(window.stride), np.array(window.before)
        assert layout is not None
        rows, columns = (
            (size - 1) * window.stride[axis] + window.dilation[axis] * (window.kernel[axis] - 1) + 1 for axis, size in enumerate(group.size)
        )
        saved, starts = run.saved[input_node, window.fill], group.starts * stride - before
        crops = saved.cut_with_tiles(starts, (rows, columns), self.env[input_node], layout, group.members)
        weight, bias = window.parameters(operation.node, self.env)
        return window.run(crops, weight, bias, self._divisors(window, group, run.by_node[input_node].extent, crops))

    def _divisors(self, window: Window, group: TileGroup, extent: tuple[int, int], like: Tensor) -> Tensor | None:
        """Return the divisors (n, 1, h, w) of average pooling."""
        if window.kind != "average" or window.divisor is not None:
            return None
        starts = torch.from_numpy(group.starts).to(like.device)
        rows, columns = (window.divisors(starts[:, axis], group.size[axis], extent[axis], axis) for axis in (0, 1))
        return (rows[:, None, :, None] * columns[:, None, None, :]).to(like)

    def _whole(self, node: fx.Node) -> Any:
        """Return a node's whole value for all patch sets."""
        value, layout = self.env[node], self._layouts[node]
        if layout is None:
            return value
        if not has_maps(self._run.by_node[node]):  # not a map, and the same for all groups
            return value[0]
        whole = self._run.saved_map(node).whole_with_tiles([as_maps(tile) for tile in value], layout)
        return _in_shape_of(value[0], whole)

    def _feature_map(self, node: fx.Node) -> Tensor:
        """Return the unit's feature map (N, h, w)."""
        run, value, layout = self._run, self.env[node], self._layouts[node]
        if layout is None:
            return as_maps(value)[:, run.unit].clone()
        maps = run.saved_map(node).channel(run.unit, layout.count)
        for group, tiles in zip(layout.groups, value, strict=True):
            for member, (top, left), tile in zip(group.members, group.starts, tiles[:, run.unit], strict=True):
                maps[member, top : top + group.size[0], left : left + group.size[1]] = tile
        return maps


def as_maps(value: Tensor) -> Tensor:
    """Return maps (N, ..., H, W) as (N, C, H, W), and (N, C) as (N, C, 1, 1)."""
    return value[:, :, None, None] if value.dim() == 2 else value[:, None] if value.dim() == 3 else value.flatten(1, -3)


def _in_shape_of(value: Tensor, maps: Tensor) -> Tensor:
    """Return maps (N, C, H, W) with the axes that a value (n, ..., h, w) has between its batch and its rows."""
    return maps.reshape(len(maps), *value.shape[1:-2], *maps.shape[-2:])


def has_maps(operation: Operation) -> bool:
    """Return whether an operation's output is maps (N, ..., H, W), of which tiles can be computed."""
    return operation.shape is not None and len(operation.shape) >= 3 and operation.kind in ("input", "window", "pointwise")


def _similar_first(affected: AffectedRegion) -> Any:
    """Return an order that groups patch sets whose regions have the same place on coarser grids: their tiles are copied together."""
    sizes = affected.stop - affected.start
    return np.lexsort([*affected.start.T, *(affected.start.T % 32), *(affected.start.T % 8), *sizes.T])


def _whole_image_tiles(count: int, image: Tensor) -> TileGroup:
    return TileGroup(np.arange(count), np.zeros((count, 2), np.int64), (image.shape[-2], image.shape[-1]))


def _larger(first: Margins, second: Margins) -> Margins:
    return (max(first[0], second[0]), max(first[1], second[1]), max(first[2], second[2]), max(first[3], second[3]))
