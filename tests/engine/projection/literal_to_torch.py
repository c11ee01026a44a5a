"""Torch modules that are equivalent to steps of the literal deconvnet, in float64 and eval mode."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.engine.projection import literal_deconvnet as literal


class AddBranches(nn.Module):
    """A sum computed in place, as in ResNet."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        result = self.branches[0](x)
        for branch in self.branches[1:]:
            result += branch(x)
        return result


class ConcatBranches(nn.Module):
    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class FlattenedLinear(nn.Linear):
    """A linear layer whose units are maps of one position."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.flatten(x, 1))[:, :, None, None]


def to_torch(step: literal.Step, inplace: bool = False) -> nn.Module:
    """Return the equivalent module. `inplace` makes rectifiers overwrite their input, which must not be the input of another branch."""
    return _build(step, inplace).double().eval()


def _build(step: literal.Step, inplace: bool) -> nn.Module:
    match step:
        case literal.Chain(steps):
            return nn.Sequential(*[_build(inner, inplace) for inner in steps])
        case literal.Sum(branches):
            return AddBranches([_build(branch, inplace) for branch in branches])
        case literal.Concat(branches):
            return ConcatBranches([_build(branch, inplace) for branch in branches])
        case literal.Rectifier(ceiling=6.0):
            return nn.ReLU6(inplace)
        case literal.Rectifier(slope=slope):
            return nn.LeakyReLU(slope, inplace) if slope else nn.ReLU(inplace)
        case literal.MaxPool(kernel, stride, padding, dilation, ceil):
            return nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil)
        case literal.AvgPool(kernel, stride, padding, ceil, count_include_pad):
            return nn.AvgPool2d(kernel, stride, padding, ceil_mode=ceil, count_include_pad=count_include_pad)
        case literal.LocalResponseNorm(size, alpha, beta, k):
            return nn.LocalResponseNorm(size, alpha, beta, k)
        case literal.Conv():
            return _conv(step)
        case literal.BatchNorm():
            return _batch_norm(step)
        case literal.FullyConnected():
            linear = FlattenedLinear(step.weight.shape[1], step.weight.shape[0])
            return _with(linear, weight=step.weight, bias=step.bias)
    raise TypeError(f"no equivalent for {step!r}")


def _conv(step: literal.Conv) -> nn.Module:
    into = step.weight.shape[1] * step.groups
    conv = nn.Conv2d(
        into, len(step.weight), step.weight.shape[2], step.stride, step.padding, step.dilation, step.groups, bias=step.bias is not None
    )
    return _with(conv, weight=step.weight, **({} if step.bias is None else {"bias": step.bias}))


def _batch_norm(step: literal.BatchNorm) -> nn.Module:
    norm = nn.BatchNorm2d(len(step.mean), eps=step.eps)
    return _with(norm, running_mean=step.mean, running_var=step.variance, weight=step.weight, bias=step.bias)


def _with(module: nn.Module, **values: literal.Maps) -> nn.Module:
    module.double()
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name).copy_(torch.from_numpy(value))
    return module
