"""Running part of a graph. Every computation on a traced model goes through here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from deconvwidgets.engine.graph import Graph, Operation

OperationCall = Callable[[Operation, tuple[Any, ...], dict[str, Any]], Any]


def call_operation(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call an operation as the model does. A rectifier overwrites its operand if nothing else reads it."""
    return function_of(operation)(*args, **kwargs)


def function_of(operation: Operation) -> Callable[..., Any]:
    """Return the function that computes an operation."""
    if operation.overwrites and operation.op.inplace is not None:
        return operation.op.inplace
    assert callable(operation.node.target)
    return operation.node.target


class Executor(fx.Interpreter):
    """Runs operations in order, and frees each value after its last use.

    Subclasses run them on parts of images, by overriding `run_operation`.

    Parameters
    ----------
    graph : Graph
    operations : sequence of Operation
        The operations, and all that they depend on, in order of execution (`Graph.ancestors`).
    parameters : mapping of fx.Node to Tensor
        The model's parameters and buffers (`Trace.bind`).
    call : callable, optional
        Called as `call(operation, args, kwargs)` in place of an operation, and returns its value: for a backward rule, or to replace
        what a unit or a layer computes.
    """

    def __init__(
        self, graph: Graph, operations: Sequence[Operation], parameters: Mapping[fx.Node, Tensor], call: OperationCall = call_operation
    ) -> None:
        super().__init__(graph.trace.module, garbage_collect_values=False)
        self.traced = graph
        self.operations = operations
        self.call = call
        self.env = dict(parameters)

    def execute(self, batch: Any) -> Iterator[tuple[Operation, Any]]:
        """Run the operations on a batch, and yield each with its value as soon as it is computed.

        Parameters
        ----------
        batch : Tensor (N, C, H, W)
            The input, or what a subclass takes for it.
        """
        last_use = last_uses([operation.node for operation in self.operations])
        self.env[self.traced.input_node] = batch
        for number, operation in enumerate(self.operations):
            node = operation.node
            if node.op != "placeholder":
                self.env[node] = self.run_operation(operation) if node.op == "call_function" else self.run_node(node)
            yield operation, self.env[node]
            for input_node in node.all_input_nodes:
                if last_use[input_node] == number:
                    del self.env[input_node]

    def run_operation(self, operation: Operation) -> Any:
        """Run one operation, and return its value."""
        args, kwargs = fx.node.map_arg((operation.node.args, operation.node.kwargs), self.env.__getitem__)
        return self.call(operation, args, kwargs)


def run_outputs(
    graph: Graph,
    values: Mapping[fx.Node, Any],
    batch: Tensor,
    call: OperationCall = call_operation,
    operations: Sequence[Operation] | None = None,
) -> Any:
    """Return what the model returns, in the structure of its output.

    Parameters
    ----------
    graph : Graph
    values : mapping of fx.Node to Tensor
        The model's parameters and buffers (`Trace.bind`), and values that are known already.
    batch : Tensor (N, C, H, W)
    call : callable
        As in `Executor`.
    operations : sequence of Operation, optional
        What has to run; by default everything that the output depends on.
    """
    targets = [value for value in graph.trace.outputs if isinstance(value, fx.Node)]
    found: dict[Any, Any] = {node: values[node] for node in targets if node in values}
    executor = Executor(graph, graph.ancestors(targets) if operations is None else operations, values, call)
    for operation, value in executor.execute(batch):
        if operation.node in targets:
            found[operation.node] = value
    return pytree.tree_unflatten([found.get(value, value) for value in graph.trace.outputs], graph.trace.structure)


def run_each(run: Callable[..., Any], *batches: Tensor) -> Any:
    """Return the joined outputs of `run`, which is called with one image of each batch at a time."""
    parts = [run(*(batch[number : number + 1] for batch in batches)) for number in range(len(batches[0]))]
    return pytree.tree_map(lambda *values: torch.cat(values) if isinstance(values[0], Tensor) else values[0], *parts)


def last_uses(nodes: Sequence[fx.Node]) -> dict[fx.Node, int]:
    """Return, for each value, the position in `nodes` of the last node that reads it."""
    return {value: number for number, node in enumerate(nodes) for value in node.all_input_nodes}
