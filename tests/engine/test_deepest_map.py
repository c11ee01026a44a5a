"""The deepest feature map is the one with the most convolutions below it, not the one that is computed last."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deconvwidgets.engine.deepest_map import deepest_map
from deconvwidgets.engine.network import Network


class Block(nn.Module):
    """A residual block whose shortcut is computed before its convolutions, or after them as in torchvision's ResNet."""

    def __init__(self, shortcut_first: bool):
        super().__init__()
        self.shortcut_first = shortcut_first
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.first = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.shortcut = nn.Conv2d(4, 8, 1, stride=2)

    def forward(self, x):
        x = self.stem(x).relu()
        shortcut = self.shortcut(x) if self.shortcut_first else None
        y = self.second(self.first(x).relu())
        return (y + (self.shortcut(x) if shortcut is None else shortcut)).relu()


@pytest.mark.parametrize("shortcut_first", [True, False])
def test_a_shortcut_is_not_the_deepest_map(shortcut_first):
    network = Network.of(Block(shortcut_first).eval(), (3, 16, 16))
    found = deepest_map(network, network.feature_map_layers)
    assert found is not None
    assert found.name.startswith("second")


def test_of_equally_deep_maps_the_last_is_returned_in_any_order_of_the_layers():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return torch.cat([self.left(x), self.right(x)], 1).relu()

    network = Network.of(Branches().eval(), (3, 16, 16))
    for layers in (network.feature_map_layers, network.feature_map_layers[::-1]):
        found = deepest_map(network, layers)
        assert found is not None
        assert found.name.startswith("right")


def test_no_feature_map_among_the_layers_is_none():
    network = Network.of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)).eval(), (3, 8, 8))
    assert deepest_map(network, [info for info in network.layers if info.kind == "fc"]) is None
