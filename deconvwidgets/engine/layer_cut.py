"""Running only what lies above a layer, from values that a forward pass saved at the cut through the model.

The cut holds the layer, and every other value that something above the layer reads: branches that pass by it. So the answer for other
maps of one layer costs the operations above it, and is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import Tensor, fx

from deconvwidgets.engine.executor import Executor, call_operation, run_each, run_outputs
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.hook_runner import run_with_hooks
from deconvwidgets.engine.map_views import view_positions, view_source
from deconvwidgets.engine.network import Network
from deconvwidgets.errors import LayerError


@dataclass(frozen=True, slots=True)
class CutValues:
    """What crosses a cut, for a batch of images.

    Parameters
    ----------
    maps : Tensor (N, C, h, w) or (N, C)
        The values of the layer.
    others : mapping of str to Tensor (N, ...)
        Values that pass by the layer, by their names in the graph. For a model that cannot be traced: the inputs, as "input".
    """

    maps: Tensor
    others: Mapping[str, Tensor]

    def rows(self, rows: Tensor) -> CutValues:
        """Return the values of some images, which may be repeated: `rows` (M,) int64 are numbers of images."""
        return CutValues(self.maps[rows], {name: value[rows] for name, value in self.others.items()})

    @property
    def bytes_each(self) -> int:
        """The memory that one image takes."""
        return sum(value[0].numel() * value.element_size() for value in (self.maps, *self.others.values()))


class LayerCut:
    """A cut through a model at a layer. Make it with `LayerCut.of`.

    Attributes
    ----------
    network : Network
    layer : str
        The dotted name of the layer.
    """

    def __init__(self, network: Network, layer: str, graph: Graph | None) -> None:
        self.network, self.layer, self._graph = network, layer, graph
        if graph is None:
            return
        node = network.node(layer)
        assert node is not None
        self._node, self._source = node, view_source(graph.trace, node)
        self._positions = None if self._source is node else view_positions(graph.trace, node)
        outputs = [value for value in graph.trace.outputs if isinstance(value, fx.Node)]
        self._above, self._crossing = _split(graph, outputs, self._source)
        if not self._above and self._source not in outputs:
            raise LayerError(
                f"The answer does not depend on {layer}: nothing above it is part of the answer. Choose a layer below the answer."
            )

    @classmethod
    def of(cls, network: Network, layer: str) -> LayerCut:
        """Cut a model at a layer.

        Parameters
        ----------
        network : Network
            The model. One that cannot be traced runs whole, with the output of the layer's module replaced by a forward hook.
        layer : str
            Dotted name or alias.

        Raises
        ------
        LayerError
            If there is no such layer, or if the model's output does not depend on it.
        """
        return cls(network, network.layer(layer).name, network.graph)

    def save(self, batch: Tensor) -> CutValues:
        """Run a batch (N, C, H, W) up to the cut, and return the values that cross it."""
        if self._graph is None or self.network.single:
            maps: list[Tensor] = []
            self.network.visit(batch, [self.layer], lambda name, value: maps.append(value.clone()))
            return CutValues(maps[0], {"input": batch})
        graph, found = self._graph, dict[fx.Node, Tensor]()
        targets = [*self._crossing, self._source, self._node]
        operations = graph.ancestors(node for node in targets if node is not graph.input_node)
        if graph.input_node in self._crossing:
            found[graph.input_node] = batch.clone()
        for operation, value in Executor(graph, operations, graph.trace.bind(self.network.model)).execute(batch):
            if operation.node in targets:
                found[operation.node] = value.clone()  # a later in-place operation may overwrite it
        others = {node.name: found[node] for node in self._crossing}
        if self._positions is not None:
            others[self._source.name] = found[self._source]
        return CutValues(found[self._node], others)

    def computes(self, layer: str) -> bool:
        """Return whether a layer is computed above the cut, from the maps of the cut's layer; False for a model that cannot be traced."""
        if self._graph is None or self.network.single:
            return False
        source = view_source(self._graph.trace, self._node_of(layer))
        return self._graph.operations[source].varies and any(operation.node is source for operation in self._above)

    def outputs(self, saved: CutValues, maps: Tensor | None = None, factors: Mapping[str, Tensor] = MappingProxyType({})) -> Any:
        """Return what the model returns for other maps of the layer. Gradients flow to `maps`.

        Parameters
        ----------
        saved : CutValues
            The values that cross the cut, for N images.
        maps : Tensor (N, C, h, w) or (N, C), optional
            The values of the layer; by default the saved ones.
        factors : mapping of str to Tensor
            Factors of the values of layers that the cut `computes`, each broadcast to the values of the layer for one image.
        """
        maps = saved.maps if maps is None else maps
        if self._graph is None or self.network.single:
            batch = saved.others["input"]
            return run_each(self._whole, batch, maps) if self.network.single else self._whole(batch, maps)
        return self._above_cut(self._graph, saved, maps, self._by_node(factors))

    def _by_node(self, factors: Mapping[str, Tensor]) -> dict[fx.Node, Tensor]:
        assert self._graph is not None
        return {view_source(self._graph.trace, self._node_of(layer)): factor for layer, factor in factors.items()}

    def _node_of(self, layer: str) -> fx.Node:
        node = self.network.node(layer)
        assert node is not None
        return node

    def _above_cut(self, graph: Graph, saved: CutValues, maps: Tensor, factors: Mapping[fx.Node, Tensor]) -> Any:
        values = dict(graph.trace.bind(self.network.model))
        values.update({node: saved.others[node.name] for node in self._crossing})
        values[self._source] = maps if self._positions is None else self._in_source(saved.others[self._source.name], maps)
        given = set(values)

        def call(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            first = operation.node.args[0] if operation.node.args else None
            if isinstance(first, fx.Node) and first in given and callable(operation.node.target):
                value = operation.node.target(*args, **kwargs)  # never in place: these values are the caller's
            else:
                value = call_operation(operation, args, kwargs)
            factor = factors.get(operation.node)
            return value if factor is None else value * factor

        only_size = maps.new_zeros(()).expand(len(maps), *self.network.input_size)
        return run_outputs(graph, values, values.get(graph.input_node, only_size), call, self._above)

    def _in_source(self, source: Tensor, maps: Tensor) -> Tensor:
        """Return the output of the module whose view the layer is, with these maps."""
        assert self._positions is not None
        flat = source.flatten(1).index_copy(1, self._positions.flatten().to(source.device), maps.flatten(1))
        return flat.reshape(source.shape)

    def _whole(self, batch: Tensor, maps: Tensor) -> Any:
        """Run the whole model, with the output of the layer replaced."""
        graph = self._graph
        if graph is None:
            return run_with_hooks(
                self.network.model,
                batch.clone(),
                lambda name, module, args, output: False,
                lambda name, output: maps if name == self.layer else output,
            )

        def call(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            value = call_operation(operation, args, kwargs)
            if operation.node is not self._source:
                return value
            return maps if self._positions is None else self._in_source(value, maps)

        return run_outputs(graph, graph.trace.bind(self.network.model), batch, call)


def _split(graph: Graph, outputs: Sequence[fx.Node], source: fx.Node) -> tuple[list[Operation], list[fx.Node]]:
    """Return the operations above a node, with the constants that they need, and the other values that cross the cut."""
    operations, depends = graph.ancestors(outputs), {source}
    for operation in operations:
        if depends.intersection(operation.node.all_input_nodes):
            depends.add(operation.node)
    above = [operation.node for operation in operations if operation.node in depends and operation.node is not source]
    required, crossing = set(above), dict[fx.Node, None]()
    for operation in reversed(operations):
        if operation.node not in required:
            continue
        for node in operation.node.all_input_nodes:
            if node in depends or (node is graph.input_node and operation.kind == "size"):
                continue
            if graph.operations[node].varies:
                crossing[node] = None
            else:
                required.add(node)
    return [operation for operation in operations if operation.node in required], list(crossing)
