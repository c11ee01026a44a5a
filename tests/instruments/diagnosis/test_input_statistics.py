"""What the statistics of batch norms say, and of how few values they say nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import deconvwidgets as dw
from deconvwidgets.instruments.diagnosis.compute.input_finding import input_finding
from deconvwidgets.models.bundle import ModelBundle
from tests.instruments.diagnosis.planted import TRANSFORM, SmoothPhotographs, bundle_of, inputs, network, train_statistics

IMAGES = SmoothPhotographs(60)


def darker(image):
    return TRANSFORM(image) * 0.2 - 1.5


@pytest.mark.parametrize(("photographs", "level"), [(1, "near"), (49, "near"), (50, "found")])
def test_another_input_is_found_with_enough_photographs_only(photographs, level):
    model = train_statistics(network(norm=True), inputs(bundle_of(network()), IMAGES))
    wrong = ModelBundle.from_module(model, transform=darker, input_size=(3, 32, 32), categories=["red", "blue"], name="darker")
    found = dw.check_input(wrong, IMAGES, photographs=photographs, device="cpu")
    assert found.divergences[0] > 0.3
    assert found.level == level
    assert ("another input than in training" in found.summary) == (level == "found")
    assert ("is judged with 50 or more" in found.summary) == (level == "near")
    assert ("1 photograph)" in found.summary) == (photographs == 1)


class Pooled(nn.Module):
    """A batch norm of maps, if wanted, and one of a value per photograph."""

    def __init__(self, first):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.first, self.last, self.top = nn.Conv2d(3, 8, 5, stride=2), first, nn.BatchNorm1d(8), nn.Linear(8, 2)

    def forward(self, batch):
        return self.top(self.last(F.relu(self.first(self.conv(batch))).mean((2, 3))))


def trained(model: nn.Module) -> ModelBundle:
    """Return a model whose batch norms have recorded the statistics of the images."""
    batch = inputs(bundle_of(network()), IMAGES)
    model.train()
    with torch.no_grad():
        model(batch)
    return ModelBundle.from_module(model.eval(), transform=TRANSFORM, categories=["red", "blue"], name="trained")


def cumulative(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = None
    return model


@pytest.mark.parametrize("photographs", [1, 2, 8, 49])
def test_of_few_values_per_channel_nothing_is_said(photographs):
    found = dw.check_input(trained(cumulative(Pooled(nn.Identity()))), IMAGES, photographs=photographs, device="cpu")
    assert (found.level, found.layers, found.divergences.tolist()) == ("not_checked", (), [])
    assert found.summary == "Not judged, with fewer than 50 values per channel: batch norm last. Use more photographs."
    assert input_finding(found).evidence.startswith("Not detected: range, mean and contrast, without batch norm")


def test_of_enough_values_per_channel_it_is_said():
    found = dw.check_input(trained(cumulative(Pooled(nn.Identity()))), IMAGES, photographs=50, device="cpu")
    assert (found.level, found.layers) == ("clear", ("last",))


def test_the_batch_norms_with_enough_values_are_measured_and_the_others_named():
    found = dw.check_input(trained(cumulative(Pooled(nn.BatchNorm2d(8)))), IMAGES, photographs=10, device="cpu")
    assert (found.layers, found.divergences.shape) == (("first",), (1,))
    assert found.summary.startswith("The input of batch norm first diverges by ")
    assert found.summary.endswith("Not judged, with fewer than 50 values per channel: batch norm last. Use more photographs.")


class Shared(nn.Module):
    """A batch norm, one that is called twice, on maps of different means, and one behind it."""

    def __init__(self, before):
        super().__init__()
        torch.manual_seed(0)
        self.before, self.first, self.second = before, nn.Conv2d(3, 8, 5), nn.Conv2d(8, 8, 3)
        self.norm, self.after, self.top = nn.BatchNorm2d(8), nn.BatchNorm2d(8), nn.Linear(8, 2)
        with torch.no_grad():
            self.second.bias += 3

    def forward(self, batch):
        maps = self.norm(self.first(self.before(batch)))
        maps = self.after(self.norm(self.second(F.relu(maps))))
        return self.top(F.relu(maps).mean((2, 3)))


MIXED = (
    "Not judged, as it is called more than once, or depends on one that is: batch norm norm, after. Training recorded all calls together; "
    "labels='auto' checks the input without batch norms."
)


def test_a_batch_norm_that_is_called_twice_is_not_judged_nor_what_depends_on_it():
    bundle = trained(cumulative(Shared(nn.Identity())))
    found = dw.check_input(bundle, IMAGES, device="cpu")
    assert (found.level, found.layers, found.summary) == ("not_checked", (), MIXED)
    assert dw.check_input(bundle, IMAGES, labels="auto", device="cpu").labelled == 60


def test_the_batch_norm_before_one_that_is_called_twice_is_judged():
    found = dw.check_input(trained(cumulative(Shared(nn.BatchNorm2d(3)))), IMAGES, device="cpu")
    assert (found.level, found.layers) == ("clear", ("before",))
    assert found.divergences[0] < 1e-4  # the statistics are those of these photographs
    assert found.summary.endswith(MIXED)


def test_batch_norms_that_share_their_statistics_are_not_judged():
    """Two modules with the same buffers are as one that is called twice."""
    model = Pooled(nn.BatchNorm2d(8))
    model.last.running_mean, model.last.running_var = model.first.running_mean, model.first.running_var
    found = dw.check_input(trained(cumulative(model)), IMAGES, device="cpu")
    assert (found.level, found.layers) == ("not_checked", ())
    assert "batch norm first, last" in found.summary
