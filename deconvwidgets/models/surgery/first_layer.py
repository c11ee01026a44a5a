"""Another first layer: filters of another size, at another stride, with the weights that the network has."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from deconvwidgets.arguments import describe, flag, integer_array
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.windows import Pair, pair
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.grid import by_distance, check_grid, in_words, later_layer, padding_for_grid
from deconvwidgets.models.surgery.modules import FollowedConv2d, shallow_copy
from deconvwidgets.models.surgery.operation import Change, operable, operated
from deconvwidgets.models.surgery.sites import Weighted, name_of, varying_users, weighted
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
        stride 2, AlexNet's pool1 has windows of 5 x 5 with stride 4, which are the pixels that it pooled before. This is checked; positions
        may move by less than half a step where no padding of the first layer keeps them exactly. Else all later maps have other sizes,
        which the model must allow.

    Returns
    -------
    ModelBundle
        With one more step in `surgery`.

    Raises
    ------
    LayerError
        If no layer can have another stride, so that the grid is kept, such as where maps are padded by an operation of their own first.
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
        raise ModelError(f"The first layer of {bundle.name} has {in_words(size, step)} already: give another kernel_size or stride.")
    ratio = (Fraction(old.stride[0], step[0]), Fraction(old.stride[1], step[1]))
    later = later_layer(base, graph, first, ratio) if keep and set(ratio) != {Fraction(1)} else None
    padding, later = padding_for_grid(base, graph, first, later, size, step) if keep else (_centred(first, size), later)
    same = size == old.kernel_size
    changed = shallow_copy(old) if same else with_parameters(old, {"weight": resampled(first.weight, size)})
    for name, value in (("kernel_size", size), ("stride", step), ("padding", padding)):
        setattr(changed, name, value)
    _set_reversed_padding(changed, padding)
    modules: dict[str, nn.Module] = {first.path: changed} | ({} if later is None else {later.path: later.module})
    after = "" if later is None else f" {later.name} has {in_words(*later.window)} now, so that later maps keep their size and grid."
    filters = "" if same else " Filters are resampled (bicubic, low-pass), each with its old sum of squares."
    was, now = in_words(old.kernel_size, old.stride), in_words(size, step)
    description = f"{first.name} has {now}, not {was}.{filters}{after}"
    arguments = {"kernel_size": list(size), "stride": list(step), "keep_grid": keep}
    label = f"{first.name} {size[0]}x{size[1]}/{step[0]}"
    change = Change(modules, {f"{first.path}.weight": 0})
    new = operated(bundle, change, "change_first_layer", label, description, arguments)
    if keep:
        check_grid(graph, new, *((first.path, first.name) if later is None else (later.path, later.name)))
    return new


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
    why = _unchangeable(graph, node, module)
    if why is not None:
        raise LayerError(f"{name} of {base.name} {why}: its size cannot be changed.")
    return first


def _unchangeable(graph: Graph, node: fx.Node, module: Any) -> str | None:
    """Return why the first convolution can have no other size, in words; None if it can."""
    if module.dilation != (1, 1):
        return f"has a dilation of {module.dilation[0]} x {module.dilation[1]}"
    if isinstance(module.padding, str):
        return f"has padding by name ({module.padding!r})"
    if node.args[0] is not graph.input_node:
        source = graph.operations[node.args[0]]  # type: ignore[index]
        return f"does not read the image itself, but what {source.name}{f' in {source.module!r}' if source.module else ''} makes of it"
    others = [user for user in varying_users(graph, graph.input_node) if user is not node]
    if others:
        what = "the model's output" if others[0].op == "output" else graph.operations[others[0]].name
        return f"is not the only operation that reads the image ({what} does, too)"
    return None


def _centred(first: Weighted, size: Pair) -> Pair:
    """Return the padding that keeps the centres of the filters where they are, or the nearest."""
    padding = [by_distance(first, size, axis)[0] for axis in (0, 1)]
    return (padding[0], padding[1])


def _set_reversed_padding(module: Any, padding: Pair) -> None:
    """Set what torch.nn.Conv2d derives from its padding when it is made."""
    module._reversed_padding_repeated_twice = [padding[1], padding[1], padding[0], padding[0]]
