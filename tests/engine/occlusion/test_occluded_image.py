"""Occluded images: computing the affected regions only equals running the model on whole images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.occluded_image import Occluded, OccludedImage
from deconvwidgets.engine.occlusion.patches import PatchSet
from deconvwidgets.errors import GraphError, LayerError, ModelError
from deconvwidgets.models.efficientnet_lite import EfficientNetLite0
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.engine.occlusion.reference import corners_and_middle, occlude_by_pixels
from tests.engine.projection.literal_deconvnet import Chain
from tests.engine.projection.literal_to_torch import to_torch
from tests.engine.projection.test_random_architectures import Experiment, experiments
from tests.engine.random_models import with_random_norms


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference, relative to the largest value."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-300))


def with_small_classifier(model: nn.Module) -> nn.Module:
    """Replace a classifier of up to a hundred million weights by one small layer."""
    if isinstance(getattr(model, "classifier", None), nn.Sequential) and isinstance(model.classifier[-1], nn.Linear):
        first = next(module for module in model.classifier if isinstance(module, nn.Linear))
        model.classifier = nn.Sequential(nn.Linear(first.in_features, 11))
    return model


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "efficientnet_lite0":
        return EfficientNetLite0()
    options = {"weights": None} | ({"init_weights": False, "aux_logits": False, "transform_input": True} if name == "googlenet" else {})
    return with_small_classifier(import_torchvision().models.get_model(name, **options))


NAMES = ["alexnet", "googlenet", "efficientnet_lite0"]  # more of them in tests/sweep


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_real_architectures(name: str) -> None:
    side = 96
    model = with_random_norms(build(name))
    image = torch.randn(1, 3, side, side, dtype=torch.float64)
    fill = torch.randn(3, side, side, dtype=torch.float64)
    patch_sets = [*corners_and_middle(side, side, (23, 17))[::5], [(3, 5, 20, 16), (50, 60, 70, 90)]]
    for dtype, bound in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        network = Network.of(model.to(dtype), (3, side, side))
        layer = network.feature_map_layers[len(network.feature_map_layers) // 2].name
        unit = int(network.map(image.to(dtype), layer).sum((2, 3)).argmax())
        found, expected = (
            OccludedImage(network, image.to(dtype), fill, layer, unit, method=method).run(patch_sets) for method in ("incremental", "full")
        )
        assert relative_error(found.maps, expected.maps) < bound
        assert relative_error(found.logits, expected.logits) < bound
        if dtype is torch.float64:  # with random weights, the effect of a patch is small compared with the values
            change = (expected.maps - expected.maps[:1]).abs().max()
            assert change > 0
            assert (found.maps - expected.maps).abs().max() < 1e-4 * change


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(experiment=experiments(), data=st.data())
def test_random_architectures(experiment: Experiment, data: st.DataObject) -> None:
    network = to_torch(Chain(experiment.network.steps), experiment.inplace)
    model = nn.Sequential(*network, *to_torch(Chain(experiment.later.steps), experiment.inplace))
    image = torch.from_numpy(experiment.images[:1])
    height, width = image.shape[2:]
    size = (data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    corners = st.tuples(st.integers(-size[0], height), st.integers(-size[1], width))
    patch_sets = [
        [(column, row, column + size[1], row + size[0]) for row, column in data.draw(st.lists(corners, min_size=1, max_size=2))]
        for _ in range(data.draw(st.sampled_from([1, 3, 20])))
    ]
    fill = torch.from_numpy(experiment.images[1])
    layer = str(len(experiment.network.steps) - 1)
    expected, _ = occlude_by_pixels(model, model[int(layer)], image, fill, patch_sets)
    assume(torch.isfinite(expected).all())  # a window may lie in the padding altogether
    found = OccludedImage(Network.of(model, image.shape[1:]), image, fill, layer, experiment.unit, logits=False, method="incremental")
    scale = float(expected.abs().max().clamp(min=1))
    assert (found.run(patch_sets).maps - expected[:, experiment.unit]).abs().max() <= 1e-10 * scale


class Gated(nn.Module):
    """A model with an operation on whole maps between its convolutions (a squeeze-and-excitation gate), which also reads a shape."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 4)
        self.last, self.classify = nn.Conv2d(4, 3, 3, stride=2), nn.Linear(3 * 9 * 9, 5)

    def forward(self, batch: Tensor) -> Tensor:
        maps = torch.relu(self.first(batch))
        gate = torch.sigmoid(self.gate(maps.mean((2, 3))))
        maps = self.last(maps * gate[:, :, None, None])
        return self.classify(maps.reshape(batch.size(0), -1))


class Split(nn.Module):
    """A model with a channel split, single channels, a sum in place, oblong windows, a map with two pad values, and branches with different
    receptive fields."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(2, 2, (3, 5), padding=(1, 2), bias=False)
        self.shrink, self.pool = nn.Conv2d(2, 3, 1, stride=2), nn.MaxPool2d(3, 2, padding=1)
        self.last = nn.Conv2d(2, 3, 3, stride=2, padding=1)

    def forward(self, batch: Tensor) -> Tensor:
        left, right = self.first(torch.cat([batch[:, 0].unsqueeze(1) * 0.5 + 1, batch[:, 1:]], 1)).chunk(2, 1)
        right = self.wide(right)
        right += left
        right = right - 9
        maps = self.shrink(batch) + self.last(right)
        return torch.cat([maps, self.pool(right)], 1).flatten(1)


class Stacked(nn.Module):
    """A model that stacks the parts of a channel split (maxout), which is not an operation on maps (N, C, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(2, 3, 3, stride=2)

    def forward(self, batch: Tensor) -> Tensor:
        return self.last(torch.stack(self.first(batch).chunk(2, 1)).amax(0)).flatten(1)


class DifferentStrides(nn.Module):
    """A model whose branches have equal sizes and different strides."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 3, 3)
        self.strided, self.large = nn.Conv2d(4, 4, 2, stride=2), nn.Conv2d(4, 4, 11)

    def forward(self, batch: Tensor) -> Tensor:
        maps = torch.relu(self.first(batch))
        return self.last(self.strided(maps) + self.large(maps)).flatten(1)


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (Gated, "last"),
        (Gated, "first"),
        (Split, "wide"),
        (Split, "last"),
        (Split, "pool"),
        (Stacked, "last"),
        (DifferentStrides, "last"),
    ],
)
def test_whole_maps_branches_and_single_channels(make: Callable[[], nn.Module], layer: str) -> None:
    torch.manual_seed(1)
    model = make().double().eval()
    image, fill = torch.randn(2, 2, 20, 20, dtype=torch.float64)
    patch_sets = corners_and_middle(20, 20, (6, 4))
    expected, expected_logits = occlude_by_pixels(model, model.get_submodule(layer), image[None], fill, patch_sets)
    occluded = OccludedImage(Network.of(model, (2, 20, 20)), image[None], fill, layer, 1, method="incremental")
    found = occluded.run(patch_sets)
    assert relative_error(found.maps, expected[:, 1]) < 1e-12
    assert relative_error(found.logits, expected_logits) < 1e-12
    assert occluded.saving(patch_sets)[0] > 1.2


def tiny_occluded_image(method: str = "auto", **options: object) -> OccludedImage:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(4 * 7 * 7, 6))
    image = torch.randn(1, 3, 20, 20)
    return OccludedImage(Network.of(model.eval(), (3, 20, 20)), image, torch.zeros(3, 1, 1), "conv2", 1, method=method, **options)


@pytest.mark.parametrize("method", ["incremental", "full"])
def test_batches_are_halved_when_memory_runs_out(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patch_sets = corners_and_middle(20, 20, (5, 5))
    expected = tiny_occluded_image(method).run(patch_sets)
    found = tiny_occluded_image(method, memory_limit=1).run(patch_sets)
    torch.testing.assert_close(found.maps, expected.maps, rtol=0, atol=1e-6)
    sizes: list[int] = []
    run = OccludedImage._run_batch

    def run_with_little_memory(self: OccludedImage, patch_sets: Sequence[PatchSet]) -> Occluded:
        sizes.append(len(patch_sets))
        if len(patch_sets) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return run(self, patch_sets)

    monkeypatch.setattr(OccludedImage, "_run_batch", run_with_little_memory)
    found = tiny_occluded_image(method).run(patch_sets)
    torch.testing.assert_close(found.logits, expected.logits, rtol=0, atol=1e-6)
    assert sizes[:4] == [36, 18, 9, 4]
    monkeypatch.setattr(OccludedImage, "_run_batch", lambda self, patch_sets: (_ for _ in ()).throw(RuntimeError("another failure")))
    with pytest.raises(RuntimeError, match="another failure"):
        tiny_occluded_image(method).run(patch_sets)


def test_no_patch_set_and_patches_outside_the_image() -> None:
    occluded = tiny_occluded_image()
    assert occluded.method == "incremental"
    none = occluded.run([])
    assert none.maps.shape == (0, 7, 7)
    assert none.logits.shape == (0, 6)
    outside = occluded.run([[(-9, -9, 0, 0)], [(30, 2, 40, 9)], []])
    torch.testing.assert_close(outside.logits, occluded.unoccluded.logits.expand(3, -1), rtol=0, atol=1e-6)


def test_the_image_is_unchanged() -> None:
    model = nn.Sequential(nn.ReLU(True), nn.Conv2d(3, 2, 3)).eval()
    image = torch.randn(1, 3, 9, 9)
    before = image.clone()
    for method in ("incremental", "full"):
        occluded = OccludedImage(Network.of(model, (3, 9, 9)), image, torch.zeros(3, 1, 1), "1", 0, logits=False, method=method)
        occluded.run([[(0, 0, 3, 3)]])
        assert torch.equal(image, before)


def test_invalid_arguments() -> None:
    with pytest.raises(LayerError, match="has 4 units, 0 to 3: there is no unit 9"):
        OccludedImage(Network.of(nn.Conv2d(3, 4, 3).eval(), (3, 9, 9)), torch.zeros(1, 3, 9, 9), torch.zeros(3, 1, 1), "conv2d", 9)
    maps = Network.of(nn.Sequential(nn.Conv2d(3, 4, 3)).eval(), (3, 9, 9))
    with pytest.raises(ModelError, match="without categories"):
        OccludedImage(maps, torch.zeros(1, 3, 9, 9), torch.zeros(3, 1, 1), "0", 0)
    assert OccludedImage(maps, torch.zeros(1, 3, 9, 9), torch.zeros(3, 1, 1), "0", 0, logits=False).unoccluded.logits is None


class Untraceable(nn.Module):
    """Control flow that depends on values, which torch.fx cannot trace."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, batch: Tensor) -> Tensor:
        return self.conv(batch if batch.sum() > -1e9 else -batch).mean((2, 3))


def test_a_model_that_cannot_be_traced_runs_on_whole_images() -> None:
    model = Untraceable().eval()
    network, image = Network.of(model, (3, 9, 9)), torch.randn(1, 3, 9, 9)
    with pytest.raises(GraphError, match="method='full'"):
        OccludedImage(network, image, torch.zeros(3, 1, 1), "conv", 0, method="incremental")
    occluded = OccludedImage(network, image, torch.zeros(3, 1, 1), "conv", 0)
    patch_sets = corners_and_middle(9, 9, (4, 4))
    assert occluded.method == "full"
    expected, expected_logits = occlude_by_pixels(model, model.conv, image, torch.zeros(3, 9, 9), patch_sets)
    found = occluded.run(patch_sets)
    torch.testing.assert_close(found.maps, expected[:, 0])
    torch.testing.assert_close(found.logits, expected_logits)
    assert occluded.saving(patch_sets) == (1.0, 1.0)
