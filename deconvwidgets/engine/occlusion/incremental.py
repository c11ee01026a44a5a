"""Running a model on occluded images by computing again only what the patches touch, exactly.

Every operation runs on tiles (`influence.py`), cut out of the maps of the image as it is (`saved_maps.py`), batched over placings. From
where a tile would hold most of its map, or an operation looks at whole maps, whole maps are computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.occlusion.affected_region import Layout, TileGroup, Touched, layouts_of, multiplications, on_map
from deconvwidgets.engine.occlusion.patches import lay_patch
from deconvwidgets.engine.occlusion.saved_maps import Margins, SavedMap
from deconvwidgets.engine.tracing import last_uses, run_nodes
from deconvwidgets.engine.windows import Window, parameters_of
from deconvwidgets.records.geometry import Box

Placing = Sequence[Box]  # the patches that lie on the image at once
Key = tuple[fx.Node, float]  # a map, and what stands around it


class IncrementalRun:
    """One image, ready for patches.

    Args:
        image: (1, C, H, W). fill: (C, H, W), what a patch shows.
        watched: the map of which one unit is wanted; answer: the node of the logits, None where they are not wanted.
    """

    def __init__(self, graph: Graph, image: Tensor, fill: Tensor, watched: fx.Node, unit: int, answer: fx.Node | None) -> None:
        self._graph, self._image, self._fill = graph, image, fill
        self._watched, self._unit, self._answer = watched, unit, answer
        self._operations = tuple(graph.ancestors([watched] if answer is None else [watched, answer]))
        self._kinds = {operation.node: operation for operation in self._operations}
        self._last_use = last_uses([operation.node for operation in self._operations])
        self._constants: dict[fx.Node, Any] = {}
        self._saved: dict[Key, SavedMap] = {}
        self.map, self.logits = self._run_once()

    def run(self, placings: Sequence[Placing]) -> tuple[Tensor, Tensor | None]:
        """The unit's map (N, h, w) and the logits (N, classes) with each placing's patches on the image."""
        hulls = _hulls(placings, self._image.shape[-2:])
        order = _alike_together(hulls)
        ordered = [placings[number] for number in order]
        hulls = Touched(hulls.first[order], hulls.last[order])
        maps, logits = _Pass(self, ordered, layouts_of(self._operations, hulls)).run()
        back = torch.from_numpy(np.argsort(order)).to(maps.device)
        return maps[back], None if logits is None else logits[back]

    def bytes_each(self, placings: Sequence[Placing]) -> int:
        """About what one of these placings takes: the largest of the maps four times, as crop, tile and what is made of it."""
        layouts = layouts_of(self._operations, _hulls(placings, self._image.shape[-2:]))
        return 4 * self._image.element_size() * max(self._numbers(one, layouts) for one in self._operations)

    def _numbers(self, operation: Operation, layouts: Mapping[fx.Node, Layout | None]) -> int:
        if operation.kind == "constant" or operation.shape is None:
            return 0
        layout, size = layouts[operation.node], torch.Size(operation.shape)
        return size.numel() if layout is None else size[1] * layout.area // layout.count

    def saving(self, placings: Sequence[Placing]) -> tuple[float, float]:
        """How many times fewer multiplications these placings take than whole images: with every placing's own tiles, which is what
        exactness allows, and with the tiles that are batched."""
        hulls = _hulls(placings, self._image.shape[-2:])
        whole = multiplications(self._operations, self._graph.modules, None)
        alone = [
            layouts_of(self._operations, Touched(hulls.first[one : one + 1], hulls.last[one : one + 1])) for one in range(len(placings))
        ]
        exact = float(np.mean([multiplications(self._operations, self._graph.modules, layouts) for layouts in alone]))
        batched = multiplications(self._operations, self._graph.modules, layouts_of(self._operations, hulls))
        return whole / exact, whole / batched

    def _run_once(self) -> tuple[Tensor, Tensor | None]:
        """Run the image as it is, and keep of it what tiles are cut from."""
        margins = self._margins()
        found: dict[fx.Node, Tensor] = {}
        nodes = [operation.node for operation in self._operations]
        for node, value in run_nodes(nodes, self._graph.modules, self._graph.source, self._image.clone()):
            operation = self._kinds[node]
            if operation.kind == "constant":
                self._constants[node] = value
            for (needed, fill), margin in margins.items():
                if needed is node:  # copied now: a later operation may overwrite it
                    self._saved[needed, fill] = SavedMap(as_maps(value), fill, margin)
            if node is self._watched:
                found[node] = as_maps(value)[:, self._unit].clone()
            if node is self._answer:
                found[node] = value
        return found[self._watched], None if self._answer is None else found[self._answer]

    def _margins(self) -> dict[Key, Margins]:
        """Which maps tiles are cut from, and how far beyond the border."""
        margins: dict[Key, Margins] = {(self._watched, 0.0): (0, 0, 0, 0)}
        for operation in self._operations:
            feeders = [feeder for feeder in operation.node.all_input_nodes if self._kinds[feeder].kind != "constant"]
            if operation.window is not None:
                needed = _margins_of(operation.window, operation.extent, self._kinds[feeders[0]].extent)
                key = (feeders[0], operation.window.fill)
                margins[key] = _larger(margins.get(key, (0, 0, 0, 0)), needed)
            elif len(feeders) > 1 or operation.kind == "whole":
                for feeder in feeders:
                    if has_maps(self._kinds[feeder]):
                        margins.setdefault((feeder, 0.0), (0, 0, 0, 0))
        if has_maps(self._kinds[self._graph.source]):
            margins.setdefault((self._graph.source, 0.0), (0, 0, 0, 0))
        return margins

    def saved(self, node: fx.Node) -> SavedMap:
        """The map of a node, whatever stands around it."""
        return next(saved for (held, _), saved in self._saved.items() if held is node)


class _Pass:
    """One batch of placings on its way up the graph."""

    def __init__(self, run: IncrementalRun, placings: Sequence[Placing], layouts: Mapping[fx.Node, Layout | None]) -> None:
        self._run, self._placings, self._layouts = run, placings, layouts
        # A list of values, one a group of the layout, or where there is no layout the value for all placings.
        self._values: dict[fx.Node, Any] = {}

    def run(self) -> tuple[Tensor, Tensor | None]:
        run, maps, logits = self._run, torch.empty(0), None
        for number, operation in enumerate(run._operations):
            node = operation.node
            if operation.kind == "constant":
                continue
            self._values[node] = self._begin(node) if operation.kind == "input" else self._step(operation)
            if node is run._watched:
                maps = self._watch(node)
            if node is run._answer:
                logits = self._whole(node)
            for feeder in node.all_input_nodes:
                if run._last_use[feeder] == number:
                    self._values.pop(feeder, None)
        return maps, logits

    def _begin(self, source: fx.Node) -> Any:
        """The pixels of the occluded images, in tiles or whole."""
        run, layout = self._run, self._layouts[source]
        groups = layout.groups if layout is not None else [_all_whole(len(self._placings), run._image)]
        tiles = []
        for group in groups:
            pixels = run.saved(source).cut(group.starts, group.size)
            for tile, member, (top, left) in zip(pixels, group.members, group.starts, strict=True):
                for box in self._placings[member]:
                    lay_patch(tile, run._fill, box, int(top), int(left))
            tiles.append(pixels)
        return tiles if layout is not None else tiles[0]

    def _step(self, operation: Operation) -> Any:
        node, layout = operation.node, self._layouts[operation.node]
        if layout is None:
            return self._call(node, self._whole)
        if operation.window is not None:
            return [self._windowed(operation, operation.window, group) for group in layout.groups]
        return [self._call(node, lambda feeder, number=number: self._tile(feeder, layout, number)) for number in range(len(layout.groups))]

    def _call(self, node: fx.Node, value_of: Any) -> Any:
        constants = self._run._constants

        def value(feeder: fx.Node) -> Any:
            return constants[feeder] if feeder in constants else value_of(feeder)

        return self._run._graph.call(node, fx.node.map_arg(node.args, value), fx.node.map_arg(node.kwargs, value))

    def _tile(self, feeder: fx.Node, layout: Layout, number: int) -> Any:
        """A feeder's tiles where those of the group are: its own, or cut anew."""
        own = self._layouts[feeder]
        assert own is not None
        if own is layout:
            return self._values[feeder][number]
        group = layout.groups[number]
        tiles = [as_maps(tile) for tile in self._values[feeder]]
        crops = self._run.saved(feeder).crops(group.starts, group.size, tiles, own, group.members)
        return crops if self._values[feeder][0].dim() == 4 else crops[:, 0]

    def _windowed(self, operation: Operation, window: Window, group: TileGroup) -> Tensor:
        run, feeder = self._run, operation.node.all_input_nodes[0]
        layout, stride, before = self._layouts[feeder], np.array(window.stride), np.array(window.before)
        assert layout is not None
        rows, columns = (
            (size - 1) * window.stride[axis] + window.dilation[axis] * (window.kernel[axis] - 1) + 1 for axis, size in enumerate(group.size)
        )
        saved = run._saved[feeder, window.fill]
        crops = saved.crops(group.starts * stride - before, (rows, columns), self._values[feeder], layout, group.members)
        weight, bias = parameters_of(run._graph.modules, operation.node, window, run._constants)
        return window.run(crops, weight, bias, self._counts(window, group, run._kinds[feeder].extent, crops))

    def _counts(self, window: Window, group: TileGroup, extent: tuple[int, int], like: Tensor) -> Tensor | None:
        """Average pooling's divisors (n, 1, h, w)."""
        if window.kind != "average" or window.divisor is not None:
            return None
        starts = torch.from_numpy(group.starts).to(like.device)
        rows, columns = (window.divisors(starts[:, axis], group.size[axis], extent[axis], axis) for axis in (0, 1))
        return (rows[:, None, :, None] * columns[:, None, None, :]).to(like)

    def _whole(self, node: fx.Node) -> Any:
        """A node's value for all placings."""
        value, layout = self._values[node], self._layouts[node]
        if layout is None:
            return value
        if not has_maps(self._run._kinds[node]):  # something that an operation gave besides maps
            return value[0]
        whole = self._run.saved(node).whole([as_maps(tile) for tile in value], layout)
        return whole if value[0].dim() == 4 else whole[:, 0]

    def _watch(self, node: fx.Node) -> Tensor:
        """The watched unit's map (N, h, w)."""
        run, value, layout = self._run, self._values[node], self._layouts[node]
        if layout is None:
            return as_maps(value)[:, run._unit].clone()
        maps = run.saved(node).channel(run._unit, layout.count)
        for group, tiles in zip(layout.groups, value, strict=True):
            for member, (top, left), tile in zip(group.members, group.starts, tiles[:, run._unit], strict=True):
                maps[member, top : top + group.size[0], left : left + group.size[1]] = tile
        return maps


def as_maps(value: Tensor) -> Tensor:
    """(N, C) as (N, C, 1, 1), (N, H, W) as (N, 1, H, W), maps as they are."""
    return value[:, :, None, None] if value.dim() == 2 else value[:, None] if value.dim() == 3 else value


def has_maps(operation: Operation) -> bool:
    """Whether its result is maps (N, C, H, W), or one channel of them."""
    return operation.shape is not None and len(operation.shape) in (3, 4)


def _hulls(placings: Sequence[Placing], extent: Sequence[int]) -> Touched:
    """The rectangle that holds all patches of each placing, on the image."""
    boxes = np.array([_hull(placing, extent) for placing in placings], np.int64).reshape(-1, 4)
    return on_map(boxes[:, :2], boxes[:, 2:], (int(extent[0]), int(extent[1])))


def _hull(placing: Placing, extent: Sequence[int]) -> tuple[int, int, int, int]:
    clipped = [(max(top, 0), max(left, 0), min(bottom, extent[0]), min(right, extent[1])) for left, top, right, bottom in placing]
    filled = [box for box in clipped if box[0] < box[2] and box[1] < box[3]] or [(0, 0, 1, 1)]
    tops, lefts, bottoms, rights = zip(*filled, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def _alike_together(hulls: Touched) -> Any:
    """An order in which placings that lie alike on every coarser grid follow each other: their tiles are then cut in one go."""
    sizes = hulls.last - hulls.first
    return np.lexsort([*hulls.first.T, *(hulls.first.T % 32), *(hulls.first.T % 8), *sizes.T])


def _all_whole(count: int, image: Tensor) -> TileGroup:
    return TileGroup(np.arange(count), np.zeros((count, 2), np.int64), (image.shape[-2], image.shape[-1]))


def _margins_of(window: Window, extent: tuple[int, int], below: tuple[int, int]) -> Margins:
    """How far a windowed operation with this extent reaches beyond the border of the map below."""
    ends = [
        (extent[axis] - 1) * window.stride[axis] + window.dilation[axis] * (window.kernel[axis] - 1) + 1 - window.before[axis] - below[axis]
        for axis in (0, 1)
    ]
    return (window.before[0], max(ends[0], 0), window.before[1], max(ends[1], 0))


def _larger(one: Margins, other: Margins) -> Margins:
    return (max(one[0], other[0]), max(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3]))
