"""The filters of convolutions whose weights are computed, or whose input depends on the whole image."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
from deconvwidgets.engine.filters import convolution_filters


class Standardised(nn.Conv2d):
    """A convolution with standardised weights (Qiao et al. 2019)."""

    def used(self):
        return (self.weight - self.weight.mean((1, 2, 3), keepdim=True)) / self.weight.std((1, 2, 3), keepdim=True)

    def forward(self, input):
        return F.conv2d(input, self.used(), self.bias, self.stride, self.padding)


class GainOfOneMore(nn.BatchNorm2d):
    """A batch norm whose gain is computed."""

    def forward(self, input):
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight + 1, self.bias, False, 0.0, self.eps)


class Resize(nn.Module):
    def forward(self, input):
        return F.interpolate(input, size=(19, 19), mode="bilinear")


class WeightsFromImage(nn.Conv2d):
    def forward(self, input):
        return F.conv2d(input, self.weight * input.mean(), self.bias, self.stride, self.padding)


def network(conv, *before):
    layers = (conv, GainOfOneMore(6), nn.ReLU(), nn.Conv2d(6, 5, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2))
    return nn.Sequential(*before, *layers).eval()


def filters_of(model):
    return convolution_filters(dw.ModelBundle.from_module(model, categories=["a", "b"], input_size=(3, 24, 24)).network)


@pytest.mark.parametrize(
    "conv",
    [
        lambda: nn.utils.weight_norm(nn.Conv2d(3, 6, 3, 2)),
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 6, 3, 2)),
        lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 6, 3, 2)),
        lambda: Standardised(3, 6, 3, 2),
    ],
)
def test_weights_and_gains_that_are_computed_from_parameters_are_those_that_are_used(conv):
    torch.manual_seed(0)
    model = network(conv())
    first, second = filters_of(model)
    weight = model[0].used() if isinstance(model[0], Standardised) else model[0].weight
    assert torch.allclose(first.weight, weight, atol=1e-6)
    assert torch.allclose(first.scale, torch.full((6,), 2.0, dtype=torch.float64), atol=1e-4)
    assert torch.equal(second.weight, model[3].weight)
    assert first.reads_input


def test_weights_that_are_computed_from_the_image_are_not_known():
    model = network(WeightsFromImage(3, 6, 3, 2))
    (second,) = filters_of(model)
    assert torch.equal(second.weight, model[3].weight)


@pytest.mark.parametrize(("before", "mode"), [([Resize()], "zeros"), ([], "reflect")])
def test_filters_are_known_where_the_map_that_they_read_depends_on_the_whole_image(before, mode):
    model = network(nn.Conv2d(3, 6, 5, 2, 2, padding_mode=mode), *before)
    first, second = filters_of(model)
    assert torch.equal(first.weight, model[len(before)].weight)
    assert (first.window.kernel, first.window.stride, second.window.stride) == ((5, 5), (2, 2), (2, 2))
    assert not first.reads_input
