"""Where in a model an operation is made: the module of a layer, called once, whose operation is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, fx, nn

from deconvwidgets.arguments import describe, texts
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.layers import feature_map_of
from deconvwidgets.errors import LayerError
from deconvwidgets.models.bundle import ModelBundle


@dataclass(frozen=True, slots=True)
class Weighted:
    """A convolution or a linear layer whose weight is a parameter that only this operation reads.

    Parameters
    ----------
    node : fx.Node
        The operation.
    path : str
        The dotted name of the module that has the parameters.
    module : nn.Module
    name : str
        How the layer is called in messages: its alias, or the dotted name.
    """

    node: fx.Node
    path: str
    module: nn.Module
    name: str

    @property
    def weight(self) -> Tensor:
        """The weight, (units, inputs, rows, columns) or (units, inputs)."""
        weight = self.module._parameters["weight"]
        assert weight is not None
        return weight.detach()

    @property
    def bias(self) -> Tensor | None:
        """The biases (units,), or None."""
        bias = self.module._parameters.get("bias")
        return None if bias is None else bias.detach()

    @property
    def groups(self) -> int:
        """The groups of a convolution; 1 for a linear layer."""
        return int(getattr(self.module, "groups", 1))


def checked_layer(bundle: ModelBundle, layer: object, name: str = "layer") -> str:
    """Return the name of a layer, which exists. Raises LayerError for anything else."""
    if not isinstance(layer, str):
        raise LayerError(f"{name} must be the name of a layer, such as 'conv3', not {describe(layer)}.")
    return bundle.network.layer(layer).name


def checked_layers(bundle: ModelBundle, layers: object, name: str = "layers") -> list[str]:
    """Return the names of layers, which exist, without repetitions. Raises LayerError for anything else."""
    listed = texts(layers, name, "names of layers, such as ['conv3', 'conv4']", LayerError)
    return list(dict.fromkeys(checked_layer(bundle, layer) for layer in listed))


def node_of(bundle: ModelBundle, layer: str) -> fx.Node:
    """Return the node of a layer of a traced model."""
    node = bundle.network.node(layer)
    assert node is not None
    return node


def name_of(bundle: ModelBundle, graph: Graph, node: fx.Node) -> str:
    """Return how messages call a convolution or linear layer: by the alias of its feature map ("conv3"), if it has one."""
    return short_name(bundle, graph, feature_map_of(graph, node))


def short_name(bundle: ModelBundle, graph: Graph, node: fx.Node) -> str:
    """Return how messages call a value: the alias or the name of its layer, else the operation and its module."""
    for info in bundle.network.layers:
        if bundle.network.node(info.name) is node:
            return info.short_name
    operation = graph.operations[node]
    return f"{operation.name} in '{operation.module}'" if operation.module else operation.name


def modules_at(graph: Graph, model: nn.Module, node: fx.Node, kinds: Sequence[type[nn.Module]]) -> list[tuple[str, nn.Module]]:
    """Return the modules of some classes, not of their subclasses, whose output a node is, with their dotted names."""
    found = []
    for call, output in graph.calls.items():
        path = call.partition("#")[0]
        if output is node and type(module := model.get_submodule(path)) in kinds:
            found.append((path, module))
    return found


def calls_of(graph: Graph, model: nn.Module, module: nn.Module) -> int:
    """Return how often a module is called."""
    return sum(model.get_submodule(call.partition("#")[0]) is module for call in graph.calls)


def weighted(graph: Graph, model: nn.Module, node: fx.Node, name: str) -> Weighted:
    """Return the module of a convolution or a linear layer.

    Raises
    ------
    LayerError
        If its weight is computed, or used more than once.
    """
    weight = dict(enumerate(node.args)).get(1, node.kwargs.get("weight"))
    parameter = graph.trace.names.get(weight) if isinstance(weight, fx.Node) else None
    path, _, attribute = (parameter or "").rpartition(".")
    module = model.get_submodule(path)
    if attribute != "weight" or module._parameters.get("weight") is None:
        raise LayerError(f"The weights of {name} are computed, not a parameter, so dw.surgery cannot change them: change the model's code.")
    tensor = module._parameters["weight"]
    sharing = [key for key, value in model.named_parameters(remove_duplicate=False) if value is tensor]
    if len(weight.users) > 1 or len(sharing) > 1 or calls_of(graph, model, module) > 1:  # type: ignore[union-attr]
        raise LayerError(f"The weights of {name} are used more than once ({', '.join(sharing)}), so dw.surgery cannot change them alone.")
    return Weighted(node, path, module, name)


def weighted_of_layer(bundle: ModelBundle, graph: Graph, layer: str) -> Weighted:
    """Return the convolution or linear layer whose map a layer is, with or without its batch norm and rectifier.

    Raises
    ------
    LayerError
        If it is the map of none, or its weight cannot be changed.
    """
    node, name = node_of(bundle, layer), bundle.network.layer(layer).short_name
    while (operation := graph.operations[node]).op.role in ("rectifier", "activation", "batch norm", "transparent") or is_blur(graph, node):
        node = operation.node.args[0]  # type: ignore[assignment]
    if operation.op.role not in ("convolution", "linear"):
        raise LayerError(f"{name} is not the map of a convolution or a linear layer, but of {operation.name or 'the input'}: choose one.")
    return weighted(graph, bundle.model, node, name_of(bundle, graph, node))


def leaf_at(graph: Graph, model: nn.Module, node: fx.Node) -> tuple[str, nn.Module] | None:
    """Return the module without parts whose output a node is, with its dotted name; None if there is none that is called once."""
    for call, output in graph.calls.items():
        module = model.get_submodule(call.partition("#")[0])
        if output is node and not any(module.children()):
            return (call, module) if calls_of(graph, model, module) == 1 else None
    return None


def is_blur(graph: Graph, node: fx.Node) -> bool:
    """Return whether an operation is a part of `Blur`."""
    return graph.operations[node].module_type == "Blur"


def varying_users(graph: Graph, node: fx.Node) -> list[fx.Node]:
    """Return what depends on a value: operations and the output of the model. Those that read the number of images only do not."""
    return [user for user in node.users if user.op == "output" or graph.operations[user].varies]


def activation_after(graph: Graph, node: fx.Node) -> fx.Node | None:
    """Return the rectifier or other activation that directly follows a convolution or linear layer; batch norm may stand between."""
    while len(users := varying_users(graph, node)) == 1:
        (node,) = users
        if node.op == "output":
            return None
        role = graph.operations[node].op.role
        if role in ("rectifier", "activation"):
            return node
        if role not in ("batch norm", "transparent") and not is_blur(graph, node):
            return None
    return None
