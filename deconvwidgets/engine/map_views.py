"""Views (N, C, H, W) of module outputs that hold maps in another order of axes (`token_grid.py`), added to a trace.

The view is the layer: everything that is computed for maps is computed for tokens by the same code.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.engine.token_grid import Layout, find_layouts
from deconvwidgets.engine.tracing import Trace


def with_map_views(trace: Trace) -> Trace:
    """Return a trace with a view as maps (N, C, H, W) of each module output that is tokens of a grid, or maps with channels last.

    The nodes are added to the graph of the given trace. The output of the model does not depend on them.
    """
    layouts, added, views = find_layouts(trace), list[fx.Node](), dict[fx.Node, fx.Node]()
    for node in dict.fromkeys(trace.calls.values()):
        layout = layouts.get(node)
        if layout is not None and _is_viewable(layout):
            chain = _add_view(trace.graph, node, layout)
            added += chain
            views[node] = chain[-1]
    return replace(trace, added=trace.added | set(added), views=views) if views else trace


def view_source(trace: Trace, layer: fx.Node | None) -> fx.Node:
    """Return the output of a module whose view as maps a layer is; the layer itself if it is no view."""
    assert layer is not None
    return next((source for source, view in trace.views.items() if view is layer), layer)


def view_positions(trace: Trace, layer: fx.Node) -> Tensor:
    """Return where the values of a view stand in its source: their numbers (C, H, W) int64 in the flattened source of one image."""
    source = view_source(trace, layer)
    chain = [layer]
    while chain[0] is not source:
        chain.insert(0, chain[0].args[0])  # type: ignore[arg-type]
    shape = source.meta["val"].shape[1:]
    positions = torch.arange(prod(int(size) for size in shape)).reshape(1, *(int(size) for size in shape))
    for node in chain[1:]:
        assert callable(node.target)
        positions = node.target(positions, *node.args[1:])
    return positions[0]


def _is_viewable(layout: Layout) -> bool:
    """Return whether a value is maps of images in another order of axes, with no neighbouring rows or columns apart."""
    axes = layout.axes
    return axes[0] == "N" and axes.upper() != "NCHW" and set(axes) <= set("NCcLHW") and bool({"C", "c"} & set(axes))


def _add_view(graph: fx.Graph, source: fx.Node, layout: Layout) -> list[fx.Node]:
    """Add the nodes of a view directly after its source, and return them."""
    nodes: list[fx.Node] = []

    def call(function: Any, *args: Any) -> None:
        value = nodes[-1] if nodes else source
        with graph.inserting_after(value):
            node = graph.call_function(function, (value, *args))
        node.meta = dict(source.meta)
        with value.meta["val"].fake_mode, torch.no_grad():
            node.meta["val"] = function(value.meta["val"], *args)
        nodes.append(node)

    channels = [axis for axis, letter in enumerate(layout.axes) if letter in "cC"]
    positions = [layout.axes.index(axis) for axis in ("L" if "L" in layout.axes else "HW")]
    order = [0, *channels, *positions]
    if order != sorted(order):
        call(torch.ops.aten.permute.default, order)
    if len(channels) > 1:
        call(torch.ops.aten.flatten.using_ints, 1, len(channels))
    rows, columns = layout.grid
    if layout.before or layout.after:
        call(torch.ops.aten.slice.Tensor, 2, layout.before, layout.before + rows * columns)
    if "L" in layout.axes:
        call(torch.ops.aten.unflatten.int, 2, [rows, columns])
    return nodes
