"""A model with a softmax head on one of its layers."""

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
    """Maps features (N, C, H, W) or (N, C) to logits (N, classes) by average pooling, flattening and a linear map.

    It is not an nn.Linear, so it is not counted in the aliases of fully connected layers (fc6, fc7, ...).

    Parameters
    ----------
    head : Head
        The weights.
    like : torch.Tensor
        Device and dtype of the parameters.
    """

    def __init__(self, head: Head, like: Tensor) -> None:
        super().__init__()
        self.pool = head.pool
        self.weight = nn.Parameter(torch.from_numpy(head.weight).to(like.device, like.dtype, copy=True), requires_grad=False)
        self.bias = nn.Parameter(torch.from_numpy(head.bias).to(like.device, like.dtype, copy=True), requires_grad=False)
        self.training = False

    def forward(self, maps: Tensor) -> Tensor:
        """Return logits (N, classes)."""
        pooled = maps if self.pool is None or maps.dim() != 4 else F.adaptive_avg_pool2d(maps, self.pool)
        return F.linear(pooled.flatten(1), self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"features={self.weight.shape[1]}, classes={self.weight.shape[0]}, pool={self.pool}"


class HeadedModel(WrappedModel):
    """A model with a head on one of its layers. The input is (N, C, H, W); the output is logits (N, classes).

    Modules and parameters are shared with `original`, which is not changed, and all layers keep their names. A model that can be traced is
    run up to the layer of the head; otherwise the whole model is run.

    Parameters
    ----------
    original : torch.nn.Module
        The model.
    head : SoftmaxHead
        The head.
    layer : str
        The name of the layer that the head is on.
    trace : Trace or None
        The trace of `original`; None if it cannot be traced.
    reason : str
        Why it cannot be traced.
    """

    def __init__(self, original: nn.Module, head: SoftmaxHead, layer: str, trace: Trace | None, reason: str = "") -> None:
        super().__init__()
        self.training = False
        # The original is not registered as a submodule, which would prefix all names. The dictionaries are shared: moving this model to
        # another device replaces the buffers in them, and the original must not keep the old buffers.
        self.__dict__["original"] = original
        self._parameters, self._buffers = original._parameters, original._buffers
        self._non_persistent_buffers_set = original._non_persistent_buffers_set
        self._head_name = _unused_name(original)
        self._modules = {**original._modules, self._head_name: head}
        self._layer = layer
        self.reason = reason
        self.trace = None if trace is None else _extend(trace, layer, self._head_name)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:  # an attribute that the operations of the original read
            return getattr(self.__dict__["original"], name)

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits (N, classes)."""
        if self.trace is None:
            return _run_with_hook(self.original, self._layer, batch, self._modules[self._head_name])
        logits = batch
        for _, value in run_nodes(self.trace.required_for_output, dict(self.named_modules()), self.trace.input_node, batch):
            logits = value
        return logits


def attach_head(model: nn.Module, head: Head, input_size: tuple[int, int, int], name: str) -> HeadedModel:
    """Return a model with a head. A head that the model already has is removed.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    head : Head
        The head.
    input_size : tuple of (int, int, int)
        (channels, height, width) of the input.
    name : str
        The name of the model, for error messages.

    Returns
    -------
    HeadedModel
        The model with the head.

    Raises
    ------
    HeadError
        If the head was trained on another model, other weights or another layer, or if its number of features does not fit.
    ModelError
        If the model rejects inputs of `input_size`.
    """
    require_head(head)
    while isinstance(model, WrappedModel):
        model = model.original
    example = example_batch(model, input_size)
    output, shapes = example_output(model, example), dict[fx.Node, tuple[int, ...]]()

    def record_shape(node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> None:
        if isinstance(value, Tensor):
            shapes[node] = tuple(value.shape)

    try:
        trace = trace_model(model, example.clone(), output, record_shape)
    except GraphError as error:
        _check_digest(head, model_digest(model, head.layer), name)
        _check_features(head, _shape_by_hook(model, head.layer, example), name)
        return HeadedModel(model, SoftmaxHead(head, example), head.layer, None, str(error))
    node = trace.node_of(head.layer)
    if node is None or node not in shapes:
        raise HeadError(f"{name} has no layer '{head.layer}', on which the head was trained ({head.model}). {_train_hint(head)}")
    _check_digest(head, node_digest(trace, dict(model.named_modules()), node), name)
    _check_features(head, shapes[node], name)
    return HeadedModel(model, SoftmaxHead(head, example), head.layer, trace)


def _check_digest(head: Head, digest: str, name: str) -> None:
    if head.digest == digest:
        return
    layer = head.alias or head.layer
    raise HeadError(
        f"The head was trained on {layer} of {head.model}, but {layer} of this {name} is another layer or has other weights below it: "
        f"its features are different. {_train_hint(head)}"
    )


def _check_features(head: Head, shape: tuple[int, ...], name: str) -> None:
    layer = head.alias or head.layer
    if len(shape) not in (2, 4):
        raise HeadError(f"'{layer}' of {name} outputs {shape[1:]}, but a head needs feature maps or a vector. {_train_hint(head)}")
    grid = head.pool if head.pool is not None and len(shape) == 4 else shape[2:]
    features = int(torch.Size((shape[1], *grid)).numel())
    if features != head.weight.shape[1]:
        size = " x ".join(map(str, shape[1:]))
        raise HeadError(
            f"The head needs {head.weight.shape[1]:,} features, but {layer} of {name} has {features:,} ({size}): the head was trained at "
            f"another input size. {_train_hint(head)}"
        )


def _train_hint(head: Head) -> str:
    return f"Train a head for this model: dw.train_softmax_head(bundle, images, layer={(head.alias or head.layer)!r})."


def _unused_name(model: nn.Module) -> str:
    name = _NAME
    while hasattr(model, name):
        name += "_"
    return name


def _extend(trace: Trace, layer: str, head: str) -> Trace:
    """Return the trace with the head as its output. The head runs directly after the layer, because the next operation may change
    the map in place."""
    graph, copies, node = fx.Graph(), dict[fx.Node, fx.Node](), trace.node_of(layer)
    assert node is not None
    graph.graph_copy(trace.graph, copies)
    with graph.inserting_after(copies[node]):
        logits = graph.call_module(head, (copies[node],))
    graph.output(logits)
    calls = {call: copies[called] for call, called in trace.calls.items()}
    return Trace(graph, {**calls, head: logits}, frozenset({logits}))


def _run_with_hook(model: nn.Module, layer: str, batch: Tensor, head: Any) -> Tensor:
    """Apply the head to a layer's output in a forward hook, because a later operation may change the output in place."""
    module_name, _, number = layer.partition("#")
    thread, calls, logits = threading.get_ident(), 0, list[Tensor]()

    def apply_head(module: nn.Module, args: Any, output: Any) -> None:
        nonlocal calls
        if threading.get_ident() != thread:
            return  # another thread runs the same modules
        calls += 1
        if calls == int(number or 1):
            logits.append(head(output))

    handle = model.get_submodule(module_name).register_forward_hook(apply_head)
    try:
        model(batch)
    finally:
        handle.remove()
    if not logits:
        raise HeadError(f"The forward pass did not reach '{layer}', which the head needs: its control flow depends on the input.")
    return logits[0]


def _shape_by_hook(model: nn.Module, layer: str, example: Tensor) -> tuple[int, ...]:
    shapes: list[tuple[int, ...]] = []

    def record_shape(output: Tensor) -> Tensor:
        shapes.append(tuple(output.shape))
        return output

    with torch.no_grad():
        _run_with_hook(model, layer, example.clone(), record_shape)
    return shapes[0]
