"""The layers of a traced model: their names, the paper's aliases (conv1, pool1, fc6, ...), sizes and receptive fields.

`convN` is the map after the rectifier that directly follows the N-th convolution; batch norm and dropout may stand in between. If no
rectifier follows directly, it is the output of the convolution's batch norm or, without one, of the convolution itself. `poolN` is the
pooled map of convN. Fully connected layers are numbered on from the last convolution, as in the paper (AlexNet: conv5, then fc6).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import fx, nn

from deconvwidgets.engine import ops
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.ops import operation_name
from deconvwidgets.engine.receptive_field import receptive_fields
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, and where its output is found.

    Parameters
    ----------
    info : LayerInfo
    is_feature_map : bool
        Whether it is the map of a convolution, which the explorers show.
    node : fx.Node, optional
        The node of a traced model that returns it.
    call : (str, int), optional
        In a model that cannot be traced, the name of a module and the number of its call, from 1.
    """

    info: LayerInfo
    is_feature_map: bool
    node: fx.Node | None = None
    call: tuple[str, int] | None = None


def layers_of_graph(graph: Graph) -> list[Layer]:
    """Return the layers of a traced model, in order of execution."""
    by_alias = find_aliases(graph)
    aliases: dict[fx.Node, str] = {}
    for alias, node in by_alias.items():
        aliases.setdefault(node, alias)
    names: dict[fx.Node, str] = {}
    for call, node in graph.calls.items():
        names.setdefault(node, call)
    feature_maps = {_after_activation(graph, node) for node in _convolutions(graph)}
    fields = receptive_fields(graph)
    layers = []
    for node, operation in graph.operations.items():
        name = names.get(node, node.name if node in aliases or node in feature_maps else None)
        if name is None or operation.shape is None or len(operation.shape) not in (2, 4) or node is graph.input_node:
            continue
        if by_alias.get(name, node) is not node:
            name += "#1"  # the output of a module called conv1 that is not the paper's conv1: the alias takes precedence
        height, width = operation.extent if len(operation.shape) == 4 else (1, 1)
        field = fields.get(node)
        size = None if field is None else (field[0].size, field[1].size)
        stride = None if field is None else (field[0].step, field[1].step)
        offset = None if field is None else (field[0].start, field[1].start)
        info = LayerInfo(name, aliases.get(node), _kind(graph, node), operation.shape[1], height, width, size, stride, offset)
        layers.append(Layer(info, node in feature_maps, node=node))
    return layers


def find_aliases(graph: Graph) -> dict[str, fx.Node]:
    """Return the aliases with their nodes, in order of execution.

    A model's own module names take precedence, unless a module is the layer that the alias would name (the first convolution of
    torchvision's ResNet is a module called conv1). A model that numbers its convolutions or its fully connected layers in another way
    (conv0, conv1, ...) has none of these aliases: some of them would be misleading.
    """
    convolutions = _convolutions(graph)
    linear = [node for node in graph.operations if _is_linear(graph, node)]
    conv_aliases = {f"conv{number}": node for number, node in enumerate(convolutions, start=1)}
    fc_aliases = {f"fc{number}": node for number, node in enumerate(linear, start=len(convolutions) + 1)}
    aliases: dict[str, fx.Node] = {}
    for family in (conv_aliases, fc_aliases):
        if any(_is_other_module(graph, alias, node) for alias, node in family.items()):
            continue
        for alias, node in family.items():
            aliases[alias] = feature_map = _after_activation(graph, node)
            pooled = _pooled(graph, feature_map) if family is conv_aliases else None
            pool = alias.replace("conv", "pool")
            if pooled is not None and graph.calls.get(pool, pooled) is pooled:
                aliases[pool] = pooled
    return aliases


def _is_other_module(graph: Graph, alias: str, node: fx.Node) -> bool:
    """Return whether a module has the name of the alias, and is another layer than `node`."""
    module_output = graph.calls.get(alias)
    return module_output is not None and module_output not in (node, _after_activation(graph, node))


def _kind(graph: Graph, node: fx.Node) -> str:
    """Return "conv", "pool", "fc" or the operation's name."""
    window = graph.operations[node].window
    if _is_convolution(graph, node):
        return "conv"
    if window is not None and window.kind in ("max", "average"):
        return "pool"
    return "fc" if _is_linear(graph, node) else operation_name(node, graph.modules)


def _convolutions(graph: Graph) -> list[fx.Node]:
    return [node for node in graph.operations if _is_convolution(graph, node)]


def _is_convolution(graph: Graph, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(graph.modules[str(node.target)], nn.Conv2d)
    return node.target in ops.CONV2D_FUNCTIONS and graph.operations[node].kind != "constant"


def _is_linear(graph: Graph, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(graph.modules[str(node.target)], nn.Linear)
    return node.target is F.linear and graph.operations[node].kind != "constant"


def _after_activation(graph: Graph, node: fx.Node) -> fx.Node:
    """Return the activation that directly follows a convolution or linear layer; else its batch norm, or the layer itself."""
    current, last_norm = node, node
    while len(users := _users(graph, current)) == 1:
        user = users[0]
        if user.op == "output":
            break
        name = operation_name(user, graph.modules)
        if name in ops.RECTIFIERS or name in ops.SMOOTH_ACTIVATIONS:
            return user
        if name not in ops.BETWEEN_CONVOLUTION_AND_RECTIFIER:
            break
        last_norm = user if name in ops.BATCH_NORMS else last_norm
        current = user
    return last_norm


def _users(graph: Graph, node: fx.Node) -> list[fx.Node]:
    """Return the nodes of the original model that read a node: an added head does not affect the names of layers."""
    return [user for user in node.users if user not in graph.trace.added]


def _pooled(graph: Graph, feature_map: fx.Node) -> fx.Node | None:
    """Return the pooling that reads a feature map, directly or after local response normalisation."""
    for user in feature_map.users:
        if user.op == "output":
            continue
        window = graph.operations[user].window
        if window is not None and window.kind in ("max", "average"):
            return user
        if operation_name(user, graph.modules) in ops.RESPONSE_NORMS:
            return _pooled(graph, user)
    return None
