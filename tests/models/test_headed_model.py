"""A model with a head has the expected logits; the layers and weights of the original do not change."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deconvwidgets.engine import Network, project
from deconvwidgets.errors import HeadError, ModelError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.models import devices
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.models.headed_model import HeadedModel
from deconvwidgets.models.torchvision_import import import_torchvision

SIZE = (3, 32, 32)


class Untraceable(nn.Module):
    """A model with control flow on values, and an in-place ReLU module that is called twice."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("shift", torch.tensor(0.25))
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.softmax_head = nn.Linear(6, 7)  # the default name of the head's module

    def forward(self, x):
        x = self.relu(self.first(x * self.scale + self.shift))
        if x.sum() > -1:
            x = self.relu(self.second(x))
        return self.softmax_head(x.mean((2, 3)))


class Functional(nn.Module):
    """A model with functional in-place ReLU, parameters, buffers and tensors of its own, a block, and a residual branch."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.register_buffer("shift", torch.randn(4, 1, 1))
        self.plain = torch.randn(4, 1, 1)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = F.relu_(F.conv2d(x, self.kernel) + self.shift * self.plain + torch.tensor(0.5))
        x = F.max_pool2d(F.relu(self.block(x) + x, inplace=True), 2)
        return self.fc(x.mean((2, 3)))


def resnet18():
    return import_torchvision().models.resnet18(weights=None)


def alexnet_like():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Linear(6 * 36, 9), nn.ReLU(), nn.Linear(9, 5),
    )  # fmt: skip


def bundle_of(make, size=SIZE):
    torch.manual_seed(3)
    net = make().eval()
    classes = net(torch.zeros(1, *size, dtype=next(net.parameters()).dtype)).shape[1]
    return ModelBundle.from_module(net, input_size=size, categories=["x"] * classes, name=make.__name__)


CASES = [
    (alexnet_like, "pool2", None),
    (alexnet_like, "conv1", (5, 3)),
    (alexnet_like, "0", (4, 4)),  # before the in-place ReLU
    (alexnet_like, "fc3", None),
    (Functional, "conv2", (2, 2)),
    (Functional, "block", None),
    (resnet18, "layer1.0", (3, 3)),
    (resnet18, "layer2.0.relu#2", None),
    (Untraceable, "relu#2", (3, 3)),
    (Untraceable, "first", None),
]


def features(bundle, head, batch):
    """Return the features by their definition, in double precision."""
    maps = Network.of(bundle.model, bundle.input_size).map(batch.clone(), head.layer).double()
    maps = F.adaptive_avg_pool2d(maps, head.pool) if head.pool and maps.dim() == 4 else maps
    return maps.flatten(1)


@pytest.mark.slow
@pytest.mark.parametrize(("make", "layer", "pool"), CASES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_logits_are_right_and_layers_unchanged(make, layer, pool, make_head):
    bundle = bundle_of(make)
    before = {name: value.clone() for name, value in bundle.model.state_dict().items()}
    network, batch = Network.of(bundle.model, SIZE), torch.randn(3, *SIZE)
    head = make_head(bundle, layer, pool=pool)
    with torch.no_grad():
        original = bundle.model(batch.clone())
        expected = features(bundle, head, batch) @ torch.from_numpy(head.weight).double().T + torch.from_numpy(head.bias).double()
        headed = bundle.with_head(head)
        torch.testing.assert_close(headed.model(batch.clone()).double(), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
        assert torch.equal(bundle.model(batch.clone()), original)
    assert all(torch.equal(value, before[name]) for name, value in bundle.model.state_dict().items())
    assert not any(module.training for module in headed.model.modules())

    headed_network = Network.of(headed.model, SIZE)
    assert headed_network.traced == network.traced
    assert {info.name: info for info in network.layers}.items() <= {info.name: info for info in headed_network.layers}.items()
    assert len(headed_network.layers) == len(network.layers) + 1
    assert headed_network.feature_map_layers == network.feature_map_layers
    for info in network.layers:
        assert headed_network.digest(info.name) == network.digest(info.name)
        assert headed_network.layer(info.short_name) == info
    added = next(info for info in headed_network.layers if info.name not in {old.name for old in network.layers})
    with torch.no_grad():
        torch.testing.assert_close(headed_network.map(batch.clone(), added.name)[:, :, 0, 0], headed.model(batch.clone()))


def test_parameters_are_shared_and_keep_their_names(make_head):
    bundle = bundle_of(resnet18)
    headed = bundle.with_head(make_head(bundle, "layer4", pool=(1, 1)))
    original, named = dict(bundle.model.named_parameters()), dict(headed.model.named_parameters())
    assert all(named[name] is value for name, value in original.items())
    assert [name for name in named if name not in original] == ["softmax_head.weight", "softmax_head.bias"]
    assert "softmax_head" not in dict(bundle.model.named_modules())
    assert not any(value.requires_grad for name, value in named.items() if name not in original)


def test_fields_of_the_bundle(tiny_bundle, make_head):
    head = make_head(tiny_bundle, "conv2")
    headed = tiny_bundle.with_head(head)
    assert headed.classifier == "Caltech-101's 4 classes (head on conv2, 84.6%)"
    assert headed.categories == head.categories
    assert headed.head is head
    assert (headed.name, headed.weights, headed.transform, headed.trained) == (
        tiny_bundle.name, tiny_bundle.weights, tiny_bundle.transform, tiny_bundle.trained,
    )  # fmt: skip
    assert tiny_bundle.categories == ("ant", "bee", "cow")


def test_a_second_head_replaces_the_first(tiny_bundle, make_head):
    first, second = make_head(tiny_bundle, "conv1", pool=(2, 2)), make_head(tiny_bundle, "conv2", classes=6, seed=1)
    both = tiny_bundle.with_head(first).with_head(second)
    batch = torch.randn(2, *tiny_bundle.input_size)
    assert torch.equal(both.model(batch), tiny_bundle.with_head(second).model(batch))
    assert both.headless is tiny_bundle
    assert both.model.original is tiny_bundle.model
    wrapped = ModelBundle.from_module(both.model, tiny_bundle.transform, name="again").with_head(first)
    assert wrapped.model.original is tiny_bundle.model


def test_a_bundle_without_a_head_has_no_classifier(tiny_bundle, make_head):
    for bundle in (tiny_bundle, tiny_bundle.with_head(make_head(tiny_bundle, "conv1"))):
        bare = bundle.with_head(None)
        assert (bare.categories, bare.classifier, bare.head, bare.headless) == (None, None, None, None)
        assert bare.model is tiny_bundle.model


def test_projections_and_the_index_do_not_change(tiny_bundle, tiny_images, make_head):
    headed = tiny_bundle.with_head(make_head(tiny_bundle, "conv1", pool=(2, 2)))
    index = ActivationIndex.build(tiny_bundle, tiny_images, progress=False)
    assert index.identity.mismatch(ActivationIndex.build(headed, tiny_images, progress=False).identity) is None
    batch, network = torch.randn(2, *tiny_bundle.input_size), Network.of(headed.model, headed.input_size)
    for layer in ("conv1", "conv2"):  # below and above the head
        assert network.plan(layer) is not None or layer == "conv2"
        first, second = (project(net, batch, layer, unit=1) for net in (network, Network.of(tiny_bundle.model, tiny_bundle.input_size)))
        assert first.method == second.method
        assert torch.equal(first.pixels, second.pixels)


@pytest.mark.parametrize("make", [alexnet_like, Functional, Untraceable])
def test_copies_and_moves_of_the_model(make, make_head):
    bundle = bundle_of(make)
    headed = bundle.with_head(make_head(bundle, "conv1", pool=(2, 2)))
    batch = torch.randn(2, *SIZE)
    expected = headed.model(batch.clone())
    copied = copy.deepcopy(headed.model)
    with torch.no_grad():
        for value in [*copied.parameters(), *copied.buffers()]:
            value.zero_()
    assert torch.equal(headed.model(batch.clone()), expected)
    assert not torch.equal(copied(batch.clone()), expected)
    copied = copy.deepcopy(headed.model)
    if make is Functional:
        copied.original.plain = copied.original.plain.double()  # not a buffer, so it does not move with the model
    torch.testing.assert_close(copied.double()(batch.double()).float(), expected, rtol=1e-3, atol=1e-3)
    for model in (copied, copied.original):  # a move replaces buffers; both models must have the new ones
        assert all(value.dtype == torch.float64 for value in model.state_dict().values() if value.is_floating_point())


def test_the_head_moves_with_its_bundle(tiny_bundle, make_head, monkeypatch):
    headed = replace(tiny_bundle.with_head(make_head(tiny_bundle, "conv2")), notes=("kept",))
    assert on_device(headed, torch.device("cpu")) is headed
    monkeypatch.setattr(devices, "reference_tensor", lambda model: torch.zeros((), device="meta"))  # as if the model were on another device
    moved = on_device(headed, torch.device("cpu"))
    assert (moved.notes, moved.classifier, moved.head) == (headed.notes, headed.classifier, headed.head)
    addresses = [{value.data_ptr() for value in model.parameters()} for model in (moved.model, headed.model)]
    assert not addresses[0] & addresses[1]
    assert moved.headless.model is moved.model.original
    batch = torch.randn(2, *tiny_bundle.input_size)
    assert torch.equal(moved.model(batch), headed.model(batch))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("make", [alexnet_like, resnet18, Untraceable])
def test_the_head_moves_to_a_gpu(make, make_head):
    bundle = bundle_of(make)
    head = make_head(bundle, "conv1", pool=(2, 2))
    headed, batch = bundle.with_head(head), torch.randn(2, *SIZE)
    moved = on_device(headed, torch.device("cuda"))
    assert {value.device.type for value in moved.model.state_dict().values()} == {"cuda"}
    assert {value.device.type for value in bundle.model.state_dict().values()} == {"cpu"}
    torch.testing.assert_close(moved.model(batch.cuda()).cpu(), headed.model(batch), rtol=1e-3, atol=1e-3)
    assert moved.with_head(make_head(bundle, "conv2")).model(batch.cuda()).device.type == "cuda"


def test_the_head_has_the_dtype_of_the_model(make_head):
    bundle = bundle_of(lambda: alexnet_like().double())
    head = make_head(bundle, "pool2")
    batch = torch.randn(2, *SIZE, dtype=torch.float64)
    logits = bundle.with_head(head).model(batch)
    expected = features(bundle, head, batch) @ torch.from_numpy(head.weight).double().T + torch.from_numpy(head.bias).double()
    torch.testing.assert_close(logits, expected)


@pytest.mark.slow
@pytest.mark.parametrize("make", [alexnet_like, Untraceable])
def test_heads_of_other_models_are_refused(make, make_head):
    bundle = bundle_of(make)
    head = make_head(bundle, "conv2", pool=(2, 2))
    other = bundle_of(make)
    with torch.no_grad():
        next(other.model.parameters()).add_(0.01)
    for wrong, message in [
        (other, "has other weights below it"),
        (bundle_of(Functional), "has other weights|has no layer"),
        (bundle_of(resnet18), "has no layer|has other weights"),
    ]:
        with pytest.raises(HeadError, match=f"({message}).*train_softmax_head"):
            wrong.with_head(head)
    with pytest.raises(HeadError, match="another layer or has other weights"):
        bundle.with_head(replace(head, layer="0" if make is alexnet_like else "first"))


def test_weights_above_the_layer_do_not_matter(make_head):
    bundle = bundle_of(alexnet_like)
    head = make_head(bundle, "pool2")
    with torch.no_grad():
        bundle.model[7].weight.add_(1)
    assert isinstance(bundle.with_head(head).model, HeadedModel)


def test_another_number_of_features_is_refused(make_head):
    bundle = bundle_of(alexnet_like)
    head = make_head(bundle, "pool2")
    trunk = ModelBundle.from_module(bundle.model[:6].eval(), input_size=(3, 48, 48), name="larger")
    with pytest.raises(HeadError, match=r"needs 216 features, but pool2 of larger has 600 \(6 x 10 x 10\)"):
        trunk.with_head(head)
    pooled = make_head(bundle, "pool2", pool=(2, 2))
    assert trunk.with_head(pooled).model(torch.randn(1, 3, 48, 48)).shape == (1, 4)
    with pytest.raises(HeadError, match="needs 215 features"):
        bundle.with_head(replace(head, weight=np.ascontiguousarray(head.weight[:, 1:])))
    with pytest.raises(ModelError, match="cannot run on inputs"):
        replace(bundle, input_size=(3, 64, 64)).with_head(head)


@pytest.mark.parametrize("make", [alexnet_like, Untraceable])
def test_concurrent_forward_passes(make, make_head):
    bundle = bundle_of(make)
    headed = bundle.with_head(make_head(bundle, "conv2", pool=(2, 2))).model
    batches = [torch.randn(2, *SIZE) for _ in range(4)]
    expected = [headed(batch.clone()) for batch in batches]
    done = threading.Event()

    def run_the_original():
        while not done.is_set():
            bundle.model(batches[0].clone())

    def run_with_head(number):
        return all(torch.equal(headed(batches[number].clone()), expected[number]) for _ in range(30))

    with ThreadPoolExecutor(5) as pool:
        running = pool.submit(run_the_original)
        results = [pool.submit(run_with_head, number) for number in range(4)]
        try:
            assert all(result.result() for result in results)
        finally:
            done.set()
        running.result()


def test_gradients_reach_the_input(tiny_bundle, make_head):
    """Saliency maps need the gradient of a logit."""
    headed = tiny_bundle.with_head(make_head(tiny_bundle, "conv2"))
    batch = torch.randn(1, *tiny_bundle.input_size, requires_grad=True)
    headed.model(batch)[0, 1].backward()
    assert batch.grad.abs().sum() > 0
