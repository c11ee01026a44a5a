"""Outputs that depend linearly on the maps of a layer: weight x activation is then what a unit contributes, exactly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.linear_paths import linearity, path_of
from deconvwidgets.engine.subgraph import Subgraph


@dataclass(frozen=True)
class LinearHead:
    """The outputs as a sum over units: outputs[n, k] = bias[k] + sum over u, p of weight[k, u, p] * features[n, u, p].

    The features are the layer's maps, perhaps pooled, with P positions; each depends on the map of its unit only.

    Parameters
    ----------
    pooling : Subgraph
        From the layer to the features.
    model : nn.Module
    weight : Tensor (K, C, P)
    bias : Tensor (K,)
        The outputs for maps of zeros.
    offset : Tensor (1, C, P), optional
        What is pooled of maps of zeros, if that is not zero: it is no feature, but part of the bias.
    """

    pooling: Subgraph = field(repr=False)
    model: nn.Module = field(repr=False)
    weight: Tensor = field(repr=False)
    bias: Tensor = field(repr=False)
    offset: Tensor | None = field(default=None, repr=False)

    def features(self, maps: Tensor) -> Tensor:
        """Return the features (N, C, P) for the layer's maps (N, C, H, W)."""
        (node,) = self.pooling.sources
        (values,) = self.pooling.run(self.model, {node: maps})
        features: Tensor = values.reshape(len(maps), self.weight.shape[1], -1)
        return features if self.offset is None else features - self.offset


def why_not_linear(graph: Graph, layer: fx.Node, output: fx.Node) -> str | None:
    """Return why an output does not depend linearly on a layer's units, as a clause; None if it does.

    Operations that keep the channels apart may pool by maxima; all others must be affine. Nothing else that depends on the image may
    contribute.
    """
    between = Subgraph.between(graph, [layer], [output])
    dependent = between.dependent()
    if output is not layer and output not in dependent:
        return "the output does not depend on the layer"
    if between.other_inputs():
        return "the output also depends on the image past the layer (by a skip branch)"
    apart = {operation.node for operation in path_of(graph, dependent, layer)}
    for operation in between.operations:
        if operation.node not in dependent or operation.node in apart:
            continue
        kind = linearity(graph, operation)
        if kind != "linear":
            return f"{_describe(operation)} stands between the layer and the output, which is not linear"
    return None


def find_linear_head(graph: Graph, model: nn.Module, layer: fx.Node, output: fx.Node) -> LinearHead | str:
    """Return the linear map from a layer's units to the output (N, K), or the reason why there is none, as a clause."""
    reason = why_not_linear(graph, layer, output)
    if reason is not None:
        return reason
    path = path_of(graph, Subgraph.between(graph, [layer], [output]).dependent(), layer)
    features = path[-1].node if path else layer
    pooling, affine = Subgraph.between(graph, [layer], [features]), Subgraph.between(graph, [features], [output])
    shape = graph.operations[features].shape or ()
    channels = (graph.operations[layer].shape or (0, 0))[1]
    weight, bias = _affine_map(affine, model, shape[1:])
    head = LinearHead(pooling, model, weight.reshape(len(weight), channels, -1), bias)
    with torch.no_grad():
        zeros = head.features(torch.zeros(1, *(graph.operations[layer].shape or ())[1:], dtype=weight.dtype, device=weight.device))
        if not bool(zeros.any()):
            return head
        return replace(head, bias=bias + weight @ zeros.flatten(), offset=zeros)


def _affine_map(affine: Subgraph, model: nn.Module, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return the matrix (K, features) and the constant (K,) of an affine map, by its derivatives at zero."""
    (source,), (target,) = affine.sources, affine.targets
    known = _linear_layer(affine, model)
    if known is not None:
        return known
    reference = next(iter(affine.graph.trace.bind(model).values()))
    with torch.enable_grad():
        zeros = torch.zeros(1, *shape, dtype=reference.dtype, device=reference.device, requires_grad=True)
        outputs: Tensor = zeros.reshape(1, -1) if source is target else affine.run(model, {source: zeros})[0]
        rows = [torch.autograd.grad(outputs[0, number], zeros, retain_graph=True)[0] for number in range(outputs.shape[1])]
    return torch.stack(rows).reshape(len(rows), prod(shape)), outputs[0].detach()


def _linear_layer(affine: Subgraph, model: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Return weight and bias if the map is one linear layer."""
    operations, bound = [operation for operation in affine.operations if operation.varies], affine.graph.trace.bind(model)
    if len(operations) != 1 or operations[0].op.role != "linear":
        return None
    parameters = [bound.get(argument) for argument in operations[0].node.args[1:] if isinstance(argument, fx.Node)]
    if len(parameters) != 2 or any(parameter is None for parameter in parameters):
        return None
    weight, bias = parameters
    assert weight is not None
    assert bias is not None
    return weight.detach(), bias.detach()


def _describe(operation: Operation) -> str:
    where = f" (in {operation.module_type} '{operation.module}')" if operation.module_type and operation.module else ""
    return f"{operation.name}{where}"
