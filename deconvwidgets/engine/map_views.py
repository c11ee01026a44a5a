"""Views (N, C, H, W) of module outputs that hold maps in another order of axes (`token_grid.py`), added to a trace.

The view is the layer: everything that is computed for maps is computed for tokens by the same code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import fx

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
