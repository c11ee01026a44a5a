"""A forward pass up to some layers, prepared once for many batches: their maps, and what their rectifiers read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.engine.backward_checks import Call, first
from deconvwidgets.engine.executor import Executor, function_of
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.network import Network
from deconvwidgets.engine.ops import FORMS_FOR_PARTS, Op

MapVisitor = Callable[[str, Tensor], None]
Lease = Callable[[], AbstractContextManager[None]]


class ForwardPass:
    """A forward pass up to the last of some layers. It keeps the parameters of the moment it was made.

    Parameters
    ----------
    network : Network
    layers : iterable of str
        Dotted names or aliases.
    channels_last : bool
        Use weights in the channels_last memory format, copies that only this object has. Batches must have the same format.
    before_rectifiers : bool
        Also visit what the rectifiers of the layers read, and what other activation functions do, such as GELU.

    Raises
    ------
    LayerError
        If there is no such layer.
    """

    def __init__(self, network: Network, layers: Iterable[str], *, channels_last: bool = False, before_rectifiers: bool = False) -> None:
        self.network, self._graph, self._single = network, network.graph, network.single
        self.layers = tuple(dict.fromkeys(network.layer(name).name for name in layers))
        self._before: dict[fx.Node, list[str]] = {}
        self._after: dict[fx.Node, list[str]] = {}
        self._parameters: dict[fx.Node, Tensor] = {}
        self._operations: list[Operation] = []
        if self._graph is not None:
            self._prepare(self._graph, channels_last, before_rectifiers)

    @property
    def traced(self) -> bool:
        """Whether the model is traced. What rectifiers read is known only then."""
        return self._graph is not None

    def run(self, batch: Tensor, visitor: MapVisitor, before_visitor: MapVisitor | None = None, lease: Lease = nullcontext) -> None:
        """Run a batch.

        Parameters
        ----------
        batch : Tensor (N, C, H, W)
        visitor : callable
            Called as `visitor(name, map)` with each layer's map (N, C, h, w) or (N, C) as soon as it is computed. It must copy what it
            keeps: a later in-place operation may overwrite the map.
        before_visitor : callable, optional
            Called in the same way with what the layer's rectifier reads; with the layer's own map, if it is no rectifier's. Never called
            for a model that is not traced.
        lease : callable
            Returns a context manager that is entered for each operation with its visits: others can use the device between two.
        """
        if self._graph is None:
            with lease():
                self.network.visit(batch, self.layers, visitor)
        elif self._single and len(batch) > 1:
            self._run_each(self._graph, batch, visitor, before_visitor, lease)
        else:
            self._run(self._graph, batch, visitor, before_visitor, lease)

    def _prepare(self, graph: Graph, channels_last: bool, before_rectifiers: bool) -> None:
        for name in self.layers:
            node = self.network.node(name)
            assert node is not None
            self._after.setdefault(node, []).append(name)
            if before_rectifiers:
                self._before.setdefault(rectifier_input(graph, node) or node, []).append(name)
        self._operations = graph.ancestors([*self._after, *self._before])
        for node, value in graph.trace.bind(self.network.model).items():
            is_weight = channels_last and value.dim() == 4
            self._parameters[node] = value.detach().contiguous(memory_format=torch.channels_last) if is_weight else value

    def _run(self, graph: Graph, batch: Tensor, visitor: MapVisitor, before_visitor: MapVisitor | None, lease: Lease) -> None:
        steps = Executor(graph, self._operations, self._parameters, _call).execute(batch)
        for _ in self._operations:
            with lease():
                operation, value = next(steps)
                if before_visitor is not None:
                    for name in self._before.get(operation.node, ()):
                        before_visitor(name, value)
                for name in self._after.get(operation.node, ()):
                    visitor(name, value)

    def _run_each(self, graph: Graph, batch: Tensor, visitor: MapVisitor, before_visitor: MapVisitor | None, lease: Lease) -> None:
        after: dict[str, list[Tensor]] = {}
        before: dict[str, list[Tensor]] = {}
        for image in torch.split(batch, 1):
            self._run(graph, image, _collect(after), _collect(before), lease)
        for name, parts in before.items():
            if before_visitor is not None:
                before_visitor(name, torch.cat(parts))
        for name, parts in after.items():
            visitor(name, torch.cat(parts))


def rectifier_input(graph: Graph, node: fx.Node) -> fx.Node | None:
    """Return the value that a rectifier, or a smooth one such as GELU, reads if a node is its output; else None."""
    source = next((source for source, product in graph.trace.scaled.items() if product is node), node)
    call = Call(tuple(source.args), dict(source.kwargs), lambda value: isinstance(value, fx.Node) and graph.operations[value].varies)
    place = _activated_operand(graph.operations[source].op, call) if source.op == "call_function" else None
    operand = None if place is None else source.args[place] if isinstance(place, int) else source.kwargs[place]
    return operand if isinstance(operand, fx.Node) and graph.operations[operand].shape is not None else None


def _activated_operand(op: Op, call: Call) -> int | str | None:
    """Return the place of the tensor that an activation function reads. GELU and others have no smaller output for more negative inputs."""
    return first(call) if op.role == "activation" else op.rectified_operand(call)


def _call(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call an operation, in a form that takes any memory format."""
    function = function_of(operation)
    return FORMS_FOR_PARTS.get(function, function)(*args, **kwargs)


def _collect(maps: dict[str, list[Tensor]]) -> MapVisitor:
    return lambda name, value: maps.setdefault(name, []).append(value.clone())
