"""The filters of a model's convolutions, with the batch norm that follows folded into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from deconvwidgets.engine.executor import Executor, function_of
from deconvwidgets.engine.graph import Graph, Operation
from deconvwidgets.engine.layers import feature_maps
from deconvwidgets.engine.network import Network
from deconvwidgets.engine.windows import Window
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True, slots=True)
class ConvolutionFilters:
    """The filters of one convolution.

    Attributes
    ----------
    name : str
        The dotted name of the convolution.
    layer : LayerInfo
        Its feature map.
    window : Window
        Its kernel, stride, padding, dilation and groups.
    weight : Tensor (U, I, rows, columns)
        Its own weights, I input channels per group.
    scale, offset : Tensor (U,), float64
        What the batch norm that directly follows, and the bias, make of it: the map before the activation function is
        `scale * (weight * input) + offset`. Without batch norm 1 and the bias.
    reads_input : bool
        Whether it reads the model's input, perhaps padded, and after operations on one position at a time that keep the number of channels:
        scaling, a flip of the channels, a square, ... `value_read` says which value it reads.
    node : fx.Node
        The convolution in the graph.
    """

    name: str
    layer: LayerInfo
    window: Window
    weight: Tensor
    scale: Tensor
    offset: Tensor
    reads_input: bool
    node: fx.Node

    @property
    def folded(self) -> Tensor:
        """The weights times `scale`: (U, I, rows, columns), float64 on the CPU."""
        return self.weight.detach().cpu().double() * self.scale[:, None, None, None]


def convolution_filters(network: Network) -> list[ConvolutionFilters]:
    """Return the filters of a model's two-dimensional convolutions, in order of execution; none of a model that cannot be traced.

    Transposed convolutions, and those whose weights are computed from the image, have none. Weights that are computed from parameters, as
    by weight norm, are those that the convolution is given.

    Examples
    --------
    >>> from deconvwidgets import load_model
    >>> first = convolution_filters(load_model("alexnet").network)[0]
    >>> first.layer.alias, tuple(first.folded.shape), first.window.stride, first.reads_input
    ('conv1', (64, 3, 11, 11), (4, 4), True)
    """
    graph = network.graph
    if graph is None:
        return []
    values, infos = graph.trace.bind(network.model), {network.node(info.name): info for info in network.layers}
    found = []
    for node, feature_map in feature_maps(graph).items():
        operation, window, info = graph.operations[node], graph.window_of(node), infos.get(feature_map)
        if window is None or info is None:
            continue
        values |= _computed(graph, node, values)
        weight, bias = window.parameters(node, values)
        if weight is None or weight.dim() != 4 or len(weight) != info.channels:
            continue
        scale, offset = _scale_and_offset(graph, node, values, len(weight), bias)
        reads_input = _reads_input(graph, node)
        found.append(ConvolutionFilters(operation.module, info, window, weight, scale, offset, reads_input, node))
    return found


def _computed(graph: Graph, node: fx.Node, values: Mapping[fx.Node, Tensor]) -> dict[fx.Node, Tensor]:
    """Return the operands of a convolution, and of the batch norm that directly follows, that are computed from parameters."""
    readers = [node, *(user for user in node.users if user.op == "call_function" and graph.operations[user].op.role == "batch norm")]
    operands = {operand for reader in readers for operand in reader.all_input_nodes}
    missing = [operand for operand in operands if operand not in values and graph.operations[operand].kind == "constant"]
    with torch.no_grad():
        run = Executor(graph, graph.ancestors(missing), values).execute(None) if missing else ()
        return {operation.node: value for operation, value in run if operation.node in missing}


def _scale_and_offset(
    graph: Graph, node: fx.Node, values: Mapping[fx.Node, Tensor], units: int, bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return what batch norm makes of a convolution's units: its values for 0 and 1, and where the bias takes them."""
    shift = torch.zeros(units, dtype=torch.float64) if bias is None else bias.detach().cpu().double()
    users = [user for user in node.users if user.op == "call_function"]
    if len(users) != 1 or len(node.users) != 1 or graph.operations[users[0]].op.role != "batch norm":
        return torch.ones(units, dtype=torch.float64), shift
    operation = graph.operations[users[0]]
    rest = fx.node.map_arg(tuple(operation.node.args[1:]), lambda argument: values[argument].detach().cpu().double())
    probe = torch.stack([torch.zeros(units, dtype=torch.float64), torch.ones(units, dtype=torch.float64)])[:, :, None, None]
    with torch.no_grad():
        result = function_of(operation)(probe, *rest, **operation.node.kwargs)[:, :, 0, 0]
    scale = result[1] - result[0]
    return scale, result[0] + scale * shift


def _reads_input(graph: Graph, node: fx.Node) -> bool:
    """Return whether a convolution reads the input through padding and operations that keep positions and the number of channels."""
    current = node
    while current is not graph.input_node:
        sources = graph.varying_inputs(current)
        operation = graph.operations[current]
        allowed = current is node or _is_padding(operation) or operation.kind == "pointwise"
        if len(sources) != 1 or not allowed or _changes_shape(graph, current, node):
            return False
        current = sources[0]
    return True


def value_read(graph: Graph, node: fx.Node) -> fx.Node:
    """Return the value that a convolution reads, before the padding that directly precedes it: it has no border of the padding."""
    (value,) = graph.varying_inputs(node)
    while _is_padding(graph.operations[value]):
        (value,) = graph.varying_inputs(value)
    return value


def _is_padding(operation: Operation) -> bool:
    return operation.window is not None and operation.window.kind == "pad"


def _changes_shape(graph: Graph, current: fx.Node, node: fx.Node) -> bool:
    """Return whether an operation between the input and the convolution has another shape than an image of the input's channels."""
    shape, expected = graph.operations[current].shape, graph.operations[graph.input_node].shape
    return current is not node and (shape is None or expected is None or shape[:2] != expected[:2])
