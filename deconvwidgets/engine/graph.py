"""A traced model as classified operations. Their kinds decide what can be computed on part of an image.

- input: the batch.
- constant: does not depend on the input (a weight, or a value computed from weights only, as in weight standardisation).
- size: depends on the number of images only (a size, or zeros of that size).
- window: a convolution, pooling or padding (`windows.py`).
- pointwise: position (r, c) of the output depends on position (r, c) of the inputs only (rectifiers, batch norm, addition, concatenation of
  channels, ...).
- whole: anything else, such as flatten or a linear layer. Every position of its output may depend on the whole image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor, fx

from deconvwidgets.engine.backward_checks import Call
from deconvwidgets.engine.ops import Op, node_name, op_of
from deconvwidgets.engine.spatial import is_pointwise
from deconvwidgets.engine.tracing import Trace, required_nodes
from deconvwidgets.engine.windows import Window

OperationKind = Literal["input", "constant", "size", "window", "pointwise", "whole"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a graph.

    Parameters
    ----------
    node : fx.Node
    name : str
        The operation's name in the registry ("relu").
    kind : {"input", "constant", "size", "window", "pointwise", "whole"}
    window : Window or None
        The window of an operation of kind "window".
    shape : tuple of int or None
        Shape of the output for a batch of one image; None if the output is not a tensor.
    differentiable : bool
        Whether it depends on the pixels of the input, not only on its size.
    overwrites : bool
        Whether it may overwrite its operand: a new tensor that nothing else reads.
    module : str
        The innermost module that it belongs to, by its dotted name.
    module_type : str
        The name of that module's class.
    """

    node: fx.Node
    name: str
    kind: OperationKind
    window: Window | None
    shape: tuple[int, ...] | None
    differentiable: bool
    overwrites: bool = False
    module: str = ""
    module_type: str = ""

    @property
    def op(self) -> Op:
        """What is known of the operation."""
        return op_of(self.name)

    @property
    def varies(self) -> bool:
        """Whether its value differs between batches: it is no constant, and not computed from the number of images."""
        return self.kind not in ("constant", "size")

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns of the output map. The output must be a tensor."""
        assert self.shape is not None
        return (self.shape[-2], self.shape[-1])


@dataclass(frozen=True)
class Graph:
    """A traced model with its classified operations. It holds no parameters.

    Parameters
    ----------
    trace : Trace
    operations : mapping of fx.Node to Operation
        In order of execution.
    """

    trace: Trace
    operations: Mapping[fx.Node, Operation]

    @property
    def calls(self) -> Mapping[str, fx.Node]:
        """The node that returns the output of each module call ("features.0", "layer1.0.relu#2")."""
        return self.trace.calls

    @property
    def input_node(self) -> fx.Node:
        """The node of the input batch."""
        return self.trace.input_node

    @cached_property
    def couples_batch(self) -> bool:
        """Whether an operation is known to read several images of a batch at once."""
        return any(_couples_batch(node, operation.op) for node, operation in self.operations.items() if operation.varies)

    def map_sizes(self) -> list[int]:
        """Return the number of elements of each map of the model that depends on the input, for one image."""
        operations = [operation for node, operation in self.operations.items() if node not in self.trace.added]  # views take no memory
        return [prod(operation.shape) for operation in operations if operation.shape is not None and operation.varies]

    def ancestors(self, targets: Iterable[fx.Node]) -> list[Operation]:
        """Return the operations that have to run for the targets, themselves included, in order of execution."""
        return [self.operations[node] for node in required_nodes(self.operations, targets)]

    def is_tensor(self, value: Any) -> bool:
        """Return whether a value of the trace is a node whose output is a tensor."""
        return isinstance(value, fx.Node) and self.operations[value].shape is not None

    def window_of(self, node: fx.Node) -> Window | None:
        """Return the window of a convolution, pooling or constant padding on its own operand; None for other operations.

        `Operation.window` is None where that operand itself depends on more than a window of the image, as a resized map does.
        """
        op = self.operations[node].op
        return _window(node, op, self.operations) if op.spatial == "window" and self.operations[node].varies else None

    def varying_inputs(self, node: fx.Node) -> list[fx.Node]:
        """Return the inputs of a node that depend on the input batch."""
        return [input_node for input_node in node.all_input_nodes if self.operations[input_node].varies]


def build_graph(trace: Trace) -> Graph:
    """Classify the operations of a trace, by the shapes of their fake tensors."""
    operations: dict[fx.Node, Operation] = {}
    for node in trace.graph.nodes:
        if node.op != "output":
            operations[node] = _operation(node, trace, operations)
    return Graph(trace, operations)


def _operation(node: fx.Node, trace: Trace, known: Mapping[fx.Node, Operation]) -> Operation:
    shape = _shape(node)
    module, module_type = _module(node)
    if node.op != "call_function":
        kind: OperationKind = "input" if node is trace.input_node else "constant"
        return Operation(node, "", kind, None, shape, kind == "input")
    name = node_name(node)
    op = op_of(name)
    read = node.args[:1] if op.like_second else node.all_input_nodes
    depends = any(isinstance(input_node, fx.Node) and known[input_node].differentiable for input_node in read)
    differentiable = depends and (not op.no_signal or op.cuts_gradient)
    kind, window = _classify(node, op, known)
    overwrites = op.inplace is not None and _is_unshared(node.args[0], known)
    return Operation(node, name, kind, window, shape, differentiable, overwrites, module, module_type)


def _is_unshared(source: Any, known: Mapping[fx.Node, Operation]) -> bool:
    """Return whether a value is a new tensor with one reader."""
    operation = known[source]
    is_new = operation.window is not None and operation.window.kind != "pad"
    return len(source.users) == 1 and (is_new or operation.op.role == "batch norm") and operation.op.spatial != "part"


def _classify(node: fx.Node, op: Op, known: Mapping[fx.Node, Operation]) -> tuple[OperationKind, Window | None]:
    kinds = {known[input_node].kind for input_node in node.all_input_nodes}
    if kinds <= {"constant"}:
        return "constant", None
    if kinds <= {"constant", "size"} or not isinstance(node.meta.get("val"), Tensor | tuple | list):
        return "size", None
    if "whole" in kinds or _couples_batch(node, op):
        return "whole", None
    if op.spatial == "window":
        window = _window(node, op, known)
        return ("whole", None) if window is None else ("window", window)
    varying = [input_node for input_node in node.all_input_nodes if known[input_node].varies]
    return ("pointwise" if is_pointwise(node, op, varying) else "whole"), None


def _window(node: fx.Node, op: Op, known: Mapping[fx.Node, Operation]) -> Window | None:
    """Return the window of an operation that maps one feature map (N, C, H, W) to another; else None."""
    assert op.window is not None
    source = node.args[0]
    varying = [input_node for input_node in node.all_input_nodes if known[input_node].kind != "constant"]
    if not isinstance(source, fx.Node) or varying != [source]:
        return None
    shape, out = known[source].shape or (), _shape(node) or ()
    if len(shape) != 4 or len(out) != 4:
        return None
    values = fx.node.map_arg((node.args[1:], dict(node.kwargs)), lambda input_node: input_node.meta["val"])
    return op.window(shape, *values[0], **values[1])


def _couples_batch(node: fx.Node, op: Op) -> bool:
    return op.couples_batch is not None and op.couples_batch(Call(tuple(node.args), dict(node.kwargs), lambda value: False))


def _shape(node: fx.Node) -> tuple[int, ...] | None:
    """Return the shape of a node's output for a batch of one image; None if it is not a tensor."""
    value = node.meta.get("val")
    return tuple(_size_for_one(size) for size in value.shape) if isinstance(value, Tensor) else None


def _size_for_one(size: Any) -> int:
    if not isinstance(size, torch.SymInt):
        return int(size)
    expression = size.node.expr
    return int(expression.subs(dict.fromkeys(expression.free_symbols, 1)))


def _module(node: fx.Node) -> tuple[str, str]:
    """Return the name and the class of the innermost module that a node belongs to."""
    stack: Sequence[tuple[str, Any]] = list((node.meta.get("nn_module_stack") or {}).values())
    inside = [(path, kind) for path, kind in stack if path.startswith("model")]
    if not inside:
        return "", ""
    path, kind = inside[-1]
    return path.removeprefix("model").removeprefix("."), (kind if isinstance(kind, str) else kind.__name__).rsplit(".", 1)[-1]
