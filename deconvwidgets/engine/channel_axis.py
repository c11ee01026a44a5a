"""Which outputs of four axes are maps (N, H, W, C), whose channels are last, as in Swin and ConvNeXt.

Shapes do not tell. Linear layers and layer norms do: their last axis holds the channels, and so it does in all values that elementwise
operations connect with theirs, unless one of these is the output of a convolution.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import fx

from deconvwidgets.engine.graph import Graph, Operation


def channels_last(graph: Graph) -> set[fx.Node]:
    """Return the nodes whose output is maps (N, H, W, C)."""
    neighbours = _neighbours(graph)
    found: set[fx.Node] = set()
    for node, operation in graph.operations.items():
        if node in found or not operation.op.features_last or not _has_four_axes(operation) or _normalises_several_axes(operation):
            continue
        connected = _connected(node, neighbours)
        if not any(_has_channels_second(graph.operations[other]) for other in connected):
            found |= connected
    return found


def _connected(node: fx.Node, neighbours: Mapping[fx.Node, list[fx.Node]]) -> set[fx.Node]:
    """Return a node and all that it is connected with, directly or not."""
    found, pending = {node}, [node]
    while pending:
        new = set(neighbours.get(pending.pop(), ())) - found
        found |= new
        pending += new
    return found


def _has_channels_second(operation: Operation) -> bool:
    """Return whether an output is certainly maps (N, C, H, W). A linear layer after it mixes columns."""
    return operation.kind == "input" or operation.op.role in ("convolution", "pooling", "batch norm")


def _neighbours(graph: Graph) -> dict[fx.Node, list[fx.Node]]:
    """Return the values of four axes that each value is connected with by an operation that keeps the order of axes."""
    neighbours: dict[fx.Node, list[fx.Node]] = {}
    for node, operation in graph.operations.items():
        if not _has_four_axes(operation) or not _keeps_axes(operation):
            continue
        for input_node in graph.varying_inputs(node):
            if _has_four_axes(graph.operations[input_node]):
                neighbours.setdefault(node, []).append(input_node)
                neighbours.setdefault(input_node, []).append(node)
    return neighbours


def _keeps_axes(operation: Operation) -> bool:
    op = operation.op
    pads = op.window is not None and op.role is None
    return not op.moves_axes and (op.features_last or pads or op.spatial in ("pointwise", "channel axes"))


def _has_four_axes(operation: Operation) -> bool:
    return operation.varies and operation.shape is not None and len(operation.shape) == 4


def _normalises_several_axes(operation: Operation) -> bool:
    arguments = operation.node.args
    return len(arguments) > 1 and isinstance(arguments[1], list | tuple) and len(arguments[1]) > 1
