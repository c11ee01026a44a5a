"""A model with a softmax head on one of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from deconvwidgets.engine import Network
from deconvwidgets.engine.example import reference_tensor
from deconvwidgets.engine.hook_runner import run_with_hooks
from deconvwidgets.engine.tracing import Trace
from deconvwidgets.engine.wrapped_model import WrappedModel
from deconvwidgets.errors import HeadError, LayerError
from deconvwidgets.models.extended_model import ExtendedModel, copied_trace
from deconvwidgets.models.head_files import describe_classes, require_head
from deconvwidgets.records.heads import Head
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.quantity import SOFTMAX


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


class HeadedModel(ExtendedModel):
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
    traced : bool
        Whether `original` can be traced.
    """

    def __init__(self, original: nn.Module, head: SoftmaxHead, layer: str, traced: bool) -> None:
        super().__init__(original, "softmax_head", head)
        self._layer = layer
        self._traced = traced

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits (N, classes)."""
        head, logits = self.added, list[Tensor]()

        def apply_head(name: str, module: nn.Module, args: Any, output: Any) -> bool:
            if name == self._layer:
                logits.append(head(output))
            return False  # the whole model is run, because its later layers belong to this model, too

        if self._traced:
            Network.of(self.original, batch.shape[1:]).visit(batch, [self._layer], lambda name, value: logits.append(head(value)))
        else:
            run_with_hooks(self.original, batch, apply_head)
        if not logits:
            raise HeadError(f"The forward pass did not reach '{self._layer}', which the head needs: its control flow depends on the input.")
        return logits[0]

    def extend(self, trace: Trace, layers: Mapping[str, fx.Node]) -> Trace:
        """Return the trace of `original` with the head as its output."""
        return _extend(trace, layers[self._layer], self._added_name, self.added)  # type: ignore[arg-type]


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
    network = Network.of(model, input_size)
    try:
        info = network.layer(head.layer)
    except LayerError as error:
        raise HeadError(f"{name} has no layer '{head.layer}', on which the head was trained ({head.model}). {_train_hint(head)}") from error
    _check_digest(head, network.digest(head.layer), name)
    _check_features(head, info, name)
    return HeadedModel(model, SoftmaxHead(head, reference_tensor(model)), info.name, network.traced)


def head_fields(head: Head, model: nn.Module, input_size: tuple[int, int, int], name: str) -> dict[str, Any]:
    """Return the fields of a `ModelBundle` that a head decides. Arguments and errors are those of `attach_head`."""
    return {
        "model": attach_head(model, head, input_size, name),
        "categories": head.categories,
        "classifier": describe_classes(head),
        "quantity": SOFTMAX,
        "head": head,
    }


def _check_digest(head: Head, digest: str, name: str) -> None:
    if head.digest == digest:
        return
    layer = head.alias or head.layer
    raise HeadError(
        f"The head was trained on {layer} of {head.model}, but {layer} of this {name} is another layer or has other weights below it, or "
        f"the head was saved by an earlier version of deconvwidgets: its features may be different. {_train_hint(head)}"
    )


def _check_features(head: Head, info: LayerInfo, name: str) -> None:
    layer = head.alias or head.layer
    is_map = (info.height, info.width) != (1, 1) or head.pool is not None
    grid = head.pool if head.pool is not None and is_map else (info.height, info.width)
    features = info.channels * grid[0] * grid[1]
    if features != head.weight.shape[1]:
        size = " x ".join(map(str, (info.channels, info.height, info.width) if is_map else (info.channels,)))
        raise HeadError(
            f"The head needs {head.weight.shape[1]:,} features, but {layer} of {name} has {features:,} ({size}): the head was trained at "
            f"another input size. {_train_hint(head)}"
        )


def _train_hint(head: Head) -> str:
    return f"Train a head for this model: dw.train_softmax_head(bundle, images, layer={(head.alias or head.layer)!r})."


def _extend(trace: Trace, layer: fx.Node, name: str, head: SoftmaxHead) -> Trace:
    """Return a trace with a head on a layer as its output."""
    trace, copies = copied_trace(trace)
    graph, added = trace.graph, list[fx.Node]()
    graph.erase_node(graph.output_node())
    with graph.inserting_before(next(iter(graph.nodes))):
        weight, bias = graph.placeholder(f"{name}_weight"), graph.placeholder(f"{name}_bias")
    features = copies[layer]

    def call(function: Any, *args: Any) -> fx.Node:
        node = graph.call_function(function, args)
        node.meta = {"val": function(*fx.node.map_arg(args, lambda argument: argument.meta["val"]))}
        added.append(node)
        return node

    with layer.meta["val"].fake_mode, torch.no_grad():
        for node, part in ((weight, head.weight), (bias, head.bias)):
            node.meta = {"val": torch.empty(part.shape, dtype=part.dtype, device=part.device)}
        if head.pool is not None and len(features.meta["val"].shape) == 4:
            features = call(torch.ops.aten.adaptive_avg_pool2d.default, features, list(head.pool))
        logits = call(torch.ops.aten.linear.default, call(torch.ops.aten.flatten.using_ints, features, 1), weight, bias)
    graph.output((logits,))
    return replace(
        trace,
        names={**trace.names, weight: f"{name}.weight", bias: f"{name}.bias"},
        calls={**trace.calls, name: logits},
        structure=pytree.tree_structure(0),
        overwritten=(),
        added=trace.added | set(added),
    )
