"""Later maps on their grid after the stride of the first layer is another: the next layer that subsamples gets another stride, too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, fx, nn

from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.receptive_field import receptive_fields
from deconvwidgets.engine.windows import Pair, pair
from deconvwidgets.errors import LayerError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.modules import FollowedConv2d, shallow_copy
from deconvwidgets.models.surgery.sites import Weighted, leaf_at, short_name, varying_users

_AMPLE = 4096  # positions: more than any window covers


def in_words(size: Pair, stride: Pair) -> str:
    """Return a size and a stride as messages and steps say them."""
    step = str(stride[0]) if stride[0] == stride[1] else f"{stride[0]} x {stride[1]}"
    return f"{size[0]} x {size[1]} at stride {step}"


@dataclass(frozen=True)
class Later:
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
    between : tuple of fx.Node
        The windowed operations between the first layer and it.
    """

    path: str
    module: nn.Module
    name: str
    window: tuple[Pair, Pair]
    node: fx.Node
    between: tuple[fx.Node, ...]


def later_layer(base: ModelBundle, graph: Graph, first: Weighted, ratio: tuple[Fraction, Fraction]) -> Later:
    """Return the layer that gets another stride. Raises LayerError if there is none."""
    node, between = first.node, list[fx.Node]()
    while len(users := varying_users(graph, node)) == 1:
        (node,) = users
        operation = graph.operations.get(node)
        if operation is None or operation.kind not in ("window", "pointwise"):
            break
        window = operation.window
        if window is None:
            continue
        if window.kind == "pad":
            if window.before != (0, 0) or operation.extent != graph.operations[node.args[0]].extent:  # type: ignore[index]
                break
            continue
        steps = [window.stride[axis] * ratio[axis] for axis in (0, 1)]
        leaf = leaf_at(graph, base.model, node)
        if window.stride != (1, 1) and leaf is not None and all(step.denominator == 1 for step in steps):
            changed = _with_stride(leaf[1], (int(steps[0]), int(steps[1])), ratio)
            if changed is not None:
                return Later(leaf[0], changed[0], short_name(base, graph, node), changed[1], node, tuple(between))
        between.append(node)
    raise LayerError(
        f"No layer after {first.name} of {base.name} can have a stride that is {ratio[0]} times its own, before the maps branch, are "
        "padded by an operation of their own or flattened: choose another stride, or pass keep_grid=False."
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


def by_distance(first: Weighted, size: Pair, axis: int) -> list[int]:
    """Return possible paddings, those that move the centres of the filters least first."""
    old: Any = first.module
    ideal = pair(old.padding)[axis] + Fraction(size[axis] - old.kernel_size[axis], 2)
    return sorted(range(size[axis]), key=lambda padding: (abs(padding - ideal), padding))


def padding_for_grid(
    base: ModelBundle, graph: Graph, first: Weighted, later: Later | None, size: Pair, step: Pair
) -> tuple[Pair, Later | None]:
    """Return the padding of the first layer with which later maps have their sizes, nearest to that which keeps the centres.

    Pooling that kept a last window beyond the border (ceil_mode) may have to drop it.
    """
    target = graph.operations[first.node if later is None else later.node].extent
    for option in [later] if later is None or not getattr(later.module, "ceil_mode", False) else [later, _without_ceil(later)]:
        fitting = [
            [
                padding
                for padding in by_distance(first, size, axis)
                if _extent(base, graph, first, option, padding, size, step, axis) == target[axis]
            ]
            for axis in (0, 1)
        ]
        if all(fitting):
            return (fitting[0][0], fitting[1][0]), option
    raise LayerError(
        f"No padding of {first.name} gives later maps of {base.name} their sizes with {in_words(size, step)}: choose another size or "
        "stride, or pass keep_grid=False."
    )


def _without_ceil(later: Later) -> Later:
    return replace(later, module=shallow_copy(later.module, ceil_mode=False))


def _extent(base: ModelBundle, graph: Graph, first: Weighted, later: Later | None, padding: int, size: Pair, step: Pair, axis: int) -> int:
    """Return the rows or columns of the map that has to keep its size; 0 if it would have none."""
    extent = (base.input_size[1 + axis] + 2 * padding - size[axis]) // step[axis] + 1
    if later is None or extent < 1:
        return max(extent, 0)
    sizes = (extent, _AMPLE) if axis == 0 else (_AMPLE, extent)
    try:
        for node in later.between:
            sizes = _size_after(graph, node, sizes)
        maps = _empty_maps(graph, later.node.args[0], sizes)
        state = {name: value.to("meta") for name, value in later.module.state_dict().items()}
        return int(torch.func.functional_call(later.module, state, (maps,)).shape[2 + axis])
    except RuntimeError:  # a map is smaller than a window
        return 0


def _size_after(graph: Graph, node: fx.Node, size: Pair) -> Pair:
    """Return the rows and columns that an operation returns for maps of a size, as torch does: it is run without values."""
    source = node.args[0]

    def argument_of(argument: fx.Node) -> Any:
        value = argument.meta["val"]
        if argument is source:
            return _empty_maps(graph, argument, size)
        return torch.empty_like(value, device="meta") if isinstance(value, Tensor) else value

    args, keywords = fx.node.map_arg((node.args, dict(node.kwargs)), argument_of)
    rows, columns = node.target(*args, **keywords).shape[2:]  # type: ignore[operator]
    return (int(rows), int(columns))


def _empty_maps(graph: Graph, node: Any, size: Pair) -> Tensor:
    """Return maps without values, with the channels of a node and another size."""
    channels = (graph.operations[node].shape or ())[1]
    return torch.empty((1, channels, *size), dtype=node.meta["val"].dtype, device="meta")


def check_grid(graph: Graph, new: ModelBundle, path: str, name: str) -> None:
    """Raise LayerError unless the output of a module has the size, the stride and about the position in pixels that it had.

    Parameters
    ----------
    graph : Graph
        That of the old network.
    new : ModelBundle
        The new network.
    path, name : str
        The dotted name of the module, and how messages call its layer.
    """
    changed = (new.headless or new).network.graph
    if changed is None:
        raise LayerError(f"{new.name} cannot be traced after change_first_layer, so that its grid is not known: pass keep_grid=False.")
    old, now = _positions(graph, path), _positions(changed, path)
    if old is None or now is None or old[:2] != now[:2] or any(abs(now[2][axis] - old[2][axis]) > old[1][axis] / 2 for axis in (0, 1)):
        raise LayerError(
            f"The positions of {name} of {new.name} would not stay on their grid ({_positions_in_words(old)} before, "
            f"{_positions_in_words(now)} after): choose another size or stride, or pass keep_grid=False."
        )


_Positions = tuple[Pair, Pair, tuple[float, float]]


def _positions(graph: Graph, path: str) -> _Positions | None:
    """Return the size of the map of a module, its stride in pixels and the centre of its first position; None if they are not known."""
    node = graph.calls.get(path)
    field = None if node is None else receptive_fields(graph).get(node)
    if node is None or field is None:
        return None
    rows, columns = field
    centre = (rows.start + (rows.size - 1) / 2, columns.start + (columns.size - 1) / 2)
    return graph.operations[node].extent, (rows.step, columns.step), centre


def _positions_in_words(positions: _Positions | None) -> str:
    if positions is None:
        return "not known"
    size, stride, centre = positions
    return f"{size[0]} x {size[1]} at stride {stride[0]} x {stride[1]}, the first centred at pixel ({centre[0]:g}, {centre[1]:g})"
