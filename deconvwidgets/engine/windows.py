"""Windowed operations (convolution, pooling, padding): the arithmetic of their windows, and how to run them on a crop.

On a crop an operation runs without padding: the caller has already set the positions outside the map to `fill`, as the operation's own
padding would have done (see `projection/crop_batch.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, fx

from deconvwidgets.engine.projection.crop_ops import strided_conv2d

Pair = tuple[int, int]
Kind = Literal["conv", "max", "average", "pad"]


@dataclass(frozen=True, slots=True)
class Window:
    """The window of an operation. Output row r reads the input rows r * stride - before + i * dilation, i < kernel; columns likewise.

    Parameters
    ----------
    kind : {"conv", "max", "average", "pad"}
    kernel, stride, dilation : (int, int)
        For rows and columns.
    before : (int, int)
        Padding above and to the left of the map.
    fill : float
        The value that the operation pads with.
    groups : int
        Groups of a convolution.
    include_padding : bool
        Whether average pooling counts padded positions in its divisor.
    divisor : int, optional
        A fixed divisor of average pooling.
    """

    kind: Kind
    kernel: Pair
    stride: Pair
    before: Pair
    dilation: Pair
    fill: float
    groups: int = 1
    include_padding: bool = True
    divisor: int | None = None

    def run(self, crop: Tensor, weight: Tensor | None, bias: Tensor | None, divisors: Tensor | None) -> Tensor:
        """Run the operation on a crop.

        Parameters
        ----------
        crop : Tensor (N, C, h, w)
            Positions outside the map hold `fill`.
        weight, bias : Tensor or None
            Parameters of a convolution.
        divisors : Tensor (N, 1, h', w') or None
            Divisors of average pooling; None if every window lies inside the map.

        Returns
        -------
        Tensor (N, C', h', w')
        """
        if self.kind == "conv":
            assert weight is not None
            if self._is_faster_folded(crop):
                return strided_conv2d(crop, weight, bias, self.stride[0])
            return F.conv2d(_in_fast_layout(crop, weight), weight, bias, self.stride, 0, self.dilation, self.groups)
        if self.kind == "max":
            return F.max_pool2d(crop, self.kernel, self.stride, 0, self.dilation)
        if self.kind == "average":
            if divisors is None:
                return F.avg_pool2d(crop, self.kernel, self.stride, divisor_override=self.divisor)
            return F.avg_pool2d(crop, self.kernel, self.stride, divisor_override=1) * divisors.reciprocal()
        return crop

    def parameters(self, node: fx.Node, values: Mapping[fx.Node, Any]) -> tuple[Tensor | None, Tensor | None]:
        """Return a convolution's weight and bias from the values of its node's arguments; (None, None) for pooling and padding."""
        if self.kind != "conv":
            return None, None
        arguments = dict(zip(("input", "weight", "bias"), node.args, strict=False)) | node.kwargs
        weight, bias = (values[argument] if isinstance(argument := arguments.get(name), fx.Node) else None for name in ("weight", "bias"))
        return weight, bias

    def _is_faster_folded(self, crop: Tensor) -> bool:
        """Return whether `strided_conv2d` has the faster backward pass: on a CPU, for a strided convolution of few channels."""
        plain = self.groups == 1 and self.dilation == (1, 1) and self.stride[0] == self.stride[1]
        return plain and self.stride[0] > 1 and crop.shape[1] <= _MAX_FOLDED_CHANNELS and crop.device.type == "cpu"

    def margins(self, extent: Pair, input_extent: Pair) -> tuple[int, int, int, int]:
        """Return how far the windows of an output map extend beyond the input map: above, below, to the left, to the right."""
        after = [
            (extent[axis] - 1) * self.stride[axis]
            + self.dilation[axis] * (self.kernel[axis] - 1)
            + 1
            - self.before[axis]
            - input_extent[axis]
            for axis in (0, 1)
        ]
        return (self.before[0], max(after[0], 0), self.before[1], max(after[1], 0))

    def divisors(self, first: Tensor, size: int, extent: int, axis: int) -> Tensor:
        """Return the number of positions that the windows of average pooling count along one axis.

        Parameters
        ----------
        first : Tensor (N,)
            The first output position of each crop.
        size : int
            Output positions per crop.
        extent : int
            Size of the input map along the axis.
        axis : int
            0 for rows, 1 for columns.

        Returns
        -------
        Tensor (N, size)
        """
        start = (first[:, None] + torch.arange(size, device=first.device)) * self.stride[axis] - self.before[axis]
        end = torch.clamp(start + self.kernel[axis], max=extent + self.before[axis])
        if not self.include_padding:
            start, end = start.clamp(min=0), end.clamp(max=extent)
        return (end - start).clamp(min=1)  # the result for a window outside the map is not used


def _in_fast_layout(crop: Tensor, weight: Tensor) -> Tensor:
    """Return the crop in the memory layout that a CPU convolves fastest.

    Channels last saves 10% of VGG16's time and most of the time of pooling, but permutes the weights at every call, which costs more
    than it saves if there are more weights than elements in the crop (docs/decisions/local-projection.md).
    """
    if crop.device.type != "cpu" or crop.dtype != torch.float32:
        return crop
    return crop.contiguous(memory_format=torch.channels_last if crop.numel() > weight.numel() else torch.contiguous_format)


def pair(value: int | Sequence[int]) -> Pair:
    """Return a size as (rows, columns)."""
    if isinstance(value, int):
        return (value, value)
    rows, columns = (value[0], value[-1])
    return (int(rows), int(columns))


# The window of a call, given its arguments (after the input), its keyword arguments and the shape (N, C, H, W) of its input. None if it is
# not supported, or not the same at all positions.

FindWindow = Callable[..., "Window | None"]
Shape = tuple[int, ...]


def conv2d(
    shape: Shape, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Window | None:
    """Return the window of a 2-D convolution, whose padding may be "same" or "valid"."""
    kernel, dilation = pair(tuple(weight.shape[2:])), pair(dilation)
    if padding == "valid":
        before = (0, 0)
    elif padding == "same":
        before = (dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2)
    else:
        before = pair(padding)
    return Window("conv", kernel, pair(stride), before, dilation, 0.0, groups)


def convolution(
    shape: Shape, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any, groups: int
) -> Window | None:
    """Return the window of a convolution that is not transposed."""
    return None if transposed else conv2d(shape, weight, bias, stride, padding, dilation, groups)


def max_pool2d(
    shape: Shape, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Window | None:
    """Return the window of max pooling."""
    kernel = pair(kernel_size)
    return Window("max", kernel, pair(stride) if stride else kernel, pair(padding), pair(dilation), float("-inf"))


def avg_pool2d(
    shape: Shape,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Window | None:
    """Return the window of average pooling."""
    kernel = pair(kernel_size)
    step = pair(stride) if stride else kernel
    return Window(
        "average", kernel, step, pair(padding), (1, 1), 0.0, include_padding=count_include_pad, divisor=divisor_override
    )  # fmt: skip


def adaptive_avg_pool2d(shape: Shape, output_size: Any) -> Window | None:
    """Return the window of adaptive average pooling, if all its windows have one size."""
    return _adaptive("average", 0.0, shape, output_size)


def adaptive_max_pool2d(shape: Shape, output_size: Any) -> Window | None:
    """Return the window of adaptive max pooling, if all its windows have one size."""
    return _adaptive("max", float("-inf"), shape, output_size)


def pad(shape: Shape, pad: Any, mode: str = "constant", value: float | None = None) -> Window | None:
    """Return the window of constant padding of rows and columns."""
    return None if mode != "constant" else _constant_pad(pad, value)


def constant_pad_nd(shape: Shape, pad: Any, value: float = 0.0) -> Window | None:
    """Return the window of constant padding of rows and columns."""
    return _constant_pad(pad, value)


def _constant_pad(pad: Any, value: float | None) -> Window | None:
    if len(pad) not in (2, 4):
        return None
    left, _, top, _ = (*pad, 0, 0)[:4]
    return Window("pad", (1, 1), (1, 1), (int(top), int(left)), (1, 1), float(value or 0.0))


def _adaptive(kind: Kind, fill: float, shape: Shape, output_size: Any) -> Window | None:
    size = pair(output_size)
    if any(extent % output for output, extent in zip(size, shape[-2:], strict=True)):
        return None
    kernel = (shape[-2] // size[0], shape[-1] // size[1])
    return Window(kind, kernel, kernel, (0, 0), (1, 1), fill)


_MAX_FOLDED_CHANNELS = 4
