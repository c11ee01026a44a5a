"""Windowed operations (convolution, pooling, padding): their window arithmetic, and how to run them on a crop.

A window is read off a module or a functional call. On a crop it runs without padding of its own: the caller has already set what
lies outside the real extent to `fill` (see `local.py`), which is what the operation's own padding would have put there.
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
    """A windowed operation: output (r, c) reads the inputs r * stride - before + i * dilation, i < kernel; (rows, columns)."""

    kind: Kind
    kernel: Pair
    stride: Pair
    before: Pair  # padding above and left of the real extent
    dilation: Pair
    fill: float  # the operation's own pad value
    groups: int = 1
    include_padding: bool = True  # average pooling: padded positions count in the divisor
    divisor: int | None = None  # average pooling: a fixed divisor

    def run(self, crop: Tensor, weight: Tensor | None, bias: Tensor | None, counts: Tensor | None) -> Tensor:
        """The operation on a crop (N, C, h, w) whose outside positions hold `fill`. `counts` (N, 1, h', w') is the divisor of average
        pooling where windows pass the border, None where every window lies inside."""
        if self.kind == "conv":
            assert weight is not None
            if self._descends_faster_unstrided(crop):
                return strided_conv2d(crop, weight, bias, self.stride[0])
            return F.conv2d(_in_fast_layout(crop, weight), weight, bias, self.stride, 0, self.dilation, self.groups)
        if self.kind == "max":
            return F.max_pool2d(crop, self.kernel, self.stride, 0, self.dilation)
        if self.kind == "average":
            if counts is None:
                return F.avg_pool2d(crop, self.kernel, self.stride, divisor_override=self.divisor)
            return F.avg_pool2d(crop, self.kernel, self.stride, divisor_override=1) * counts.reciprocal()
        return crop

    def _descends_faster_unstrided(self, crop: Tensor) -> bool:
        """A first convolution, as far as `strided_conv2d` helps: on a CPU, with a stride and a few channels."""
        plain = self.groups == 1 and self.dilation == (1, 1) and self.stride[0] == self.stride[1]
        return plain and self.stride[0] > 1 and crop.shape[1] <= _FEW_CHANNELS and crop.device.type == "cpu"

    def divisors(self, first: Tensor, size: int, extent: int, axis: int) -> Tensor:
        """How many positions one axis of an average-pooling window counts: (N, size) for outputs first[n] .. first[n] + size - 1."""
        start = (first[:, None] + torch.arange(size, device=first.device)) * self.stride[axis] - self.before[axis]
        end = torch.clamp(start + self.kernel[axis], max=extent + self.before[axis])
        if not self.include_padding:
            start, end = start.clamp(min=0), end.clamp(max=extent)
        return (end - start).clamp(min=1)  # windows wholly outside are never used


def _in_fast_layout(crop: Tensor, weight: Tensor) -> Tensor:
    """The crop in the memory layout that a CPU convolves fastest. Channels last saves 10 % of VGG16's time and most of the pooling's, but
    permutes the weights at every call, which costs more than it saves where they outweigh the crop (docs/decisions/local-projection.md)."""
    if crop.device.type != "cpu" or crop.dtype != torch.float32:
        return crop
    return crop.contiguous(memory_format=torch.channels_last if crop.numel() > weight.numel() else torch.contiguous_format)


def pair(value: int | Sequence[int]) -> Pair:
    """A size as (rows, columns)."""
    if isinstance(value, int):
        return (value, value)
    rows, columns = (value[0], value[-1])
    return (int(rows), int(columns))


def window_of_module(module: nn.Module, shape: tuple[int, ...]) -> Window | None:
    """The window of a torch.nn module on inputs (N, C, H, W), or None where it has none that can be followed."""
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
    """A convolution's weight and bias, those of a functional one taken from `values`; (None, None) for pooling and padding."""
    if window.kind != "conv":
        return None, None
    if node.op == "call_module":
        module: Any = modules[str(node.target)]
        return module.weight, module.bias
    arguments = dict(zip(("input", "weight", "bias"), node.args, strict=False)) | node.kwargs
    weight, bias = (values[feeder] if isinstance(feeder := arguments.get(name), fx.Node) else None for name in ("weight", "bias"))
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
    """Adaptive pooling whose windows are all alike; None where they differ."""
    wanted = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    size = [have if want is None else int(want) for want, have in zip(wanted, shape[-2:], strict=True)]
    if any(have % want for want, have in zip(size, shape[-2:], strict=True)):
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
    """The window of a functional call with its arguments (tensors in place), or None where it has none that can be followed."""
    x = args[0] if args else kwargs.get("input")
    rest = args[1:]
    named = {_SHORT.get(key, key): value for key, value in kwargs.items() if key != "input"}
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


_FEW_CHANNELS = 4
_SHORT = {"kernel_size": "kernel", "divisor_override": "divisor"}
