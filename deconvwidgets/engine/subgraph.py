"""Part of a graph, from the values of some nodes to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.executor import Executor, OperationCall
from deconvwidgets.engine.graph import Graph, Operation


def call_functional(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call an operation in the form that overwrites nothing: its operand may be a value that the caller keeps."""
    assert callable(operation.node.target)
    return operation.node.target(*args, **kwargs)


@dataclass(frozen=True)
class Subgraph:
    """The operations between some nodes and others. Make it with `Subgraph.between`.

    Parameters
    ----------
    graph : Graph
    sources : tuple of fx.Node
        The nodes whose values are given.
    targets : tuple of fx.Node
        The nodes whose values are computed.
    operations : tuple of Operation
        What has to run, in order of execution, without the sources.
    """

    graph: Graph
    sources: tuple[fx.Node, ...]
    targets: tuple[fx.Node, ...]
    operations: tuple[Operation, ...]

    @classmethod
    def between(cls, graph: Graph, sources: Sequence[fx.Node], targets: Sequence[fx.Node]) -> Subgraph:
        """Return the operations from the sources to the targets."""
        required, given = set(targets), set(sources)
        for node in reversed(list(graph.operations)):
            if node in required and node not in given:
                required.update(node.all_input_nodes)
        operations = tuple(operation for node, operation in graph.operations.items() if node in required and node not in given)
        return cls(graph, tuple(sources), tuple(targets), operations)

    def dependent(self) -> set[fx.Node]:
        """Return the nodes whose values depend on those of the sources, without the sources."""
        found, given = set[fx.Node](), set(self.sources)
        for operation in self.operations:
            if operation.varies and any(source in given or source in found for source in operation.node.all_input_nodes):
                found.add(operation.node)
        return found

    def other_inputs(self) -> list[fx.Node]:
        """Return the nodes that depend on the image, but not on the sources: what else the targets depend on."""
        dependent = self.dependent()
        return [
            operation.node
            for operation in self.operations
            if operation.varies and operation.node not in dependent and self._is_read(operation)
        ]

    def _is_read(self, operation: Operation) -> bool:
        """Return whether the values of an operation are read, and not only the number of its images."""
        return operation.kind != "input" or any(
            self.graph.operations[user].varies for user in operation.node.users if self.graph.operations.get(user) in self.operations
        )

    def run(self, model: nn.Module, values: Mapping[fx.Node, Tensor], call: OperationCall = call_functional) -> list[Any]:
        """Return the values of the targets.

        Parameters
        ----------
        model : nn.Module
            The model whose parameters are used.
        values : mapping of fx.Node to Tensor
            The values of the sources, for N images.
        call : callable
            Called in place of each operation, as in `Executor`.
        """
        found: dict[fx.Node, Any] = {node: value for node, value in values.items() if node in self.targets}
        executor = Executor(self.graph, self.operations, {**self.graph.trace.bind(model), **values}, call)
        for operation, value in executor.execute(self._images(values)):
            if operation.node in self.targets:
                found[operation.node] = value
        return [found[node] for node in self.targets]

    def _images(self, values: Mapping[fx.Node, Tensor]) -> Tensor:
        """Return images of which only the number is read, without memory of their own."""
        shape = self.graph.operations[self.graph.input_node].shape or ()
        first = next(iter(values.values()))
        return torch.zeros(1, dtype=first.dtype, device=first.device).expand(len(first), *shape[1:])
