"""Which layers read the units of a layer: through operations that keep channels apart, up to the next convolutions and linear layers.

Found in the traced graph, not in the order of modules. Where units reach anything else (a residual addition, a concatenation, a grouped
convolution, attention), they are tied to others, and the operation is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

from torch import fx, nn

from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.errors import LayerError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.sites import Weighted, calls_of, name_of, weighted

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_WORDS = {"add": "an addition (a residual branch)", "cat": "a concatenation", "mul": "a product (a gate)", "stack": "a concatenation"}


@dataclass(frozen=True, slots=True)
class Reader:
    """A convolution or linear layer that reads units.

    Parameters
    ----------
    site : Weighted
    positions : int
        How many consecutive inputs it has of each unit: the positions of a flattened map; 1 for a convolution.
    """

    site: Weighted
    positions: int


@dataclass(slots=True)
class Dependence:
    """What depends on the number of units of a layer.

    Parameters
    ----------
    source : Weighted
        The convolution or linear layer.
    norms : dict of str to nn.Module
        Batch norms with values for each unit, by their dotted names.
    readers : list of Reader
    visited : dict of fx.Node to int
        All values with these units, with the positions of each unit that stand side by side on their axis of channels.
    mixed : bool
        Whether local response normalisation reads neighbouring units.
    """

    source: Weighted
    norms: dict[str, nn.Module] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    visited: dict[fx.Node, int] = field(default_factory=dict)
    mixed: bool = False

    @property
    def units(self) -> int:
        """The number of units."""
        return len(self.source.weight)


def dependence_of(base: ModelBundle, graph: Graph, source: Weighted) -> Dependence:
    """Return what depends on the units of a layer.

    Raises
    ------
    LayerError
        If they are the model's answer, or reach an operation that ties them to others.
    """
    if source.groups != 1:
        raise LayerError(f"{source.name} of {base.name} is a grouped convolution, whose units are tied to its inputs.")
    found, pending = Dependence(source), [(source.node, 1)]
    while pending:
        node, positions = pending.pop(0)
        if node in found.visited:
            continue
        found.visited[node] = positions
        for user in node.users:
            pending += _read(base, graph, found, node, user)
    return found


def _read(base: ModelBundle, graph: Graph, found: Dependence, node: fx.Node, user: fx.Node) -> list[tuple[fx.Node, int]]:
    """Enter how an operation reads units. Return its output if that has the units, too."""
    positions = found.visited[node]
    if user.op == "output":
        if base.classifier is not None:
            raise LayerError(
                f"The units of {found.source.name} are the answer of {base.name}, whose classes they are: choose another layer."
            )
        return []
    operation = graph.operations[user]
    if not operation.varies:
        return []  # it reads the number of images only
    shape = graph.operations[node].shape or ()
    if operation.op.role in ("convolution", "linear") and user.args[0] is node:
        site = weighted(graph, base.model, user, name_of(base, graph, user))
        if site.groups != 1 or (operation.op.role == "linear" and len(shape) != 2):
            raise _tied(base, found, operation, "a grouped convolution" if site.groups != 1 else "a linear layer on each row of the map")
        found.readers.append(Reader(site, positions))
        return []
    if operation.op.role == "batch norm" and positions == 1:
        found.norms |= norm_at(base, graph, user)
        return [(user, positions)]
    reshaped = _positions_after(operation, shape, positions)
    if reshaped is not None:
        return [(user, reshaped)]
    if operation.op.role == "response norm" and len(shape) == 4:
        found.mixed = True
        return [(user, positions)]
    if not _keeps_units(graph, node, operation, shape):
        raise _tied(base, found, operation, _WORDS.get(operation.name, operation.name))
    return [(user, positions)]


def _tied(base: ModelBundle, found: Dependence, operation: Operation, what: str) -> LayerError:
    where = f" in '{operation.module}'" if operation.module else ""
    why = "may have a value of its own for each" if operation.name == "prelu" else "ties them to other units"
    return LayerError(
        f"The units of {found.source.name} of {base.name} reach {what}{where}, which {why}: their number cannot be "
        "changed. Choose a layer that only convolutions and linear layers read."
    )


def norm_at(base: ModelBundle, graph: Graph, node: fx.Node) -> dict[str, nn.Module]:
    """Return the batch norm of an operation by its dotted name. Raises LayerError if it is shared or no module."""
    names = [graph.trace.names[argument] for argument in node.all_input_nodes if argument in graph.trace.names]
    paths = {name.rpartition(".")[0] for name in names}
    path = paths.pop() if len(paths) == 1 else ""
    module = base.model.get_submodule(path)
    if not isinstance(module, _NORMS) or calls_of(graph, base.model, module) > 1:
        raise LayerError(f"The batch norm{f' {path!r}' if path else ''} of {base.name} is shared or no module, so units cannot be changed.")
    return {path: module}


def _positions_after(operation: Operation, shape: tuple[int, ...], positions: int) -> int | None:
    """Return the positions of each unit after maps are flattened or vectors become maps; None for other operations."""
    if operation.name not in ("flatten", "view", "reshape", "squeeze", "unsqueeze") or operation.shape is None:
        return None
    out = operation.shape
    if len(shape) == 4 and out == (1, prod(shape)):
        return shape[2] * shape[3]
    if len(shape) == 2 and (out == shape or out == (*shape, 1, 1)):
        return positions
    return positions if out == shape else None


def _keeps_units(graph: Graph, node: fx.Node, operation: Operation, shape: tuple[int, ...]) -> bool:
    """Return whether each unit of an operation's output is made of the same unit of its input alone, in the same way."""
    if any(argument is not node for argument in operation.node.all_input_nodes) or operation.shape is None:
        return False
    if operation.op.channelwise:
        return operation.shape == shape
    if len(shape) != 4 or operation.shape[1] != shape[1]:
        return False
    if operation.name in ("mean", "sum", "amax"):
        return _axes(operation.node) == {2, 3}
    pads = operation.window is not None and operation.window.kind == "pad"
    return operation.op.role == "pooling" or pads


def _axes(node: fx.Node) -> set[int]:
    axes: Any = dict(enumerate(node.args)).get(1, node.kwargs.get("dim"))
    return {axis % 4 for axis in axes} if isinstance(axes, list | tuple) else set()
