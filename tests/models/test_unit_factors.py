"""Multiplying the maps of units equals a forward hook on the unchanged model that multiplies them."""

import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from deconvwidgets.engine import Network
from deconvwidgets.engine.executor import run_outputs
from deconvwidgets.engine.layer_cut import LayerCut
from deconvwidgets.errors import LayerError
from deconvwidgets.instruments.occlusion.compute.occlude import occlude
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.engine.token_models import TRANSFORMERS


class Branches(nn.Module):
    """A model that cannot be traced: it branches on values. Its rectifier is called twice."""

    def __init__(self, inplace=False):
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3)
        self.relu, self.fc = nn.ReLU(inplace), nn.Linear(8, 4)

    def forward(self, x):
        x = self.relu(self.first(x))
        if x.sum() > -1:
            x = x + self.second(x)
        return self.fc(self.relu(self.third(x)).mean((2, 3)))


class ReadsOverwritten(Branches):
    """It ignores what its in-place rectifier returns, and reads the tensor that it overwrites."""

    def forward(self, x):
        x = self.first(x)
        self.relu(x)
        return self.fc(x.mean((2, 3))) if x.sum() > -1 else self.fc(x.amax((2, 3)))


def torchvision(name, **options):
    return lambda: getattr(import_torchvision().models, name)(weights=None, num_classes=10, **options)


ALEXNET, RESNET = torchvision("alexnet"), torchvision("resnet18")
# the model, the size of its input, a module with units, and two of its units
CASES = {
    "AlexNet": (ALEXNET, 96, "features.11", (7, 133)),
    "AlexNet, convolution": (ALEXNET, 96, "features.3", (7, 133)),
    "AlexNet, fully connected": (ALEXNET, 96, "classifier.4", (7, 133)),
    "ResNet-18": (RESNET, 64, "layer2.0", (7, 100)),
    "ResNet-18, inside a block": (RESNET, 64, "layer3.1.bn1", (7, 100)),
    "MobileNetV2": (torchvision("mobilenet_v2"), 64, "features.5", (3, 11)),
    "hooks": (Branches, 24, "second", (3, 5)),
    "hooks, second call": (Branches, 24, "relu#2", (3, 5)),
    "hooks, in place": (lambda: Branches(inplace=True), 24, "relu", (3, 5)),
    "Swin": (TRANSFORMERS["torchvision Swin"][0], 32, TRANSFORMERS["torchvision Swin"][1], (3, 7)),
    "ViT": (TRANSFORMERS["torchvision ViT"][0], 32, TRANSFORMERS["torchvision ViT"][1].replace("layer_1", "layer_0"), (3, 11)),
}


@pytest.fixture(scope="module")
def bundle_of():
    """A function that returns the bundle of a network, which no test changes. It is made and traced once for several layers."""

    @functools.cache
    def make_bundle(make, size):
        torch.manual_seed(5)
        net = make().double().eval()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.bias, -0.1, 0.3)
        categories = [str(n) for n in range(classes_of(net, size))]
        return ModelBundle.from_module(net, input_size=(3, size, size), task="softmax", categories=categories)

    yield make_bundle
    make_bundle.cache_clear()


@pytest.fixture(scope="module", params=[*CASES])
def case(request, bundle_of):
    make, size, layer, units = CASES[request.param]
    return bundle_of(make, size), layer, {(layer, units[0]): 0.0, (layer, units[1]): 2.5}


def classes_of(net, size):
    with torch.no_grad():
        return net(torch.zeros(1, 3, size, size, dtype=torch.float64)).shape[1]


def batch_of(bundle, count=2):
    return torch.randn(count, *bundle.input_size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def outputs_with_hook(bundle, layer, units, batch):
    """The reference: a plain forward hook on a copy of the module."""
    net, calls = copy.deepcopy(bundle.model), []
    name, _, call = layer.partition("#")

    def hook(module, args, output):
        calls.append(module)
        if len(calls) != int(call or 1):
            return output
        output = output.clone()
        for (_, unit), factor in units.items():
            if output.dim() == 3:
                output[:, 1:, unit] *= factor  # the first token is the class token, which belongs to no position
            elif "Swin" in type(net).__name__:
                output[..., unit] *= factor
            else:
                output[:, unit] *= factor
        return output

    net.get_submodule(name).register_forward_hook(hook)
    with torch.no_grad():
        return net(batch)


def test_units_are_multiplied_as_by_a_forward_hook(case):
    bundle, layer, units = case
    changed, batch = bundle.with_units(units), batch_of(bundle)
    expected = outputs_with_hook(bundle, layer, units, batch)
    with torch.no_grad():
        before, found = bundle.model(batch), changed.model(batch)
    assert (expected - before).abs().max() > 1e-9
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    graph = changed.network.graph
    if graph is not None:  # the extended graph, which everything else runs, and which `forward` does not
        with torch.no_grad():
            torch.testing.assert_close(run_outputs(graph, graph.trace.bind(changed.model), batch), expected, rtol=0, atol=1e-10)


def test_a_cut_computes_the_answer_for_other_maps(case):
    bundle, layer, units = case
    batch, cut = batch_of(bundle), LayerCut.of(bundle.network, layer)
    with torch.no_grad():
        saved = cut.save(batch)
        maps = saved.maps.clone()
        for (_, unit), factor in units.items():
            maps[:, unit] *= factor
        kept = saved.maps.clone()
        torch.testing.assert_close(cut.outputs(saved), bundle.model(batch), rtol=0, atol=1e-10)
        torch.testing.assert_close(cut.outputs(saved, maps), outputs_with_hook(bundle, layer, units, batch), rtol=0, atol=1e-10)
        repeated = cut.outputs(saved.rows(torch.tensor([1, 0, 1])), maps[[1, 0, 1]])
        torch.testing.assert_close(repeated, outputs_with_hook(bundle, layer, units, batch)[[1, 0, 1]], rtol=0, atol=1e-10)
    assert torch.equal(saved.maps, kept)


def test_layers_keep_their_names_and_the_layer_means_the_product(case):
    bundle, layer, units = case
    changed, batch = bundle.with_units(units), batch_of(bundle, 1)
    described = [(info.name, info.alias, info.kind, info.channels, info.receptive_field) for info in bundle.network.layers]
    assert [(info.name, info.alias, info.kind, info.channels, info.receptive_field) for info in changed.network.layers][
        : len(described)
    ] == described
    assert [info.name for info in changed.network.feature_map_layers] == [info.name for info in bundle.network.feature_map_layers]
    assert changed.network.other_names() == bundle.network.other_names()
    expected = bundle.network.map(batch, layer).clone()
    for (_, unit), factor in units.items():
        expected[:, unit] *= factor
    torch.testing.assert_close(changed.network.map(batch, layer), expected, rtol=0, atol=1e-12)
    assert changed.network.digest(layer) != bundle.network.digest(layer)
    first = bundle.network.layers[0].name
    if bundle.network.traced and first != layer:
        assert changed.network.digest(first) == bundle.network.digest(first)


def test_reset_restores_bit_for_bit_and_nothing_was_changed(case):
    bundle, layer, units = case
    batch = batch_of(bundle)
    with torch.no_grad():
        before = bundle.model(batch)
        changed = bundle.with_units(units)
        changed.model(batch)
        assert changed.with_units(None) is bundle
        assert changed.with_units({}) is bundle
        assert bundle.with_units({(layer, 0): 1.0}) is bundle
        assert torch.equal(changed.with_units(None).model(batch), before)
        again = pickle.loads(pickle.dumps(copy.deepcopy(changed.model))) if bundle.network.traced else copy.deepcopy(changed.model)
        assert torch.equal(again(batch), changed.model(batch))


@pytest.fixture(scope="module")
def plain():
    """AlexNet with random weights, which no test changes. It is traced once for all of them."""
    torch.manual_seed(3)
    net = ALEXNET().eval()
    return ModelBundle.from_module(net, input_size=(3, 96, 96), categories=list("abcdefghij"), name="alexnet")


def test_a_head_is_attached_below_the_factors_and_keeps_them(plain, make_head):
    torch.manual_seed(3)
    units = {("conv5", 7): 0.0, ("conv4", 3): 2.0}
    head = make_head(plain, "pool5")
    first, second = plain.with_units(units).with_head(head), plain.with_head(head).with_units(units)
    batch = torch.randn(2, 3, 96, 96)
    assert first.units == second.units == {("features.9", 3): 2.0, ("features.11", 7): 0.0}
    assert first.head is second.head is head
    with torch.no_grad():
        torch.testing.assert_close(first.model(batch), second.model(batch))
        assert not torch.allclose(first.model(batch), plain.with_head(head).model(batch))
        assert torch.equal(first.with_head(None).model(batch), plain.with_units(units).model(batch))


def test_projections_and_occlusion_maps_go_through_the_changed_network(plain):
    image = torch.randn(3, 96, 96, generator=torch.Generator().manual_seed(3))
    changed = plain.with_units({("conv2", unit): 0.0 for unit in range(192)})
    assert changed.network.map(image[None], "conv3").std() < plain.network.map(image[None], "conv3").std()
    occluded = occlude(changed, image, 24, 24, layer="conv3", unit=5)
    assert np.ptp(occluded.activity) < 1e-6  # nothing of the image passes conv2


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({("conv9", 1): 0.0}, "no layer 'conv9'"),
        ({("conv5", 256): 0.0}, "conv5 of alexnet has 256 units, 0 to 255: there is no unit 256"),
        ({("conv5", -1): 0.0}, "there is no unit -1"),
        ({("conv5", 1.5): 0.0}, "there is no unit 1.5"),
        ({("conv5", 1): float("nan")}, "must be a finite number"),
        ({("conv5", 1): "off"}, "must be a finite number"),
        ({("conv5", 1): -1e39}, r"conv5 is as large as 1e\+39, but its values are of float32"),
        ({("conv5", 1): 0.0, ("features.11", 1): 2.0}, "two factors"),
        ({"conv5": 0.0}, r"given as \(layer, unit\)"),
        ([("conv5", 1)], r"factors by \(layer, unit\)"),
        ({("fc6", 1): 0.0}, "does not depend on fc6"),
    ],
)
def test_bad_units_are_refused_by_name(plain, make_head, units, message):
    headed = plain.with_head(make_head(plain, "pool5"))
    with pytest.raises(LayerError, match=message):
        headed.with_units(units)


def test_a_model_whose_values_a_hook_cannot_replace_is_refused():
    bundle = ModelBundle.from_module(ReadsOverwritten(inplace=True).eval(), input_size=(3, 24, 24), categories=list("abcd"))
    assert not bundle.network.traced
    with pytest.raises(LayerError, match=r"cannot be switched off.*inplace=False"):
        bundle.with_units({("relu", 1): 0.0})


def test_a_cut_after_the_answer_is_refused(plain, make_head):
    with pytest.raises(LayerError, match="does not depend on"):
        LayerCut.of(plain.with_head(make_head(plain, "pool5")).network, "fc6")


def test_gradients_flow_through_a_cut(plain):
    torch.manual_seed(3)
    net = copy.deepcopy(plain.model).double()
    cut = LayerCut.of(Network.of(net, (3, 96, 96)), "conv4")
    saved = cut.save(torch.randn(1, 3, 96, 96, dtype=torch.float64))
    maps = saved.maps.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cut.outputs(saved, maps)[0, 2], maps)
    direction = torch.randn_like(maps)
    with torch.no_grad():
        step = 1e-7
        difference = (cut.outputs(saved, maps + step * direction) - cut.outputs(saved, maps - step * direction))[0, 2] / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), difference, rtol=1e-4, atol=1e-7)
