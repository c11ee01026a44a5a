"""Another first layer: filters of another size, at another stride, with the weights that the network has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from deconvwidgets.arguments import describe, flag, integer_array
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.windows import Pair, Window, pair
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.modules import FollowedConv2d, shallow_copy
from deconvwidgets.models.surgery.operation import Change, operable, operated
from deconvwidgets.models.surgery.sites import Weighted, leaf_at, name_of, short_name, varying_users, weighted
from deconvwidgets.models.surgery.units import with_parameters

_MAX_SIZE = 64  # pixels


def change_first_layer(
    bundle: ModelBundle,
    kernel_size: int | tuple[int, int] | None = None,
    stride: int | tuple[int, int] | None = None,
    *,
    keep_grid: bool = True,
) -> ModelBundle:
    """Return a new bundle whose first convolution has filters of another size, or another stride.

    Zeiler & Fergus 2014, section 4.1, replace 11 x 11 filters at stride 4 by 7 x 7 at stride 2, and train anew. Here the filters are
    resampled, so that the network can be measured at once: by bicubic interpolation, with a low-pass filter before they become smaller, and
    each is scaled to the sum of squares that it had. The centres of the filters stay where they are, as far as the padding allows.

    Parameters
    ----------
    bundle : ModelBundle
        The network. It is not changed.
    kernel_size : int or (int, int), optional
        The size of the filters in pixels, (rows, columns). Defaults to that they have.
    stride : int or (int, int), optional
        The stride in pixels. Defaults to that they have.
    keep_grid : bool
        Whether the next layer that subsamples gets another stride, so that its map, and all after it, keep their sizes and their grid: at
        stride 2, AlexNet's pool1 has windows of 5 x 5 with stride 4, which are the pixels that it pooled before. Else all later maps have
        other sizes, which the model must allow.

    Returns
    -------
    ModelBundle
        With one more step in `surgery`.

    Raises
    ------
    LayerError
        If no layer can have another stride, so that the grid is kept.
    ModelError
        If an argument is invalid or nothing would change, the model cannot be traced, or the new model does not run.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> changed = dw.surgery.change_first_layer(dw.load_model("alexnet", weights=None), 7, 2)
    >>> [(info.alias, info.height) for info in changed.network.layers if info.alias in ("conv1", "pool1", "conv2")]
    [('conv1', 109), ('pool1', 27), ('conv2', 27)]
    """
    bundle, base, graph = operable(bundle)
    keep = flag(keep_grid, "keep_grid", ModelError)
    first = _first(base, graph)
    old: Any = first.module
    size, step = _pair(kernel_size, "kernel_size", old.kernel_size), _pair(stride, "stride", old.stride)
    if (size, step) == (old.kernel_size, old.stride):
        raise ModelError(f"The first layer of {bundle.name} has {_words(size, step)} already: give another kernel_size or stride.")
    ratio = (Fraction(old.stride[0], step[0]), Fraction(old.stride[1], step[1]))
    later = _later(base, graph, first, ratio) if keep and set(ratio) != {Fraction(1)} else None
    padding, later = _padding(base, graph, first, later, size, step) if keep else (_centred(first, size), later)
    same = size == old.kernel_size
    changed = shallow_copy(old) if same else with_parameters(old, {"weight": resampled(first.weight, size)})
    for name, value in (("kernel_size", size), ("stride", step), ("padding", padding)):
        setattr(changed, name, value)
    _set_reversed_padding(changed, padding)
    modules: dict[str, nn.Module] = {first.path: changed} | ({} if later is None else {later.path: later.module})
    after = "" if later is None else f" {later.name} has {_words(*later.window)} now, so that later maps keep their size and grid."
    filters = "" if same else " Filters are resampled (bicubic, low-pass), each with its old sum of squares."
    was, now = _words(old.kernel_size, old.stride), _words(size, step)
    description = f"{first.name} has {now}, not {was}.{filters}{after}"
    arguments = {"kernel_size": list(size), "stride": list(step), "keep_grid": keep}
    label = f"{first.name} {size[0]}x{size[1]}/{step[0]}"
    return operated(bundle, Change(modules, {f"{first.path}.weight": 0}), "change_first_layer", label, description, arguments)


def resampled(weight: Tensor, size: Pair) -> Tensor:
    """Return filters (units, channels, rows, columns) of another size, each with the sum of squares that it had."""
    if tuple(weight.shape[2:]) == size:
        return weight
    old = weight.cpu().double()
    filters = F.interpolate(old, size=size, mode="bicubic", align_corners=False, antialias=True)
    norms = [values.flatten(1).norm(dim=1)[:, None, None, None] for values in (old, filters)]
    scaled = torch.where(norms[1] > 0, filters * (norms[0] / norms[1].clamp(min=1e-300)), filters)
    return scaled.to(weight.dtype).to(weight.device)


def _pair(value: object, name: str, default: Pair) -> Pair:
    if value is None:
        return default
    expected = f"a number of pixels from 1 to {_MAX_SIZE}, or (rows, columns)"
    numbers = integer_array(value, name, ((), (2,)), expected, ModelError)
    if numbers.min() < 1 or numbers.max() > _MAX_SIZE:
        raise ModelError(f"{name} must be {expected}, not {describe(value)}.")
    return pair(numbers.reshape(-1).tolist())


def _words(size: Pair, stride: Pair) -> str:
    step = str(stride[0]) if stride[0] == stride[1] else f"{stride[0]} x {stride[1]}"
    return f"{size[0]} x {size[1]} at stride {step}"


def _first(base: ModelBundle, graph: Graph) -> Weighted:
    """Return the first convolution. Raises LayerError if it is not the only one that reads the image, or no plain one."""
    node = next((node for node, operation in graph.operations.items() if operation.op.role == "convolution" and operation.varies), None)
    if node is None:
        raise LayerError(f"{base.name} has no convolution.")
    name = name_of(base, graph, node)
    first = weighted(graph, base.model, node, name)
    module: Any = first.module
    if type(module) not in (nn.Conv2d, FollowedConv2d):
        raise LayerError(f"{name} of {base.name} is a {type(module).__name__}, whose own code may depend on its size, not an nn.Conv2d.")
    if (
        module.dilation != (1, 1)
        or isinstance(module.padding, str)
        or node.args[0] is not graph.input_node
        or len(varying_users(graph, graph.input_node)) > 1
    ):
        raise LayerError(
            f"{name} of {base.name} has a dilation, padding by name, or is not the only operation that reads the image: its size cannot be "
            "changed."
        )
    return first


@dataclass(frozen=True)
class _Later:
    """The layer that subsamples next, with another stride.

    Parameters
    ----------
    path : str
        The dotted name of its module.
    module : nn.Module
        The module that replaces it.
    name : str
        The layer, for messages.
    window : (Pair, Pair)
        Its new size and stride.
    node : fx.Node
        Its output.
    between : tuple of Window
        Those of the operations between the first layer and it, by which sizes change.
    """

    path: str
    module: nn.Module
    name: str
    window: tuple[Pair, Pair]
    node: fx.Node
    between: tuple[Window, ...]


def _later(base: ModelBundle, graph: Graph, first: Weighted, ratio: tuple[Fraction, Fraction]) -> _Later:
    """Return the layer that gets another stride. Raises LayerError if there is none."""
    node, between = first.node, list[Window]()
    while len(users := varying_users(graph, node)) == 1:
        (node,) = users
        operation = graph.operations.get(node)
        if operation is None or operation.kind not in ("window", "pointwise"):
            break
        window = operation.window
        if window is None or window.kind == "pad":
            continue
        steps = [window.stride[axis] * ratio[axis] for axis in (0, 1)]
        leaf = leaf_at(graph, base.model, node)
        if window.stride != (1, 1) and leaf is not None and all(step.denominator == 1 for step in steps):
            changed = _with_stride(leaf[1], (int(steps[0]), int(steps[1])), ratio)
            if changed is not None:
                return _Later(leaf[0], changed[0], short_name(base, graph, node), changed[1], node, tuple(between))
        between.append(window)
    raise LayerError(
        f"No layer after {first.name} of {base.name} can have a stride that is {ratio[0]} times its own, before the maps branch or are "
        "flattened: choose another stride, or pass keep_grid=False."
    )


def _with_stride(module: Any, stride: Pair, ratio: tuple[Fraction, Fraction]) -> tuple[nn.Module, tuple[Pair, Pair]] | None:
    """Return a module with another stride, and its size and stride. Windows of pooling cover the pixels that they covered."""
    if type(module) in (nn.Conv2d, FollowedConv2d):
        return shallow_copy(module, stride=stride), (module.kernel_size, stride)
    if type(module) not in (nn.MaxPool2d, nn.AvgPool2d) or pair(getattr(module, "dilation", 1)) != (1, 1):
        return None
    kernel, padding = pair(module.kernel_size), pair(module.padding)
    size = [max(round((kernel[axis] - 1) * ratio[axis]) + 1, 1) for axis in (0, 1)]
    beside = [min(round(padding[axis] * ratio[axis]), size[axis] // 2) for axis in (0, 1)]
    window = ((size[0], size[1]), stride)
    return shallow_copy(module, kernel_size=window[0], stride=stride, padding=(beside[0], beside[1])), window


def _centred(first: Weighted, size: Pair) -> Pair:
    """Return the padding that keeps the centres of the filters where they are, or the nearest."""
    padding = [_by_distance(first, size, axis)[0] for axis in (0, 1)]
    return (padding[0], padding[1])


def _by_distance(first: Weighted, size: Pair, axis: int) -> list[int]:
    """Return possible paddings, those that move the centres of the filters least first."""
    old: Any = first.module
    ideal = pair(old.padding)[axis] + Fraction(size[axis] - old.kernel_size[axis], 2)
    return sorted(range(size[axis]), key=lambda padding: (abs(padding - ideal), padding))


def _padding(base: ModelBundle, graph: Graph, first: Weighted, later: _Later | None, size: Pair, step: Pair) -> tuple[Pair, _Later | None]:
    """Return the padding of the first layer with which later maps have their sizes, nearest to that which keeps the centres.

    Pooling that kept a last window beyond the border (ceil_mode) may have to drop it.
    """
    target = graph.operations[first.node if later is None else later.node].extent
    for option in [later] if later is None or not getattr(later.module, "ceil_mode", False) else [later, _without_ceil(later)]:
        fitting = [
            [padding for padding in _by_distance(first, size, axis) if _extent(base, option, padding, size, step, axis) == target[axis]]
            for axis in (0, 1)
        ]
        if all(fitting):
            return (fitting[0][0], fitting[1][0]), option
    raise LayerError(
        f"No padding of {first.name} gives later maps of {base.name} their sizes with {_words(size, step)}: choose another size or stride, "
        "or pass keep_grid=False."
    )


def _without_ceil(later: _Later) -> _Later:
    return replace(later, module=shallow_copy(later.module, ceil_mode=False))


def _extent(base: ModelBundle, later: _Later | None, padding: int, size: Pair, step: Pair, axis: int) -> int:
    """Return the rows or columns of the map that has to keep its size."""
    extent = (base.input_size[1 + axis] + 2 * padding - size[axis]) // step[axis] + 1
    if later is None:
        return extent
    for window in later.between:
        reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        extent = (extent + 2 * window.before[axis] - reach) // window.stride[axis] + 1
    if extent < 1:
        return 0
    module: Any = later.module
    kernel, stride, beside = (pair(value)[axis] for value in (module.kernel_size, module.stride, module.padding))
    reach = pair(getattr(module, "dilation", 1))[axis] * (kernel - 1) + 1
    free = extent + 2 * beside - reach
    if free < 0:
        return 0
    steps = -(-free // stride) if getattr(module, "ceil_mode", False) else free // stride
    return steps if steps * stride >= extent + beside else steps + 1


def _set_reversed_padding(module: Any, padding: Pair) -> None:
    """Set what torch.nn.Conv2d derives from its padding when it is made."""
    module._reversed_padding_repeated_twice = [padding[1], padding[1], padding[0], padding[0]]
