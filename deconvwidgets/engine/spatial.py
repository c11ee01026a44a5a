"""Whether an operation keeps the positions of a map apart, judged by its arguments and the shapes of its inputs and outputs.

Maps are (N, ..., H, W): the first axis is the batch, the last two are rows and columns. What cannot be judged reads the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.engine.ops import Op

_AXIS_ARGUMENTS = ("dim", "dims", "dim0", "dim1", "source", "destination")  # of ATen's schemas


def is_pointwise(node: fx.Node, op: Op, varying: Sequence[fx.Node]) -> bool:
    """Return whether position (r, c) of a node's output depends on position (r, c) of its inputs only.

    Parameters
    ----------
    node : fx.Node
        A node whose inputs are maps that depend on the image pointwise or by windows, or constants.
    op : Op
        What is known of its operation.
    varying : sequence of fx.Node
        The inputs that depend on the image.
    """
    if op.spatial == "part":
        return isinstance(node.args[1], int) and not isinstance(varying[0].meta["val"], Tensor)
    if op.spatial in ("whole", "window"):
        return False
    maps = _maps([input_node.meta["val"] for input_node in varying])
    outputs = _maps([node.meta["val"]])
    if not maps or not outputs or any(len(value.shape) < 3 for value in (*maps, *outputs)):
        return False
    if len({_batch_and_extent(value) for value in (*maps, *outputs)}) != 1 or not _is_batch(maps[0]):
        return False
    match op.spatial:
        case "pointwise":
            return _broadcast_over_positions(node, varying)
        case "per channel":
            return len(varying) == 1 and len(maps[0].shape) == 4 and varying[0] is node.args[0]
        case "reshape":
            return len(varying) == 1
    return _keeps_positions(node, op, maps[0], varying)


def resized_arguments(args: tuple[Any, ...], shape: Sequence[int]) -> tuple[Any, ...]:
    """Return the arguments of a "reshape" operation for part of a map: its sizes, taken from the part that is given.

    Parameters
    ----------
    args : tuple
        The arguments, of which the first is the part.
    shape : sequence of int
        The shape of the output for one whole image.
    """
    if len(args) < 2 or not isinstance(args[1], list | tuple):
        return args
    value: Tensor = args[0]
    return (value, [value.shape[0], *shape[1:-2], *value.shape[-2:]], *args[2:])


def named_axes(node: fx.Node) -> list[int] | None:
    """Return the axes that a call names, negative ones counted from the end; None if it names none, or means all of them."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return None
    given = dict(zip([argument.name for argument in schema.arguments], node.args, strict=False)) | dict(node.kwargs)
    defaults = {argument.name: argument.default_value for argument in schema.arguments}
    named: list[Any] = [{**defaults, **given}[name] for name in _AXIS_ARGUMENTS if name in defaults]
    axes = [axis for each in named for axis in (each if isinstance(each, list | tuple) else [each])]
    return None if not axes or any(axis is None for axis in axes) else axes


def _maps(values: Sequence[Any]) -> list[Tensor]:
    """Return the tensors of values that are tensors, or tuples or lists of them; none at all if another value is among them."""
    flat = [item for value in values for item in (value if isinstance(value, list | tuple) else [value]) if item is not None]
    return flat if all(isinstance(value, Tensor) for value in flat) else []


def _batch_and_extent(value: Tensor) -> tuple[Any, ...]:
    return (str(value.shape[0]), int(value.shape[-2]), int(value.shape[-1]))


def _is_batch(value: Tensor) -> bool:
    """Return whether the first axis is the batch: a symbol, or 1 in a trace for one image."""
    size = value.shape[0]
    return size.node.expr.is_symbol if isinstance(size, torch.SymInt) else size == 1


def _broadcast_over_positions(node: fx.Node, varying: Sequence[fx.Node]) -> bool:
    """Return whether all other operands have one value for all positions and images: a part of a map would need its own part of them."""
    for other in node.all_input_nodes:
        value = other.meta.get("val")
        if other in varying:
            continue
        if not isinstance(value, Tensor) or any(isinstance(size, torch.SymInt) for size in value.shape):
            return False
        if any(size != 1 for size in value.shape[-2:]):
            return False
    return True


def _keeps_positions(node: fx.Node, op: Op, value: Tensor, varying: Sequence[fx.Node]) -> bool:
    """Return whether the axes that an operation names are neither the batch nor rows or columns."""
    axes = named_axes(node)
    others = [other for other in node.all_input_nodes if other not in varying]
    vectors = all(isinstance(other.meta.get("val"), Tensor) and len(other.meta["val"].shape) == 1 for other in others)
    if axes is None or not vectors or (op.joins and others):
        return False
    rank = len(node.meta["val"].shape) if op.inserts_axis else len(value.shape)
    positive = [int(axis) % rank for axis in axes]
    if op.spatial == "permutation":
        return positive[0] == 0 and positive[-2:] == [rank - 2, rank - 1]
    return all(1 <= axis <= rank - 3 for axis in positive)
