"""Models whose output for an image depends on the other images of the batch are run image by image, whatever couples them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from deconvwidgets import engine

SIZE = (3, 20, 18)
STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {
    "maximum": lambda batch: batch.max(),
    "minimum": lambda batch: batch.min(),
    "maximum per channel": lambda batch: batch.amax((0, 2, 3), keepdim=True),
    "minimum per channel": lambda batch: batch.amin((0, 2, 3), keepdim=True),
    "mean": lambda batch: batch.mean(),
    "deviation": lambda batch: batch.std(),
    "norm": lambda batch: batch.norm(),
    "median": lambda batch: batch.median(),
    "quantile": lambda batch: batch.flatten().quantile(0.9),
    "last image": lambda batch: batch[-1],
    "none": lambda batch: torch.ones((), dtype=batch.dtype),
    "maximum of each image": lambda batch: batch.amax((1, 2, 3), keepdim=True),
}
INDEPENDENT = ("none", "maximum of each image")


class Normalises(nn.Module):
    def __init__(self, statistic: Callable[[Tensor], Tensor], traceable: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.statistic, self.traceable = statistic, traceable
        self.conv, self.relu, self.classify = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 3)

    def forward(self, batch: Tensor) -> Tensor:
        maps = self.relu(self.conv(batch - 0.7 * self.statistic(batch)))
        maps = maps if self.traceable or maps.sum() > -1e9 else 2 * maps
        return self.classify(maps.mean((2, 3)))


@pytest.mark.parametrize("traceable", [True, False])
@pytest.mark.parametrize("name", STATISTICS)
def test_whatever_couples_a_batch_is_found(name: str, traceable: bool) -> None:
    model = Normalises(STATISTICS[name], traceable).eval()
    network = engine.Network.of(model, SIZE)
    assert network.single == (name not in INDEPENDENT)
    one, others = torch.rand(1, *SIZE), 3 * torch.randn(2, *SIZE)
    found = network.map(torch.cat([one, others]), "conv1")[:1]
    torch.testing.assert_close(found, network.map(one, "conv1"))
