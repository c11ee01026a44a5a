"""Applying a backward rule at the nodes of a traced model, and rejecting operations that have none."""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx

from deconvwidgets.engine.backward_checks import Call
from deconvwidgets.engine.executor import call_operation
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.projection.rules import MAX_REJECTIONS, Rule, call_with_rule, check_rule, rejection_error


class NodeRules:
    """Calls operations with the backward pass of a rule. The forward pass is unchanged, bit for bit.

    Pass it to an `Executor` that runs the operations up to a layer; all of them are judged.

    Parameters
    ----------
    graph : Graph
    rule : {"deconvnet", "guided", "gradient"}
        - "deconvnet": the signal is rectified, whatever the sign of the forward value; local response normalisation passes it on.
        - "guided": as "deconvnet", and multiplied by the derivative of the rectifier.
        - "gradient": autograd's own backward pass.

    Raises
    ------
    RuleError
        If there is no such rule.
    """

    def __init__(self, graph: Graph, rule: Rule) -> None:
        check_rule(rule)
        self._graph = graph
        self._rule = rule
        self._rejections: list[str] = []

    def __call__(self, operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call an operation, and remember if it has no backward rule."""
        if self._rule == "gradient" or not any(self._graph.operations[node].differentiable for node in operation.node.all_input_nodes):
            return call_operation(operation, args, kwargs)
        op, call = operation.op, Call(args, kwargs, _Dependent(self._graph, operation.node, args, kwargs), operation.op.like_second)
        if (not op.no_signal or operation.differentiable) and (reason := op.rejection(call)) is not None:
            self._rejections.append(f"{operation.name}{_location(operation)} {reason}")
        return call_with_rule(operation.node.target, op, call, self._rule)  # type: ignore[arg-type]

    def check(self, layer: str) -> None:
        """Raise RuleError if an operation that was called has no backward rule. `layer` is named in the message."""
        if self._rejections:
            raise rejection_error(layer, self._rule, "; ".join(self._rejections[:MAX_REJECTIONS]))


class _Dependent:
    """Tells whether an argument of a call was computed from the pixels of the input."""

    def __init__(self, graph: Graph, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._identities: set[int] = set()
        self._add(graph, (node.args, node.kwargs), (args, kwargs))

    def __call__(self, value: object) -> bool:
        return id(value) in self._identities

    def _add(self, graph: Graph, nodes: Any, values: Any) -> None:
        if isinstance(nodes, fx.Node):
            if graph.operations[nodes].differentiable and isinstance(values, Tensor):
                self._identities.add(id(values))
        elif isinstance(nodes, dict):
            for key, value in nodes.items():
                self._add(graph, value, values[key])
        elif isinstance(nodes, list | tuple) and isinstance(values, list | tuple):
            for node, value in zip(nodes, values, strict=False):
                self._add(graph, node, value)


def _location(operation: Operation) -> str:
    return f" (in {operation.module_type} '{operation.module}')" if operation.module_type and operation.module else ""
