"""A model with a head: the right logits, every layer as it was, and nothing changed in the model below."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deconvwidgets.compute import devices
from deconvwidgets.compute.devices import on_device
from deconvwidgets.engine import Network, project
from deconvwidgets.errors import HeadError, ModelError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.headed_model import HeadedModel
from deconvwidgets.models.torchvision_import import import_torchvision

SIZE = (3, 32, 32)


class Unfollowed(nn.Module):
    """Control flow on values, a rectifier module called twice, in place the second time it matters."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("shift", torch.tensor(0.25))
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.softmax_head = nn.Linear(6, 7)  # the name is taken

    def forward(self, x):
        x = self.relu(self.first(x * self.scale + self.shift))
        if x.sum() > -1:
            x = self.relu(self.second(x))
        return self.softmax_head(x.mean((2, 3)))


class Functional(nn.Module):
    """Functional rectifiers in place, constants at the root, a block, and a branch."""

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
    return ModelBundle.from_module(make().eval(), input_size=size, categories=["x"] * 5, name=make.__name__)


CASES = [
    (alexnet_like, "pool2", None),
    (alexnet_like, "conv1", (5, 3)),
    (alexnet_like, "0", (4, 4)),  # before its rectifier, which works in place
    (alexnet_like, "fc3", None),
    (Functional, "conv2", (2, 2)),
    (Functional, "block", None),
    (resnet18, "layer1.0", (3, 3)),
    (resnet18, "layer2.0.relu#2", None),
    (Unfollowed, "relu#2", (3, 3)),
    (Unfollowed, "first", None),
]


def features(bundle, head, batch):
    """The head's features by its definition, in double precision."""
    maps = Network.of(bundle.model, bundle.input_size).map(batch.clone(), head.layer).double()
    maps = F.adaptive_avg_pool2d(maps, head.pool) if head.pool and maps.dim() == 4 else maps
    return maps.flatten(1)


@pytest.mark.parametrize(("make", "layer", "pool"), CASES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_logits_and_everything_else(make, layer, pool, make_head):
    bundle = bundle_of(make)
    before = {name: value.clone() for name, value in bundle.model.state_dict().items()}
    network, batch = Network.of(bundle.model, SIZE), torch.randn(3, *SIZE)
    head = make_head(bundle, layer, pool=pool)
    with torch.no_grad():
        own = bundle.model(batch.clone())
        expected = features(bundle, head, batch) @ torch.from_numpy(head.weight).double().T + torch.from_numpy(head.bias).double()
        headed = bundle.with_head(head)
        torch.testing.assert_close(headed.model(batch.clone()).double(), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
        assert torch.equal(bundle.model(batch.clone()), own)
    assert all(torch.equal(value, before[name]) for name, value in bundle.model.state_dict().items())
    assert not any(module.training for module in headed.model.modules())

    again = Network.of(headed.model, SIZE)
    assert again.traced == network.traced
    assert {info.name: info for info in network.layers}.items() <= {info.name: info for info in again.layers}.items()
    assert len(again.layers) == len(network.layers) + 1
    assert again.explorer_layers == network.explorer_layers
    for info in network.layers:
        assert again.digest(info.name) == network.digest(info.name)
        assert again.layer(info.short_name) == info
    added = next(info for info in again.layers if info.name not in {old.name for old in network.layers})
    with torch.no_grad():
        torch.testing.assert_close(again.map(batch.clone(), added.name)[:, :, 0, 0], headed.model(batch.clone()))


def test_parameters_are_shared_and_named_as_before(make_head):
    bundle = bundle_of(resnet18)
    headed = bundle.with_head(make_head(bundle, "layer4", pool=(1, 1)))
    own, all_named = dict(bundle.model.named_parameters()), dict(headed.model.named_parameters())
    assert all(all_named[name] is value for name, value in own.items())
    assert [name for name in all_named if name not in own] == ["softmax_head.weight", "softmax_head.bias"]
    assert "softmax_head" not in dict(bundle.model.named_modules())
    assert not any(value.requires_grad for name, value in all_named.items() if name not in own)


def test_words_of_the_bundle(tiny_bundle, make_head):
    head = make_head(tiny_bundle, "conv2")
    headed = tiny_bundle.with_head(head)
    assert headed.classifier == "Caltech-101's 4 classes (head on conv2, 84.6 %)"
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


def test_no_head_is_no_classifier(tiny_bundle, make_head):
    for bundle in (tiny_bundle, tiny_bundle.with_head(make_head(tiny_bundle, "conv1"))):
        bare = bundle.with_head(None)
        assert (bare.categories, bare.classifier, bare.head, bare.headless) == (None, None, None, None)
        assert bare.model is tiny_bundle.model


def test_local_projections_and_the_index_stay(tiny_bundle, tiny_images, make_head):
    headed = tiny_bundle.with_head(make_head(tiny_bundle, "conv1", pool=(2, 2)))
    index = ActivationIndex.build(tiny_bundle, tiny_images, progress=False)
    assert index.identity.mismatch(ActivationIndex.build(headed, tiny_images, progress=False).identity) is None
    batch, network = torch.randn(2, *tiny_bundle.input_size), Network.of(headed.model, headed.input_size)
    for layer in ("conv1", "conv2"):  # also above the head
        assert network.plan(layer) is not None or layer == "conv2"
        one, other = (project(net, batch, layer, unit=1) for net in (network, Network.of(tiny_bundle.model, tiny_bundle.input_size)))
        assert one.method == other.method
        assert torch.equal(one.pixels, other.pixels)


@pytest.mark.parametrize("make", [alexnet_like, Functional, Unfollowed])
def test_copies_and_moves(make, make_head):
    bundle = bundle_of(make)
    headed = bundle.with_head(make_head(bundle, "conv1", pool=(2, 2)))
    batch = torch.randn(2, *SIZE)
    expected = headed.model(batch.clone())
    twin = copy.deepcopy(headed.model)
    with torch.no_grad():
        for value in [*twin.parameters(), *twin.buffers()]:
            value.zero_()
    assert torch.equal(headed.model(batch.clone()), expected)
    assert not torch.equal(twin(batch.clone()), expected)
    twin = copy.deepcopy(headed.model)
    if make is Functional:
        twin.original.plain = twin.original.plain.double()  # no buffer, so no move takes it along
    torch.testing.assert_close(twin.double()(batch.double()).float(), expected, rtol=1e-3, atol=1e-3)
    for model in (twin, twin.original):  # buffers, which a move replaces, in both
        assert all(value.dtype == torch.float64 for value in model.state_dict().values() if value.is_floating_point())


def test_the_head_moves_with_its_bundle(tiny_bundle, make_head, monkeypatch):
    headed = replace(tiny_bundle.with_head(make_head(tiny_bundle, "conv2")), notes=("kept",))
    assert on_device(headed, torch.device("cpu")) is headed
    monkeypatch.setattr(devices, "reference_tensor", lambda model: torch.zeros((), device="meta"))  # as if it lay elsewhere
    moved = on_device(headed, torch.device("cpu"))
    assert (moved.notes, moved.classifier, moved.head) == (headed.notes, headed.classifier, headed.head)
    homes = [{value.data_ptr() for value in one.parameters()} for one in (moved.model, headed.model)]
    assert not homes[0] & homes[1]
    assert moved.headless.model is moved.model.original
    batch = torch.randn(2, *tiny_bundle.input_size)
    assert torch.equal(moved.model(batch), headed.model(batch))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("make", [alexnet_like, resnet18, Unfollowed])
def test_the_head_moves_to_a_gpu(make, make_head):
    bundle = bundle_of(make)
    head = make_head(bundle, "conv1", pool=(2, 2))
    headed, batch = bundle.with_head(head), torch.randn(2, *SIZE)
    moved = on_device(headed, torch.device("cuda"))
    assert {value.device.type for value in moved.model.state_dict().values()} == {"cuda"}
    assert {value.device.type for value in bundle.model.state_dict().values()} == {"cpu"}
    torch.testing.assert_close(moved.model(batch.cuda()).cpu(), headed.model(batch), rtol=1e-3, atol=1e-3)
    assert moved.with_head(make_head(bundle, "conv2")).model(batch.cuda()).device.type == "cuda"


def test_a_double_model_has_a_double_head(make_head):
    bundle = bundle_of(lambda: alexnet_like().double())
    head = make_head(bundle, "pool2")
    batch = torch.randn(2, *SIZE, dtype=torch.float64)
    logits = bundle.with_head(head).model(batch)
    expected = features(bundle, head, batch) @ torch.from_numpy(head.weight).double().T + torch.from_numpy(head.bias).double()
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("make", [alexnet_like, Unfollowed])
def test_heads_of_other_models_are_refused(make, make_head):
    bundle = bundle_of(make)
    head = make_head(bundle, "conv2", pool=(2, 2))
    other = bundle_of(make)
    with torch.no_grad():
        next(other.model.parameters()).add_(0.01)
    for wrong, words in [
        (other, "has other weights below it"),
        (bundle_of(Functional), "has other weights|has no layer"),
        (bundle_of(resnet18), "has no layer|has other weights"),
    ]:
        with pytest.raises(HeadError, match=f"({words}).*train_softmax_head"):
            wrong.with_head(head)
    with pytest.raises(HeadError, match="another layer or has other weights"):
        bundle.with_head(replace(head, layer="0" if make is alexnet_like else "first"))


def test_weights_above_the_layer_do_not_matter(make_head):
    bundle = bundle_of(alexnet_like)
    head = make_head(bundle, "pool2")
    with torch.no_grad():
        bundle.model[7].weight.add_(1)
    assert isinstance(bundle.with_head(head).model, HeadedModel)


def test_another_number_of_features_is_said(make_head):
    bundle = bundle_of(alexnet_like)
    head = make_head(bundle, "pool2")
    trunk = ModelBundle.from_module(bundle.model[:6].eval(), input_size=(3, 48, 48), name="larger")
    with pytest.raises(HeadError, match=r"takes 216 features, and pool2 of larger gives 600 \(6 x 10 x 10\)"):
        trunk.with_head(head)
    pooled = make_head(bundle, "pool2", pool=(2, 2))
    assert trunk.with_head(pooled).model(torch.randn(1, 3, 48, 48)).shape == (1, 4)
    with pytest.raises(HeadError, match="takes 215 features"):
        bundle.with_head(replace(head, weight=np.ascontiguousarray(head.weight[:, 1:])))
    with pytest.raises(ModelError, match="cannot run on inputs"):
        replace(bundle, input_size=(3, 64, 64)).with_head(head)


@pytest.mark.parametrize("make", [alexnet_like, Unfollowed])
def test_threads_ask_at_once(make, make_head):
    bundle = bundle_of(make)
    headed = bundle.with_head(make_head(bundle, "conv2", pool=(2, 2))).model
    batches = [torch.randn(2, *SIZE) for _ in range(4)]
    expected = [headed(batch.clone()) for batch in batches]
    ended = threading.Event()

    def run_the_original():
        while not ended.is_set():
            bundle.model(batches[0].clone())

    def ask(number):
        return all(torch.equal(headed(batches[number].clone()), expected[number]) for _ in range(30))

    with ThreadPoolExecutor(5) as pool:
        running = pool.submit(run_the_original)
        answers = [pool.submit(ask, number) for number in range(4)]
        try:
            assert all(answer.result() for answer in answers)
        finally:
            ended.set()
        running.result()


def test_gradients_reach_the_input(tiny_bundle, make_head):
    """Occlusion's kin, saliency, goes down from the logits."""
    headed = tiny_bundle.with_head(make_head(tiny_bundle, "conv2"))
    batch = torch.randn(1, *tiny_bundle.input_size, requires_grad=True)
    headed.model(batch)[0, 1].backward()
    assert batch.grad.abs().sum() > 0
