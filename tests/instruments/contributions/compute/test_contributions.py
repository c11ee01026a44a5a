import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import ContributionError, LayerError
from tests.conftest import random_head
from tests.instruments.contributions.nets import bundle_of, inputs, outputs_without, random_net

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("resnet18", "mobilenet_v2")]
CLOSE = {"rtol": 0, "atol": 1e-10}


class MiddleAverage(nn.Module):
    """A linear head through batch norm, maximum and average pooling: units stay apart, and zeros have features."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU())
        self.pool = nn.Sequential(nn.BatchNorm2d(6), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Dropout(), nn.Flatten())
        self.classifier = nn.Linear(6 * 9, 4)

    def forward(self, x):
        return self.classifier(self.pool(self.maps(x)))


def average_pooling_net():
    torch.manual_seed(1)
    net = MiddleAverage()
    net.pool[0].running_mean.normal_()
    net.pool[0].running_var.uniform_(0.5, 2)
    nn.init.normal_(net.pool[0].weight)  # also negative: the maximum of such a unit is at its smallest value
    nn.init.normal_(net.pool[0].bias)
    return bundle_of(net, 16)


def differences(bundle, batch, layer, target, against=None):
    """What plain PyTorch says of switching each unit off, (N, units)."""

    def explained(outputs):
        return outputs[:, target] - (0 if against is None else outputs[:, against])

    units = bundle.network.layer(layer).channels
    with torch.no_grad():
        before = explained(bundle.model(batch))
    return torch.stack([before - explained(outputs_without(bundle, batch, layer, unit)) for unit in range(units)], dim=1).numpy()


@pytest.mark.parametrize("name", ["alexnet", *SLOW, "hook-run"])
def test_switching_off_equals_zeroing_the_map_in_pytorch(name):
    bundle, layer = random_net(name)
    batch = inputs(bundle, 2)
    found = dw.unit_contributions(bundle, batch, layer, 3, 1, method="switch-off")
    np.testing.assert_allclose(found.contributions, differences(bundle, batch, layer, 3, 1), **CLOSE)
    assert found.exact
    assert np.abs(found.contributions).max() > 1e-6


@pytest.mark.parametrize("against", [None, 2])
def test_contributions_by_weight_are_exact_and_sum_to_the_logit(against):
    bundle = average_pooling_net()
    batch = inputs(bundle, 3)
    found = dw.unit_contributions(bundle, batch, "maps", 1, against)
    assert found.method == "weight"
    assert found.closes
    np.testing.assert_allclose(found.contributions, differences(bundle, batch, "maps", 1, against), **CLOSE)
    with torch.no_grad():
        logits, bias = (
            bundle.model(batch).numpy(),
            bundle.model.classifier(bundle.model.pool(torch.zeros(1, 6, 14, 14).double())).numpy()[0],
        )
    explained, constant = (logits[:, 1], bias[1]) if against is None else (logits[:, 1] - logits[:, 2], bias[1] - bias[2])
    np.testing.assert_allclose(found.contributions.sum(axis=1) + constant, explained, **CLOSE)
    np.testing.assert_allclose(found.rest, np.full(3, constant), **CLOSE)
    ledger = found.ledger(2)
    assert sum(ledger.values) + ledger.others + ledger.rest == pytest.approx(explained.mean(), abs=1e-10)


def test_contributions_of_alexnet_with_its_head_sum_to_the_logit(alexnet, photos):
    found = dw.unit_contributions(alexnet, photos.open_source(0), "conv5", "kangaroo", "beaver", dtype="float64")
    head = alexnet.head
    labels = [alexnet.categories.index(name) for name in ("kangaroo", "beaver")]
    bias = float(head.bias[labels[0]]) - float(head.bias[labels[1]])
    np.testing.assert_allclose(found.rest, bias, **CLOSE)
    assert found.contributions.shape == (1, 256)
    pair = [dw.unit_contributions(alexnet, photos.open_source(0), "pool5", label, dtype="float64") for label in labels]
    np.testing.assert_allclose(found.contributions, pair[0].contributions - pair[1].contributions, **CLOSE)


def test_gradient_is_exact_for_a_linear_head_only():
    bundle = average_pooling_net()
    batch = inputs(bundle, 2)
    by_weight, by_gradient = (dw.unit_contributions(bundle, batch, "maps", 0, method=method) for method in ("weight", "gradient"))
    np.testing.assert_allclose(by_gradient.contributions, by_weight.contributions, **CLOSE)
    assert not by_gradient.exact
    deep, layer = random_net("alexnet")
    by_gradient, exact = (dw.unit_contributions(deep, inputs(deep, 1), layer, 0, method=method) for method in ("gradient", "switch-off"))
    assert not np.allclose(by_gradient.contributions, exact.contributions, rtol=1e-3)


def test_baseline_subtracts_the_mean_photograph():
    bundle = average_pooling_net()
    batch = inputs(bundle, 4)
    plain, centred = (dw.unit_contributions(bundle, batch, "maps", 0, baseline=baseline) for baseline in (None, "mean"))
    np.testing.assert_allclose(centred.contributions.mean(axis=0), 0, **CLOSE)
    np.testing.assert_allclose(centred.contributions.sum(axis=1) + centred.rest, plain.outputs, **CLOSE)


def test_deletion_curve_equals_switching_units_off_one_after_another():
    bundle = average_pooling_net()
    batch = inputs(bundle, 1)
    found = dw.unit_contributions(bundle, batch, "maps", 1, deletion=True)
    order, off = found.ranking, list[int]()
    expected = []
    for step in range(7):

        def hook(module, args, output, off=off):
            changed = output.clone()
            changed[:, off] = 0
            return changed

        handle = bundle.model.maps.register_forward_hook(hook)
        with torch.no_grad():
            expected.append(float(bundle.model(batch)[0, 1]))
        handle.remove()
        off += order[step : step + 1].tolist()
    np.testing.assert_allclose(found.deletion.outputs["contribution"], expected, **CLOSE)
    assert found.deletion.counts.tolist() == list(range(7))
    for values in found.deletion.outputs.values():  # with all units off the order does not matter
        assert values[-1] == pytest.approx(expected[-1], abs=1e-10)
    assert found.deletion.areas["contribution"] < found.deletion.areas["random"]


def test_bad_input_is_refused_in_words(tiny_bundle, noise):
    image = noise(4).open_source(0)
    for arguments, error, message in [
        (("5",), LayerError, "is the answer of tiny itself"),
        (("conv9",), LayerError, "no layer 'conv9'"),
        (("conv1", "bea"), ContributionError, "Did you mean 'bee'"),
        (("conv1", 7), ContributionError, "there is no class 7"),
        (("conv1", 1, 1), ContributionError, "another class"),
    ]:
        with pytest.raises(error, match=message):
            dw.unit_contributions(tiny_bundle, image, *arguments)
    with pytest.raises(ContributionError, match="has no classifier"):
        dw.unit_contributions(tiny_bundle.with_head(None), image, "conv1")
    deep, layer = random_net("alexnet")
    with pytest.raises(ContributionError, match=r"relu.*which is not linear: use method='switch-off'"):
        dw.unit_contributions(deep, inputs(deep, 1), layer, 0, method="weight")
    with pytest.raises(ContributionError, match=r"Pass target="):
        dw.unit_contributions(tiny_bundle, noise(4), "conv1")


def test_a_layer_after_the_answer_is_refused(tiny_bundle, noise):
    bundle = tiny_bundle.with_head(random_head(tiny_bundle, "conv1"))
    with pytest.raises(LayerError, match="answer does not depend on 3"):
        dw.unit_contributions(bundle, noise(4).open_source(0), "conv2")


def test_outputs_of_a_regression_are_explained():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).double().eval()
    bundle = dw.ModelBundle.from_module(net, input_size=(3, 8, 8), categories=["depth", "angle"], task="regression")
    batch = inputs(bundle, 1)
    found = dw.unit_contributions(bundle, batch, "conv1", "angle")
    np.testing.assert_allclose(found.contributions, differences(bundle, batch, "1", 1), **CLOSE)
