"""What belongs to a layer that is removed: its batch and instance norms, its activation, and the dropout after that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from torch import fx, nn
from torch.nn.modules.dropout import _DropoutNd

from deconvwidgets.engine.graph import Graph
from deconvwidgets.errors import LayerError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.channels import Dependence
from deconvwidgets.models.surgery.sites import calls_of, leaf_at, varying_users
from deconvwidgets.models.surgery.units_apart import INSTANCE_NORM


@dataclass(slots=True)
class Parts:
    """The modules of removed layers.

    Parameters
    ----------
    paths : list of str
        The dotted names of the modules that become the identity.
    removed : set of fx.Node
        The values that these modules return, each of which becomes what the module reads.
    shared_dropouts : list of str
        Dropout modules after the layers that other layers call, too, so that they stay.
    """

    paths: list[str] = field(default_factory=list)
    removed: set[fx.Node] = field(default_factory=set)
    shared_dropouts: list[str] = field(default_factory=list)


def parts_of(base: ModelBundle, graph: Graph, layers: Sequence[Dependence]) -> Parts:
    """Return the modules of layers, which are in order of execution.

    Raises
    ------
    LayerError
        If the activation of a layer would remain, and change what the next layers read.
    """
    parts = Parts()
    for found in layers:
        source = found.source
        parts.paths += [source.path, *(path for path in found.norms if not path.startswith(f"{source.path}."))]
        own = {source.node, *_norms(base, graph, found)}
        parts.removed |= own
        for activation in _activations(graph, found):
            path = _own_module(base.model, graph, found, activation, parts.removed)
            if path is not None:
                parts.paths.append(path)
                own.add(activation)
                parts.removed.add(activation)
            elif not _is_idle(graph, activation, parts.removed):
                raise LayerError(_remains(base, graph, found, activation))
        _add_dropouts(base.model, graph, own, parts)
    parts.paths = list(dict.fromkeys(parts.paths))
    parts.shared_dropouts = list(dict.fromkeys(parts.shared_dropouts))
    return parts


def _norms(base: ModelBundle, graph: Graph, found: Dependence) -> list[fx.Node]:
    """Return the batch norms and instance norms of a layer. Raises LayerError if one is no module of the layer alone, and would remain."""
    instance = [node for node in found.visited if graph.operations[node].name == INSTANCE_NORM]
    if any(graph.operations[node].module not in found.norms for node in instance):
        raise LayerError(
            f"The instance norm after {found.source.name} of {base.name} is a function call, or a module that is called more than once, so "
            "it would remain: give the model a module for it alone."
        )
    return instance + [node for node in found.visited if graph.operations[node].op.role == "batch norm"]


def _activations(graph: Graph, found: Dependence) -> list[fx.Node]:
    """Return the non-linear operations on single values between a layer and the next ones, in order of execution."""
    operations = [operation for node, operation in graph.operations.items() if node in found.visited]
    return [operation.node for operation in operations if operation.op.channelwise and operation.op.role != "transparent"]


def _own_module(model: nn.Module, graph: Graph, found: Dependence, activation: fx.Node, removed: Collection[fx.Node]) -> str | None:
    """Return the dotted name of the module of an activation if it does nothing else, and all that read the layer read the activation."""
    leaf = leaf_at(graph, model, activation)
    if leaf is None:
        return None
    inside = {node for node, operation in graph.operations.items() if operation.module == leaf[0] and operation.varies}
    if inside - {activation, *removed}:
        return None
    node = activation
    while node is not found.source.node:
        value = _source(node)
        if varying_users(graph, value) != [node]:
            return None
        node = value
    return leaf[0]


def _is_idle(graph: Graph, activation: fx.Node, removed: Collection[fx.Node]) -> bool:
    """Return whether an activation is a rectifier of values that are never negative, once some operations are the identity."""
    if graph.operations[activation].name != "relu":
        return False
    node = _source(activation)
    while node is not graph.input_node:
        operation = graph.operations[node]
        if node not in removed:
            if operation.name in ("relu", "relu6"):
                return True
            if operation.op.role not in ("pooling", "transparent", "response norm") and operation.op.spatial not in ("reshape", "part"):
                return False
        node = _source(node)
    return False


def _source(node: fx.Node) -> fx.Node:
    """Return the value that an operation between a layer and the next ones reads."""
    value = node.args[0]
    assert isinstance(value, fx.Node)
    return value


def _remains(base: ModelBundle, graph: Graph, found: Dependence, activation: fx.Node) -> str:
    name, operation = found.source.name, graph.operations[activation].name
    return (
        f"The activation after {name} of {base.name} ({operation}) is a function call, a module that is called more than once or computes "
        f"more, or not the only operation that reads {name}, so it would remain: give the model a module for it alone, which reads the "
        "layer before anything else does."
    )


def _add_dropouts(model: nn.Module, graph: Graph, own: Collection[fx.Node], parts: Parts) -> None:
    """Add the dropout modules that directly follow values of a layer. In evaluation, such a module may return the value itself."""
    readers = [user for node in own for user in varying_users(graph, node) if user.op != "output"]
    values = {*own, *(user for user in readers if graph.operations[user].op.role == "transparent")}
    for call, output in graph.calls.items():
        path = call.partition("#")[0]
        module = model.get_submodule(path)
        if output in values and isinstance(module, _DropoutNd):
            (parts.paths if calls_of(graph, model, module) == 1 else parts.shared_dropouts).append(path)
