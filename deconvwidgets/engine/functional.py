"""Making an exported graph functional: without in-place operations, and without nodes that do nothing.

An in-place operation is replaced by its functional form. That is right if nothing that was made before it and shares its memory is read
after it: what the model reads as the overwritten value is the operation's result in the graph. Where a view is read, PyTorch's own
functionalisation is needed, which takes longer (`tracing.py`).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.engine.ops import FIRST_OUTPUT, FORMS_FOR_PARTS

MARK = torch.ops.aten._assert_async.msg  # an operation without result, which carries a text; see `tracing.py`
_MAX_SIZE = 2**62  # the end of a slice that takes everything


class NotFunctionalError(Exception):
    """An in-place operation writes to memory that a view shares, or has no functional form."""


def remove_inplace_operations(graph: fx.Graph) -> list[tuple[fx.Node, fx.Node]]:
    """Replace in-place operations by functional ones.

    Parameters
    ----------
    graph : fx.Graph
        A graph of ATen operations, whose nodes have their fake tensors in `meta["val"]`. It is changed.

    Returns
    -------
    list of (fx.Node, fx.Node)
        Each overwritten value, and what it was overwritten with.

    Raises
    ------
    NotFunctionalError
        If PyTorch's own functionalisation is needed. The graph may be partly changed.
    """
    storages: dict[int, list[fx.Node]] = {}
    for node in graph.nodes:
        if (storage := _storage(node)) is not None:
            storages.setdefault(storage, []).append(node)
    order = {node: number for number, node in enumerate(graph.nodes)}
    replaced: list[tuple[fx.Node, fx.Node]] = []
    for node in list(graph.nodes):
        if not _is_mutable(node):
            continue
        target = _functional_form(node)
        overwritten = node.args[0]
        assert isinstance(overwritten, fx.Node)
        sharing = [other for other in storages[_storage(overwritten)] if order[other] < order[node]]  # type: ignore[index]
        if read_later := [other.name for other in sharing if _is_read_after(other, node, order)]:
            raise NotFunctionalError(f"{node.name} writes to memory that {', '.join(read_later)} shares")
        node.target = target
        replaced.append((overwritten, node))
    return replaced


def _is_read_after(value: fx.Node, node: fx.Node, order: Mapping[fx.Node, int]) -> bool:
    """Return whether a value is read after a node. A view that is made before the node is a value of its own."""
    return any(order[user] > order[node] for user in value.users)


def simplify(graph: fx.Graph) -> None:
    """Remove nodes that do nothing, and replace operations that are not possible on part of a map or have no derivative. Marks are kept."""
    for node in list(graph.nodes):
        if _is_idle(node):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
        elif node.op == "call_function" and str(node.target).startswith("aten._assert") and node.target is not MARK:
            graph.erase_node(node)
        elif node.target is torch.ops.aten.copy.default:
            _replace_copy(graph, node)
        elif node.target in FIRST_OUTPUT:
            _drop_unread_outputs(graph, node)
        node.target = FORMS_FOR_PARTS.get(node.target, node.target)


def _replace_copy(graph: fx.Graph, node: fx.Node) -> None:
    """Replace the functional form of `copy_`, which has no derivative, by the copied value in its new shape and type."""
    like, value = (argument for argument in node.args[:2] if isinstance(argument, fx.Node))
    result = value
    with graph.inserting_before(node):
        if value.meta["val"].shape != like.meta["val"].shape:
            result = graph.call_function(torch.ops.aten.expand_as.default, (result, like))
            result.meta = dict(node.meta)
        if value.meta["val"].dtype != like.meta["val"].dtype:
            result = graph.call_function(torch.ops.aten.to.dtype, (result, like.meta["val"].dtype))
            result.meta = dict(node.meta)
    node.replace_all_uses_with(result)
    graph.erase_node(node)


def _drop_unread_outputs(graph: fx.Graph, node: fx.Node) -> None:
    """Replace an operation by one that returns its first output only (maxima, normalised maps), if nobody reads the others."""
    if any(user.target is not operator.getitem or user.args[1] != 0 for user in node.users):
        return
    if node.target is torch.ops.aten._native_batch_norm_legit_no_training.default:
        *operands, momentum, eps = node.args
        node.args = (*operands, False, momentum, eps, True)  # not in training mode, with cuDNN where there is one
    node.target = FIRST_OUTPUT[node.target]
    for user in list(node.users):
        node.meta["val"] = user.meta["val"]
        user.replace_all_uses_with(node)
        graph.erase_node(user)


def _is_idle(node: fx.Node) -> bool:
    if node.target is torch.ops.aten.slice.Tensor:
        first, end, step = (node.args[number] if len(node.args) > number else None for number in (2, 3, 4))
        return first in (0, None) and (end is None or (isinstance(end, int) and end >= _MAX_SIZE)) and step in (1, None)
    return node.target is torch.ops.aten.alias.default


def _storage(node: fx.Node) -> int | None:
    value = node.meta.get("val")
    return value.untyped_storage()._cdata if isinstance(value, Tensor) and value.layout is torch.strided else None


def _is_mutable(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return bool(schema is not None and schema.is_mutable)


def _functional_form(node: fx.Node) -> Any:
    """Return the functional overload of an in-place operation on its first argument."""
    target: Any = node.target
    written = [number for number, argument in enumerate(target._schema.arguments) if argument.alias_info and argument.alias_info.is_write]
    name = target.overloadpacket.__name__
    packet = getattr(torch.ops.aten, name.rstrip("_"), None)
    overload = getattr(packet, target._overloadname, None) if packet is not None and name.endswith("_") else None
    dtypes = {value.meta["val"].dtype for value in node.all_input_nodes if isinstance(value.meta.get("val"), Tensor)}
    if written != [0] or overload is None or overload._schema.is_mutable or len(dtypes) != 1 or not isinstance(node.args[0], fx.Node):
        raise NotFunctionalError(f"{name} has no functional form")
    return overload
