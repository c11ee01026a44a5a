"""Small classifiers with every normalisation, gate and activation that is in use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sweep.checks import check_network

pytestmark = pytest.mark.slow

SIZE = (3, 32, 28)


def classifier(part: nn.Module) -> nn.Sequential:
    """Return two convolutions with a part after the first, (N, 8, 32, 28)."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), part, nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(24, 5),
    )  # fmt: skip


class Apply(nn.Module):
    """A function of the maps and of four modules."""

    def __init__(self, function: Callable[[Apply, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.reduce, self.expand = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.norm, self.mix = nn.LayerNorm(8), nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        return self.function(self, maps)


class LayerNorm2d(nn.LayerNorm):
    def forward(self, maps: Tensor) -> Tensor:
        return F.layer_norm(maps.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


def squeeze_and_excite(model: Apply, maps: Tensor) -> Tensor:
    return maps * torch.sigmoid(model.expand(F.relu(model.reduce(F.adaptive_avg_pool2d(maps, 1)))))


def channel_attention(model: Apply, maps: Tensor) -> Tensor:
    means = maps.mean((2, 3))[:, None]
    return maps * torch.sigmoid(model.mix(means))[:, 0, :, None, None].expand_as(maps)


def spatial_attention(model: Apply, maps: Tensor) -> Tensor:
    return maps * torch.sigmoid(maps.mean(1, keepdim=True) + maps.amax(1, keepdim=True))


def response_normalisation(model: Apply, maps: Tensor) -> Tensor:
    """ConvNeXt V2's, over whole maps."""
    norms = maps.norm(p=2, dim=(2, 3), keepdim=True)
    return maps * (norms / (norms.mean(1, keepdim=True) + 1e-6)) + maps


def manual_layer_norm(model: Apply, maps: Tensor) -> Tensor:
    centred = maps - maps.mean(1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(1, keepdim=True) + 1e-6) * model.norm.weight[:, None, None]


def self_attention(model: Apply, maps: Tensor) -> Tensor:
    tokens = model.norm(maps.flatten(2).transpose(1, 2))
    mixed = F.scaled_dot_product_attention(tokens, tokens, tokens)
    return maps + mixed.transpose(1, 2).reshape(maps.shape)


ACCEPTED: dict[str, Callable[[], nn.Module]] = {
    "nothing": nn.Identity,
    "batch norm": lambda: nn.BatchNorm2d(8),
    "instance norm with running statistics": lambda: nn.InstanceNorm2d(8, affine=True, track_running_stats=True),
    "channel shuffle": lambda: nn.ChannelShuffle(2),
    "residual": lambda: Apply(lambda model, maps: maps + model.expand(model.reduce(maps).relu())),
    "dense": lambda: Apply(lambda model, maps: torch.cat([maps[:, 4:], model.reduce(maps)], 1)),
    "scales per channel": lambda: Apply(lambda model, maps: maps * model.norm.weight[:, None, None] + model.norm.bias.view(1, 8, 1, 1)),
    "dropout": lambda: nn.Sequential(nn.Dropout2d(0.3), nn.Dropout(0.2, inplace=True)),
    "PReLU": lambda: nn.PReLU(8),
    "ReLU6": nn.ReLU6,
    "Hardtanh from 0": lambda: nn.Hardtanh(0, 2),
    "maximum pooling of stride 1": lambda: nn.MaxPool2d(3, 1, 1),
    "average pooling": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    "blur": lambda: nn.Conv2d(8, 8, 3, padding=1, groups=8, padding_mode="reflect"),
    "dilation": lambda: nn.Conv2d(8, 8, 3, padding="same", dilation=2, groups=4),
}  # fmt: skip

REFUSED: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "group norm": ("group_norm", lambda: nn.GroupNorm(4, 8)),
    "LayerNorm2d": ("layer_norm", lambda: LayerNorm2d(8)),
    "layer norm over maps": ("layer_norm", lambda: nn.LayerNorm([8, 32, 28])),
    "layer norm by hand": ("div", lambda: Apply(manual_layer_norm)),
    "instance norm": ("instance_norm", lambda: nn.InstanceNorm2d(8, affine=True)),
    "global response norm": ("norm", lambda: Apply(response_normalisation)),
    "RMS norm": ("rms_norm", lambda: Apply(lambda model, maps: F.rms_norm(maps.transpose(1, 3), [8]).transpose(1, 3))),
    "squeeze and excitation": ("sigmoid", lambda: Apply(squeeze_and_excite)),
    "efficient channel attention": ("sigmoid", lambda: Apply(channel_attention)),
    "spatial attention": ("sigmoid", lambda: Apply(spatial_attention)),
    "self-attention": ("layer_norm", lambda: Apply(self_attention)),
    "softmax over channels": ("softmax", lambda: nn.Softmax2d()),
    "gated linear unit": ("glu", lambda: nn.Sequential(nn.Conv2d(8, 16, 1), nn.GLU(1))),
    "SiLU": ("silu", lambda: nn.SiLU(inplace=True)),
    "GELU": ("gelu", nn.GELU),
    "Hardswish": ("hardswish", nn.Hardswish),
    "Mish": ("mish", nn.Mish),
    "ELU": ("elu", nn.ELU),
    "Sigmoid": ("sigmoid", nn.Sigmoid),
    "LPPool2d": ("pow", lambda: nn.LPPool2d(2, 3, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_parts_with_a_backward_rule(name: str) -> None:
    assert check_network(classifier(ACCEPTED[name]()), SIZE, occlusion=True) == {}


@pytest.mark.parametrize("name", REFUSED)
def test_parts_without_a_backward_rule_are_refused_by_their_name(name: str) -> None:
    operation, make = REFUSED[name]
    refused = check_network(classifier(make()), SIZE, occlusion=True)
    assert refused, "nothing was refused"
    assert operation in next(iter(refused.values()))
