"""Projections on receptive-field crops equal projections on whole images, also at borders and corners."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.engine.random_models import random_sequential, with_random_norms


def corners(height: int, width: int) -> Tensor:
    return torch.tensor([[0, 0], [height - 1, width - 1], [0, width // 2], [height // 2, width // 2]])


def largest_difference(network: engine.Network, layer: str, rule: str, batch: Tensor) -> float:
    info = network.layer(layer)
    at = corners(info.height, info.width)
    with torch.no_grad():  # an active unit, because the gradient of an inactive one is zero
        unit = network.map(batch, layer)[torch.arange(len(at)), :, at[:, 0], at[:, 1]].argmax(dim=1)
    local, full = (
        engine.project(network, batch, layer, unit=unit, at=at, rule=rule, method=method, seed=1.0) for method in ("local", "full")
    )
    assert (local.method, full.method) == ("local", "full")
    assert torch.equal(local.boxes, full.boxes)
    assert torch.allclose(local.values, full.values, rtol=1e-10, atol=1e-12)
    assert full.pixels.abs().max() > 0
    return float((local.pixels - full.pixels).abs().max() / full.pixels.abs().max())


SMALL_NETS = {
    "conv, batch norm, relu, conv": (
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=1)),
    "padded max pool of negative values": (
        nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(3, 2, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)),
    "overlapping, dilated, ceil-mode pools": (
        nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, 2, dilation=2, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 2), nn.MaxPool2d(3, 2, ceil_mode=True)),
    "average pools": (
        nn.Conv2d(3, 4, 3, padding=2, padding_mode="zeros"), nn.AvgPool2d(3, 2, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1),
        nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False)),
    "average pool with its padding counted in ceil mode": (
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(3, 2, padding=1, ceil_mode=True), nn.Conv2d(4, 4, 3, padding=1)),
    "dilated, grouped, strided, same": (
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU6(), nn.Conv2d(6, 6, 3, padding="same", dilation=2, groups=3),
        nn.LeakyReLU(0.1, inplace=True), nn.Conv2d(6, 6, (2, 3), padding="same")),
    "constant padding and LRN": (
        nn.ConstantPad2d((1, 2, 0, 1), 0.7), nn.Conv2d(3, 6, 3), nn.ReLU(), nn.LocalResponseNorm(3), nn.MaxPool2d(3, 2, padding=1),
        nn.LocalResponseNorm(3), nn.Conv2d(6, 4, 3, padding=1)),
}  # fmt: skip


@pytest.mark.parametrize("rule", ["deconvnet", "gradient", "guided"])
@pytest.mark.parametrize("name", SMALL_NETS)
def test_small_models_at_every_layer(name: str, rule: str) -> None:
    model = random_sequential(*SMALL_NETS[name])
    batch = torch.randn(4, 3, 37, 34, dtype=torch.float64)
    network = engine.Network.of(model, batch.shape[1:])
    layers = [info.name for info in network.layers if network.plan(info.name) is not None]
    assert layers[-1] == str(len(model) - 1)
    for layer in layers:
        assert largest_difference(network, layer, rule, batch) < 1e-10, layer


@pytest.mark.parametrize("name", SMALL_NETS)
def test_crops_that_all_extend_beyond_one_border(name: str) -> None:
    """What lies outside the map for all crops is padding, with the pad value of each operation."""
    model = random_sequential(*SMALL_NETS[name])
    network = engine.Network.of(model, (3, 37, 34))
    layers = [info for info in network.layers if network.plan(info.name) is not None]
    for info in layers:
        for position in corners(info.height, info.width):
            batch, at = torch.randn(2, 3, 37, 34, dtype=torch.float64), position.expand(2, 2)
            local, full = (
                engine.project(network, batch, info.name, unit=1, at=at, method=method, seed=1.0) for method in ("local", "full")
            )
            assert torch.allclose(local.values, full.values, rtol=1e-10, atol=1e-12), (info.name, position)
            assert torch.allclose(local.pixels, full.pixels, rtol=1e-10, atol=1e-12), (info.name, position)


class Branches(nn.Module):
    """A model with functional rectifiers, a residual sum in place, a concatenation and channel slices."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.wide = nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.Conv2d(8, 8, 5, padding=2)
        self.deep, self.last = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(16, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([torch.unsqueeze(x[:, 0], 1) * 0.5 + 0.1, x[:, 1:]], 1)
        x = F.relu(self.stem(x))
        out = self.deep(F.relu(self.wide(x), inplace=True))
        out += x
        halves = out.chunk(2, dim=1)
        return F.relu(self.last(torch.cat([F.max_pool2d(x, 3, 1, 1), halves[0], halves[1]], dim=1)))


@pytest.mark.parametrize("rule", ["deconvnet", "gradient", "guided"])
def test_branches_with_receptive_fields_of_different_size(rule: str) -> None:
    torch.manual_seed(1)
    batch = torch.randn(4, 3, 45, 41, dtype=torch.float64)
    network = engine.Network.of(Branches().double().eval(), batch.shape[1:])
    assert network.layer("conv4").receptive_field == (21, 21)
    assert largest_difference(network, "conv4", rule, batch) < 1e-10


TORCHVISION = ["alexnet", "googlenet"]  # more of them in tests/sweep


class SharedMaps(nn.Module):
    """A model in which several padded windows read a map, before and after a rectifier, and a padded map is part of a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.left, self.right, self.middle = (nn.Conv2d(channels, 6, 3, padding=1) for channels in (3, 6, 6, 6))
        self.narrow, self.wide, self.last = nn.Conv2d(6, 6, 5), nn.Conv2d(6, 6, 5, padding=2), nn.Conv2d(6, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = F.relu(self.middle(F.max_pool2d(x, 3, 1, 1) + self.left(x) + self.right(x)))
        return F.relu(self.last(F.relu(self.wide(x)) + self.wide(x) + F.pad(self.narrow(x), (2, 2, 2, 2))))


@pytest.mark.parametrize("rule", ["deconvnet", "gradient", "guided"])
def test_maps_with_several_users_are_not_filled_in_place(rule: str) -> None:
    torch.manual_seed(2)
    batch = torch.randn(4, 3, 33, 30, dtype=torch.float64)
    network = engine.Network.of(with_random_norms(SharedMaps()), batch.shape[1:])
    assert network.traced
    assert largest_difference(network, network.layers[-1].name, rule, batch) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_models(name: str) -> None:
    options = {"transform_input": True, "aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    torch.manual_seed(0)
    model = with_random_norms(getattr(import_torchvision().models, name)(weights=None, **options))
    size = 224 if name == "alexnet" else 128
    batch = torch.randn(4, 3, size, size, dtype=torch.float64)
    network = engine.Network.of(model, batch.shape[1:])
    assert network.traced, network.reason
    layers = [info.name for info in network.layers if network.plan(info.name) is not None]
    for layer, rule in ((layers[len(layers) // 2], "gradient"), (layers[-1], "deconvnet")):
        assert largest_difference(network, layer, rule, batch) < 1e-10, (layer, rule)


def test_float32_within_the_stated_tolerance() -> None:
    torch.manual_seed(0)
    model = import_torchvision().models.alexnet(weights=None).features.eval()
    batch = torch.randn(4, 3, 224, 224)
    network = engine.Network.of(model, (3, 224, 224))
    at = corners(13, 13)
    local, full = (engine.project(network, batch, "conv5", unit=7, at=at, method=method, seed=1.0) for method in ("local", "full"))
    assert (local.pixels - full.pixels).abs().max() <= 1e-4 * full.pixels.abs().max()
