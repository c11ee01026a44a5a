"""A traced model as classified operations. Their kinds decide what can be computed on part of an image.

- input: the batch.
- constant: does not depend on the input (a weight, or a value computed from weights only, as in weight standardisation).
- window: a convolution, pooling or padding (`windows.py`).
- pointwise: position (r, c) of the output depends on position (r, c) of the inputs only (rectifiers, batch norm, addition, concatenation of
  channels, ...).
- whole: anything else, such as flatten or a linear layer. Every position of its output may depend on the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from torch import Tensor, fx, nn

from deconvwidgets.engine import ops
from deconvwidgets.engine.tracing import Trace, call_node, required_nodes, run_nodes, trace_model
from deconvwidgets.engine.windows import Window, window_of_call, window_of_module

OperationKind = Literal["input", "constant", "window", "pointwise", "whole"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a graph.

    Parameters
    ----------
    node : fx.Node
    kind : {"input", "constant", "window", "pointwise", "whole"}
    window : Window or None
        The window of an operation of kind "window".
    shape : tuple of int or None
        Shape of the output for a batch of one image; None if the output is not a tensor.
    """

    node: fx.Node
    kind: OperationKind
    window: Window | None
    shape: tuple[int, ...] | None

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns of the output map. The output must be a tensor."""
        assert self.shape is not None
        return (self.shape[-2], self.shape[-1])


@dataclass(frozen=True)
class Graph:
    """A traced model with its typed operations.

    Parameters
    ----------
    trace : Trace
    operations : mapping of fx.Node to Operation
        In order of execution.
    modules : mapping of str to nn.Module
        The model's `named_modules()`.
    """

    trace: Trace
    operations: Mapping[fx.Node, Operation]
    modules: Mapping[str, nn.Module]

    @property
    def calls(self) -> Mapping[str, fx.Node]:
        """The node that returns the output of each module call ("features.0", "layer1.0.relu#2")."""
        return self.trace.calls

    @property
    def input_node(self) -> fx.Node:
        """The node of the input batch."""
        return self.trace.input_node

    def map_sizes(self) -> list[int]:
        """Return the number of elements of each map that depends on the input, for one image."""
        operations = self.operations.values()
        return [prod(operation.shape) for operation in operations if operation.shape is not None and operation.kind != "constant"]

    def ancestors(self, targets: Iterable[fx.Node]) -> list[Operation]:
        """Return the operations that have to run for the targets, themselves included, in order of execution."""
        return [self.operations[node] for node in required_nodes(self.operations, targets)]

    def call(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one node, and return its value."""
        return call_node(node, self.modules, args, kwargs)

    def visit(self, batch: Tensor, targets: Mapping[str, fx.Node], visitor: Callable[[str, Tensor], None]) -> None:
        """Run the model up to the last of the targets.

        Parameters
        ----------
        batch : Tensor (N, C, H, W)
        targets : mapping of str to fx.Node
        visitor : callable
            Called as `visitor(name, value)` as soon as a target is computed. A later in-place operation may overwrite the value.
        """
        names: dict[fx.Node, list[str]] = {}
        for name, node in targets.items():
            names.setdefault(node, []).append(name)
        nodes = [operation.node for operation in self.ancestors(targets.values())]
        for node, value in run_nodes(nodes, self.modules, self.input_node, batch):
            for name in names.get(node, ()):
                visitor(name, value)


def build_graph(model: nn.Module, example: Tensor, expected: Any) -> Graph:
    """Trace a model and classify its operations.

    Parameters
    ----------
    model : nn.Module
        A model in eval mode.
    example : Tensor (1, C, H, W)
        An input; the shapes are valid for its size. An in-place operation of the model may overwrite it.
    expected : Any
        The model's own output for the example.

    Returns
    -------
    Graph

    Raises
    ------
    GraphError
        If the model cannot be traced; see `tracing.trace_model`.
    """
    modules = dict(model.named_modules())
    operations: dict[fx.Node, Operation] = {}

    def add_operation(node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> None:
        shape = tuple(value.shape) if isinstance(value, Tensor) else None
        if node.op == "placeholder":
            operations[node] = Operation(node, "constant", None, None) if operations else Operation(node, "input", None, shape)
            return
        candidate = _classify(node, args, kwargs, operations, modules)
        kind, window = _check_shapes(*candidate, node, shape, operations)
        operations[node] = Operation(node, kind, window, shape)

    trace = trace_model(model, example, expected, add_operation)
    return Graph(trace, operations, modules)


def _classify(
    node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], known: Mapping[fx.Node, Operation], modules: Mapping[str, nn.Module]
) -> tuple[OperationKind, Window | None]:
    """Return the kind of a node by its module or function. `_check_shapes` checks whether its shapes agree with that."""
    if all(known[input_node].kind == "constant" for input_node in node.all_input_nodes):
        return "constant", None
    first = node.all_input_nodes[0]
    extent = (known[first].shape or ())[-2:]
    if node.op == "call_module":
        module = modules[str(node.target)]
        window = window_of_module(module, known[first].shape or ())
        if window is not None:
            return "window", window
        return ("pointwise" if isinstance(module, ops.POINTWISE_MODULES) else "whole"), None
    if node.op == "call_method":
        return ("pointwise" if node.target in ops.POINTWISE_METHODS or _changes_channels_only(node) else "whole"), None
    window = window_of_call(node.target, args, kwargs) if len(extent) == 2 and callable(node.target) else None
    if window is not None:
        return "window", window
    return ("pointwise" if node.target in ops.POINTWISE_FUNCTIONS or _changes_channels_only(node) else "whole"), None


def _changes_channels_only(node: fx.Node) -> bool:
    """Return whether an operation concatenates, splits, inserts or indexes the channel axis, and leaves rows and columns as they are."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    position = ops.CHANNEL_AXIS_ARGUMENT.get(name)
    if position is not None:
        axis = node.kwargs.get("dim", node.kwargs.get("axis", node.args[position] if len(node.args) > position else 0))
        return bool(axis == 1) and (name not in ops.SPLITS or all(_reads_parts(user) for user in node.users))
    if name == "getitem":
        index = node.args[1]
        if isinstance(index, int):  # one part of a split
            return isinstance(node.args[0], fx.Node) and _changes_channels_only(node.args[0])
        return isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None) and not isinstance(index[1], fx.Node)
    return False


def _reads_parts(user: fx.Node) -> bool:
    """Return whether an operation on the parts of a split picks one of them or concatenates their channels, as crops allow."""
    if getattr(user.target, "__name__", "") == "getitem":
        return isinstance(user.args[1], int)
    return user.op == "output" or _changes_channels_only(user)


def _check_shapes(
    kind: OperationKind, window: Window | None, node: fx.Node, shape: tuple[int, ...] | None, known: Mapping[fx.Node, Operation]
) -> tuple[OperationKind, Window | None]:
    """Return the kind, or "whole" if a pointwise or window operation does not map feature maps to feature maps."""
    inputs = [known[input_node] for input_node in node.all_input_nodes if known[input_node].kind != "constant"]
    if kind == "window":
        assert window is not None
        return ("window", window) if len(inputs) == 1 and inputs[0].kind != "whole" and len(shape or ()) == 4 else ("whole", None)
    if kind == "pointwise":
        constants = [known[input_node].shape for input_node in node.all_input_nodes if known[input_node].kind == "constant"]
        extents = {operation.shape[-2:] for operation in inputs if operation.shape is not None}
        pointwise = all(operation.kind != "whole" for operation in inputs) and len(extents) <= 1
        if shape is not None:
            pointwise = pointwise and len(shape) >= 3 and extents in (set(), {shape[-2:]})
        if node.op != "call_module" and any(size is not None and len(size) >= 2 and size[-2:] != (1, 1) for size in constants):
            pointwise = False  # a constant map differs from position to position, and a crop would need its own part of it
        return ("pointwise", None) if pointwise else ("whole", None)
    return kind, window
