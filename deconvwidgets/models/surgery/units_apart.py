"""Which operations make each unit's map or value of the same unit's alone, so that units can be cut on both sides of them."""

from __future__ import annotations

from typing import Any

from torch import fx

from deconvwidgets.engine.graph import Graph, Operation

# Maps (N, C, H, W) are resized, or padded with their own values, each alone.
MAPS_RESIZED = (
    "interpolate", "upsample_nearest", "upsample_bilinear", "upsample_nearest2d", "upsample_nearest_exact2d", "upsample_bilinear2d",
    "upsample_bicubic2d",
)  # fmt: skip
_OWN_PADS = ("reflection_pad2d", "replication_pad2d")
_POOLING_WITH_SWITCHES = ("adaptive_max_pool2d", "max_pool2d_with_indices", "adaptive_max_pool2d_with_indices")
_TIES = ("softmax", "log_softmax", "group_norm", "layer_norm", "mean", "sum", "amax", "var", "std")  # over channels
INSTANCE_NORM = "instance_norm"


def keeps_units(graph: Graph, node: fx.Node, operation: Operation) -> bool:
    """Return whether each unit of an operation's output is made of the same unit of `node` alone, in the same way."""
    if any(argument is not node for argument in operation.node.all_input_nodes):
        return False
    if operation.shape is None:
        return operation.name in _POOLING_WITH_SWITCHES  # a pair of maps and switches
    if operation.name == "getitem":
        return graph.operations[node].name in _POOLING_WITH_SWITCHES and operation.node.args[1:] == (0,)
    shape = graph.operations[node].shape or ()
    if operation.op.channelwise:
        return operation.shape == shape
    if len(shape) != 4 or len(operation.shape) < 2 or operation.shape[1] != shape[1]:
        return False
    if operation.name in ("mean", "sum", "amax"):
        return _axes(operation.node) == {2, 3}
    return operation.op.role == "pooling" or operation.name in MAPS_RESIZED or pads_maps(operation.node, operation.name)


def pads_maps(node: fx.Node, name: str) -> bool:
    """Return whether an operation pads rows and columns, of each map alone."""
    widths = node.args[1] if len(node.args) > 1 else node.kwargs.get("pad")
    return name in _OWN_PADS or (name in ("pad", "constant_pad_nd") and isinstance(widths, list | tuple) and len(widths) in (2, 4))


def reason_of(graph: Graph, node: fx.Node, operation: Operation) -> str:
    """Return why the number of units cannot be changed before an operation that does not keep them apart."""
    others = [argument for argument in operation.node.all_input_nodes if argument is not node]
    if operation.name in _TIES:
        return "ties them to other units"
    if operation.name == "prelu" or (others and all(graph.operations[other].kind == "constant" for other in others)):
        return "may have a value of its own for each"
    return "ties them to other units" if others else "may tie them to other units"


def _axes(node: fx.Node) -> set[int]:
    axes: Any = dict(enumerate(node.args)).get(1, node.kwargs.get("dim"))
    return {axis % 4 for axis in axes} if isinstance(axes, list | tuple) else set()
