"""A model that answers with a softmax head on the features of one of its layers."""

from __future__ import annotations

import threading
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from deconvwidgets.engine.digests import model_digest, node_digest
from deconvwidgets.engine.tracing import Trace, WrappedModel, example_batch, example_output, run_nodes, trace_model
from deconvwidgets.errors import GraphError, HeadError
from deconvwidgets.models.head_files import require_head
from deconvwidgets.records.heads import Head

_NAME = "softmax_head"


class SoftmaxHead(nn.Module):
    """Maps (N, C, H, W), or (N, C), to logits (N, classes): average-pooled, flattened by (channel, row, column), one linear layer.

    It is not an nn.Linear, so that the layers of the model below keep their count: the paper's fc6 is the model's own.
    """

    def __init__(self, head: Head, like: Tensor) -> None:
        super().__init__()
        self.pool = head.pool
        self.weight = nn.Parameter(torch.from_numpy(head.weight).to(like.device, like.dtype, copy=True), requires_grad=False)
        self.bias = nn.Parameter(torch.from_numpy(head.bias).to(like.device, like.dtype, copy=True), requires_grad=False)
        self.training = False

    def forward(self, maps: Tensor) -> Tensor:
        """Logits (N, classes)."""
        pooled = maps if self.pool is None or maps.dim() != 4 else F.adaptive_avg_pool2d(maps, self.pool)
        return F.linear(pooled.flatten(1), self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"features={self.weight.shape[1]}, classes={self.weight.shape[0]}, pool={self.pool}"


class HeadedModel(WrappedModel):
    """`original` with a head on one of its layers. Input (N, C, H, W); output logits (N, classes).

    Every layer keeps its name, the original's modules and parameters are shared, and nothing of it is changed. A model that can be
    followed runs no further than the head needs; another runs whole, for it cannot be stopped safely while it is watched.
    """

    def __init__(self, original: nn.Module, head: SoftmaxHead, layer: str, trace: Trace | None, reason: str = "") -> None:
        super().__init__()
        self.training = False
        # Not registered as a child, which would prefix every name. The dictionaries are the original's own: a move of this model to
        # another device replaces buffers in them, and the original, whose children move along, must not keep the old ones.
        self.__dict__["original"] = original
        self._parameters, self._buffers = original._parameters, original._buffers
        self._non_persistent_buffers_set = original._non_persistent_buffers_set
        self._head_name = _free_name(original)
        self._modules = {**original._modules, self._head_name: head}
        self._layer = layer
        self.reason = reason
        self.trace = None if trace is None else _extend(trace, layer, self._head_name)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:  # a constant of the original that its operations read
            return getattr(self.__dict__["original"], name)

    def forward(self, batch: Tensor) -> Tensor:
        """Logits (N, classes)."""
        if self.trace is None:
            return _answer_by_hook(self.original, self._layer, batch, self._modules[self._head_name])
        logits = batch
        for _, value in run_nodes(self.trace.required_for_output, dict(self.named_modules()), self.trace.source, batch):
            logits = value
        return logits


def attach_head(model: nn.Module, head: Head, input_size: tuple[int, int, int], name: str) -> HeadedModel:
    """`model` answering with `head`; a head that it has already is left off. `name` is the model's, for messages.

    Raises HeadError where the head was made for another model, other weights or another layer, or does not fit its features; ModelError
    where the model rejects inputs of `input_size`.
    """
    require_head(head)
    while isinstance(model, WrappedModel):
        model = model.original
    example = example_batch(model, input_size)
    expected, shapes = example_output(model, example), dict[fx.Node, tuple[int, ...]]()

    def note_shape(node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> None:
        if isinstance(value, Tensor):
            shapes[node] = tuple(value.shape)

    try:
        trace = trace_model(model, example.clone(), expected, note_shape)
    except GraphError as error:
        _check_digest(head, model_digest(model, head.layer), name)
        _check_features(head, _shape_by_hook(model, head.layer, example), name)
        return HeadedModel(model, SoftmaxHead(head, example), head.layer, None, str(error))
    node = trace.node_of(head.layer)
    if node is None or node not in shapes:
        raise HeadError(f"{name} has no layer '{head.layer}', which the head was trained on ({head.model}). {_way_on(head)}")
    _check_digest(head, node_digest(trace, dict(model.named_modules()), node), name)
    _check_features(head, shapes[node], name)
    return HeadedModel(model, SoftmaxHead(head, example), head.layer, trace)


def _check_digest(head: Head, digest: str, name: str) -> None:
    if head.digest == digest:
        return
    layer = head.alias or head.layer
    raise HeadError(
        f"The head was trained on {layer} of {head.model}, and {layer} of this {name} is another layer or has other weights below it: its "
        f"features mean something else. {_way_on(head)}"
    )


def _check_features(head: Head, shape: tuple[int, ...], name: str) -> None:
    layer = head.alias or head.layer
    if len(shape) not in (2, 4):
        raise HeadError(f"'{layer}' of {name} gives {shape[1:]} a picture: a head needs maps or a vector. {_way_on(head)}")
    grid = head.pool if head.pool is not None and len(shape) == 4 else shape[2:]
    features = int(torch.Size((shape[1], *grid)).numel())
    if features != head.weight.shape[1]:
        size = " x ".join(map(str, shape[1:]))
        raise HeadError(
            f"The head takes {head.weight.shape[1]:,} features, and {layer} of {name} gives {features:,} ({size}): it was trained at "
            f"another input size. {_way_on(head)}"
        )


def _way_on(head: Head) -> str:
    return f"Train one for this model: dw.train_softmax_head(bundle, images, layer={(head.alias or head.layer)!r})."


def _free_name(model: nn.Module) -> str:
    name = _NAME
    while hasattr(model, name):
        name += "_"
    return name


def _extend(trace: Trace, layer: str, head: str) -> Trace:
    """The trace with the head beside the layer's other readers, as the model's answer. The head reads at once: what comes next may
    overwrite the map."""
    graph, copies, found = fx.Graph(), dict[fx.Node, fx.Node](), trace.node_of(layer)
    assert found is not None
    graph.graph_copy(trace.graph, copies)
    with graph.inserting_after(copies[found]):
        logits = graph.call_module(head, (copies[found],))
    graph.output(logits)
    calls = {call: copies[node] for call, node in trace.calls.items()}
    return Trace(graph, {**calls, head: logits}, frozenset({logits}))


def _answer_by_hook(model: nn.Module, layer: str, batch: Tensor, head: Any) -> Tensor:
    """Logits of the layer's map, taken the moment it is computed: a later in-place operation may overwrite it."""
    module_name, _, number = layer.partition("#")
    thread, calls, answers = threading.get_ident(), 0, list[Tensor]()

    def seen(module: nn.Module, args: Any, output: Any) -> None:
        nonlocal calls
        if threading.get_ident() != thread:
            return  # another thread runs the same modules
        calls += 1
        if calls == int(number or 1):
            answers.append(head(output))

    handle = model.get_submodule(module_name).register_forward_hook(seen)
    try:
        model(batch)
    finally:
        handle.remove()
    if not answers:
        raise HeadError(
            f"The forward pass never reached '{layer}', which the head stands on: it went another way than when it was trained."
        )
    return answers[0]


def _shape_by_hook(model: nn.Module, layer: str, example: Tensor) -> tuple[int, ...]:
    shape: list[tuple[int, ...]] = []

    def note(output: Tensor) -> Tensor:
        shape.append(tuple(output.shape))
        return output

    with torch.no_grad():
        _answer_by_hook(model, layer, example.clone(), note)
    return shape[0]
