"""Maps that a model holds in another order of axes: the tokens of a grid (N, L, C), as in a ViT, and maps (N, H, W, C), as in Swin.

Shapes do not tell: 197 tokens may be a class token and a grid of 14 x 14, or not. So the order of a map's positions is traced from the
input on, through operations that are known to keep it. After any other operation it is unknown (attention, a permutation of tokens by an
index, pooling over tokens), until a residual sum adds the value to tokens of a known grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, fx

from deconvwidgets.engine.ops import Op, node_name, op_of
from deconvwidgets.engine.spatial import named_axes
from deconvwidgets.engine.tracing import Trace


@dataclass(frozen=True, slots=True)
class Layout:
    """The axes of a value that holds one map for each image.

    Parameters
    ----------
    axes : str
        A letter for each axis: N (images), C (channels), H (rows) and W (columns), or L for rows and columns in one: tokens, row by row.
        Small letters are parts of an axis: c of the channels (heads), h and w of groups of neighbouring rows and columns.
    grid : (int, int)
        Rows and columns of the map.
    before, after : int
        The number of tokens before and after those of the grid: class tokens, registers.
    """

    axes: str
    grid: tuple[int, int]
    before: int = 0
    after: int = 0


def find_layouts(trace: Trace) -> dict[fx.Node, Layout]:
    """Return the layouts of the values of a trace, as far as they are known."""
    height, width = trace.input_node.meta["val"].shape[-2:]
    layouts = {trace.input_node: Layout("NCHW", (int(height), int(width)))}
    for node in trace.graph.nodes:
        if node.op == "call_function" and _values(node):
            layout = _layout(node, op_of(node_name(node)), layouts)
            if layout is not None and _fits(node, layout):
                layouts[node] = layout
    return layouts


def _layout(node: fx.Node, op: Op, known: Mapping[fx.Node, Layout]) -> Layout | None:
    if op.joins:
        return _joined(node, known)
    if op.spatial in ("pointwise", "per channel"):
        return _elementwise(node, op, known)
    source = node.args[0] if node.args else None
    layout = known.get(source) if isinstance(source, fx.Node) else None
    if layout is None or not isinstance(source, fx.Node):
        return None
    if op.moves_axes:
        return _permuted(node, layout)
    if node.target is torch.ops.aten.slice.Tensor:
        return _sliced(node, layout)
    match op.spatial:
        case "channel axes" if not op.inserts_axis:
            return _along_channels(node, layout)
        case "part":
            return layout if isinstance(source.meta["val"], list | tuple) else None
        case "reshape":
            if _shape(node) == _shape(source):  # a shuffle of channels is one of tokens if these are the second axis
                return layout if layout.axes[1] in "Cc" or node.target is torch.ops.aten.reshape.default else None
            return _reshaped(_shape(source), _shape(node), layout)
        case "window":
            return _windowed(node, op, layout)
    if op.role == "linear":
        return layout if layout.axes.endswith("C") else None
    return layout if op.normalised is not None or op.features_last else None  # a normalisation


def _fits(node: fx.Node, layout: Layout) -> bool:
    """Return whether an output has the sizes of a layout."""
    rows, columns = layout.grid
    sizes = {"H": rows, "W": columns, "L": layout.before + rows * columns + layout.after}
    return all(
        len(value.shape) == len(layout.axes)
        and all(str(size) == str(sizes[axis]) for axis, size in zip(layout.axes, value.shape, strict=True) if axis in sizes)
        for value in _values(node)
    )


def _values(node: fx.Node) -> list[Tensor]:
    """Return the tensors that an operation returns."""
    value = node.meta.get("val")
    return [part for part in (value if isinstance(value, list | tuple) else [value]) if isinstance(part, Tensor)]


def _elementwise(node: fx.Node, op: Op, known: Mapping[fx.Node, Layout]) -> Layout | None:
    """Return the layout that the operands of full shape have in common. In a residual sum, that of one of them may be unknown."""
    if op.no_signal and not op.cuts_gradient:
        return None
    read = node.args[:1] if op.like_second else node.all_input_nodes
    layouts = {known[value] for value in read if isinstance(value, fx.Node) and value in known and _shape(value) == _shape(node)}
    return layouts.pop() if len(layouts) == 1 else None


def _permuted(node: fx.Node, layout: Layout) -> Layout:
    """Return the layout in the new order of axes, which an example shows whose axes have different sizes."""
    example = torch.empty(tuple(range(2, 2 + len(layout.axes))), device="meta")
    assert callable(node.target)
    moved = node.target(example, *node.args[1:], **node.kwargs)
    return replace(layout, axes="".join(layout.axes[size - 2] for size in moved.shape))


def _along_channels(node: fx.Node, layout: Layout) -> Layout | None:
    """Return the layout after an operation along channels, such as taking queries, keys and values apart. It may remove the axis."""
    axes, named = layout.axes, named_axes(node)
    if named is None or len(named) != 1 or axes[named[0]] not in "Cc":
        return None
    axis = named[0] % len(axes)
    removed = all(value.dim() < len(axes) for value in _values(node))
    return replace(layout, axes=axes[:axis] + axes[axis + 1 :]) if removed else layout


def _reshaped(before: list[str], after: list[str], layout: Layout) -> Layout | None:
    """Return the layout if whole axes are joined and split, none of them that of the images."""
    if layout.axes[0] != "N" or before[:1] != after[:1] or not all(map(str.isdigit, (*before[1:], *after[1:]))):
        return None
    axes, grid, whole = "N", list(layout.grid), not layout.before and not layout.after
    old, new = list(map(int, before[1:])), list(map(int, after[1:]))
    if prod(old) != prod(new):  # an expansion
        return None
    for joined, split in _aligned(old, new):
        letters, sizes = layout.axes[1:][joined], new[split]
        if len(letters) == len(sizes) == 1:
            axes += letters
        elif letters == "HW" and len(sizes) == 1:
            axes += "L"
        elif letters == "L" and sizes == grid and whole:
            axes += "HW"
        elif letters == "L" and len(sizes) == 4 and [prod(sizes[:2]), prod(sizes[2:])] == grid and whole:
            axes += "HhWw"
            grid = [sizes[0], sizes[2]]
        elif letters in ("H", "W") and len(sizes) == 2:  # groups of neighbouring rows or columns, which will be channels
            axes += letters + letters.lower()
            grid["HW".index(letters)] = sizes[0]
        elif (letters.strip("c") == "" or ("C" in letters and letters.strip("Cchw") == "")) and len(sizes) == 1:
            axes += "C"
        elif letters == "C":
            axes += "c" * len(sizes)
        else:
            return None
    return replace(layout, axes=axes, grid=(grid[0], grid[1]))


def _aligned(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Yield which axes of a reshape become which: the smallest groups of equally many elements."""
    first, second = 0, 0
    while first < len(before) and second < len(after):
        end, last = first + 1, second + 1
        while prod(before[first:end]) != prod(after[second:last]):
            if prod(before[first:end]) < prod(after[second:last]):
                end += 1
            else:
                last += 1
        if all(size == 1 for size in (*before[end:], *after[last:])):
            end, last = len(before), len(after)
        yield slice(first, end), slice(second, last)
        first, second = end, last


def _windowed(node: fx.Node, op: Op, layout: Layout) -> Layout | None:
    """Return the layout after a convolution, pooling or constant padding."""
    sizes = _values(node)[0].shape
    pads = op.role is None
    mode = node.args[2] if len(node.args) > 2 else node.kwargs.get("mode", "constant")
    if (
        len(sizes) != 4
        or layout.axes not in (("NCHW", "NHWC") if pads else ("NCHW",))
        or (pads and isinstance(mode, str) and mode != "constant")
    ):
        return None
    rows, columns = layout.axes.index("H"), layout.axes.index("W")
    return Layout(layout.axes, (int(sizes[rows]), int(sizes[columns])))


def _joined(node: fx.Node, known: Mapping[fx.Node, Layout]) -> Layout | None:
    """Return the layout of a concatenation of channels, or of other tokens and those of one grid."""
    parts: Sequence[Any] = node.args[0]  # type: ignore[assignment]
    named = named_axes(node)
    layouts = [known.get(part) for part in parts]
    first = next((layout for layout in layouts if layout is not None), None)
    if first is None or named is None or len(_shape(node)) != len(first.axes):
        return None
    (dim,) = named
    axis = first.axes[dim]
    if axis == "C" and all(layout == first for layout in layouts):
        return first
    if axis != "L" or sum(layout is not None for layout in layouts) != 1:
        return None
    lengths = [part.meta["val"].shape[dim] for part in parts]
    if not all(isinstance(length, int) for length in lengths):
        return None
    place = layouts.index(first)
    return replace(first, before=first.before + sum(lengths[:place]), after=first.after + sum(lengths[place + 1 :]))


def _sliced(node: fx.Node, layout: Layout) -> Layout | None:
    """Return the layout of part of the channels, of every n-th row or column, or of the tokens without some that are not the grid's."""
    source: Any = node.args[0]
    defaults: tuple[Any, ...] = (0, None, None, 1)  # of the axis, its start and end, and the step
    settings: tuple[Any, ...] = (*node.args[1:], *defaults[len(node.args) - 1 :])
    dim, start, end, step = settings
    size, axis = source.meta["val"].shape[dim], layout.axes[dim]
    if axis == "N" or not all(isinstance(value, int | None) for value in (start, end, step)):
        return None
    first, last, _ = slice(start, end, step).indices(int(size))
    if axis == "C":
        return layout
    if axis == "L":
        removed = layout.before - first, layout.after - (int(size) - last)
        return replace(layout, before=removed[0], after=removed[1]) if step == 1 and min(removed) >= 0 else None
    if first >= step or last != int(size):
        return None
    count = len(range(first, last, step))
    return replace(layout, grid=(count, layout.grid[1]) if axis == "H" else (layout.grid[0], count))


def _shape(node: fx.Node) -> list[str]:
    """Return the sizes of a tensor as text: comparing symbols would restrict the batch that the trace is for."""
    return [str(size) for size in node.meta["val"].shape] if isinstance(node.meta.get("val"), Tensor) else []
