"""Which operations are linear in a map, and which of them keep its channels apart.

Linear means affine here: a bias may be added. A maximum over positions is linear as long as its switches stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, fx

from deconvwidgets.engine.backward_checks import Call
from deconvwidgets.engine.graph import Graph, Operation

Linearity = Literal["linear", "switches", "factor"]


def linearity(graph: Graph, operation: Operation) -> Linearity | None:
    """Return how an operation depends on its operands that depend on the image.

    Returns
    -------
    {"linear", "switches", "factor"} or None
        "linear": it is affine. "switches": it is, for fixed switches (a maximum over positions). "factor": it multiplies each value by a
        factor that depends on the image (local response normalisation). None: anything else.
    """
    op = operation.op
    if (
        op.rectified is not None
        or op.cuts_gradient
        or not operation.differentiable
        or op.backward(_example_call(graph, operation)) is not None
    ):
        return None
    if op.role == "response norm":
        return "factor"
    return "switches" if op.switches else "linear"


def keeps_channels(graph: Graph, operation: Operation) -> bool:
    """Return whether channel c of the output, (N, C, ...) or (N, C * positions), depends on channel c of the one input only."""
    node, op = operation.node, operation.op
    varying = graph.varying_inputs(node)
    if len(varying) != 1 or operation.shape is None:
        return False
    before, after = graph.operations[varying[0]].shape or (), operation.shape
    if len(before) < 2 or len(after) < 2:
        return False
    if operation.window is not None:
        return operation.window.kind != "conv"
    if op.spatial in ("pointwise", "per channel"):
        return (op.channelwise or op.role == "batch norm") and before == after
    if op.spatial == "reshape":
        return before != after and (after[:2] == before[:2] or len(after) == 2)
    return op.spatial == "channel axes" and not (op.joins or op.moves_axes or op.inserts_axis) and _names_positions(node, before, after)


def path_of(graph: Graph, dependent: set[fx.Node], node: fx.Node) -> list[Operation]:
    """Return the operations that follow a node one after another and keep its channels apart, as far as each has one reader."""
    path = list[Operation]()
    while len(users := [user for user in node.users if user in dependent]) == 1:
        operation = graph.operations[users[0]]
        if linearity(graph, operation) not in ("linear", "switches") or not keeps_channels(graph, operation):
            break
        path.append(operation)
        node = users[0]
    return path


def _names_positions(node: fx.Node, before: Sequence[int], after: Sequence[int]) -> bool:
    """Return whether the axes of an operation that removes axes or positions are neither the batch's nor the channels'."""
    axes = node.args[1] if len(node.args) > 1 else None
    listed = axes if isinstance(axes, list | tuple) else [axes]
    if not listed or not all(isinstance(axis, int) for axis in listed) or list(before) == list(after):
        return False
    return all(axis % len(before) >= 2 for axis in listed)  # type: ignore[operator]


def _example_call(graph: Graph, operation: Operation) -> Call:
    """Return a call of an operation on fake tensors."""
    node = operation.node
    args, kwargs = fx.node.map_arg((node.args, dict(node.kwargs)), lambda source: source.meta.get("val"))
    dependent = {id(source.meta["val"]) for source in graph.varying_inputs(node) if isinstance(source.meta.get("val"), Tensor)}
    return Call(tuple(args), dict(kwargs), lambda value: id(value) in dependent, operation.op.like_second)
