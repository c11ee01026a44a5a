"""The layers of a traced model: their names, the paper's aliases (conv1, pool1, fc6, ...), sizes and receptive fields.

`convN` is the map after the rectifier that directly follows the N-th convolution; batch norm and dropout may stand in between. If no
rectifier follows directly, it is the output of the convolution's batch norm or, without one, of the convolution itself. `poolN` is the
pooled map of convN. A map that is blurred and subsampled (`blur.py`) is meant as it is afterwards. Fully connected layers are numbered on
from the last convolution, as in the paper (AlexNet: conv5, then fc6).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from torch import fx

from deconvwidgets.engine.blur import Blur
from deconvwidgets.engine.channel_axis import channels_last
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.ops import Role
from deconvwidgets.engine.receptive_field import receptive_fields
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, and where its output is found.

    Parameters
    ----------
    info : LayerInfo
    is_feature_map : bool
        Whether the explorers show it: it is the map of a convolution, or the output of a block of a transformer.
    node : fx.Node, optional
        The node of a traced model that returns it. In a model that cannot be traced, the layer is the module call of its name.
    has_maps : bool
        Whether its output is maps (N, C, H, W), not vectors (N, C).
    is_fully_connected : bool
        Whether it is the vector of a fully connected layer, after the activation that directly follows it.
    """

    info: LayerInfo
    is_feature_map: bool
    node: fx.Node | None = None
    has_maps: bool = True
    is_fully_connected: bool = False


def layers_of_graph(graph: Graph) -> list[Layer]:
    """Return the layers of a traced model, in order of execution: its maps (N, C, H, W) and vectors (N, C).

    Outputs of modules that hold maps in another order of axes are layers by their views as maps.
    """
    by_alias = find_aliases(graph)
    aliases = {node: alias for alias, node in reversed(by_alias.items())}  # of several aliases of a node the first one
    views, sources = graph.trace.views, {view: source for source, view in graph.trace.views.items()}
    names: dict[fx.Node, str] = {}
    for call, node in _naming_calls(graph):
        names.setdefault(views.get(node, node), call)
    operation_names = _operation_names(graph)
    shown = {*feature_maps(graph).values(), *(view for source, view in views.items() if _is_residual_sum(graph, source))}
    vectors = {feature_map_of(graph, node) for node in _nodes_of(graph, "linear")}
    fields = receptive_fields(graph)
    other_order = (channels_last(graph) | set(views)) - set(sources)
    layers = []
    for node, operation in graph.operations.items():
        name = names.get(node, operation_names[node] if node in aliases or node in shown or node in vectors else None)
        if (
            name is None
            or operation.shape is None
            or len(operation.shape) not in (2, 4)
            or operation.shape[0] != 1  # its first axis is not the batch
            or node in other_order
            or not operation.varies
            or node is graph.input_node
        ):
            continue
        source = sources.get(node, node)
        if by_alias.get(name, source) is not source:
            name += "#1"  # the output of a module called conv1 that is not the paper's conv1: the alias takes precedence
        has_maps = len(operation.shape) == 4
        height, width = operation.extent if has_maps else (1, 1)
        field = fields.get(node)
        size = None if field is None else (field[0].size, field[1].size)
        stride = None if field is None else (field[0].step, field[1].step)
        offset = None if field is None else (field[0].start, field[1].start)
        info = LayerInfo(
            name, aliases.get(node), _kind(graph, _factor_of(graph, source)), operation.shape[1], height, width, size, stride, offset
        )
        layers.append(Layer(info, node in shown, node=node, has_maps=has_maps, is_fully_connected=node in vectors and not has_maps))
    return layers


def _naming_calls(graph: Graph) -> list[tuple[str, fx.Node]]:
    """Return the module calls with their outputs, but for those of `Blur`: the module that blurs its output names the layer."""
    return [(call, node) for call, node in graph.calls.items() if not _is_blur(graph, node) or call != graph.operations[node].module]


def _operation_names(graph: Graph) -> dict[fx.Node, str]:
    """Return names for operations that are no module's output: "relu", "relu_1", ..., in order of execution."""
    count: Counter[str] = Counter()
    names: dict[fx.Node, str] = {}
    for node, operation in graph.operations.items():
        if _factor_of(graph, node) is not node:
            names[node] = names[_factor_of(graph, node)]
            continue
        names[node] = operation.name if not count[operation.name] else f"{operation.name}_{count[operation.name]}"
        count[operation.name] += 1
    return names


def find_aliases(graph: Graph) -> dict[str, fx.Node]:
    """Return the aliases with their nodes, in order of execution.

    A model's own module names take precedence, unless a module is the layer that the alias would name (the first convolution of
    torchvision's ResNet is a module called conv1). A model that numbers its convolutions or its fully connected layers in another way
    (conv0, conv1, ...) has none of these aliases: some of them would be misleading.
    """
    convolutions, linear = _nodes_of(graph, "convolution"), _nodes_of(graph, "linear")
    conv_aliases = {f"conv{number}": node for number, node in enumerate(convolutions, start=1)}
    fc_aliases = {f"fc{number}": node for number, node in enumerate(linear, start=len(convolutions) + 1)}
    aliases: dict[str, fx.Node] = {}
    for family in (conv_aliases, fc_aliases):
        if any(_is_other_module(graph, alias, node) for alias, node in family.items()):
            continue
        for alias, node in family.items():
            feature_map = _after_activation(graph, node)
            aliases[alias] = _product(graph, feature_map)
            pooled = _pooled(graph, feature_map) if family is conv_aliases else None
            pool = alias.replace("conv", "pool")
            if pooled is not None and graph.calls.get(pool, _product(graph, pooled)) is _product(graph, pooled):
                aliases[pool] = _product(graph, pooled)
    return aliases


def convolution_names(graph: Graph) -> dict[str, str]:
    """Return the dotted names of the convolutions by the aliases of their feature maps: {"conv12": "layer3.0.conv2"}."""
    return {alias: name for alias, name in weighted_names(graph).items() if alias.startswith("conv")}


def weighted_names(graph: Graph) -> dict[str, str]:
    """Return the dotted names of the convolutions and linear layers by their aliases: {"conv1": "features.0", "fc6": "classifier.1"}."""
    names = {node: call for call, node in reversed(list(graph.calls.items()))}
    known = set(find_aliases(graph))
    nodes = [("conv", node) for node in _nodes_of(graph, "convolution")] + [("fc", node) for node in _nodes_of(graph, "linear")]
    numbered = {f"{kind}{number}": _product(graph, node) for number, (kind, node) in enumerate(nodes, start=1)}
    return {alias: names[node] for alias, node in numbered.items() if alias in known and node in names}


def feature_maps(graph: Graph) -> dict[fx.Node, fx.Node]:
    """Return the node of each convolution's feature map by the convolution's node, in order of execution."""
    return {node: _product(graph, _after_activation(graph, node)) for node in _nodes_of(graph, "convolution")}


def _is_other_module(graph: Graph, alias: str, node: fx.Node) -> bool:
    """Return whether a module has the name of the alias, and is another layer than `node`."""
    module_output = graph.calls.get(alias)
    own = [_product(graph, own_node) for own_node in (node, _after_activation(graph, node))]
    return module_output is not None and module_output not in own


def _product(graph: Graph, node: fx.Node) -> fx.Node:
    """Return the product of a node with the factors of its units, if it has any."""
    return graph.trace.scaled.get(node, node)


def _factor_of(graph: Graph, node: fx.Node) -> fx.Node:
    """Return the node that a product multiplies; the node itself if it is no product of `Trace.scaled`."""
    return next((source for source, product in graph.trace.scaled.items() if product is node), node)


def _kind(graph: Graph, node: fx.Node) -> str:
    """Return "conv", "pool", "fc", the class of the module whose output it is, or the operation's name."""
    operation = graph.operations[node]
    kind = {"convolution": "conv", "pooling": "pool", "linear": "fc"}.get(operation.op.role or "")
    called = {call.partition("#")[0] for call, output in graph.calls.items() if output is _product(graph, node)}
    return kind or (operation.module_type if operation.module in called else operation.name)


def _nodes_of(graph: Graph, role: Role) -> list[fx.Node]:
    """Return the nodes whose operations have a role, and depend on the input."""
    return [node for node, operation in graph.operations.items() if operation.op.role == role and operation.varies]


def feature_map_of(graph: Graph, node: fx.Node) -> fx.Node:
    """Return the map that the alias of a convolution or linear layer means."""
    return _product(graph, _after_activation(graph, node))


def _after_activation(graph: Graph, node: fx.Node) -> fx.Node:
    """Return the activation that directly follows a convolution or linear layer; else its batch norm or blur, or the layer itself."""
    current, last_norm = node, node
    while len(users := _users(graph, current)) == 1:
        user = users[0]
        if user.op == "output":
            break
        role = graph.operations[user].op.role
        if role in ("rectifier", "activation"):
            return _blurred(graph, user)
        blurs = _is_blur(graph, user)
        if not blurs and role not in ("batch norm", "transparent"):
            break
        last_norm = user if blurs or role == "batch norm" else last_norm
        current = user
    return last_norm


def _blurred(graph: Graph, node: fx.Node) -> fx.Node:
    """Return a map as it is subsampled by `Blur`, which belongs to the layer that it blurs; the map itself without one."""
    while len(users := _users(graph, node)) == 1 and _is_blur(graph, users[0]):
        node = users[0]
    return node


def _is_blur(graph: Graph, node: fx.Node) -> bool:
    return node in graph.operations and graph.operations[node].module_type == Blur.__name__


def _is_residual_sum(graph: Graph, node: fx.Node) -> bool:
    """Return whether a value is a sum of two that depend on the image, perhaps reshaped or copied."""
    operation = graph.operations[_factor_of(graph, node)]
    while operation.op.spatial == "reshape" or operation.op.role == "transparent":
        operation = graph.operations[_factor_of(graph, operation.node.args[0])]  # type: ignore[arg-type]
    return operation.name == "add" and len(graph.varying_inputs(operation.node)) == 2


def _users(graph: Graph, node: fx.Node) -> list[fx.Node]:
    """Return the nodes of the original model that read a node: an added head does not affect the names of layers."""
    users = [user for user in _product(graph, node).users if user not in graph.trace.added]
    if len(users) == 1 and users[0].op == "call_function" and graph.operations[users[0]].op.spatial == "part":
        return _users(graph, users[0])  # the only output of several that is read
    return users


def _pooled(graph: Graph, feature_map: fx.Node) -> fx.Node | None:
    """Return the pooling that reads a feature map, directly or after local response normalisation."""
    for user in _users(graph, feature_map):
        if user.op == "output":
            continue
        operation = graph.operations[user]
        if operation.op.role == "pooling" and operation.window is not None:
            return _blurred(graph, user)
        if operation.op.role == "response norm":
            return _pooled(graph, user)
    return None
