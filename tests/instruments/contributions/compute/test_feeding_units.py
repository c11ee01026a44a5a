import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import LayerError
from deconvwidgets.instruments.contributions.compute.tree import Root, grow_tree
from tests.instruments.contributions.nets import bundle_of, inputs, random_net


class Normalised(nn.Module):
    """Pooling, response normalisation, a convolution in groups, and batch norm between two rectifiers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.LocalResponseNorm(3))
        self.second = nn.Sequential(nn.Conv2d(8, 6, 3, padding=1, groups=2), nn.BatchNorm2d(6), nn.ReLU())
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(6 * 64, 3))

    def forward(self, x):
        return self.classifier(self.second(self.first(x)))


def normalised_net():
    torch.manual_seed(2)
    net = Normalised()
    net.second[1].running_mean.normal_()
    net.second[1].running_var.uniform_(0.5, 2)
    nn.init.normal_(net.second[1].weight)
    nn.init.normal_(net.second[1].bias)
    return bundle_of(net, 16)


def literal_terms(bundle, batch, unit, positions):
    """The terms by hand: weight x input over the window, times the batch norm's factor; and the constant."""
    net, terms, constants = bundle.model, np.zeros((len(batch), 8)), []
    with torch.no_grad():
        maps = np.pad(net.first(batch).numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    conv, norm = net.second[0].requires_grad_(False), net.second[1].requires_grad_(False)
    weight = conv.weight.detach().numpy()[unit]
    factor = float(norm.weight[unit] / torch.sqrt(norm.running_var[unit] + norm.eps))
    group = 4 * (unit // 3)
    for image, (row, column) in enumerate(positions):
        for channel in range(4):
            window = maps[image, group + channel, row : row + 3, column : column + 3]
            terms[image, group + channel] = factor * float((weight[channel] * window).sum())
        constants.append(float((conv.bias[unit] - norm.running_mean[unit]) * factor + norm.bias[unit]))
    return terms, np.array(constants)


@pytest.mark.parametrize("unit", [1, 4])
def test_terms_equal_those_by_hand(unit):
    bundle = normalised_net()
    batch = inputs(bundle, 3)
    found = dw.feeding_units(bundle, batch, "second", unit)
    terms, constants = literal_terms(bundle, batch, unit, found.positions)
    assert found.below == "conv1"
    np.testing.assert_allclose(found.terms, terms, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.constants, constants, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.terms.sum(axis=1) + found.constants, found.pre_activations, rtol=0, atol=1e-10)
    with torch.no_grad():
        maps = bundle.model.second(bundle.model.first(batch))[:, unit].numpy()
    np.testing.assert_allclose(found.activations, maps.reshape(3, -1).max(axis=1), rtol=0, atol=1e-10)
    np.testing.assert_allclose(np.maximum(found.pre_activations, 0), found.activations, rtol=0, atol=1e-10)
    assert "response normalisation" in found.note


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        pytest.param("resnet18", "layer2.1", marks=pytest.mark.slow),
        pytest.param("mobilenet_v2", "features.3", marks=pytest.mark.slow),
        ("alexnet", "classifier.2"),
    ],
)
def test_terms_of_all_branches_sum_to_the_value_before_the_rectifier(name, layer):
    bundle, _ = random_net(name)
    batch = inputs(bundle, 2)
    found = dw.feeding_units(bundle, batch, layer, 5)
    total = found.terms.sum(axis=1) + sum(branch.terms.sum(axis=1) for branch in found.skip) + found.constants
    np.testing.assert_allclose(total, found.pre_activations, rtol=0, atol=1e-10)
    assert bool(found.skip) == (name != "alexnet")
    with torch.no_grad():
        maps = bundle.network.map(batch, layer)[:, 5].flatten(1).numpy()
    rectified = found.pre_activations if name == "mobilenet_v2" else np.maximum(found.pre_activations, 0)
    np.testing.assert_allclose(rectified, maps.max(axis=1), rtol=0, atol=1e-10)


def test_units_that_are_switched_off_feed_nothing():
    bundle = normalised_net()
    batch = inputs(bundle, 2)
    changed = bundle.with_units({("conv1", 2): 0.0, ("second", 1): 2.0})
    found, plain = (dw.feeding_units(one, batch, "second", 1) for one in (changed, bundle))
    assert not found.terms[:, 2].any()
    assert plain.terms[:, 2].any()


def test_a_layer_that_reads_the_image_has_no_feeders(tiny_bundle, noise):
    with pytest.raises(LayerError, match="reads the image itself"):
        dw.feeding_units(tiny_bundle, noise(5), "conv1", 0)
    with pytest.raises(LayerError, match="there is no unit 9"):
        dw.feeding_units(tiny_bundle, noise(5), "conv2", 9)


def test_a_feeder_of_two_units_is_one_node(tiny_bundle, noise):
    images = noise(6)
    index = dw.ActivationIndex.build(tiny_bundle, images, progress=False)
    tree = grow_tree(
        lambda layer, unit: dw.feeding_units(tiny_bundle, images, layer, unit, index=index), [Root("conv2", 0), Root("conv2", 3)], "", 3, 4
    )
    assert len({(node.layer, node.unit) for node in tree.nodes}) == len(tree.nodes)
    fed = [edge for edge in tree.edges if tree.nodes[edge.source].layer == "conv1"]
    assert len({edge.source for edge in fed}) < len(fed)
    assert tree.layers == ("conv2", "conv1")
    assert any("reads the image itself" in note for note in tree.notes)
