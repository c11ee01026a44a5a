"""Two operations that crops need fast: filling what lies outside a map, and a strided convolution with a fast backward pass.

Both are linear in their first argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

Part = tuple[int, int, int, int]  # top, bottom, left, right of the part of a crop that lies on the map; half-open


def fill_outside(crops: Tensor, parts: Sequence[Part], value: float, overwrite: bool = False) -> Tensor:
    """Set everything outside a part of each crop to a value. In the backward pass, the signal there is set to zero.

    It is the same as `masked_fill`, but ten times as fast, because it only writes strips at the border.

    Parameters
    ----------
    crops : Tensor (N, C, h, w)
    parts : sequence of (int, int, int, int)
        The part of each crop that is kept: top, bottom, left, right, half-open.
    value : float
    overwrite : bool
        Write into `crops`, and into the signal of the backward pass. This requires that `crops` has no other user, and that the user of
        the result computes a new signal.

    Returns
    -------
    Tensor (N, C, h, w)
    """
    return _FillOutside.apply(crops, parts, value, overwrite)  # type: ignore[no-any-return, no-untyped-call]


def strided_conv2d(crops: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """Compute `conv2d` without padding, with a backward pass that is a transposed convolution of stride 1.

    Stride x stride pixels are folded into channels: an 11 x 11 convolution of stride 4 on 3 channels becomes a 3 x 3 convolution of stride
    1 on 48 channels. The sums are the same, and oneDNN computes their transpose three times as fast.

    Parameters
    ----------
    crops : Tensor (N, C, h, w)
    weight : Tensor (out, C, k, l)
        It gets no gradient.
    bias : Tensor (out,) or None
    stride : int

    Returns
    -------
    Tensor (N, out, h', w')
    """
    return _StridedConv.apply(crops, weight, bias, stride)  # type: ignore[no-any-return, no-untyped-call]


def _write_outside(maps: Tensor, parts: Sequence[Part], value: float) -> Tensor:
    height, width = maps.shape[-2:]
    for piece, (top, bottom, left, right) in zip(maps, parts, strict=True):
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
    def forward(ctx: Any, crops: Tensor, parts: Sequence[Part], value: float, overwrite: bool) -> Tensor:
        ctx.parts, ctx.overwrite = parts, overwrite
        if overwrite:
            ctx.mark_dirty(crops)
        return _write_outside(crops if overwrite else crops.clone(), parts, value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *signals: Any) -> Any:
        signal = signals[0] if ctx.overwrite else signals[0].clone()
        return _write_outside(signal, ctx.parts, 0.0), None, None, None


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
        unread = (0, width - pixels.shape[-1], 0, height - pixels.shape[-2])  # rows and columns that no window reads
        return (F.pad(pixels, unread) if any(unread) else pixels), None, None, None
