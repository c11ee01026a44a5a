"""A model as torch.fx sees it, safely: what feeds what, what each module call is named, and how to run part of it.

The engine reads receptive fields off such a trace, and the data part hangs a classifier into it; both need the same one.
"""

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

Seen = Callable[[fx.Node, tuple[Any, ...], dict[str, Any], Any], None]

# torch.fx follows a model by patching nn.Module for the whole process: two at once would undo each other's patches in the wrong order.
_TRACING = threading.Lock()


@dataclass(frozen=True)
class Trace:
    """A followed model. `calls` maps a module call ("features.0", "layer1.0.relu#2") to the node that holds its output.

    It names modules by their paths and holds none of them, so a copy of the model can share it.
    """

    graph: fx.Graph
    calls: Mapping[str, fx.Node]
    added: frozenset[fx.Node] = frozenset()  # put on the model afterwards: they change no layer's name

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @property
    def source(self) -> fx.Node:
        """The batch."""
        batch: fx.Node = next(iter(self.graph.find_nodes(op="placeholder")))
        return batch

    @property
    def output(self) -> fx.Node:
        """The node that says what the model answers."""
        return self.graph.output_node()

    @cached_property
    def answering(self) -> list[fx.Node]:
        """What has to run for the model's answer, in order."""
        return needed_for(self.graph.nodes, self.output.all_input_nodes)

    def node_of(self, layer: str) -> fx.Node | None:
        """The node of a layer's name: a module call, or the operation's own name; None where there is no such layer."""
        found = self.calls.get(layer) or self.calls.get(layer.removesuffix("#1"))
        return found or next((node for node in self.graph.nodes if node.name == layer), None)


class WrappedModel(nn.Module):
    """A model made of another one, its `original`, whose trace it knows beforehand: the original's, and what was added to it.

    `trace` is None where torch.fx cannot follow the original; `reason` says why.
    """

    original: nn.Module
    trace: Trace | None
    reason: str


class _NamingTracer(fx.Tracer):
    """Follows the model and writes down which node is the output of which module call.

    While it follows, modules that other threads call meet its patches too; they are passed through as if nothing were there.
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


def follow(model: nn.Module, example: Tensor, own: Any, seen: Seen | None = None) -> Trace:
    """The trace of `model`; `own` is the model's own output for the example (1, C, H, W).

    The trace is run once on the example: `seen(node, args, kwargs, value)` is told of every node but the output, in order.
    Raises GraphError where torch.fx cannot follow the model, where an in-place operation overwrites a map that is read again later,
    or where the trace does not reproduce the model's own output.
    """
    trace = _trace(model)
    sources = [node for node in trace.graph.nodes if node.op == "placeholder"]
    if not sources or any(not node.args for node in sources[1:]):
        raise GraphError(f"{type(model).__name__}.forward takes {len(sources)} inputs; only models of one picture batch can be followed.")
    modules = dict(model.named_modules())
    _refuse_stale_reads(trace, modules)
    try:
        followed = _run_all(trace, modules, example, seen)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise GraphError(f"The graph that torch.fx followed does not run ({error}); whole-image computation is used instead.") from error
    if isinstance(own, Tensor) and not (
        isinstance(followed, Tensor) and torch.allclose(own, followed, rtol=1e-4, atol=1e-5, equal_nan=True)
    ):
        raise GraphError(f"The graph that torch.fx followed does not reproduce {type(model).__name__}'s own output.")
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
    except Exception as error:  # torch.fx runs the model's own code on proxies: anything may be raised there
        raise GraphError(
            f"torch.fx cannot follow {type(model).__name__} ({type(error).__name__}: {error}); whole-image computation is used instead."
        ) from error
    return Trace(graph, tracer.calls)


def _refuse_stale_reads(trace: Trace, modules: Mapping[str, nn.Module]) -> None:
    """A crop runs on slices of maps, so an in-place write must not be visible through another name of the same map."""
    order = {node: number for number, node in enumerate(trace.graph.nodes)}
    for node in trace.graph.nodes:
        if not _is_inplace(node, modules) or not node.all_input_nodes:
            continue
        written = node.all_input_nodes[0]
        if any(order[user] > order[node] for user in written.users):
            raise GraphError(f"'{node.name}' overwrites '{written.name}' in place, and it is read again afterwards.")


def _is_inplace(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return bool(getattr(modules[str(node.target)], "inplace", False))
    if node.op == "call_method":
        return str(node.target).endswith("_") and not str(node.target).endswith("__")
    return node.op == "call_function" and (node.target in INPLACE_FUNCTIONS or bool(node.kwargs.get("inplace", False)))


def _run_all(trace: Trace, modules: Mapping[str, nn.Module], example: Tensor, seen: Seen | None) -> Any:
    """What the trace answers."""
    values: dict[fx.Node, Any] = {trace.source: example}
    with torch.no_grad():
        for node in trace.graph.nodes:
            args = fx.node.map_arg(node.args, values.__getitem__)
            if node.op == "output":
                return args[0]
            kwargs = fx.node.map_arg(node.kwargs, values.__getitem__)
            values[node] = call_node(node, modules, args, kwargs) if node is not trace.source else example
            if seen is not None:
                seen(node, args, kwargs, values[node])
    return None


def call_node(node: fx.Node, modules: Mapping[str, nn.Module], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run one node on its arguments, exactly as the model would. `modules` are the model's, itself under ""."""
    if node.op == "call_module":
        return modules[str(node.target)](*args, **kwargs)
    if node.op == "call_function":
        assert callable(node.target)
        return node.target(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    if node.op == "placeholder":
        return args[0] if args else None  # an argument's default
    return operator.attrgetter(str(node.target))(modules[""])  # get_attr


def needed_for(nodes: Iterable[fx.Node], targets: Iterable[fx.Node]) -> list[fx.Node]:
    """Those of `nodes`, which are in order of execution, that have to run for the targets."""
    ordered, wanted = list(nodes), set(targets)
    for node in reversed(ordered):
        if node in wanted:
            wanted.update(node.all_input_nodes)
    return [node for node in ordered if node in wanted]


def last_uses(nodes: Sequence[fx.Node]) -> dict[fx.Node, int]:
    """After which of these nodes, run in order, each value is no longer needed."""
    return {feeder: number for number, node in enumerate(nodes) for feeder in node.all_input_nodes}


def run_nodes(nodes: Sequence[fx.Node], modules: Mapping[str, nn.Module], source: fx.Node, batch: Tensor) -> Iterator[tuple[fx.Node, Any]]:
    """Run `nodes`, in order, on `batch` (N, C, H, W): every node with its value the moment it is computed (a later in-place operation
    may overwrite it). Values are let go after their last use."""
    last_use = last_uses(nodes)
    values: dict[fx.Node, Any] = {source: batch}
    for number, node in enumerate(nodes):
        if node is not source:
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
            values[node] = call_node(node, modules, args, kwargs)
        yield node, values[node]
        for feeder in node.all_input_nodes:
            if last_use[feeder] == number:
                del values[feeder]


def example_batch(model: nn.Module, size: Sequence[int]) -> Tensor:
    """Noise (1, C, H, W), always the same, on the model's device and in its floating type."""
    parameter = next((value for value in model.parameters() if value.is_floating_point()), torch.zeros(()))
    noise = torch.rand((1, *size), generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    return noise.to(parameter.device, parameter.dtype)


def run_once(model: nn.Module, example: Tensor) -> Any:
    """The model's own output for the example, which stays as it is. Raises ModelError where the model rejects it."""
    try:
        with torch.no_grad():
            return model(example.clone())  # a clone: its first operation may work in place
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        several = isinstance(error, TypeError) and "required positional argument" in str(error)
        advice = "Wrap it in a module that takes one batch of images" if several else "Pass the input_size that it expects"
        raise ModelError(f"{type(model).__name__} cannot run on inputs of {tuple(example.shape[1:])}: {error}. {advice}.") from error
