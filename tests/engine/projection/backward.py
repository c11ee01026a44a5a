"""Running a module down by a rule, for tests."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from deconvwidgets.engine.projection.rules import Rule, RuleMode

RULES: tuple[Rule, ...] = ("deconvnet", "gradient", "guided")


class Written(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def run_down(module: nn.Module, images: Tensor, signal: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """The maps, and what reaches the pixels of a signal at them."""
    leaf = images.clone().requires_grad_()
    with RuleMode(rule) as mode:
        x = leaf.clone()
        mode.watch(x)
        maps = module(x)
        mode.judge(maps, "top")
        (pixels,) = torch.autograd.grad(maps, leaf, signal)
    return maps.detach(), pixels
