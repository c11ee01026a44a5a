"""Arguments and results of `project`, and models that cannot be traced."""

from __future__ import annotations

import gc
import resource

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deconvwidgets import engine
from deconvwidgets.errors import LayerError, ModelError
from tests.engine.random_models import random_sequential


def test_each_image_may_have_its_own_unit_and_strongest_position() -> None:
    model = random_sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1))
    batch = torch.randn(3, 3, 20, 20, dtype=torch.float64)
    with torch.no_grad():
        maps = model(batch)
    result = engine.project(model, batch, "3", unit=[2, 0, 3])
    for number, unit in enumerate([2, 0, 3]):
        row, column = result.positions[number].tolist()
        assert maps[number, unit, row, column] == maps[number, unit].max()
        assert torch.isclose(result.values[number], maps[number, unit].max())
        single = engine.project(model, batch[number : number + 1], "3", unit=unit, at=[[row, column]], method="full")
        assert torch.allclose(single.pixels[0], result.pixels[number], atol=1e-12)
    assert result.full(20, 20).shape == (3, 3, 20, 20)


def test_full_places_a_crop_that_extends_beyond_the_image() -> None:
    model = random_sequential(nn.Conv2d(3, 2, 5, padding=2))
    batch = torch.randn(1, 3, 12, 12, dtype=torch.float64)
    result = engine.project(model, batch, "0", unit=0, at=[[0, 11]], seed=1.0)
    assert result.boxes.tolist() == [[9, -2, 14, 3]]
    expected = torch.zeros(3, 12, 12, dtype=torch.float64)
    expected[:, 0:3, 9:12] = model[0].weight[0, :, 2:5, 0:3]
    assert torch.allclose(result.full(12, 12)[0], expected)
    assert (result.pixels[0, :, :2] == 0).all()


def test_the_seed_scales_the_projection() -> None:
    model = random_sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    batch = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    unscaled = engine.project(model, batch, "conv1", unit=1, seed=1.0)
    scaled = engine.project(model, batch, "conv1", unit=1)
    assert scaled.values[0] > 0
    assert torch.allclose(scaled.pixels, unscaled.pixels * scaled.values[0])


def test_the_model_is_unchanged_and_inference_mode_is_allowed() -> None:
    model = random_sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3))
    batch = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    original = batch.clone()
    with torch.inference_mode():
        engine.project(model, batch.clone(), "conv2", unit=0, method="local")
    engine.project(model, batch, "conv1", unit=0, method="full")
    assert torch.equal(batch, original)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())


@pytest.mark.slow
def test_a_thousand_projections_leak_no_memory() -> None:
    model = random_sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    )
    network = engine.Network.of(model, (3, 24, 24))
    batch = torch.randn(2, 3, 24, 24, dtype=torch.float64)

    def project_repeatedly(count: int) -> None:
        for number in range(count):
            engine.project(network, batch, "conv2", unit=number % 8, method=("local", "full")[number % 2])

    project_repeatedly(200)
    gc.collect()
    tensors = sum(issubclass(type(item), Tensor) for item in gc.get_objects())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    project_repeatedly(1000)
    gc.collect()
    assert sum(issubclass(type(item), Tensor) for item in gc.get_objects()) <= tensors
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20_000  # kilobytes
    assert not any(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks for module in model.modules())


class Untraceable(nn.Module):
    """Control flow that depends on values, which torch.fx cannot trace."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        return self.relu(self.second(x)) if x.sum() > -1e9 else x


def test_a_model_that_cannot_be_traced_is_projected_on_whole_images() -> None:
    torch.manual_seed(0)
    model = Untraceable().double().eval()
    batch = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    network = engine.Network.of(model, batch.shape[1:])
    assert not network.traced
    assert "cannot trace Untraceable" in (network.reason or "")
    assert [(info.alias, info.name) for info in network.feature_map_layers] == [("conv1", "relu"), ("conv2", "relu#2")]
    traceable = nn.Sequential(model.first, nn.ReLU(), model.second, nn.ReLU())
    result, expected = (engine.project(each, batch, "conv2", unit=1, at=[[2, 3], [0, 11]]) for each in (network, traceable))
    assert (result.method, expected.method) == ("full", "local")
    assert result.boxes.tolist() == [[0, 0, 16, 16]] * 2
    assert torch.allclose(result.pixels, expected.full(16, 16), atol=1e-12)
    with pytest.raises(LayerError, match="cannot be projected locally"):
        engine.project(network, batch, "conv2", unit=1, method="local")
    before_relu = engine.project(network, batch, "first", unit=0, method="full")
    with torch.no_grad():
        assert torch.allclose(before_relu.values, model.first(batch)[:, 0].flatten(1).max(1).values)


class StaleRead(nn.Module):
    """The sum reads x after the in-place rectifier overwrote it: it adds the rectified value."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(self.second(F.relu(x, inplace=True)) + x)


def test_an_overwritten_map_that_is_read_again() -> None:
    torch.manual_seed(0)
    model = StaleRead().double().eval()
    batch = torch.randn(1, 3, 16, 16, dtype=torch.float64)
    network = engine.Network.of(model, batch.shape[1:])
    first, second, last = model.first, model.second, model.last
    with torch.no_grad():
        rectified = first(batch).relu()
        value = last(second(rectified) + rectified)[:, 1, 2, 2]
    for method in ("local", "full"):
        projected = engine.project(network, batch, "last", unit=1, at=[[2, 2]], method=method)
        assert torch.allclose(projected.values, value)
    (note,) = network.notes
    assert note.startswith("The output of 'first' is overwritten in place by relu: ")


def test_invalid_arguments() -> None:
    model = random_sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
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
    with pytest.raises(ModelError, match=r"traced for inputs of \(3, 12, 12\)"):
        engine.project(network, batch, "conv1", unit=0)
