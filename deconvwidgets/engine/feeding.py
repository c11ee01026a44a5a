"""The terms of the sum that a unit computes: what each channel of the maps beneath adds to its value before the rectifier."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.linear_paths import keeps_channels, linearity
from deconvwidgets.engine.subgraph import Subgraph, call_functional

Position = tuple[int, int]


@dataclass(frozen=True)
class FeedingPath:
    """The linear operations from the maps that feed a layer to its values before the rectifier.

    Parameters
    ----------
    sums : Subgraph
        Its sources are the maps, from the latest to the earliest; its target is the value before the rectifier.
    output : fx.Node
        The layer, or the map that it pools: the values after the rectifier.
    pooled : bool
        Whether the layer pools `output`.
    has_factors : bool
        Whether a normalisation stands between, whose factors are held constant.
    """

    sums: Subgraph
    output: fx.Node
    pooled: bool
    has_factors: bool

    @property
    def sources(self) -> tuple[fx.Node, ...]:
        """The maps that feed the layer."""
        return self.sums.sources


@dataclass(frozen=True)
class Terms:
    """The terms of a unit's sum for N images: terms of all sources + constant = value.

    Parameters
    ----------
    terms : tuple of Tensor (N, C)
        For each source, what its channels add.
    constants : Tensor (N,)
        The value for maps of zeros: the bias.
    values : Tensor (N,)
        The value before the rectifier.
    """

    terms: tuple[Tensor, ...]
    constants: Tensor
    values: Tensor

    def error(self) -> float:
        """Return by how much the sums miss the values at most, relative to the largest absolute sum of terms."""
        total = sum((term.sum(dim=1) for term in self.terms), start=self.constants)
        size = sum((term.abs().sum(dim=1) for term in self.terms), start=self.constants.abs())
        return float(((total - self.values).abs() / size.clamp(min=torch.finfo(size.dtype).tiny)).max())


def find_feeding_path(graph: Graph, layer: fx.Node, maps: Collection[fx.Node]) -> FeedingPath | str:
    """Return the linear operations beneath a layer, down to the maps that feed it, or the reason why there are none, as a clause.

    Parameters
    ----------
    graph : Graph
    layer : fx.Node
        A convolution's or linear layer's map, after its rectifier or without one, or pooled.
    maps : collection of fx.Node
        Where to stop after a convolution or linear layer: the maps of other layers. Outputs of activations are always such maps.
    """
    output = _unpooled(graph, layer)
    activated = _unscaled(graph, output)
    varying = graph.varying_inputs(activated)
    value = varying[0] if _is_activation(graph, activated) and len(varying) == 1 else activated
    sources, operations, reason = _walk(graph, value, maps)
    if reason is not None:
        return reason
    order = {node: number for number, node in enumerate(graph.operations)}
    found = sorted(sources, key=order.__getitem__, reverse=True)
    read = {source for operation in Subgraph.between(graph, found, [value]).operations for source in operation.node.all_input_nodes}
    sums = Subgraph.between(graph, [node for node in found if node in read], [value])
    has_factors = any(linearity(graph, operation) == "factor" for operation in operations)
    return FeedingPath(sums, output, output is not layer, has_factors)


def terms_of(path: FeedingPath, model: nn.Module, values: Mapping[fx.Node, Tensor], unit: int, positions: list[Position]) -> Terms:
    """Return the terms of a unit's sum at one position of each image.

    Parameters
    ----------
    path : FeedingPath
    model : nn.Module
    values : mapping of fx.Node to Tensor
        The maps of the path's sources (N, C, H, W) or (N, C).
    unit : int
        The channel.
    positions : list of (int, int)
        N positions (row, column) in the map of `path.output`.
    """
    with torch.enable_grad():
        leaves = {node: value.detach().requires_grad_() for node, value in values.items()}
        at = _at(path.sums.run(model, leaves, _with_constant_factors)[0], unit, positions)
        gradients = torch.autograd.grad(at.sum(), [leaves[node] for node in path.sources])
    with torch.no_grad():
        zeros = {node: torch.zeros_like(value) for node, value in values.items()}
        constants = _at(path.sums.run(model, zeros, _with_constant_factors)[0], unit, positions)
    products = [gradient * values[node] for gradient, node in zip(gradients, path.sources, strict=True)]
    return Terms(tuple(product.flatten(2).sum(dim=2) if product.dim() > 2 else product for product in products), constants, at.detach())


def _unpooled(graph: Graph, node: fx.Node) -> fx.Node:
    """Return the map that a layer pools, or the layer."""
    operation = graph.operations[node]
    while operation.op.role in ("pooling", "transparent") and keeps_channels(graph, operation):
        node = graph.varying_inputs(node)[0]
        operation = graph.operations[node]
    return node


def _walk(graph: Graph, value: fx.Node, maps: Collection[fx.Node]) -> tuple[set[fx.Node], list[Operation], str | None]:
    """Return the maps beneath a value, the operations between, and why they are not linear."""
    sources, operations, pending = set[fx.Node](), list[Operation](), [(value, False)]
    seen = set(pending)
    while pending:
        node, mixed = pending.pop()
        operation = graph.operations[node]
        if node is graph.input_node:
            return sources, operations, "it reads the image itself: no units feed it"
        if node is not value and (_is_activation(graph, _unscaled(graph, node)) or (mixed and node in maps)):
            sources.add(node)
            continue
        if linearity(graph, operation) is None:
            where = f" (in {operation.module_type} '{operation.module}')" if operation.module else ""
            return sources, operations, f"{operation.name}{where}, which is not linear, stands between it and the maps beneath"
        operations.append(operation)
        mixed = mixed or operation.op.role in ("convolution", "linear")
        new = [(source, mixed) for source in graph.varying_inputs(node) if (source, mixed) not in seen]
        seen.update(new)
        pending += new
    return sources, operations, None


def _is_activation(graph: Graph, node: fx.Node) -> bool:
    op = graph.operations[node].op
    return op.rectified is not None or op.role == "activation"


def _unscaled(graph: Graph, node: fx.Node) -> fx.Node:
    """Return a map before its units are multiplied by factors (`ModelBundle.with_units`); the map itself if they are not."""
    return next((source for source, product in graph.trace.scaled.items() if product is node), node)


def _with_constant_factors(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call an operation; of a response normalisation only the multiplication by its factors is differentiated."""
    result = call_functional(operation, args, kwargs)
    if operation.op.role != "response norm":
        return result
    operand: Tensor = args[0]
    factors = torch.where(operand == 0, torch.zeros_like(operand), result / operand).detach()
    return operand * factors


def _at(maps: Tensor, unit: int, positions: list[Position]) -> Tensor:
    """Return the values of a unit (N,), each at its position."""
    if maps.dim() == 2:
        return maps[:, unit]
    rows, columns = torch.tensor(positions, device=maps.device).unbind(dim=1)
    return maps[torch.arange(len(maps), device=maps.device), unit, rows, columns]
