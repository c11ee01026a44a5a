"""What patches change, computed only where they touch, equals the model run on whole occluded images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion import affected_region as influence
from deconvwidgets.engine.occlusion import occluded_image as occluding
from deconvwidgets.engine.occlusion.affected_region import Touched, layouts_of
from deconvwidgets.engine.occlusion.occluded_image import Occluded, OccludedImage
from deconvwidgets.errors import GraphError, LayerError, ModelError
from deconvwidgets.models.efficientnet_lite import EfficientNetLite0
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.records.geometry import Box
from tests.engine.projection.literal_deconvnet import Chain
from tests.engine.projection.literal_to_torch import twin
from tests.engine.projection.test_local import lively
from tests.engine.projection.test_random_architectures import Experiment, experiments

Placings = Sequence[Sequence[Box]]


def by_hand(model: nn.Module, layer: nn.Module | None, image: Tensor, fill: Tensor, placings: Placings) -> tuple[Tensor, Tensor]:
    """The layer's maps (N, C, h, w) and the model's answers, one occluded image after the other, pixel by pixel."""
    maps, answers = [], []
    handle = (layer or model).register_forward_hook(lambda module, args, output: maps.append(output.clone()))
    for placing in placings:
        occluded = image.clone()
        for left, top, right, bottom in placing:
            for row in range(max(top, 0), min(bottom, image.shape[2])):
                for column in range(max(left, 0), min(right, image.shape[3])):
                    occluded[0, :, row, column] = fill[:, row, column]
        with torch.no_grad():
            answers.append(model(occluded))
    handle.remove()
    return torch.cat(maps), torch.cat(answers)


def far(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-300))


def corners_and_middle(height: int, width: int, size: tuple[int, int]) -> list[list[Box]]:
    rows = [-size[0] // 2, 0, 5, (height - size[0]) // 2, height - size[0], height - size[0] // 2]
    columns = [-size[1] // 2, 0, 7, (width - size[1]) // 2, width - size[1], width - size[1] // 2]
    return [[(column, row, column + size[1], row + size[0])] for row in rows for column in columns]


def small_classifier(model: nn.Module) -> nn.Module:
    """Without the hundred million weights of its fully connected layers, which are the same either way."""
    if isinstance(getattr(model, "classifier", None), nn.Sequential) and isinstance(model.classifier[-1], nn.Linear):
        first = next(module for module in model.classifier if isinstance(module, nn.Linear))
        model.classifier = nn.Sequential(nn.Linear(first.in_features, 11))
    return model


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "efficientnet_lite0":
        return EfficientNetLite0()
    options = {"weights": None} | ({"init_weights": False, "aux_logits": False, "transform_input": True} if name == "googlenet" else {})
    return small_classifier(import_torchvision().models.get_model(name, **options))


NAMES = ["alexnet", "vgg16", "squeezenet1_1", "resnet18", "googlenet", "mobilenet_v2", "efficientnet_lite0"]


@pytest.mark.parametrize("name", NAMES)
def test_real_architectures_answer_the_same_to_the_last_digits(name: str) -> None:
    side = 96
    model = lively(build(name))
    image = torch.randn(1, 3, side, side, dtype=torch.float64)
    fill = torch.randn(3, side, side, dtype=torch.float64)
    placings = [*corners_and_middle(side, side, (23, 17))[::5], [(3, 5, 20, 16), (50, 60, 70, 90)]]
    for dtype, bound in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        network = Network.of(model.to(dtype), (3, side, side))
        layer = network.explorer_layers[len(network.explorer_layers) // 2].name
        unit = int(network.map(image.to(dtype), layer).sum((2, 3)).argmax())
        found, wanted = (
            OccludedImage(network, image.to(dtype), fill, layer, unit, method=method).run(placings) for method in ("incremental", "full")
        )
        assert far(found.maps, wanted.maps) < bound
        assert far(found.logits, wanted.logits) < bound
        if dtype is torch.float64:  # random weights forget the input on the way up, and what is left of the patch must still be right
            change = (wanted.maps - wanted.maps[:1]).abs().max()
            assert change > 0
            assert (found.maps - wanted.maps).abs().max() < 1e-4 * change


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(experiment=experiments(), data=st.data())
def test_random_architectures_answer_the_same(experiment: Experiment, data: st.DataObject) -> None:
    below = twin(Chain(experiment.network.steps), experiment.inplace)
    model = nn.Sequential(*below, *twin(Chain(experiment.above.steps), experiment.inplace))
    image = torch.from_numpy(experiment.images[:1])
    height, width = image.shape[2:]
    size = (data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    places = st.tuples(st.integers(-size[0], height), st.integers(-size[1], width))
    placings = [
        [(column, row, column + size[1], row + size[0]) for row, column in data.draw(st.lists(places, min_size=1, max_size=2))]
        for _ in range(data.draw(st.sampled_from([1, 3, 20])))
    ]
    fill = torch.from_numpy(experiment.images[1])
    layer = str(len(experiment.network.steps) - 1)
    wanted, _ = by_hand(model, model[int(layer)], image, fill, placings)
    assume(torch.isfinite(wanted).all())  # a window may lie in the padding altogether
    found = OccludedImage(Network.of(model, image.shape[1:]), image, fill, layer, experiment.unit, logits=False, method="incremental")
    scale = float(wanted.abs().max().clamp(min=1))
    assert (found.run(placings).maps - wanted[:, experiment.unit]).abs().max() <= 1e-10 * scale


class Gated(nn.Module):
    """Looks at whole maps in the middle (a squeeze-and-excitation gate), and reads shapes, as many models of one's own do."""

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
    """Channels that go different ways, single channels, a sum in place, oblong windows, two pad values around one map, and branches of
    which now the first, now the second sees more."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(2, 2, (3, 5), padding=(1, 2), bias=False)
        self.shrink, self.pool = nn.Conv2d(2, 3, 1, stride=2), nn.MaxPool2d(3, 2, padding=1)
        self.last = nn.Conv2d(2, 3, 3, stride=2, padding=1)

    def forward(self, batch: Tensor) -> Tensor:
        one, other = self.first(torch.cat([batch[:, 0].unsqueeze(1) * 0.5 + 1, batch[:, 1:]], 1)).chunk(2, 1)
        other = self.wide(other)
        other += one
        other = other - 9
        maps = self.shrink(batch) + self.last(other)
        return torch.cat([maps, self.pool(other)], 1).flatten(1)


@pytest.mark.parametrize(("make", "layer"), [(Gated, "last"), (Gated, "first"), (Split, "wide"), (Split, "last"), (Split, "pool")])
def test_whole_maps_in_the_middle_branches_and_single_channels(make: Callable[[], nn.Module], layer: str) -> None:
    torch.manual_seed(1)
    model = make().double().eval()
    image, fill = torch.randn(2, 2, 20, 20, dtype=torch.float64)
    placings = corners_and_middle(20, 20, (6, 4))
    wanted, answers = by_hand(model, model.get_submodule(layer), image[None], fill, placings)
    occluded = OccludedImage(Network.of(model, (2, 20, 20)), image[None], fill, layer, 1, method="incremental")
    found = occluded.run(placings)
    assert far(found.maps, wanted[:, 1]) < 1e-12
    assert far(found.logits, answers) < 1e-12
    assert occluded.saving(placings)[0] > 1.2


def test_tiles_hold_what_a_patch_changes_and_nothing_else() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 5, 2, padding=2), nn.AvgPool2d(3, 2, ceil_mode=True), nn.Conv2d(2, 2, 3, padding=2), nn.AvgPool2d(2)
    )
    model = model.double().eval()
    network, image = Network.of(model, (1, 61, 57)), torch.zeros(1, 1, 61, 57, dtype=torch.float64)
    placings = corners_and_middle(61, 57, (9, 12))
    graph = network.graph
    for layer in ("0", "1", "2", "3"):
        node = network.node(layer)
        maps, _ = by_hand(model, model[int(layer)], image, torch.full((1, 61, 57), 50.0, dtype=torch.float64), placings)
        plain, _ = by_hand(model, model[int(layer)], image, image[0], placings)
        changed = (maps != plain).any(1)
        operations = graph.ancestors([node])
        for placing, where in zip(placings, changed, strict=True):
            ((left, top, right, bottom),) = placing
            box = Touched(torch.tensor([[max(top, 0), max(left, 0)]]).numpy(), torch.tensor([[min(bottom, 61), min(right, 57)]]).numpy())
            layout = layouts_of(operations, box)[node]
            rows, columns = where.any(1).nonzero().flatten(), where.any(0).nonzero().flatten()
            tile = layout.groups[0]
            assert tile.starts.tolist() == [[int(rows[0]), int(columns[0])]]
            assert tile.size == (int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)


@pytest.mark.parametrize("count", [1, 15, 16, 63, 64, 200])
def test_a_few_tile_sizes_cover_all(count: int) -> None:
    rng = torch.Generator().manual_seed(count)
    first = torch.randint(0, 40, (count, 2), generator=rng).numpy()
    last = first + torch.randint(1, 12, (count, 2), generator=rng).numpy()
    layout = influence.Layout.covering(Touched(first, last), (51, 51))
    seen = []
    for group in layout.groups:
        assert (group.starts >= 0).all()
        assert (group.starts + group.size <= 51).all()
        assert (group.starts <= first[group.members]).all()
        assert (group.starts + group.size >= last[group.members]).all()
        seen += group.members.tolist()
    assert sorted(seen) == list(range(count))
    assert len({group.size[0] for group in layout.groups}) <= 3


def tiny(method: str = "auto", **options: object) -> OccludedImage:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(4 * 7 * 7, 6))
    image = torch.randn(1, 3, 20, 20)
    return OccludedImage(Network.of(model.eval(), (3, 20, 20)), image, torch.zeros(3, 1, 1), "conv2", 1, method=method, **options)


@pytest.mark.parametrize("method", ["incremental", "full"])
def test_no_memory_no_matter(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    placings = corners_and_middle(20, 20, (5, 5))
    wanted = tiny(method).run(placings)
    found = tiny(method, memory_limit=1).run(placings)
    torch.testing.assert_close(found.maps, wanted.maps, rtol=0, atol=1e-6)
    sizes: list[int] = []
    run = OccludedImage._run_batch

    def short_of_memory(self: OccludedImage, some: Placings) -> Occluded:
        sizes.append(len(some))
        if len(some) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return run(self, some)

    monkeypatch.setattr(OccludedImage, "_run_batch", short_of_memory)
    found = tiny(method).run(placings)
    torch.testing.assert_close(found.logits, wanted.logits, rtol=0, atol=1e-6)
    assert sizes[:4] == [36, 18, 9, 4]
    monkeypatch.setattr(OccludedImage, "_run_batch", lambda self, some: (_ for _ in ()).throw(RuntimeError("another failure")))
    with pytest.raises(RuntimeError, match="another failure"):
        tiny(method).run(placings)


def test_no_placing_and_one_beside_the_image() -> None:
    occluded = tiny()
    assert occluded.method == "incremental"
    none = occluded.run([])
    assert none.maps.shape == (0, 7, 7)
    assert none.logits.shape == (0, 6)
    beside = occluded.run([[(-9, -9, 0, 0)], [(30, 2, 40, 9)], []])
    torch.testing.assert_close(beside.logits, occluded.unoccluded.logits.expand(3, -1), rtol=0, atol=1e-6)


def test_the_image_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.ReLU(True), nn.Conv2d(3, 2, 3)).eval()
    image = torch.randn(1, 3, 9, 9)
    before = image.clone()
    for method in ("incremental", "full"):
        occluded = OccludedImage(Network.of(model, (3, 9, 9)), image, torch.zeros(3, 1, 1), "1", 0, logits=False, method=method)
        occluded.run([[(0, 0, 3, 3)]])
        assert torch.equal(image, before)


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(LayerError, match="has 4 units, 0 to 3: there is no unit 9"):
        OccludedImage(Network.of(nn.Conv2d(3, 4, 3).eval(), (3, 9, 9)), torch.zeros(1, 3, 9, 9), torch.zeros(3, 1, 1), "conv2d", 9)
    maps = Network.of(nn.Sequential(nn.Conv2d(3, 4, 3)).eval(), (3, 9, 9))
    with pytest.raises(ModelError, match="without categories"):
        OccludedImage(maps, torch.zeros(1, 3, 9, 9), torch.zeros(3, 1, 1), "0", 0)
    assert OccludedImage(maps, torch.zeros(1, 3, 9, 9), torch.zeros(3, 1, 1), "0", 0, logits=False).unoccluded.logits is None


class Stubborn(nn.Module):
    """Cannot be followed: its way depends on the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, batch: Tensor) -> Tensor:
        return self.conv(batch if batch.sum() > -1e9 else -batch).mean((2, 3))


def test_a_model_that_cannot_be_followed_runs_whole() -> None:
    model = Stubborn().eval()
    network, image = Network.of(model, (3, 9, 9)), torch.randn(1, 3, 9, 9)
    with pytest.raises(GraphError, match="method='full'"):
        OccludedImage(network, image, torch.zeros(3, 1, 1), "conv", 0, method="incremental")
    occluded = OccludedImage(network, image, torch.zeros(3, 1, 1), "conv", 0)
    placings = corners_and_middle(9, 9, (4, 4))
    assert occluded.method == "full"
    wanted, answers = by_hand(model, model.conv, image, torch.zeros(3, 9, 9), placings)
    found = occluded.run(placings)
    torch.testing.assert_close(found.maps, wanted[:, 0])
    torch.testing.assert_close(found.logits, answers)
    assert occluding.OccludedImage.saving(occluded, placings) == (1.0, 1.0)
