"""The upper limit of the activation function that makes a layer."""

from __future__ import annotations

from math import inf

from torch import fx, nn

from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.network import Network

_LIMITS = {"relu6": 6.0, "sigmoid": 1.0, "hardsigmoid": 1.0, "tanh": 1.0}
_CLAMPS = {"hardtanh": (2, "max_val", 1.0), "clamp": (2, "max", inf), "clamp_max": (1, "max", inf)}
_MODULES = {nn.Sigmoid: 1.0, nn.Hardsigmoid: 1.0, nn.Tanh: 1.0}


def upper_limit(network: Network, layer: str) -> float:
    """Return the upper limit of the activation function that makes a layer, perhaps followed by max pooling; infinite without.

    Of a model that cannot be traced, only those layers that are an activation module have a known limit.
    """
    graph, node = network.graph, network.node(layer)
    if graph is None or node is None:
        return _limit_of_module(network.model, layer)
    while (source := _before_pooling(graph, node)) is not None:
        node = source
    return _limit_of_operation(graph, node)


def _limit_of_operation(graph: Graph, node: fx.Node) -> float:
    name = graph.operations[node].name
    if name not in _CLAMPS:
        return _LIMITS.get(name, inf)
    place, keyword, default = _CLAMPS[name]
    value = node.args[place] if len(node.args) > place else node.kwargs.get(keyword, default)
    return float(value) if isinstance(value, int | float) else inf


def _before_pooling(graph: Graph, node: fx.Node) -> fx.Node | None:
    """Return what a max pooling reads; None of other operations."""
    operation = graph.operations[node]
    pools = operation.window is not None and operation.window.kind == "max"
    return next(iter(graph.varying_inputs(node)), None) if pools else None


def _limit_of_module(model: nn.Module, layer: str) -> float:
    module = dict(model.named_modules()).get(layer)
    if isinstance(module, nn.Hardtanh):  # ReLU6 is one
        return float(module.max_val)
    return next((limit for kind, limit in _MODULES.items() if isinstance(module, kind)), inf)
