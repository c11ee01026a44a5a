"""What is removed with a layer, against plain PyTorch that never had the layer."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError
from tests.engine.random_models import random_sequential
from tests.models.surgery.networks import batch, bundle_of, outputs


class SharedDropout(nn.Module):
    """Three linear layers on means. One dropout module is called after the first two."""

    def __init__(self):
        super().__init__()
        self.conv, self.drop = nn.Conv2d(3, 6, 3, padding=1), nn.Dropout(0.5)
        self.one, self.relu_one, self.two, self.relu_two = nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU()
        self.three = nn.Linear(6, 4)

    def forward(self, x):
        x = F.relu(self.conv(x)).mean((2, 3))
        x = self.drop(self.relu_one(self.one(x)))
        return self.three(self.drop(self.relu_two(self.two(x))))


@pytest.mark.parametrize("layer", ["one", "two"])
def test_dropout_that_another_layer_calls_stays_and_the_step_says_so(layer):
    torch.manual_seed(0)
    bundle = bundle_of(SharedDropout().double())
    shorter = dw.surgery.remove_layers(bundle, layer)
    model, other = bundle.model, "two" if layer == "one" else "one"
    means = F.relu(model.conv(batch())).mean((2, 3))
    assert torch.allclose(outputs(shorter), model.three(F.relu(getattr(model, other)(means))))
    assert isinstance(shorter.model.drop, nn.Dropout)
    assert shorter.surgery[0].description.endswith(" The dropout 'drop' is called more than once, and stays.")


@pytest.mark.parametrize("dropout", [nn.Dropout, nn.AlphaDropout])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Hardsigmoid, nn.Softshrink])
def test_the_activation_of_a_layer_goes_with_it(activation, dropout):
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)]
    convolutions = [nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)]
    net = random_sequential(convolutions[0], nn.Tanh(), convolutions[1], nn.BatchNorm2d(6), activation(), dropout(), *head)
    shorter = dw.surgery.remove_layers(bundle_of(net), "2")
    assert torch.equal(outputs(shorter), nn.Sequential(convolutions[0], nn.Tanh(), *head)(batch()))
    assert not any(isinstance(module, (activation, dropout)) for module in list(shorter.model)[2:])


@pytest.mark.parametrize("order", ["pooled first", "two"])
def test_activations_further_from_the_layer_go_with_it(order):
    first, pool, head = nn.Conv2d(3, 6, 3, padding=1), nn.MaxPool2d(2), [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)]
    own = [pool, nn.Tanh()] if order == "pooled first" else [nn.Softplus(), pool, nn.Hardsigmoid()]
    net = random_sequential(first, nn.Tanh(), nn.Conv2d(6, 6, 3, padding=1), *own, *head)
    shorter = dw.surgery.remove_layers(bundle_of(net), "2")
    assert torch.equal(outputs(shorter), nn.Sequential(first, nn.Tanh(), pool, *head)(batch()))


class PoolsAndRectifies(nn.Module):
    """A module whose code pools, too, so that the identity in its place would remove the pooling."""

    def forward(self, x):
        return torch.tanh(F.max_pool2d(x, 3, 1, 1))


class Branches(nn.Module):
    """A convolution whose activation may remain if the convolution is removed. `kind` says why."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.one, self.two, self.three = kind, nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 1)
        self.relu, self.leaky, self.tanh, self.drop, self.four = nn.ReLU(), nn.LeakyReLU(0.2), nn.Tanh(), nn.Dropout(), nn.Conv2d(6, 6, 1)
        self.module, self.fc = PoolsAndRectifies(), nn.Linear(6, 4)

    def forward(self, x):
        x = self.tanh(self.one(x))
        x = self.two(x)
        if self.kind == "two activations":
            x = self.three(self.relu(x)) + self.four(self.leaky(x))
        elif self.kind == "a reader without":
            x = self.three(self.relu(self.drop(x))) + self.four(x)
        elif self.kind == "function":
            x = self.three(torch.sigmoid(x))
        elif self.kind == "called twice":
            x = self.three(self.tanh(x))
        elif self.kind == "more code":
            x = self.three(self.module(x))
        else:
            x = F.relu(self.three(self.relu(x)))
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize("kind", ["two activations", "a reader without", "function", "called twice", "more code"])
def test_a_layer_whose_activation_would_remain_is_refused(kind):
    with pytest.raises(LayerError, match="it would remain"):
        dw.surgery.remove_layers(bundle_of(Branches(kind)), "two")


def test_a_rectifier_is_not_idle_because_of_one_that_is_removed():
    """The rectifier after `three` is a function call. Without `two` and its rectifier, it would rectify what tanh returns."""
    bundle = bundle_of(Branches("idle"))
    assert dw.surgery.remove_layers(bundle, "three").surgery[0].new == ()
    with pytest.raises(LayerError, match=r"conv3 of net \(relu\) .* it would remain"):
        dw.surgery.remove_layers(bundle, ["two", "three"])
