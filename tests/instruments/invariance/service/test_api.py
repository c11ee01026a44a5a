"""InvarianceApi against plain PyTorch: what a widget shows of a transformed photograph, and that no answer is that of another request."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets import display
from deconvwidgets.errors import InvarianceError, LayerError
from deconvwidgets.instruments.invariance.compute.transformed import TransformedPhotograph
from deconvwidgets.instruments.invariance.records import InvarianceRequest
from deconvwidgets.instruments.invariance.transforms import kind_of
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.service.worker import SynchronousExecutor
from tests.conftest import NoisePhotographs

IMAGES = NoisePhotographs()
MEAN, STD = (0.2, 0.5, 0.7), (0.25, 0.2, 0.3)


def make_bundle(task: str = "auto") -> dw.ModelBundle:
    """A network whose maps are wider than high, with seven outputs."""
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(400, 7)
    )
    with torch.no_grad():
        net[0].bias[4] = -100.0  # never active
    transform = Preprocess(resize=20, crop=(16, 20), mean=MEAN, std=STD)
    categories = ["cat", "dog", *"abcde"]
    return dw.ModelBundle.from_module(
        net.eval(), transform=transform, categories=categories, input_size=(3, 16, 20), name="wide", task=task
    )


BUNDLE = make_bundle()


@pytest.fixture
def service():
    with_service = dw.LocalModelService(BUNDLE, IMAGES, device="cpu", worker=SynchronousExecutor())
    yield with_service
    with_service.close()


def run(bundle: dw.ModelBundle, source: int, transform: str, amount: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the maps of both convolutions after their rectifiers, and the outputs, by plain calls of the modules."""
    photograph = TransformedPhotograph(bundle, IMAGES.open_crop(3 * source))
    with torch.no_grad():
        first = bundle.model[:2](photograph.input(kind_of(transform), amount)[None])
        second = bundle.model[2:4](first)
        return first[0], second[0], bundle.model[4:](second)[0]


@pytest.mark.parametrize(("transform", "amount"), [("rotate", 120), ("translate_x", 7), ("brightness", 1)])
def test_a_view_is_that_of_plain_pytorch(service, transform, amount):
    before, now = run(BUNDLE, 4, transform, kind_of(transform).neutral), run(BUNDLE, 4, transform, amount)
    changes = [float((one - other).double().norm()) for one, other in zip(before, now, strict=True)]
    norms = [float(maps.double().norm()) for maps in before]
    was, strengths = (maps[0].amax((1, 2)).numpy() for maps in (before, now))
    places = [divmod(int(values.argmax()), 10) for values in now[0]]
    for top in (1, 2, 3, 4):
        view = service.invariance.view(InvarianceRequest("crop:12", transform, amount, ("conv2", "conv1"), "conv1", top))
        assert view.distances == pytest.approx((changes[1], changes[0]), rel=1e-5)
        assert view.relative == pytest.approx((changes[1] / norms[1], changes[0] / norms[0]), rel=1e-5)
        strongest, strongest_before = np.argsort(-strengths)[:top].tolist(), np.argsort(-was).tolist()
        assert [unit.unit for unit in view.units] == strongest
        for unit in view.units:
            assert (unit.value, unit.before) == pytest.approx((strengths[unit.unit], was[unit.unit]), rel=1e-5)
            assert unit.rank == strongest_before.index(unit.unit)
            left, top_edge = 2 * places[unit.unit][1] - 1, 2 * places[unit.unit][0] - 1
            assert unit.box == (left, top_edge, left + 3, top_edge + 3)
        assert view.kept == len({*strongest} & {*strongest_before[:top]})
    shares = [maps[2].softmax(0).numpy() for maps in (before, now)]
    target = 1  # the label is "dog"
    order = [target, *(number for number in np.argsort(-shares[1]).tolist() if number != target)][:5]
    assert [one.label for one in view.classes] == order
    assert [one.now for one in view.classes] == pytest.approx(shares[1][order].tolist(), rel=1e-4)
    assert [one.before for one in view.classes] == pytest.approx(shares[0][order].tolist(), rel=1e-4)
    assert view.labelled
    assert view.classes[0].name == "dog"


def test_a_view_is_of_its_own_request(service):
    """Of the layer, the photograph and the model that are asked for, though features of the photograph as it is are kept."""
    api = service.invariance
    for layer, source in (("conv1", 4), ("conv2", 4), ("conv1", 5)):
        view = api.view(InvarianceRequest(f"crop:{3 * source}", "rotate", 45, ("conv1",), layer, 1))
        strongest = run(BUNDLE, source, "rotate", 45)[0 if layer == "conv1" else 1].amax((1, 2))
        assert (view.layer, view.units[0].unit) == (layer, int(strongest.argmax()))
        assert view.units[0].value == pytest.approx(float(strongest.max()), rel=1e-5)
    strongest_unit = view.units[0].unit
    service.set_units({("conv1", strongest_unit): 0.0})
    view = api.view(InvarianceRequest("crop:15", "rotate", 45, ("conv1",), "conv1", 1))
    assert view.units[0].unit != strongest_unit
    before, now = (run(BUNDLE, 5, "rotate", amount)[0] for amount in (0, 45))
    kept = [unit for unit in range(6) if unit != strongest_unit]
    assert view.distances[0] == pytest.approx(float((before - now)[kept].double().norm()), rel=1e-5)


def test_curves_are_those_of_their_transformation_layers_and_model(service):
    api, asked = service.invariance, [("translate", ["conv1"]), ("translate_x", ["conv1"]), ("translate", ["conv2", "conv1"])]
    for bundle in (BUNDLE, BUNDLE.with_units({("conv1", 0): 0.0})):
        if bundle.units:
            service.set_units({("conv1", 0): 0.0})
        assert not any(api.known(["crop:12"], transform, layers) for transform, layers in asked)
        for transform, layers in asked:
            found = api.curves(["crop:12"], transform, layers)
            expected = dw.invariance(bundle, IMAGES, transform, layers=layers, photographs=[4], progress=False)
            np.testing.assert_allclose(found.distances, expected.distances, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
            assert (found.layers, found.amounts.tolist()) == (expected.layers, expected.amounts.tolist())
            assert api.known(["crop:12"], transform, layers)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two pictures of the same size: encoding loses some."""
    assert one.shape == other.shape
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_a_unit_is_shown_by_its_projection_and_its_patch(service):
    pixels = TransformedPhotograph(BUNDLE, IMAGES.open_crop(12)).input(kind_of("rotate"), 120)
    request = InvarianceRequest("crop:12", "rotate", 120, ("conv1",), "conv2")
    picture = (
        ((pixels * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]) * 255).round().byte().permute(1, 2, 0).numpy()
    )
    for shown in service.invariance.unit_pictures(request, [3, 0], 32):
        expected = dw.engine.project(BUNDLE.model, pixels[None], "3", unit=shown.unit, method="full")
        patch = display.crop_patch(picture, tuple(int(edge) for edge in expected.boxes[0]))
        assert alike(display.decode_image(shown.projection.data), display.projection_to_rgb(expected.pixels[0].numpy(), 32)) > 0.9
        assert alike(display.decode_image(shown.patch.data), display.resize_image(patch, 32)) > 0.9
    (dead,) = service.invariance.unit_pictures(InvarianceRequest("crop:12", "rotate", 120, (), "conv1"), [4], 32)
    assert (dead.projection, dead.reason) == (None, "The unit is not active in this photograph.")


def test_a_regression_shows_its_outputs_in_order():
    service = dw.LocalModelService(make_bundle("regression"), IMAGES, device="cpu", worker=SynchronousExecutor())
    view = service.invariance.view(InvarianceRequest("crop:12", "rotate", 120, ("conv1",)))
    outputs = run(BUNDLE, 4, "rotate", 120)[2].tolist()
    assert [one.label for one in view.classes] == [0, 1, 2, 3, 4]
    assert [one.now for one in view.classes] == pytest.approx(outputs[:5], rel=1e-4)
    assert not view.labelled
    service.close()


def test_too_many_layers_and_unknown_ones_are_refused(service):
    api = service.invariance
    with pytest.raises(LayerError, match="conv9"):
        api.view(InvarianceRequest("crop:0", "rotate", 1, ("conv9",)))
    with pytest.raises(LayerError, match="unit of conv1"):
        api.unit_pictures(InvarianceRequest("crop:0", "rotate", 1, (), "conv1"), [6])
    with pytest.raises(InvarianceError, match="at most 12 photographs, not 13"):
        api.curves([f"crop:{number}" for number in range(13)], "rotate", ["conv1"])


def test_curves_go_on_when_only_the_index_changes(service, monkeypatch):
    arguments = (["crop:0"], "rotate", ["conv1"])
    expected = service.invariance.curves(*arguments)
    service.invariance._curves.keep_only(lambda key: False)
    prepare = TransformedPhotograph.unchanged

    def prepare_and_change(photograph):
        service._context.layers.replace(notes=("a new index",))
        return prepare(photograph)

    before = service.overview().version
    monkeypatch.setattr(TransformedPhotograph, "unchanged", prepare_and_change)
    np.testing.assert_array_equal(service.invariance.curves(*arguments).relative, expected.relative)
    assert service.overview().version > before


def test_curves_are_kept_while_only_the_index_changes(service):
    arguments = (["crop:0"], "rotate", ["conv1"])
    service.invariance.curves(*arguments)
    service._context.layers.replace(notes=("a new index",))
    assert service.invariance.known(*arguments)
    service.set_units({("conv1", 0): 0.0})
    assert not service.invariance.known(*arguments)
