"""Modules that `dw.surgery` puts in the place of others. They keep the names of parameters."""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets.engine.blur import Blur, Pair

PoolingKind = Literal["max", "average"]


class BlurPool2d(nn.Module):
    """Pooling at every position, blurred before it is subsampled (Zhang 2019). The output has the size and grid of the pooling itself.

    Parameters
    ----------
    kind : {"max", "average"}
        The pooling.
    kernel_size, stride, padding, dilation : (int, int)
        Those of the pooling.
    ceil_mode : bool
        Whether a last window that passes the border is kept. It is only possible for "max".
    count_include_pad : bool
        Whether average pooling counts padded positions.
    """

    def __init__(
        self,
        kind: PoolingKind,
        kernel_size: Pair,
        stride: Pair,
        padding: Pair,
        dilation: Pair = (1, 1),
        ceil_mode: bool = False,
        count_include_pad: bool = False,
    ) -> None:
        super().__init__()
        self.kind, self.kernel_size, self.stride, self.padding, self.dilation = kind, kernel_size, stride, padding, dilation
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.blur = Blur(stride)
        self.training = False

    def forward(self, maps: Tensor) -> Tensor:
        """Return the pooled maps (N, C, h, w) of maps (N, C, H, W)."""
        if self.kind == "average":
            dense = F.avg_pool2d(maps, self.kernel_size, 1, self.padding, count_include_pad=self.count_include_pad)
            return self.blur(dense)  # type: ignore[no-any-return]
        beyond = [self._beyond(int(maps.shape[-2 + axis]), axis) for axis in (0, 1)]
        if any(beyond):
            maps = F.pad(maps, (0, beyond[1], 0, beyond[0]), value=float("-inf"))
        return self.blur(F.max_pool2d(maps, self.kernel_size, 1, self.padding, self.dilation))  # type: ignore[no-any-return]

    def _beyond(self, extent: int, axis: int) -> int:
        """Return how many positions the last window of ceil mode passes the border by."""
        stride, free = self.stride[axis], extent + 2 * self.padding[axis] - self.dilation[axis] * (self.kernel_size[axis] - 1) - 1
        steps = -(-free // stride)
        if not self.ceil_mode or steps * stride >= extent + self.padding[axis]:  # a window that starts beyond the map is dropped
            return 0
        return steps * stride - free

    def extra_repr(self) -> str:
        return (
            f"{self.kind}, kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class FollowedConv2d(nn.Conv2d):
    """A convolution with modules after it, which belong to it, so that its parameters keep their names."""

    after: nn.Sequential

    def forward(self, input: Tensor) -> Tensor:
        """Return the output of the last module after the convolution."""
        followed: Tensor = self.after(super().forward(input))
        return followed


class FollowedLinear(nn.Linear):
    """A linear layer with modules after it, which belong to it, so that its parameters keep their names."""

    after: nn.Sequential

    def forward(self, input: Tensor) -> Tensor:
        """Return the output of the last module after the linear layer."""
        followed: Tensor = self.after(super().forward(input))
        return followed


class Followed(nn.Sequential):
    """A module without parameters, such as a rectifier or a pooling, with modules after it."""


_FOLLOWED: dict[type[nn.Module], type[nn.Module]] = {nn.Conv2d: FollowedConv2d, nn.Linear: FollowedLinear}


def can_be_followed(module: nn.Module) -> bool:
    """Return whether the parameters of a module keep their names in `followed_by`."""
    own = isinstance(module, Followed | FollowedConv2d | FollowedLinear)
    return own or type(module) in _FOLLOWED or next(module.parameters(), None) is None


def followed_by(module: nn.Module, extra: nn.Module) -> nn.Module:
    """Return a module that is another one, of which `can_be_followed` is true, and a further module after it. Parameters are shared."""
    if isinstance(module, Followed):
        return in_evaluation(Followed(*module, extra))
    if isinstance(module, FollowedConv2d | FollowedLinear):
        copied = shallow_copy(module)
        copied.after = in_evaluation(nn.Sequential(*module.after, extra))
        return copied
    kind = _FOLLOWED.get(type(module))
    if kind is None:
        return in_evaluation(Followed(module, extra))
    copied = shallow_copy(module)
    copied.__class__ = kind  # the constructor would make new parameters
    copied.after = in_evaluation(nn.Sequential(extra))
    return copied


def shallow_copy(module: nn.Module, **settings: Any) -> nn.Module:
    """Return a copy of a module that shares parameters, buffers and submodules, and has other settings."""
    copied = copy.copy(module)
    for name in ("_parameters", "_buffers", "_modules"):
        copied.__dict__[name] = dict(getattr(module, name))
    for name, value in settings.items():
        setattr(copied, name, value)
    return copied


def in_evaluation(module: nn.Module) -> nn.Module:
    """Return a module after its own mode, not those of its parts, was set to evaluation."""
    module.training = False
    return module
