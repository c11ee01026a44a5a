"""Layers of models that cannot be traced: the module calls of their forward pass."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.errors import LayerError
from tests.engine.random_models import with_random_norms


class Untraceable(nn.Module):
    """Control flow that depends on values, which torch.fx cannot trace."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.relu, self.pool = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
        self.plain, self.fc, self.dropout, self.top = nn.Conv2d(4, 4, 3), nn.Linear(4, 5), nn.Dropout(), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.norm(self.conv(x))))
        x = torch.relu(self.plain(x)) if x.sum() > -1e9 else x
        return self.top(self.relu(self.dropout(self.fc(x.mean((2, 3))))))


def test_aliases_of_rectifier_modules() -> None:
    """Batch norm and dropout may stand before the rectifier. A functional rectifier, as after `plain`, is not seen."""
    network = engine.Network.of(Untraceable().eval(), (3, 12, 12))
    assert not network.traced
    assert {info.alias: info.name for info in network.layers if info.alias} == {"conv1": "relu", "pool1": "pool", "fc3": "relu#2"}
    assert [info.name for info in network.feature_map_layers] == ["relu", "plain"]


def test_visited_maps() -> None:
    model, batch = with_random_norms(Untraceable()), torch.randn(2, 3, 12, 12, dtype=torch.float64)
    network = engine.Network.of(model, (3, 12, 12))
    assert not network.single  # checked once, by whole forward passes
    maps: dict[str, Tensor] = {}
    calls: list[str] = []
    handle = model.top.register_forward_hook(lambda *_: calls.append("top"))
    with torch.no_grad():
        network.visit(batch, ["conv1", "fc3"], lambda name, value: maps.update({name: value.clone()}))
        expected = model.relu(model.norm(model.conv(batch)))
    handle.remove()
    assert calls == []  # the forward pass stopped after fc3
    assert torch.equal(maps["conv1"], expected)
    assert maps["fc3"].shape == (2, 5)


class TakesAnotherBranch(Untraceable):
    """A model whose forward pass calls other modules for other values."""

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv(x)) if x.min() < 0 else self.norm(self.conv(x))


def test_a_layer_that_the_forward_pass_does_not_reach() -> None:
    network = engine.Network.of(TakesAnotherBranch().eval(), (3, 12, 12))  # the example is positive
    with pytest.raises(LayerError, match="did not reach norm"):
        network.map(-torch.ones(1, 3, 12, 12), "norm")
