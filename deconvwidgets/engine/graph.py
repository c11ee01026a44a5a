"""The model as typed operations: torch.fx tells what feeds what, one forward pass tells the shapes.

Each operation is of one of five kinds:
- input: the batch;
- constant: does not depend on the input (a weight, a standardised weight);
- window: a convolution, pooling or padding (`windows.py`);
- pointwise: output position (r, c) depends on input positions (r, c) only (rectifiers, batch norm, sums, concatenation of channels, ...);
- whole: anything else; beyond it a unit sees the whole image as far as we know.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from deconvwidgets.engine.windows import Window, window_of_call, window_of_module
from deconvwidgets.errors import GraphError

OperationKind = Literal["input", "constant", "window", "pointwise", "whole"]

_POINTWISE_MODULES = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.Hardtanh, nn.Threshold, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh,
    nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.Mish, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.Identity, nn.LocalResponseNorm,
)  # fmt: skip
_POINTWISE_FUNCTIONS = {
    F.relu, F.relu_, torch.relu, torch.relu_, F.relu6, F.leaky_relu, F.leaky_relu_, F.prelu, F.hardtanh, F.hardtanh_, F.threshold,
    torch.threshold_, F.elu, F.gelu, F.silu, F.sigmoid, torch.sigmoid, torch.tanh, F.hardswish, F.hardsigmoid, F.softplus, F.mish,
    F.dropout, F.dropout2d, F.batch_norm, F.local_response_norm, torch.clamp, torch.clamp_min, torch.maximum, torch.neg,
    operator.add, operator.iadd, operator.sub, operator.isub, operator.mul, operator.imul, operator.truediv, operator.itruediv,
    operator.neg, torch.add, torch.sub, torch.mul, torch.div,
}  # fmt: skip
_POINTWISE_METHODS = {
    "relu", "relu_", "clamp", "clamp_", "clamp_min", "clamp_min_", "add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "neg",
    "contiguous", "clone", "float", "double", "to", "sigmoid", "tanh",
}  # fmt: skip
_INPLACE_FUNCTIONS = {
    operator.iadd, operator.isub, operator.imul, operator.itruediv, F.relu_, torch.relu_, F.leaky_relu_, F.hardtanh_, torch.threshold_,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the graph. `shape` is its output's, with batch size 1 (None where the output is no tensor)."""

    node: fx.Node
    kind: OperationKind
    window: Window | None
    shape: tuple[int, ...] | None

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns of its map."""
        assert self.shape is not None
        return (self.shape[-2], self.shape[-1])


@dataclass(frozen=True)
class Graph:
    """A followed model. `calls` maps a module call ("features.0", "layer1.0.relu#2") to the node that holds its output."""

    operations: Mapping[fx.Node, Operation]  # in order of execution
    calls: Mapping[str, fx.Node]
    modules: Mapping[str, nn.Module]
    source: fx.Node

    def ancestors(self, targets: Iterable[fx.Node]) -> list[Operation]:
        """What has to run for these nodes, in order."""
        wanted = set(targets)
        for node in reversed(list(self.operations)):
            if node in wanted:
                wanted.update(node.all_input_nodes)
        return [operation for node, operation in self.operations.items() if node in wanted]

    def call(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one node on its arguments, exactly as the model would."""
        if node.op == "call_module":
            return self.modules[str(node.target)](*args, **kwargs)
        if node.op == "call_function":
            assert callable(node.target)
            return node.target(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return operator.attrgetter(str(node.target))(self.modules[""])  # get_attr


def last_uses(operations: Sequence[Operation]) -> dict[fx.Node, int]:
    """After which of these operations, run in order, each value is no longer needed."""
    return {feeder: number for number, operation in enumerate(operations) for feeder in operation.node.all_input_nodes}


# torch.fx follows a model by patching nn.Module for the whole process: two at once would undo each other's patches in the wrong order.
_TRACING = threading.Lock()


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


def follow(model: nn.Module, example: Tensor, own: Any) -> Graph:
    """The graph of `model` for inputs of the example's size (1, C, H, W); `own` is the model's own output for the example.

    Raises GraphError where torch.fx cannot follow the model, where an in-place operation overwrites a map that is read again later,
    or where the followed graph does not reproduce the model's own output.
    """
    tracer = _NamingTracer()
    try:
        with _TRACING:
            traced = tracer.trace(model)
    except Exception as error:  # torch.fx runs the model's own code on proxies: anything may be raised there
        raise GraphError(
            f"torch.fx cannot follow {type(model).__name__} ({type(error).__name__}: {error}); whole-image computation is used instead."
        ) from error
    sources = [node for node in traced.nodes if node.op == "placeholder"]
    _refuse_unusual_inputs(model, sources)
    _refuse_stale_reads(traced, dict(model.named_modules()))
    try:
        graph, followed = _type_operations(model, traced, sources, tracer.calls, example)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise GraphError(f"The graph that torch.fx followed does not run ({error}); whole-image computation is used instead.") from error
    _refuse_unfaithful(model, own, followed)
    return graph


def _refuse_unusual_inputs(model: nn.Module, sources: list[fx.Node]) -> None:
    if not sources or any(not node.args for node in sources[1:]):
        raise GraphError(f"{type(model).__name__}.forward takes {len(sources)} inputs; only models of one picture batch can be followed.")


def _is_inplace(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return bool(getattr(modules[str(node.target)], "inplace", False))
    if node.op == "call_method":
        return str(node.target).endswith("_") and not str(node.target).endswith("__")
    return node.op == "call_function" and (node.target in _INPLACE_FUNCTIONS or bool(node.kwargs.get("inplace", False)))


def _refuse_stale_reads(traced: fx.Graph, modules: Mapping[str, nn.Module]) -> None:
    """A crop runs on slices of maps, so an in-place write must not be visible through another name of the same map."""
    order = {node: number for number, node in enumerate(traced.nodes)}
    for node in traced.nodes:
        if not _is_inplace(node, modules) or not node.all_input_nodes:
            continue
        written = node.all_input_nodes[0]
        if any(order[user] > order[node] for user in written.users):
            raise GraphError(f"'{node.name}' overwrites '{written.name}' in place, and it is read again afterwards.")


def _type_operations(
    model: nn.Module, traced: fx.Graph, sources: list[fx.Node], calls: dict[str, fx.Node], example: Tensor
) -> tuple[Graph, Any]:
    """The graph, and the output that following it gave."""
    modules = dict(model.named_modules())
    operations: dict[fx.Node, Operation] = {}
    graph = Graph(operations, calls, modules, sources[0])
    values: dict[fx.Node, Any] = {sources[0]: example}
    operations[sources[0]] = Operation(sources[0], "input", None, tuple(example.shape))
    result = None
    with torch.no_grad():
        for node in traced.nodes:
            if node.op == "placeholder":
                if node is not sources[0]:
                    values[node] = node.args[0]
                    operations[node] = Operation(node, "constant", None, None)
                continue
            args = fx.node.map_arg(node.args, values.__getitem__)
            if node.op == "output":
                result = args[0]
                continue
            kwargs = fx.node.map_arg(node.kwargs, values.__getitem__)
            typed = _classify(node, args, kwargs, operations, modules)
            values[node] = value = graph.call(node, args, kwargs)
            shape = tuple(value.shape) if isinstance(value, Tensor) else None
            kind, window = _confirm(*typed, node, shape, operations)
            operations[node] = Operation(node, kind, window, shape)
    return graph, result


def _classify(
    node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], known: Mapping[fx.Node, Operation], modules: Mapping[str, nn.Module]
) -> tuple[OperationKind, Window | None]:
    """What kind of operation a node is, by its module or function; shapes are checked afterwards."""
    if all(known[feeder].kind == "constant" for feeder in node.all_input_nodes):
        return "constant", None
    first = node.all_input_nodes[0]
    spatial = (known[first].shape or ())[-2:]
    if node.op == "call_module":
        module = modules[str(node.target)]
        window = window_of_module(module, known[first].shape or ())
        if window is not None:
            return "window", window
        return ("pointwise" if isinstance(module, _POINTWISE_MODULES) else "whole"), None
    if node.op == "call_method":
        return ("pointwise" if node.target in _POINTWISE_METHODS or _keeps_space(node) else "whole"), None
    window = window_of_call(node.target, args, kwargs) if len(spatial) == 2 and callable(node.target) else None
    if window is not None:
        return "window", window
    return ("pointwise" if node.target in _POINTWISE_FUNCTIONS or _keeps_space(node) else "whole"), None


def _keeps_space(node: fx.Node) -> bool:
    """Operations on the channel axis only: concatenation, splitting, picking and inserting before the two last axes."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name in ("cat", "concat", "chunk", "split", "unsqueeze"):
        place = 0 if name == "unsqueeze" or name in ("cat", "concat") else 1
        axis = node.kwargs.get("dim", node.kwargs.get("axis", node.args[place + 1] if len(node.args) > place + 1 else 0))
        return bool(axis == 1)
    if name == "getitem":
        index = node.args[1]
        if isinstance(index, int):  # a part of a split
            return isinstance(node.args[0], fx.Node) and _keeps_space(node.args[0])
        return isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None) and not isinstance(index[1], fx.Node)
    return False


def _confirm(
    kind: OperationKind, window: Window | None, node: fx.Node, shape: tuple[int, ...] | None, known: Mapping[fx.Node, Operation]
) -> tuple[OperationKind, Window | None]:
    """A pointwise or window operation must stand on maps: same rows and columns in and out, nothing spread over space."""
    feeders = [known[feeder] for feeder in node.all_input_nodes if known[feeder].kind != "constant"]
    if kind == "window":
        assert window is not None
        return ("window", window) if len(feeders) == 1 and feeders[0].kind != "whole" and len(shape or ()) == 4 else ("whole", None)
    if kind == "pointwise":
        constants = [known[feeder].shape for feeder in node.all_input_nodes if known[feeder].kind == "constant"]
        extents = {feeder.shape[-2:] for feeder in feeders if feeder.shape is not None}
        followed = all(feeder.kind != "whole" for feeder in feeders) and len(extents) <= 1
        if shape is not None:
            followed = followed and len(shape) >= 3 and extents in (set(), {shape[-2:]})
        if node.op != "call_module" and any(size is not None and len(size) >= 2 and size[-2:] != (1, 1) for size in constants):
            followed = False  # a constant map added to a map: it has a place of its own, which a crop would lose
        return ("pointwise", None) if followed else ("whole", None)
    return kind, window


def _refuse_unfaithful(model: nn.Module, own: Any, followed: Any) -> None:
    if isinstance(own, Tensor) and not (
        isinstance(followed, Tensor) and torch.allclose(own, followed, rtol=1e-4, atol=1e-5, equal_nan=True)
    ):
        raise GraphError(f"The graph that torch.fx followed does not reproduce {type(model).__name__}'s own output.")
