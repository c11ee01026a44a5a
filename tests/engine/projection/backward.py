"""The backward pass of a module by a rule, for tests."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from deconvwidgets.engine.projection.rule_mode import RuleMode
from deconvwidgets.engine.projection.rules import Rule

RULES: tuple[Rule, ...] = ("deconvnet", "gradient", "guided")


class Lambda(nn.Module):
    """A module whose forward pass is a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def run_backward(module: nn.Module, images: Tensor, signal: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """Return the module's output, and the signal at the pixels for a signal at the output."""
    leaf = images.clone().requires_grad_()
    with RuleMode(rule) as mode:
        x = leaf.clone()
        mode.watch(x)
        maps = module(x)
        mode.check(maps, "top")
        (pixels,) = torch.autograd.grad(maps, leaf, signal)
    return maps.detach(), pixels
