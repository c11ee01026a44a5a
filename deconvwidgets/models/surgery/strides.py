"""Convolutions that are blurred before they are subsampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import fx, nn

from deconvwidgets.engine.blur import Blur
from deconvwidgets.engine.graph import Graph
from deconvwidgets.errors import LayerError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.modules import FollowedConv2d, can_be_followed, followed_by, shallow_copy
from deconvwidgets.models.surgery.operation import Change, operable, operated
from deconvwidgets.models.surgery.sites import (
    Weighted,
    activation_after,
    checked_layers,
    leaf_at,
    name_of,
    weighted,
    weighted_of_layer,
)


def blur_strides(bundle: ModelBundle, layers: str | Sequence[str] | None = None) -> ModelBundle:
    """Return a new bundle in which convolutions with a stride are computed at every position, and blurred before the subsampling.

    The blur (see `swap_pooling`) stands after the rectifier, as in Zhang 2019, or after the convolution if no rectifier follows it
    directly. Maps keep their sizes and their grid, and no parameter changes. It is our extension; Zeiler & Fergus 2014, section 4.1, remove
    aliasing by a smaller stride. The convolution takes stride * stride times as long.

    Parameters
    ----------
    bundle : ModelBundle
        The network. It is not changed.
    layers : str or sequence of str, optional
        Layers, such as "conv1". By default, all convolutions with a stride of more than 1.

    Returns
    -------
    ModelBundle
        With one more step in `surgery`.

    Raises
    ------
    LayerError
        If a layer does not exist, is no convolution with a stride, or its rectifier is a function call, a shared module, or has parameters.
    ModelError
        If the model cannot be traced, or the new model does not run.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> blurred = dw.surgery.blur_strides(dw.load_model("alexnet", weights=None))
    >>> blurred.surgery[0].description
    'conv1 is computed at every position, blurred, then subsampled with a stride of 4 (Zhang 2019).'
    """
    bundle, base, graph = operable(bundle)
    if layers is None:
        found = [node for node, operation in graph.operations.items() if operation.varies and _has_stride(graph, node)]
        if not found:
            raise LayerError(f"{base.name} has no convolutions with a stride of more than 1.")
        convolutions = [weighted(graph, base.model, node, name_of(base, graph, node)) for node in found]
    else:
        convolutions = [weighted_of_layer(base, graph, layer) for layer in checked_layers(base, layers)]
    modules: dict[str, nn.Module] = {}
    for convolution in convolutions:
        modules |= _blurred(base, graph, convolution)
    names = [convolution.name for convolution in convolutions]
    strides = {_stride(convolution.module) for convolution in convolutions}
    stride = f"a stride of {strides.pop()}" if len(strides) == 1 else "their strides"
    subject = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
    description = f"{subject} computed at every position, blurred, then subsampled with {stride} (Zhang 2019)."
    return operated(bundle, Change(modules, keeps_sizes=True), "blur_strides", "blurred strides", description, {"layers": names})


def _has_stride(graph: Graph, node: fx.Node) -> bool:
    window = graph.window_of(node)
    return graph.operations[node].op.role == "convolution" and window is not None and window.stride != (1, 1)


def _stride(module: Any) -> str:
    rows, columns = module.stride
    return str(rows) if rows == columns else f"{rows} x {columns}"


def _blurred(base: ModelBundle, graph: Graph, convolution: Weighted) -> dict[str, nn.Module]:
    module, name = convolution.module, convolution.name
    if not _has_stride(graph, convolution.node):
        raise LayerError(f"{name} of {base.name} is no convolution with a stride of more than 1, so there is nothing to blur.")
    if type(module) not in (nn.Conv2d, FollowedConv2d):
        raise LayerError(f"{name} of {base.name} is a {type(module).__name__}, whose own code may depend on its stride, not an nn.Conv2d.")
    blur, dense = Blur(module.stride), shallow_copy(module, stride=(1, 1))  # type: ignore[arg-type]
    activation = activation_after(graph, convolution.node)
    if activation is None:
        return {convolution.path: followed_by(dense, blur)}
    own = leaf_at(graph, base.model, activation)
    if own is None or not can_be_followed(own[1]):
        raise LayerError(
            f"The rectifier after {name} of {base.name} is a function call, a module that is called more than once or has parameters, so "
            "no blur can be put after it: give the model a rectifier module for this layer, or name other layers."
        )
    return {convolution.path: dense, own[0]: followed_by(own[1], blur)}
