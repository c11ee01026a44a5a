"""Two operations of our own that crops need fast: setting what lies outside a map, and a strided convolution that descends quickly.

Each is dispatched like torch's own functions, so that a `RuleMode` sees it; both are linear in their first argument, and listed so in
`operations.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import handle_torch_function, has_torch_function

Inside = tuple[int, int, int, int]  # top, bottom, left, right: the part of a crop that lies on the map


def fill_outside(crops: Tensor, inside: Sequence[Inside], value: float, overwrite: bool = False) -> Tensor:
    """The crops (N, C, h, w) with everything outside each one's `inside` set to `value`; the signal there is zero on the way down.

    The same as masked_fill, which takes ten times as long: only strips at the border are written. `overwrite` writes them into `crops`
    itself, and on the way down into the signal: only for crops that nobody else reads, and whose one reader makes its signal anew.
    """
    if has_torch_function((crops,)):
        return handle_torch_function(fill_outside, (crops,), crops, inside, value, overwrite)
    return _FillOutside.apply(crops, inside, value, overwrite)  # type: ignore[no-any-return, no-untyped-call]


def strided_conv2d(crops: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """conv2d without padding for few input channels, whose transpose runs as a convolution of stride 1.

    Folding stride x stride pixels into channels turns an 11 x 11 convolution of stride 4 on 3 channels into a 3 x 3 one of stride 1
    on 48: the same sums, and oneDNN computes its transpose three times as fast. The signal reaches the crops only, never the weight.
    """
    if has_torch_function((crops, weight)):
        return handle_torch_function(strided_conv2d, (crops, weight), crops, weight, bias, stride)
    return _StridedConv.apply(crops, weight, bias, stride)  # type: ignore[no-any-return, no-untyped-call]


def _write_outside(maps: Tensor, inside: Sequence[Inside], value: float) -> Tensor:
    height, width = maps.shape[-2:]
    for piece, (top, bottom, left, right) in zip(maps, inside, strict=True):
        if top > 0:
            piece[:, :top] = value
        if bottom < height:
            piece[:, bottom:] = value
        if left > 0:
            piece[:, top:bottom, :left] = value
        if right < width:
            piece[:, top:bottom, right:] = value
    return maps


class _FillOutside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, crops: Tensor, inside: Sequence[Inside], value: float, overwrite: bool) -> Tensor:
        ctx.inside, ctx.overwrite = inside, overwrite
        if overwrite:
            ctx.mark_dirty(crops)
        return _write_outside(crops if overwrite else crops.clone(), inside, value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *signals: Any) -> Any:
        signal = signals[0] if ctx.overwrite else signals[0].clone()
        return _write_outside(signal, ctx.inside, 0.0), None, None, None


class _StridedConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, crops: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.extent = stride, crops.shape[-2:]
        return F.conv2d(crops, weight, bias, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *signals: Any) -> Any:
        (weight,) = ctx.saved_tensors
        stride, (height, width) = ctx.stride, ctx.extent
        rows, columns = (-size % stride for size in weight.shape[-2:])
        folded = F.pixel_unshuffle(F.pad(weight, (0, columns, 0, rows)), stride)
        pixels = F.pixel_shuffle(F.conv_transpose2d(signals[0], folded), stride)[..., :height, :width]
        short = (0, width - pixels.shape[-1], 0, height - pixels.shape[-2])  # rows that no window reaches
        return (F.pad(pixels, short) if any(short) else pixels), None, None, None
