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
from torch import Tensor, fx, nn

from deconvwidgets.engine.ops import CONV2D_FUNCTIONS, MAX_POOL2D_FUNCTIONS
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

    def _is_faster_folded(self, crop: Tensor) -> bool:
        """Return whether `strided_conv2d` has the faster backward pass: on a CPU, for a strided convolution of few channels."""
        plain = self.groups == 1 and self.dilation == (1, 1) and self.stride[0] == self.stride[1]
        return plain and self.stride[0] > 1 and crop.shape[1] <= _MAX_FOLDED_CHANNELS and crop.device.type == "cpu"

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


def window_of_module(module: nn.Module, shape: tuple[int, ...]) -> Window | None:
    """Return the window of a module for inputs of `shape` (N, C, H, W); None if it is not a supported windowed operation."""
    if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
        return _conv(module.kernel_size, module.stride, module.padding, module.dilation, module.groups)
    if isinstance(module, nn.MaxPool2d) and not module.return_indices:
        return _max(module.kernel_size, module.stride, module.padding, module.dilation)
    if isinstance(module, nn.AvgPool2d):
        return _average(module.kernel_size, module.stride, module.padding, False, module.count_include_pad, module.divisor_override)
    if isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        return _adaptive("average" if isinstance(module, nn.AdaptiveAvgPool2d) else "max", module.output_size, shape)
    if isinstance(module, nn.ZeroPad2d | nn.ConstantPad2d):
        return _pad(module.padding, "constant", getattr(module, "value", 0.0))
    return None


def parameters_of(
    modules: Mapping[str, nn.Module], node: fx.Node, window: Window, values: Mapping[fx.Node, Any]
) -> tuple[Tensor | None, Tensor | None]:
    """Return a convolution's weight and bias, for `F.conv2d` from `values`; (None, None) for pooling and padding."""
    if window.kind != "conv":
        return None, None
    if node.op == "call_module":
        module: Any = modules[str(node.target)]
        return module.weight, module.bias
    arguments = dict(zip(("input", "weight", "bias"), node.args, strict=False)) | node.kwargs
    weight, bias = (values[argument] if isinstance(argument := arguments.get(name), fx.Node) else None for name in ("weight", "bias"))
    return weight, bias


def _conv(kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Window:
    kernel, dilation = pair(kernel), pair(dilation)
    if padding == "valid":
        before = (0, 0)
    elif padding == "same":
        before = (dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2)
    else:
        before = pair(padding)
    return Window("conv", kernel, pair(stride), before, dilation, 0.0, groups)


def _conv_call(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Window:
    return _conv(tuple(weight.shape[2:]), stride, padding, dilation, groups)


def _max(
    kernel: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False
) -> Window:
    kernel = pair(kernel)
    return Window("max", kernel, pair(stride) if stride else kernel, pair(padding), pair(dilation), float("-inf"))


def _average(
    kernel: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True, divisor: int | None = None
) -> Window:
    kernel = pair(kernel)
    return Window(
        "average",
        kernel,
        pair(stride) if stride else kernel,
        pair(padding),
        (1, 1),
        0.0,
        include_padding=count_include_pad,
        divisor=divisor,
    )


def _adaptive(kind: Literal["average", "max"], output_size: Any, shape: tuple[int, ...]) -> Window | None:
    """Return the window of adaptive pooling; None if its windows differ in size."""
    output_sizes = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    size = [extent if output is None else int(output) for output, extent in zip(output_sizes, shape[-2:], strict=True)]
    if any(extent % output for output, extent in zip(size, shape[-2:], strict=True)):
        return None
    kernel = (shape[-2] // size[0], shape[-1] // size[1])
    return Window(kind, kernel, kernel, (0, 0), (1, 1), 0.0 if kind == "average" else float("-inf"))


def _pad(padding: Any, mode: str = "constant", value: float | None = None) -> Window | None:
    if isinstance(padding, int):
        padding = (padding,) * 4
    if mode != "constant" or len(padding) != 4:
        return None
    return Window("pad", (1, 1), (1, 1), (int(padding[2]), int(padding[0])), (1, 1), float(value or 0.0))


def window_of_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Window | None:
    """Return the window of a function call; None if it is not a supported windowed operation."""
    x = args[0] if args else kwargs.get("input")
    rest = args[1:]
    named = {_PARAMETER_NAMES.get(key, key): value for key, value in kwargs.items() if key != "input"}
    if function in CONV2D_FUNCTIONS:
        return _conv_call(x, *rest, **named)
    if function in MAX_POOL2D_FUNCTIONS:
        return None if named.get("return_indices") else _max(*rest, **named)
    if function is F.avg_pool2d:
        return _average(*rest, **named)
    if function in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d) and isinstance(x, Tensor):
        size = rest[0] if rest else named["output_size"]
        return _adaptive("average" if function is F.adaptive_avg_pool2d else "max", size, tuple(x.shape))
    if function is F.pad:
        return _pad(rest[0] if rest else named["pad"], *rest[1:], **{key: value for key, value in named.items() if key != "pad"})
    return None


_MAX_FOLDED_CHANNELS = 4
_PARAMETER_NAMES = {"kernel_size": "kernel", "divisor_override": "divisor"}
