"""A model traced by torch.fx: its operations, the names of its module calls, and how to run part of it."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.ops import INPLACE_FUNCTIONS
from deconvwidgets.errors import GraphError, ModelError

NodeCallback = Callable[[fx.Node, tuple[Any, ...], dict[str, Any], Any], None]

# torch.fx patches nn.Module for the whole process while it traces. Two threads would restore each other's patches in the wrong order.
_TRACING = threading.Lock()


@dataclass(frozen=True)
class Trace:
    """A traced model.

    It refers to modules by their names and holds none of them, so that copies of the model can share it.

    Parameters
    ----------
    graph : fx.Graph
    calls : mapping of str to fx.Node
        The node that returns the output of each module call ("features.0", "layer1.0.relu#2" for the second call of a module).
    added : frozenset of fx.Node
        Nodes that were added to those of the traced model, such as a head. They do not affect the names of layers.
    """

    graph: fx.Graph
    calls: Mapping[str, fx.Node]
    added: frozenset[fx.Node] = frozenset()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @property
    def input_node(self) -> fx.Node:
        """The node of the input batch."""
        batch: fx.Node = next(iter(self.graph.find_nodes(op="placeholder")))
        return batch

    @property
    def output(self) -> fx.Node:
        """The output node, whose first argument is what the model returns."""
        return self.graph.output_node()

    @cached_property
    def required_for_output(self) -> list[fx.Node]:
        """The nodes that have to run for the model's output, in order of execution."""
        return required_nodes(self.graph.nodes, self.output.all_input_nodes)

    def node_of(self, layer: str) -> fx.Node | None:
        """Return the node of a module call or of an operation, by name; None if there is none."""
        found = self.calls.get(layer) or self.calls.get(layer.removesuffix("#1"))
        return found or next((node for node in self.graph.nodes if node.name == layer), None)


class WrappedModel(nn.Module):
    """A model that extends another one, and whose trace is known without tracing.

    Attributes
    ----------
    original : nn.Module
        The model that it extends.
    trace : Trace or None
        The trace of `original` with the added nodes; None if torch.fx cannot trace `original`.
    reason : str
        Why `original` cannot be traced.
    """

    original: nn.Module
    trace: Trace | None
    reason: str


class _NamingTracer(fx.Tracer):
    """A tracer that records which node returns the output of which module call.

    Modules that other threads call meanwhile are affected by torch.fx's patches, too. Their calls pass through unchanged.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self.calls: dict[str, fx.Node] = {}
        self._count: dict[str, int] = {}

    def call_module(self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        name = self.path_of_module(m)
        self._count[name] = number = self._count.get(name, 0) + 1
        result = super().call_module(m, forward, args, kwargs)
        if isinstance(result, fx.Proxy):
            self.calls[name if number == 1 else f"{name}#{number}"] = result.node
        return result

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def trace_model(model: nn.Module, example: Tensor, expected: Any, on_node: NodeCallback | None = None) -> Trace:
    """Trace a model, and check the trace by running it.

    Parameters
    ----------
    model : nn.Module
        A model in eval mode.
    example : Tensor (1, C, H, W)
        Input for the check. An in-place operation of the model may overwrite it.
    expected : Any
        The model's own output for the example.
    on_node : callable, optional
        Called as `on_node(node, args, kwargs, value)` for every node but the output, in order of execution.

    Returns
    -------
    Trace

    Raises
    ------
    GraphError
        If torch.fx cannot trace the model, if its forward takes several inputs, if an in-place operation overwrites a map that is read
        again later, or if the trace does not reproduce `expected`.
    """
    trace = _trace(model)
    inputs = [node for node in trace.graph.nodes if node.op == "placeholder"]
    if not inputs or any(not node.args for node in inputs[1:]):
        raise GraphError(f"{type(model).__name__}.forward takes {len(inputs)} inputs; only models that take one batch can be traced")
    modules = dict(model.named_modules())
    _reject_stale_reads(trace, modules)
    try:
        output = _run_all(trace, modules, example, on_node)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise GraphError(f"the graph that torch.fx traced does not run ({error})") from error
    if isinstance(expected, Tensor) and not (
        isinstance(output, Tensor) and torch.allclose(expected, output, rtol=1e-4, atol=1e-5, equal_nan=True)
    ):
        raise GraphError(f"the graph that torch.fx traced does not reproduce the output of {type(model).__name__}")
    return trace


def _trace(model: nn.Module) -> Trace:
    if isinstance(model, WrappedModel):
        if model.trace is None:
            raise GraphError(model.reason)
        return model.trace
    tracer = _NamingTracer()
    try:
        with _TRACING:
            graph = tracer.trace(model)
    except Exception as error:  # torch.fx runs the model's own code on proxies, which may raise anything
        raise GraphError(f"torch.fx cannot trace {type(model).__name__} ({type(error).__name__}: {error})") from error
    return Trace(graph, tracer.calls)


def _reject_stale_reads(trace: Trace, modules: Mapping[str, nn.Module]) -> None:
    """Raise GraphError if a map is read after an in-place operation overwrote it: on part of an image the values are separate tensors."""
    order = {node: number for number, node in enumerate(trace.graph.nodes)}
    for node in trace.graph.nodes:
        if not _is_inplace(node, modules) or not node.all_input_nodes:
            continue
        overwritten = node.all_input_nodes[0]
        if any(order[user] > order[node] for user in overwritten.users):
            raise GraphError(f"'{node.name}' overwrites '{overwritten.name}' in place, which is read again later")


def _is_inplace(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return bool(getattr(modules[str(node.target)], "inplace", False))
    if node.op == "call_method":
        return str(node.target).endswith("_") and not str(node.target).endswith("__")
    return node.op == "call_function" and (node.target in INPLACE_FUNCTIONS or bool(node.kwargs.get("inplace", False)))


def _run_all(trace: Trace, modules: Mapping[str, nn.Module], example: Tensor, on_node: NodeCallback | None) -> Any:
    """Run all nodes and return the output."""
    values: dict[fx.Node, Any] = {trace.input_node: example}
    with torch.no_grad():
        for node in trace.graph.nodes:
            args = fx.node.map_arg(node.args, values.__getitem__)
            if node.op == "output":
                return args[0]
            kwargs = fx.node.map_arg(node.kwargs, values.__getitem__)
            values[node] = call_node(node, modules, args, kwargs) if node is not trace.input_node else example
            if on_node is not None:
                on_node(node, args, kwargs, values[node])
    return None


def call_node(node: fx.Node, modules: Mapping[str, nn.Module], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run one node, and return its value. `modules` are the model's `named_modules()`."""
    if node.op == "call_module":
        return modules[str(node.target)](*args, **kwargs)
    if node.op == "call_function":
        assert callable(node.target)
        return node.target(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    if node.op == "placeholder":
        return args[0] if args else None  # the default of an optional argument
    return operator.attrgetter(str(node.target))(modules[""])  # get_attr


def required_nodes(nodes: Iterable[fx.Node], targets: Iterable[fx.Node]) -> list[fx.Node]:
    """Return the nodes that the targets depend on, with the targets. `nodes` must be in order of execution."""
    ordered, required = list(nodes), set(targets)
    for node in reversed(ordered):
        if node in required:
            required.update(node.all_input_nodes)
    return [node for node in ordered if node in required]


def last_uses(nodes: Sequence[fx.Node]) -> dict[fx.Node, int]:
    """Return, for each value, the position in `nodes` of the last node that reads it."""
    return {value: number for number, node in enumerate(nodes) for value in node.all_input_nodes}


def run_nodes(
    nodes: Sequence[fx.Node], modules: Mapping[str, nn.Module], input_node: fx.Node, batch: Tensor
) -> Iterator[tuple[fx.Node, Any]]:
    """Run nodes in order, and yield each with its value as soon as it is computed. A value is freed after its last use.

    Parameters
    ----------
    nodes : sequence of fx.Node
        The nodes, and all that they depend on, in order of execution.
    modules : mapping of str to nn.Module
        The model's `named_modules()`.
    input_node : fx.Node
        The node of the input.
    batch : Tensor (N, C, H, W)

    Yields
    ------
    (node, value)
        A later in-place operation may overwrite the value.
    """
    last_use = last_uses(nodes)
    values: dict[fx.Node, Any] = {input_node: batch}
    for number, node in enumerate(nodes):
        if node is not input_node:
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
            values[node] = call_node(node, modules, args, kwargs)
        yield node, values[node]
        for input_node in node.all_input_nodes:
            if last_use[input_node] == number:
                del values[input_node]


def example_batch(model: nn.Module, size: Sequence[int]) -> Tensor:
    """Return reproducible noise (1, C, H, W) on the model's device, in its floating-point type."""
    parameter = next((value for value in model.parameters() if value.is_floating_point()), torch.zeros(()))
    noise = torch.rand((1, *size), generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    return noise.to(parameter.device, parameter.dtype)


def example_output(model: nn.Module, example: Tensor) -> Any:
    """Return the model's output for an example, which is left unchanged. Raise ModelError if the model rejects it."""
    try:
        with torch.no_grad():
            return model(example.clone())  # its first operation may work in place
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        several = isinstance(error, TypeError) and "required positional argument" in str(error)
        advice = "Wrap it in a module that takes one batch of images" if several else "Pass the input_size that it expects"
        raise ModelError(f"{type(model).__name__} cannot run on inputs of {tuple(example.shape[1:])}: {error}. {advice}.") from error
