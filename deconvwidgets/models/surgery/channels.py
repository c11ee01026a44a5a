"""Which layers read the units of a layer: through operations that keep channels apart, up to the next convolutions and linear layers.

Found in the traced graph, not in the order of modules. Where units reach anything else (a residual addition, a concatenation, a grouped
convolution, attention), they are tied to others, and the operation is refused by name. `units_apart.py` says what keeps channels apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from torch import fx, nn

from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.errors import LayerError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.sites import Weighted, calls_of, leaf_at, name_of, weighted
from deconvwidgets.models.surgery.units_apart import INSTANCE_NORM, keeps_units, reason_of

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d)
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
        Batch norms and instance norms of each unit, by their dotted names; not those without values that are called more than once.
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
            what = "a grouped convolution" if site.groups != 1 else "a linear layer on each row of the map"
            raise _tied(base, found, operation, what, "ties them to other units")
        found.readers.append(Reader(site, positions))
        return []
    if positions == 1 and (operation.op.role == "batch norm" or (operation.name == INSTANCE_NORM and len(shape) == 4)):
        found.norms |= norm_at(base, graph, user)
        return [(user, positions)]
    reshaped = _positions_after(operation, shape, positions)
    if reshaped is not None:
        return [(user, reshaped)]
    if operation.op.role == "response norm" and len(shape) == 4:
        found.mixed = True
        return [(user, positions)]
    if not keeps_units(graph, node, operation):
        why = reason_of(graph, node, operation)
        what = _WORDS.get(operation.name, operation.name) if why.startswith("ties") else operation.name
        raise _tied(base, found, operation, what, why)
    return [(user, positions)]


def _tied(base: ModelBundle, found: Dependence, operation: Operation, what: str, why: str) -> LayerError:
    where = f" in '{operation.module}'" if operation.module else ""
    return LayerError(
        f"The units of {found.source.name} of {base.name} reach {what}{where}, which {why}: their number cannot be "
        "changed. Choose a layer that only convolutions and linear layers read."
    )


def norm_at(base: ModelBundle, graph: Graph, node: fx.Node) -> dict[str, nn.Module]:
    """Return the batch norm or instance norm of an operation by its dotted name.

    An instance norm without values for each unit is left out if it is shared or no module.

    Raises
    ------
    LayerError
        If one with values is shared or no module.
    """
    if graph.operations[node].name == INSTANCE_NORM and len(node.all_input_nodes) == 1:
        leaf = leaf_at(graph, base.model, node)
        return dict([leaf]) if leaf is not None and isinstance(leaf[1], nn.InstanceNorm2d) else {}
    names = [graph.trace.names[argument] for argument in node.all_input_nodes if argument in graph.trace.names]
    paths = {name.rpartition(".")[0] for name in names}
    path = paths.pop() if len(paths) == 1 else ""
    module = base.model.get_submodule(path)
    if not isinstance(module, _NORMS) or calls_of(graph, base.model, module) > 1:
        kind = graph.operations[node].name.replace("_", " ")
        raise LayerError(f"The {kind}{f' {path!r}' if path else ''} of {base.name} is shared or no module, so units cannot be changed.")
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
