"""Small networks of convolutions, and changes of their units whose effect is known."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.index.cached_build import SIMILARITY_OPTIONS
from deconvwidgets.models.preprocess import Preprocess

SIDE = 24


def conv_net(widths: Sequence[int] = (6, 8, 7), seed: int = 0) -> nn.Sequential:
    """A network conv1, conv2, ... with rectifiers, and a linear classifier of 3 classes. No unit is dead."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in zip((3, *widths), widths, strict=False):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 3)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (0.3 if parameter.dim() > 1 else 0.1))
    return net


def parts(net: nn.Sequential) -> list[Any]:
    """The modules with weights, in order."""
    return [module for module in net if hasattr(module, "weight")]


def with_units_from(net: nn.Sequential, layer: int, sources: Sequence[int], shares: Sequence[float] | None = None) -> nn.Sequential:
    """A copy in which unit n of convolution `layer` (from 0) is unit `sources[n]`, and the next layer weights it with `shares[n]`."""
    changed, order = copy.deepcopy(net), list(sources)
    own, following = parts(changed)[layer], parts(changed)[layer + 1]
    scale = torch.ones(len(order)) if shares is None else torch.tensor(shares)
    own.weight, own.bias = nn.Parameter(own.weight[order].detach()), nn.Parameter(own.bias[order].detach())
    weight = following.weight[:, order].detach()
    following.weight = nn.Parameter(weight * scale.view(1, -1, *[1] * (weight.dim() - 2)))
    if isinstance(own, nn.Conv2d):
        own.out_channels = len(order)
    if isinstance(following, nn.Conv2d):
        following.in_channels = len(order)
    return changed


def silenced(net: nn.Sequential, layer: int, unit: int, bias: float = -1e4) -> nn.Sequential:
    """A copy in which a unit of convolution `layer` (from 0) has the same activation everywhere: 0, or a positive bias."""
    changed = copy.deepcopy(net)
    with torch.no_grad():
        own = parts(changed)[layer]
        own.weight[unit], own.bias[unit] = 0.0, bias
    return changed


def bundle_of(net: nn.Module, name: str = "net", side: int = SIDE) -> dw.ModelBundle:
    """A bundle with inputs of side x side pixels."""
    transform = Preprocess(resize=side, crop=(side, side), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    return dw.ModelBundle.from_module(net, transform=transform, categories=["ant", "bee", "cow"], name=name)


def index_of(net: nn.Module, images: Any, name: str = "net", **options: Any) -> dw.ActivationIndex:
    """The index of a network, not from the cache."""
    return dw.ActivationIndex.build(bundle_of(net, name), images, options=SIMILARITY_OPTIONS, progress=False, device="cpu", **options)
