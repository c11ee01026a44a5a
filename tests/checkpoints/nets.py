"""Small networks whose checkpoints are recorded and opened."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIZE = (3, 16, 16)


class SmallNet(nn.Module):
    """A convolution with batch norm, and a classifier of two classes."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.fc = nn.Linear(4 * 14 * 14, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).flatten(1))


def make_net(seed: int = 0, classes: int = 2) -> SmallNet:
    torch.manual_seed(seed)
    return SmallNet(classes)


def train_a_step(net: nn.Module) -> None:
    """Change every parameter, and the statistics of batch norm."""
    net.train()
    net(torch.rand(4, *SIZE)).square().mean().backward()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter -= 0.1 * parameter.grad
            parameter.grad = None
