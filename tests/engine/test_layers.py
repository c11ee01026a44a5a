"""Layer names, aliases, receptive fields and captured maps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.models.torchvision_import import import_torchvision


@pytest.fixture(scope="module")
def alexnet() -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = import_torchvision().models.alexnet(weights=None).eval()
    return model


@pytest.fixture(scope="module")
def network(alexnet: nn.Module) -> engine.Network:
    return engine.Network.of(alexnet, (3, 224, 224))


def test_alexnet_has_the_papers_layers(network: engine.Network) -> None:
    layers = {info.alias: info for info in network.layers if info.alias}
    fields = {alias: info.receptive_field for alias, info in layers.items()}
    assert fields == {
        "conv1": (11, 11), "pool1": (19, 19), "conv2": (51, 51), "pool2": (67, 67), "conv3": (99, 99), "conv4": (131, 131),
        "conv5": (163, 163), "pool5": (195, 195), "fc6": None, "fc7": None, "fc8": None,
    }  # fmt: skip
    assert [(i.channels, i.height, i.width) for i in network.feature_map_layers] == [
        (64, 55, 55), (192, 27, 27), (384, 13, 13), (256, 13, 13), (256, 13, 13)]  # fmt: skip
    assert (layers["conv5"].name, layers["conv5"].kind, layers["conv5"].stride, layers["conv5"].offset) == (
        "features.11", "ReLU", (16, 16), (-66, -66))  # fmt: skip
    assert layers["fc7"].name == "classifier.5"
    assert network.layer("features.0").alias is None


def test_a_box_is_the_receptive_field(network: engine.Network, alexnet: nn.Module) -> None:
    """Changing all pixels outside the box does not change the activation; changing those inside does."""
    torch.manual_seed(1)
    image = torch.randn(1, 3, 224, 224)
    left, top, right, bottom = network.box("conv3", 5, 2)
    outside, inside = image + 5 * torch.rand_like(image), image.clone()
    window = (..., slice(max(top, 0), bottom), slice(max(left, 0), right))
    outside[window], inside[window] = image[window], outside[window].clone()
    with torch.no_grad():
        value, unchanged, changed = (network.map(batch, "conv3")[0, :, 5, 2] for batch in (image, outside, inside))
    assert torch.allclose(value, unchanged, atol=1e-6)
    assert not torch.allclose(value, changed, atol=1e-3)


def test_the_box_is_the_whole_input_if_the_receptive_field_is_unknown_or_larger(network: engine.Network) -> None:
    assert network.box("fc6", 0, 0) == (0, 0, 224, 224)
    assert network.plan("fc6") is None
    assert network.box("conv5", 0, 0) == (-66, -66, 97, 97)


def test_maps_are_captured_in_one_pass_that_stops_early(alexnet: nn.Module, network: engine.Network) -> None:
    batch = torch.randn(2, 3, 224, 224)
    calls = []
    handle = alexnet.classifier[1].register_forward_hook(lambda *_: calls.append(1))
    captured: dict[str, Tensor] = {}
    with torch.no_grad():
        network.visit(batch, ["features.0", "conv1", "conv5"], lambda name, maps: captured.update({name: maps.clone()}))
        handle.remove()
        expected = alexnet.features[0](batch)
        assert torch.allclose(captured["features.0"], expected, atol=1e-5)  # before the in-place ReLU overwrites it
        assert float(captured["features.0"].min()) < 0
        assert torch.allclose(captured["conv1"], expected.relu(), atol=1e-5)
        assert torch.allclose(captured["conv5"], alexnet.features[:12](batch), atol=1e-4)
    assert calls == []


def test_an_alias_takes_precedence_over_a_module_of_that_name() -> None:
    """The first convolution of torchvision's ResNet is a module called conv1; the paper's conv1 is the rectified map."""
    model = import_torchvision().models.resnet18(weights=None).eval()
    network = engine.Network.of(model, (3, 64, 64))
    assert network.layer("conv1").name == "relu"
    assert network.layer("conv1#1").kind == "conv"
    assert network.layer("layer1.0.relu#2").kind == "ReLU"
    assert network.layer("conv3").name == "layer1.0.bn2"  # a sum follows, no rectifier
    assert all(network.layer(info.name) == info for info in network.layers)


def test_a_digest_depends_on_the_layer_and_those_below_only() -> None:
    torch.manual_seed(0)
    model = import_torchvision().models.alexnet(weights=None).eval()
    whole, part = engine.Network.of(model, (3, 224, 224)), engine.Network.of(nn.Sequential(model.features), (3, 224, 224))
    assert whole.digest("conv5") == part.digest("conv5")
    before = {layer: whole.digest(layer) for layer in ("conv2", "conv3", "conv5")}
    with torch.no_grad():
        model.features[6].weight[0, 0, 0, 0] += 1  # conv3
    after = {layer: whole.digest(layer) for layer in before}
    assert [before[layer] == after[layer] for layer in before] == [True, False, False]


SAME_WEIGHTS = [
    (lambda: nn.LeakyReLU(0.01), lambda: nn.LeakyReLU(0.9)),
    (lambda: nn.BatchNorm2d(4), lambda: nn.BatchNorm2d(4, eps=10.0)),
    (lambda: nn.LocalResponseNorm(3), lambda: nn.LocalResponseNorm(3, alpha=10.0)),
    (lambda: nn.MaxPool2d(2), lambda: nn.AvgPool2d(2)),
    (lambda: Scaled(1.0), lambda: Scaled(-5.0)),
    (lambda: Difference(True), lambda: Difference(False)),
]


class Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class Difference(nn.Module):
    def __init__(self, forwards: bool) -> None:
        super().__init__()
        self.forwards = forwards

    def forward(self, x: Tensor) -> Tensor:
        rectified = torch.relu(x)
        return x - rectified if self.forwards else rectified - x


@pytest.mark.parametrize(("make_first", "make_second"), SAME_WEIGHTS)
def test_a_digest_depends_on_settings_and_connections(make_first: Callable[[], nn.Module], make_second: Callable[[], nn.Module]) -> None:
    first, last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
    digests = {
        engine.Network.of(nn.Sequential(first, make(), last).eval(), (3, 20, 20)).digest("2")
        for make in (make_first, make_second, make_first)
    }
    assert len(digests) == 2


class LeNet(nn.Module):
    """A model that numbers its fully connected layers from fc1, after two convolutions."""

    def __init__(self, first: str = "conv1", second: str = "conv2") -> None:
        super().__init__()
        self.names = (first, second)
        self.add_module(first, nn.Conv2d(3, 6, 5))
        self.add_module(second, nn.Conv2d(6, 8, 5))
        self.fc1, self.fc2, self.fc3 = nn.Linear(8 * 4 * 4, 20), nn.Linear(20, 12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        for name in self.names:
            x = torch.max_pool2d(torch.relu(self.get_submodule(name)(x)), 2)
        x = torch.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(torch.relu(self.fc2(x)))


def test_a_models_own_numbering_takes_precedence() -> None:
    torch.manual_seed(0)
    model, batch = LeNet().eval(), torch.randn(1, 3, 28, 28)
    with torch.no_grad():
        logits = model(batch)
    network = engine.Network.of(model, batch.shape[1:])
    assert torch.isclose(engine.project(network, batch, "fc3", unit=1).values, logits[0, 1])
    assert (network.layer("conv2").kind, network.layer("conv2#1").kind) == ("relu", "conv")
    from_zero = engine.Network.of(LeNet("conv0", "conv1").eval(), batch.shape[1:])
    assert from_zero.layer("conv1").kind == "conv"
    assert from_zero.layer("conv1").channels == 8
    assert [info.channels for info in from_zero.feature_map_layers] == [6, 8]
    assert all(info.alias is None for info in from_zero.feature_map_layers)


class DifferentStrides(nn.Module):
    """Two branches of equal size, with strides 2 and 1."""

    def __init__(self) -> None:
        super().__init__()
        self.strided, self.large, self.last = nn.Conv2d(3, 4, 2, stride=2), nn.Conv2d(3, 4, 11), nn.Conv2d(4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.strided(x) + self.large(x))


def test_layers_after_branches_of_different_strides_have_no_receptive_field() -> None:
    torch.manual_seed(0)
    model, batch = DifferentStrides().eval(), torch.randn(1, 3, 20, 20)
    network = engine.Network.of(model, batch.shape[1:])
    fields = {info.name: info.receptive_field for info in network.layers}
    assert fields == {"strided": (2, 2), "large": (11, 11), "last": None}
    projected = engine.project(network, batch, "last", unit=1, at=[[2, 5]])
    assert projected.method == "full"
    assert torch.isclose(projected.values, model(batch)[:, 1, 2, 5])


@pytest.mark.slow
def test_other_threads_run_models_while_one_is_traced() -> None:
    """torch.fx patches nn.Module for the whole process while it traces."""
    model, batch, ended = import_torchvision().models.alexnet(weights=None).eval(), torch.randn(1, 3, 64, 64), threading.Event()

    def keep_running() -> None:
        while not ended.is_set():
            with torch.no_grad():
                assert model(batch).shape == (1, 1000)
                assert nn.Sequential(nn.Flatten())(batch).shape == (1, 3 * 64 * 64)

    with ThreadPoolExecutor() as pool:
        future = pool.submit(keep_running)
        for _ in range(30):
            assert engine.Network.of(model, (3, 64, 64)).traced
        ended.set()
        future.result()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18", "mobilenet_v2"])
def test_torchvision_models_are_traced(name: str) -> None:
    options = {"init_weights": False} if name == "googlenet" else {}
    model = getattr(import_torchvision().models, name)(weights=None, **options).eval()
    network = engine.Network.of(model, (3, 224, 224))
    convolutions = sum(isinstance(module, nn.Conv2d) for path, module in model.named_modules() if "aux" not in path)
    assert network.traced, network.reason
    assert len(network.feature_map_layers) == convolutions
    assert network.feature_map_layers[0].receptive_field is not None
