"""Layer names: the paper's aliases (conv1, pool1, fc6, ...) found in the graph.

`convN` is the map after the rectifier that directly follows the N-th convolution (batch norm and dropout may stand between); where no
rectifier follows directly, it is the convolution's map, after its batch norm if it has one. `poolN` is convN's pooled map.
Fully connected layers count on from the last convolution, as the paper counts (AlexNet: conv5, then fc6), and so on likewise.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import fx, nn

from deconvwidgets.engine import ops
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.ops import operation_name
from deconvwidgets.engine.receptive_field import receptive_fields
from deconvwidgets.records.layers import LayerInfo


class Layer:
    """A layer and how it is reached: a node of the graph, or a module call."""

    def __init__(self, info: LayerInfo, features: bool, node: fx.Node | None = None, call: tuple[str, int] | None = None) -> None:
        self.info = info
        self.features = features  # a convolution's map: what the explorers show
        self.node = node
        self.call = call


def layers_of_graph(graph: Graph) -> list[Layer]:
    """Return the layers of a traced model, in order of execution."""
    by_alias = find_aliases(graph)
    aliases: dict[fx.Node, str] = {}
    for alias, node in by_alias.items():
        aliases.setdefault(node, alias)
    names: dict[fx.Node, str] = {}
    for call, node in graph.calls.items():
        names.setdefault(node, call)
    features = set(find_feature_maps(graph))
    fields = receptive_fields(graph)
    layers = []
    for node, operation in graph.operations.items():
        named = names.get(node, node.name if node in aliases or node in features else None)
        if named is None or operation.shape is None or len(operation.shape) not in (2, 4) or node is graph.source:
            continue
        if by_alias.get(named, node) is not node:
            named += "#1"  # a module called conv1 whose own output is not the paper's conv1: the alias keeps the short name
        height, width = operation.extent if len(operation.shape) == 4 else (1, 1)
        field = fields.get(node)
        sees = None if field is None else (field[0].size, field[1].size)
        stride = None if field is None else (field[0].step, field[1].step)
        offset = None if field is None else (field[0].start, field[1].start)
        info = LayerInfo(named, aliases.get(node), kind_of(graph, node), operation.shape[1], height, width, sees, stride, offset)
        layers.append(Layer(info, node in features, node=node))
    return layers


def find_feature_maps(graph: Graph) -> list[fx.Node]:
    """The convN maps, in order of execution, whether or not they can be called so."""
    return [_after_activation(graph, node) for node in _convolutions(graph)]


def find_aliases(graph: Graph) -> dict[str, fx.Node]:
    """Alias -> node, in order of execution.

    A module of the same name keeps it, unless it is the very layer that the alias counts (torchvision's ResNet has its first
    convolution in a module called conv1). Where a model counts otherwise (conv0, conv1, ...), it has no such aliases at all: half
    of them would mislead.
    """
    convolutions = _convolutions(graph)
    connected = [node for node in graph.operations if _is_linear(graph, node)]
    counted = {f"conv{number}": node for number, node in enumerate(convolutions, start=1)}
    fully = {f"fc{number}": node for number, node in enumerate(connected, start=len(convolutions) + 1)}
    aliases: dict[str, fx.Node] = {}
    for family in (counted, fully):
        if any(_names_another(graph, alias, node) for alias, node in family.items()):
            continue
        for alias, node in family.items():
            aliases[alias] = features = _after_activation(graph, node)
            pooled = _pooled(graph, features) if family is counted else None
            pool = alias.replace("conv", "pool")
            if pooled is not None and graph.calls.get(pool, pooled) is pooled:
                aliases[pool] = pooled
    return aliases


def _names_another(graph: Graph, alias: str, node: fx.Node) -> bool:
    """Whether a module called `alias` is another layer than the one that the alias counts."""
    own = graph.calls.get(alias)
    return own is not None and own not in (node, _after_activation(graph, node))


def _convolutions(graph: Graph) -> list[fx.Node]:
    return [node for node in graph.operations if _is_convolution(graph, node)]


def _is_convolution(graph: Graph, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(graph.modules[str(node.target)], nn.Conv2d)
    return node.target in ops.CONV2D_FUNCTIONS and graph.operations[node].kind != "constant"


def kind_of(graph: Graph, node: fx.Node) -> str:
    """ "conv", "pool", "fc", or the operation's own name."""
    window = graph.operations[node].window
    if _is_convolution(graph, node):
        return "conv"
    if window is not None and window.kind in ("max", "average"):
        return "pool"
    return "fc" if _is_linear(graph, node) else operation_name(node, graph.modules)


def _is_linear(graph: Graph, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(graph.modules[str(node.target)], nn.Linear)
    return node.target is F.linear and graph.operations[node].kind != "constant"


def _after_activation(graph: Graph, node: fx.Node) -> fx.Node:
    """Up from a convolution or linear layer: through its batch norm to the rectifier, if that is what directly follows."""
    current, normalised = node, node
    while len(users := _own_users(graph, current)) == 1:
        user = users[0]
        if user.op == "output":
            break
        name = operation_name(user, graph.modules)
        if name in ops.RECTIFIERS or name in ops.SMOOTH_ACTIVATIONS:
            return user
        if name not in ops.BETWEEN_CONVOLUTION_AND_RECTIFIER:
            break
        normalised = user if name in ops.BATCH_NORMS else normalised
        current = user
    return normalised


def _own_users(graph: Graph, node: fx.Node) -> list[fx.Node]:
    """What reads a node in the model itself: a head put on it beside changes no layer's name."""
    return [user for user in node.users if user not in graph.trace.added]


def _pooled(graph: Graph, features: fx.Node) -> fx.Node | None:
    for user in features.users:
        if user.op == "output":
            continue
        window = graph.operations[user].window
        if window is not None and window.kind in ("max", "average"):
            return user
        if operation_name(user, graph.modules) in ops.RESPONSE_NORMS:
            return _pooled(graph, user)
    return None
