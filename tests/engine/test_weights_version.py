"""A change of the weights is noticed, however it is made; what a forward pass does is none."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from deconvwidgets.engine.weights_version import WeightsVersion


class Counting(nn.Module):
    """Counts in a buffer how often it is called."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.layers(x)


class Clock:
    """Returns the time `now`, and adds `step` to it at each call."""

    def __init__(self, step=0.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def loss(model):
    return model(torch.rand(2, 3, 8, 8)).square().sum()


def step(optimizer, **options):
    def change(model):
        chosen = optimizer(model.parameters(), lr=0.1, **options)
        loss(model).backward()
        chosen.step()

    return change


def train_statistics(model):
    with torch.no_grad():
        model.train()(torch.rand(2, 3, 8, 8))
    model.eval()


def load(model, **options):
    model.load_state_dict(copy.deepcopy(model.state_dict()), **options)


def write_data(model):
    model.layers[0].weight.data.mul_(2)


def replace(model):
    model.layers[0].bias = nn.Parameter(torch.zeros(4))


@pytest.mark.parametrize(
    "change",
    [
        step(torch.optim.SGD),
        step(torch.optim.SGD, foreach=True),
        step(torch.optim.Adam, fused=True),
        train_statistics,
        load,
        lambda model: load(model, assign=True),
        replace,
        write_data,
        lambda model: torch.nn.init.zeros_(model.layers[4].weight),
    ],
    ids=["sgd", "foreach", "fused", "statistics", "load", "assign", "replace", "data", "init"],
)
def test_changes_are_noticed(change):
    model, clock = Counting().eval(), Clock()
    version = WeightsVersion(model, clock)
    clock.now += 1.0
    assert not version.changed
    change(model)
    clock.now += 1.0
    assert version.changed
    assert not WeightsVersion(model).changed


def test_running_and_reading_a_model_changes_nothing():
    model = Counting().eval()
    version = WeightsVersion(model, Clock(step=1.0))
    loss(model).backward()
    copy.deepcopy(model), model.state_dict(), model.to("cpu"), model.requires_grad_(False)
    with torch.inference_mode():
        model(torch.rand(1, 3, 8, 8))
    assert not version.changed


def test_inference_tensors_have_a_version_too():
    with torch.inference_mode():
        model = nn.Conv2d(3, 4, 3)
        version = WeightsVersion(model, Clock(step=1.0))
        assert not version.changed
        model.weight.zero_()
    assert version.changed
