"""The model as typed operations: torch.fx tells what feeds what, one forward pass tells the shapes.

Each operation is of one of five kinds:
- input: the batch;
- constant: does not depend on the input (a weight, a standardised weight);
- window: a convolution, pooling or padding (`windows.py`);
- pointwise: output position (r, c) depends on input positions (r, c) only (rectifiers, batch norm, sums, concatenation of channels, ...);
- whole: anything else; beyond it a unit sees the whole image as far as we know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from torch import Tensor, fx, nn

from deconvwidgets.engine import ops, tracing
from deconvwidgets.engine.tracing import Trace, call_node, needed_for, run_nodes
from deconvwidgets.engine.windows import Window, window_of_call, window_of_module

OperationKind = Literal["input", "constant", "window", "pointwise", "whole"]


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
    """A followed model and what its operations are."""

    trace: Trace
    operations: Mapping[fx.Node, Operation]  # in order of execution
    modules: Mapping[str, nn.Module]

    @property
    def calls(self) -> Mapping[str, fx.Node]:
        """The node that holds the output of each module call ("features.0", "layer1.0.relu#2")."""
        return self.trace.calls

    @property
    def source(self) -> fx.Node:
        """The batch."""
        return self.trace.source

    def map_sizes(self) -> list[int]:
        """How many numbers each map has that depends on the input, for one image."""
        return [prod(one.shape) for one in self.operations.values() if one.shape is not None and one.kind != "constant"]

    def ancestors(self, targets: Iterable[fx.Node]) -> list[Operation]:
        """What has to run for these nodes, in order."""
        return [self.operations[node] for node in needed_for(self.operations, targets)]

    def call(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one node on its arguments, exactly as the model would."""
        return call_node(node, self.modules, args, kwargs)

    def visit(self, batch: Tensor, targets: Mapping[str, fx.Node], visit: Callable[[str, Tensor], None]) -> None:
        """Run the followed model on `batch` (N, C, H, W) and show each target's map to `visit` the moment it is computed: a later in-place
        operation may overwrite it."""
        names: dict[fx.Node, list[str]] = {}
        for name, node in targets.items():
            names.setdefault(node, []).append(name)
        nodes = [operation.node for operation in self.ancestors(targets.values())]
        for node, value in run_nodes(nodes, self.modules, self.source, batch):
            for name in names.get(node, ()):
                visit(name, value)


def follow(model: nn.Module, example: Tensor, own: Any) -> Graph:
    """The graph of `model` for inputs of the example's size (1, C, H, W); `own` is the model's own output for the example.

    Raises GraphError where the model cannot be followed (`tracing.follow` says when).
    """
    modules = dict(model.named_modules())
    operations: dict[fx.Node, Operation] = {}

    def type_operation(node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> None:
        shape = tuple(value.shape) if isinstance(value, Tensor) else None
        if node.op == "placeholder":
            operations[node] = Operation(node, "constant", None, None) if operations else Operation(node, "input", None, shape)
            return
        typed = _classify(node, args, kwargs, operations, modules)
        kind, window = _confirm(*typed, node, shape, operations)
        operations[node] = Operation(node, kind, window, shape)

    trace = tracing.follow(model, example, own, type_operation)
    return Graph(trace, operations, modules)


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
        return ("pointwise" if isinstance(module, ops.POINTWISE_MODULES) else "whole"), None
    if node.op == "call_method":
        return ("pointwise" if node.target in ops.POINTWISE_METHODS or _keeps_space(node) else "whole"), None
    window = window_of_call(node.target, args, kwargs) if len(spatial) == 2 and callable(node.target) else None
    if window is not None:
        return "window", window
    return ("pointwise" if node.target in ops.POINTWISE_FUNCTIONS or _keeps_space(node) else "whole"), None


def _keeps_space(node: fx.Node) -> bool:
    """Operations on the channel axis only: concatenation, splitting, picking and inserting before the two last axes."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    place = ops.CHANNEL_AXIS_ARGUMENT.get(name)
    if place is not None:
        axis = node.kwargs.get("dim", node.kwargs.get("axis", node.args[place] if len(node.args) > place else 0))
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
