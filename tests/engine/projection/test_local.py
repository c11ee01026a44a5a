"""Projection on receptive-field crops equals projection on the whole image, at the borders and corners too."""

from __future__ import annotations

import gc
import resource

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.engine.projection.crop_ops import fill_outside, strided_conv2d
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.models.torchvision_import import import_torchvision


def lively(model: nn.Module) -> nn.Module:
    """Random batch-norm statistics: with fresh ones a batch norm is the identity and hides mistakes."""
    torch.manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
            module.weight.data.normal_(1, 0.3)
    return model.double().eval()


def corners(height: int, width: int) -> Tensor:
    return torch.tensor([[0, 0], [height - 1, width - 1], [0, width // 2], [height // 2, width // 2]])


def largest_difference(network: engine.Network, layer: str, rule: str, batch: Tensor) -> float:
    info = network.layer(layer)
    at = corners(info.height, info.width)
    with torch.no_grad():  # units that are alive there: the gradient of a dead one is zero and compares nothing
        unit = network.map(batch, layer)[torch.arange(len(at)), :, at[:, 0], at[:, 1]].argmax(dim=1)
    ways = [engine.project(network, batch, layer, unit=unit, at=at, rule=rule, method=method, seed=1.0) for method in ("local", "full")]
    local, full = ways
    assert (local.method, full.method) == ("local", "full")
    assert torch.equal(local.boxes, full.boxes)
    assert torch.allclose(local.values, full.values, rtol=1e-10, atol=1e-12)
    assert full.pixels.abs().max() > 0
    return float((local.pixels - full.pixels).abs().max() / full.pixels.abs().max())


def small(*parts: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(*parts)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.1, 0.5)
    return lively(model)


SMALL_NETS = {
    "conv, batch norm, relu, conv": (
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=1)),
    "padded max pool of negatives": (
        nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(3, 2, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)),
    "overlapping, dilated, ceil-mode pools": (
        nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, 2, dilation=2, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 2), nn.MaxPool2d(3, 2, ceil_mode=True)),
    "average pools": (
        nn.Conv2d(3, 4, 3, padding=2, padding_mode="zeros"), nn.AvgPool2d(3, 2, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1),
        nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False)),
    "average pool with its padding counted in ceil mode": (
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(3, 2, padding=1, ceil_mode=True), nn.Conv2d(4, 4, 3, padding=1)),
    "dilated, grouped, strided, same": (
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU6(), nn.Conv2d(6, 6, 3, padding="same", dilation=2, groups=3),
        nn.LeakyReLU(0.1, inplace=True), nn.Conv2d(6, 6, (2, 3), padding="same")),
    "constant padding and LRN": (
        nn.ConstantPad2d((1, 2, 0, 1), 0.7), nn.Conv2d(3, 6, 3), nn.ReLU(), nn.LocalResponseNorm(3), nn.MaxPool2d(3, 2, padding=1),
        nn.LocalResponseNorm(3), nn.Conv2d(6, 4, 3, padding=1)),
}  # fmt: skip


@pytest.mark.parametrize("rule", ["deconvnet", "gradient", "guided"])
@pytest.mark.parametrize("name", SMALL_NETS)
def test_small_nets_agree_at_every_layer(name: str, rule: str) -> None:
    model = small(*SMALL_NETS[name])
    batch = torch.randn(4, 3, 37, 34, dtype=torch.float64)
    network = engine.Network.of(model, batch.shape[1:])
    layers = [info.name for info in network.layers if network.plan(info.name) is not None]
    assert layers[-1] == str(len(model) - 1)
    for layer in layers:
        assert largest_difference(network, layer, rule, batch) < 1e-10, layer


@pytest.mark.parametrize("name", SMALL_NETS)
def test_crops_that_all_pass_one_border_agree(name: str) -> None:
    """What none of them has on the map is padding then, with the pad value of each operation."""
    model = small(*SMALL_NETS[name])
    network = engine.Network.of(model, (3, 37, 34))
    layers = [info for info in network.layers if network.plan(info.name) is not None]
    for info in layers:
        for place in corners(info.height, info.width):
            batch, at = torch.randn(2, 3, 37, 34, dtype=torch.float64), place.expand(2, 2)
            local, full = (
                engine.project(network, batch, info.name, unit=1, at=at, method=method, seed=1.0) for method in ("local", "full")
            )
            assert torch.allclose(local.values, full.values, rtol=1e-10, atol=1e-12), (info.name, place)
            assert torch.allclose(local.pixels, full.pixels, rtol=1e-10, atol=1e-12), (info.name, place)


class Branches(nn.Module):
    """Functional rectifiers, a residual sum in place, a concatenation, channel slices."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.wide = nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.Conv2d(8, 8, 5, padding=2)
        self.deep, self.last = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(16, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([torch.unsqueeze(x[:, 0], 1) * 0.5 + 0.1, x[:, 1:]], 1)
        x = F.relu(self.stem(x))
        out = self.deep(F.relu(self.wide(x), inplace=True))
        out += x
        halves = out.chunk(2, dim=1)
        return F.relu(self.last(torch.cat([F.max_pool2d(x, 3, 1, 1), halves[0], halves[1]], dim=1)))


@pytest.mark.parametrize("rule", ["deconvnet", "gradient", "guided"])
def test_branches_meet_with_spans_of_different_size(rule: str) -> None:
    torch.manual_seed(1)
    batch = torch.randn(4, 3, 45, 41, dtype=torch.float64)
    network = engine.Network.of(Branches().double().eval(), batch.shape[1:])
    assert network.layer("conv4").receptive_field == (21, 21)
    assert largest_difference(network, "conv4", rule, batch) < 1e-10


TORCHVISION = ["alexnet", "vgg11_bn", "squeezenet1_0", "resnet18", "googlenet", "densenet121", "mobilenet_v2"]


class SharedMaps(nn.Module):
    """Maps under several padded windows of one size, before and after a rectifier, a padded map in a sum: none is filled in place."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.left, self.right, self.middle = (nn.Conv2d(channels, 6, 3, padding=1) for channels in (3, 6, 6, 6))
        self.narrow, self.wide, self.last = nn.Conv2d(6, 6, 5), nn.Conv2d(6, 6, 5, padding=2), nn.Conv2d(6, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = F.relu(self.middle(F.max_pool2d(x, 3, 1, 1) + self.left(x) + self.right(x)))
        return F.relu(self.last(F.relu(self.wide(x)) + self.wide(x) + F.pad(self.narrow(x), (2, 2, 2, 2))))


@pytest.mark.parametrize("rule", ["deconvnet", "gradient", "guided"])
def test_maps_with_several_readers_are_not_filled_in_place(rule: str) -> None:
    torch.manual_seed(2)
    batch = torch.randn(4, 3, 33, 30, dtype=torch.float64)
    network = engine.Network.of(lively(SharedMaps()), batch.shape[1:])
    assert network.traced
    assert largest_difference(network, network.layers[-1].name, rule, batch) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_models_agree(name: str) -> None:
    options = {"transform_input": True, "aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    torch.manual_seed(0)
    model = lively(getattr(import_torchvision().models, name)(weights=None, **options))
    size = 224 if name == "alexnet" else 128
    batch = torch.randn(4, 3, size, size, dtype=torch.float64)
    network = engine.Network.of(model, batch.shape[1:])
    assert network.traced, network.reason
    layers = [info.name for info in network.layers if network.plan(info.name) is not None]
    for layer, rule in ((layers[len(layers) // 2], "gradient"), (layers[-1], "deconvnet")):
        assert largest_difference(network, layer, rule, batch) < 1e-10, (layer, rule)


def test_float32_agrees_to_the_stated_tolerance() -> None:
    torch.manual_seed(0)
    model = import_torchvision().models.alexnet(weights=None).features.eval()
    batch = torch.randn(4, 3, 224, 224)
    network = engine.Network.of(model, (3, 224, 224))
    at = corners(13, 13)
    local, full = (engine.project(network, batch, "conv5", unit=7, at=at, method=method, seed=1.0) for method in ("local", "full"))
    assert (local.pixels - full.pixels).abs().max() <= 1e-4 * full.pixels.abs().max()


def test_each_image_may_have_its_own_unit_and_strongest_position() -> None:
    model = small(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1))
    batch = torch.randn(3, 3, 20, 20, dtype=torch.float64)
    with torch.no_grad():
        maps = model(batch)
    result = engine.project(model, batch, "3", unit=[2, 0, 3])
    for number, unit in enumerate([2, 0, 3]):
        row, column = result.positions[number].tolist()
        assert maps[number, unit, row, column] == maps[number, unit].max()
        assert torch.isclose(result.values[number], maps[number, unit].max())
        alone = engine.project(model, batch[number : number + 1], "3", unit=unit, at=[[row, column]], method="full")
        assert torch.allclose(alone.pixels[0], result.pixels[number], atol=1e-12)
    assert result.full(20, 20).shape == (3, 3, 20, 20)


def test_full_puts_a_clipped_crop_where_it_belongs() -> None:
    model = small(nn.Conv2d(3, 2, 5, padding=2))
    batch = torch.randn(1, 3, 12, 12, dtype=torch.float64)
    result = engine.project(model, batch, "0", unit=0, at=[[0, 11]], seed=1.0)
    assert result.boxes.tolist() == [[9, -2, 14, 3]]
    expected = torch.zeros(3, 12, 12, dtype=torch.float64)
    expected[:, 0:3, 9:12] = model[0].weight[0, :, 2:5, 0:3]
    assert torch.allclose(result.full(12, 12)[0], expected)
    assert (result.pixels[0, :, :2] == 0).all()


def test_the_seed_scales_the_projection() -> None:
    model = small(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    batch = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    one = engine.project(model, batch, "conv1", unit=1, seed=1.0)
    own = engine.project(model, batch, "conv1", unit=1)
    assert own.values[0] > 0
    assert torch.allclose(own.pixels, one.pixels * own.values[0])


def test_nothing_of_the_model_changes_and_inference_mode_is_no_obstacle() -> None:
    model = small(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3))
    batch = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    kept = batch.clone()
    with torch.inference_mode():
        engine.project(model, batch.clone(), "conv2", unit=0, method="local")
    engine.project(model, batch, "conv1", unit=0, method="full")
    assert torch.equal(batch, kept)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())


@pytest.mark.slow
def test_a_thousand_projections_leave_nothing_behind() -> None:
    model = small(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
    network = engine.Network.of(model, (3, 24, 24))
    batch = torch.randn(2, 3, 24, 24, dtype=torch.float64)

    def some(count: int) -> None:
        for number in range(count):
            engine.project(network, batch, "conv2", unit=number % 8, method=("local", "full")[number % 2])

    some(200)
    gc.collect()
    tensors = sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    some(1000)
    gc.collect()
    assert sum(issubclass(type(thing), Tensor) for thing in gc.get_objects()) <= tensors
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20_000  # kilobytes
    assert not any(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks for module in model.modules())


class Unfollowable(nn.Module):
    """Control flow on values: torch.fx cannot follow it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        return self.relu(self.second(x)) if x.sum() > -1e9 else x


def test_a_model_that_cannot_be_followed_still_works_and_says_so() -> None:
    torch.manual_seed(0)
    model = Unfollowable().double().eval()
    batch = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    network = engine.Network.of(model, batch.shape[1:])
    assert not network.traced
    assert "cannot follow Unfollowable" in (network.reason or "")
    assert [(info.alias, info.name) for info in network.explorer_layers] == [("conv1", "relu"), ("conv2", "relu#2")]
    twin = nn.Sequential(model.first, nn.ReLU(), model.second, nn.ReLU())
    mine, reference = (engine.project(each, batch, "conv2", unit=1, at=[[2, 3], [0, 11]]) for each in (network, twin))
    assert (mine.method, reference.method) == ("full", "local")
    assert mine.boxes.tolist() == [[0, 0, 16, 16]] * 2
    assert torch.allclose(mine.pixels, reference.full(16, 16), atol=1e-12)
    with pytest.raises(LayerError, match="cannot be projected locally"):
        engine.project(network, batch, "conv2", unit=1, method="local")
    before_relu = engine.project(network, batch, "first", unit=0, method="full")
    with torch.no_grad():
        assert torch.allclose(before_relu.values, model.first(batch)[:, 0].flatten(1).max(1).values)


class ReadsWhatItOverwrote(nn.Module):
    """The sum reads x after the in-place rectifier has overwritten it: crops of x would not know."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(self.second(F.relu(x, inplace=True)) + x)


def test_a_model_that_reads_what_it_overwrote_is_not_cropped() -> None:
    torch.manual_seed(0)
    model = ReadsWhatItOverwrote().double().eval()
    batch = torch.randn(1, 3, 16, 16, dtype=torch.float64)
    network = engine.Network.of(model, batch.shape[1:])
    assert not network.traced
    assert "in place" in (network.reason or "")
    with torch.no_grad():
        assert torch.allclose(engine.project(network, batch, "last", unit=1, at=[[2, 2]]).values, model(batch)[:, 1, 2, 2])


def test_bad_requests_are_answered_in_words() -> None:
    model = small(nn.Conv2d(3, 4, 3), nn.ReLU())
    batch = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    with pytest.raises(LayerError, match=r"no layer 'conv7'. Did you mean conv1.*dw\.engine\.describe_layers\(bundle\.model, "):
        engine.project(model, batch, "conv7", unit=0)
    with pytest.raises(LayerError, match="units 0 to 3"):
        engine.project(model, batch, "conv1", unit=4)
    with pytest.raises(LayerError, match="rows 0 to 6"):
        engine.project(model, batch, "conv1", unit=0, at=[[7, 0], [0, 0]])
    with pytest.raises(LayerError, match="each of the 2 images"):
        engine.project(model, batch, "conv1", unit=0, at=[[1, 0]])
    with pytest.raises(ModelError, match="floating-point tensor"):
        engine.project(model, batch[0], "conv1", unit=0)
    with pytest.raises(ModelError, match="cannot run on inputs of"):
        engine.project(model, torch.randn(2, 1, 9, 9, dtype=torch.float64), "conv1", unit=0)
    with pytest.raises(ModelError, match="takes one batch of images"):
        engine.describe_layers(nn.Bilinear(3, 3, 3).eval())
    with pytest.raises(ModelError, match=r"eval\(\) first"):
        engine.project(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), batch.float(), "conv1", unit=0)
    with pytest.raises(ModelError, match="nan or infinite"):
        engine.project(model, batch * float("nan"), "conv1", unit=0)
    with pytest.raises(ModelError, match=r"the model torch\.float64"):
        engine.project(model, batch.float(), "conv1", unit=0)
    network = engine.Network.of(model, (3, 12, 12))
    with pytest.raises(ModelError, match=r"followed for inputs \(3, 12, 12\)"):
        engine.project(network, batch, "conv1", unit=0)


def test_the_crop_operations_equal_torchs_own() -> None:
    torch.manual_seed(0)
    crops = torch.randn(2, 3, 23, 26, dtype=torch.float64, requires_grad=True)
    weight, bias = torch.randn(5, 3, 7, 6, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    mask = torch.ones(2, 1, 23, 26, dtype=torch.bool)
    mask[0, :, 3:20, 0:22] = False
    mask[1] = False
    for own, reference in (
        (strided_conv2d(crops, weight, bias, 3), F.conv2d(crops, weight, bias, 3)),
        (fill_outside(crops, [(3, 20, 0, 22), (0, 23, 0, 26)], -2.0), crops.masked_fill(mask, -2.0)),
    ):
        assert torch.equal(own, reference)
        signal = torch.randn_like(own)
        mine, theirs = (torch.autograd.grad(result, crops, signal)[0] for result in (own, reference))
        assert torch.allclose(mine, theirs, atol=1e-12)
