"""Applying a backward rule at the nodes of a traced model, and rejecting operations that have none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, fx

from deconvwidgets.engine.backward_checks import Call, first, product
from deconvwidgets.engine.executor import call_operation, function_of
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.projection.rules import MAX_REJECTIONS, Rule, call_with_rule, check_rule, rejection_error, scale_signal


class NodeRules:
    """Calls operations with the backward pass of a rule. The forward pass is unchanged, bit for bit.

    Pass it to an `Executor` that runs the operations up to a layer. All operations that a signal passes are judged.

    Parameters
    ----------
    graph : Graph
    target : fx.Node
        The layer.
    rule : {"deconvnet", "guided", "gradient"}
        - "deconvnet": the signal is rectified, whatever the sign of the forward value; local response normalisation passes it on.
        - "guided": as "deconvnet", and multiplied by the derivative of the rectifier.
        - "gradient": autograd's own backward pass.
    beyond_paper : bool
        Whether the rules are extended to operations that the paper does not have (our extension): smooth activations are treated as
        rectifiers, and gates and the statistics of normalisations as constants.

    Raises
    ------
    RuleError
        If there is no such rule.
    """

    def __init__(self, graph: Graph, target: fx.Node, rule: Rule, beyond_paper: bool = False) -> None:
        check_rule(rule)
        self._graph, self._target, self._rule = graph, target, rule
        self._beyond_paper = beyond_paper and rule != "gradient"
        self._gates = find_gates(graph) if self._beyond_paper else {}
        self._signal = self._nodes_with_signal(target)
        self._rejections: dict[fx.Node, str] = {}

    def __call__(self, operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call an operation, and remember if it has no backward rule."""
        node, rule = operation.node, self._rule
        if rule == "gradient" or node not in self._signal:
            return call_operation(operation, args, kwargs)
        call = Call(args, kwargs, _Dependent(self._graph, node, args, kwargs), operation.op.like_second)
        if self._beyond_paper and (beyond := self._call_beyond_paper(operation, call, rule)) is not None:
            return beyond
        if (reason := operation.op.rejection(call)) is not None:
            self._rejections[node] = f"{operation.name}{_location(operation)} {reason}"
        return call_with_rule(function_of(operation), operation.op, call, rule)

    def check(self, layer: str) -> None:
        """Raise RuleError if an operation that was called has no backward rule. `layer` is named in the message."""
        if self._rejections:
            reasons = list(self._rejections.values())[:MAX_REJECTIONS]
            raise rejection_error(layer, self._rule, "; ".join(reasons), self._extension_helps())

    def _extension_helps(self) -> bool:
        """Return whether the extension has a rule for all operations that were rejected."""
        if self._beyond_paper:
            return False
        extended = NodeRules(self._graph, self._target, self._rule, beyond_paper=True)
        return all(node not in extended._signal or extended._is_beyond_paper(node) for node in self._rejections)

    def _is_beyond_paper(self, node: fx.Node) -> bool:
        op = self._graph.operations[node].op
        return op.role == "activation" or op.normalised is not None or node in self._gates

    def _call_beyond_paper(self, operation: Operation, call: Call, rule: Literal["deconvnet", "guided"]) -> Any:
        """Return the value of an operation that only the extension has a rule for; None for any other."""
        op, function = operation.op, operation.node.target
        if op.role == "activation":
            return call_with_rule(function, replace(op, rectified=first), call, rule)  # type: ignore[arg-type]
        if op.normalised is not None and op.rejection(call) is not None:
            return scale_signal(function, call, op.normalised(call))  # type: ignore[arg-type]
        if operation.node in self._gates:
            gate = self._gates[operation.node]
            args = tuple(value.detach() if position == gate else value for position, value in enumerate(call.args))
            return call_operation(operation, args, call.kwargs)
        return None

    def _nodes_with_signal(self, target: fx.Node) -> set[fx.Node]:
        """Return the operations that a signal passes on its way from the target to the input."""
        passed, pending = set[fx.Node](), [target]
        while pending:
            node = pending.pop()
            if node in passed or not self._graph.operations[node].differentiable:
                continue
            passed.add(node)
            gate = self._gates.get(node)
            pending += [source for source in node.all_input_nodes if gate is None or source is not node.args[gate]]
        return passed


def find_gates(graph: Graph) -> dict[fx.Node, int]:
    """Return the products of two maps that depend on the input, with the position of the factor that is a gate.

    A gate is the output of a sigmoid (of `x * sigmoid(y)`, with reshaping in between), or the one that is broadcast over positions.
    """
    gates: dict[fx.Node, int] = {}
    for node, operation in graph.operations.items():
        factors = node.args[:2]
        if operation.op.backward is not product or operation.op.spatial != "pointwise" or len(factors) != 2 or factors[0] is factors[1]:
            continue
        if not all(isinstance(factor, fx.Node) and graph.operations[factor].differentiable for factor in factors):
            continue
        sigmoids = [position for position, factor in enumerate(factors) if _is_sigmoid(graph, factor)]  # type: ignore[arg-type]
        sizes = [torch.Size(graph.operations[factor].shape or ()).numel() for factor in factors]  # type: ignore[index]
        if len(sigmoids) == 1:
            gates[node] = sigmoids[0]
        elif sizes[0] != sizes[1]:
            gates[node] = sizes.index(min(sizes))
    return gates


def _is_sigmoid(graph: Graph, node: fx.Node) -> bool:
    operation = graph.operations[node]
    while operation.op.spatial in ("reshape", "channel axes") and len(graph.varying_inputs(operation.node)) == 1:
        operation = graph.operations[graph.varying_inputs(operation.node)[0]]
    return operation.op.role == "gate"


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
