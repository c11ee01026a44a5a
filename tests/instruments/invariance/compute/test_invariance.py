"""The curves against a plain loop with forward hooks, one image at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.job import FixedBatch, JobContext
from deconvwidgets.errors import InvarianceError, JobCancelledError, LayerError, ModelError, PictureError
from deconvwidgets.instruments.invariance.compute.layers import default_layers
from deconvwidgets.instruments.invariance.compute.transformed import TransformedPhotograph
from deconvwidgets.instruments.invariance.transforms import kind_of
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision
from tests.conftest import NoisePhotographs, make_tiny_bundle

TF = import_torchvision().transforms.functional
BILINEAR = import_torchvision().transforms.InterpolationMode.BILINEAR

GREY = [128, 128, 128]


def hooked(model: nn.Module, modules: list[nn.Module], pixels: torch.Tensor) -> tuple[list[np.ndarray], np.ndarray]:
    """Return what some modules return for one image, and the probabilities."""
    found: list[np.ndarray] = []
    handles = [one.register_forward_hook(lambda _m, _i, output: found.append(output.double().flatten().numpy().copy())) for one in modules]
    with torch.no_grad():
        probabilities = model(pixels[None]).double().softmax(1)[0].numpy()
    for handle in handles:
        handle.remove()
    return found, probabilities


def plain_input(image, degrees: float) -> torch.Tensor:
    resized = TF.resize(image, 18, BILINEAR)
    rotated = TF.rotate(resized, degrees, BILINEAR, fill=GREY) if degrees else resized
    return TF.normalize(TF.to_tensor(TF.center_crop(rotated, [16, 16])), [0.5] * 3, [0.25] * 3)


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_curves_are_those_of_a_plain_loop_with_hooks(batch):
    bundle, images, amounts = make_tiny_bundle(), NoisePhotographs(), [0.0, 15.0, 90.0, -40.0]
    job = JobContext(batch_size=FixedBatch(batch))
    found = dw.invariance(bundle, images, "rotate", amounts, layers=["conv1", "3"], photographs=[5, 2], progress=False, job=job)
    net = bundle.model
    for number, source in enumerate((5, 2)):
        image = images.open_source(source)
        before, scores = hooked(net, [net[1], net[3]], plain_input(image, 0))
        for place, amount in enumerate(amounts):
            after, now = hooked(net, [net[1], net[3]], plain_input(image, amount))
            for layer in range(2):
                distance = np.sqrt(((after[layer] - before[layer]) ** 2).sum())
                assert found.distances[number, layer, place] == pytest.approx(distance, rel=1e-4, abs=1e-6)
                norm = np.sqrt((before[layer] ** 2).sum())
                assert found.relative[number, layer, place] == pytest.approx(distance / norm, rel=1e-4, abs=1e-6)
            assert found.scores[number, place] == pytest.approx(now[scores.argmax()], rel=1e-4)
    assert found.layers == ("conv1", "conv2")  # the names by which all instruments list them


def test_a_model_that_couples_the_images_of_a_batch_sees_one_at_a_time():
    class Coupled(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = make_tiny_bundle().model

        def forward(self, batch):
            return self.inner(batch + 0.5 * batch.flip(0))

    transform = make_tiny_bundle().transform
    bundle = dw.ModelBundle.from_module(Coupled().eval(), transform=transform, categories=["ant", "bee", "cow"], name="coupled")
    assert bundle.network.single
    images, amounts, module = NoisePhotographs(), [0.5, 0.25], [bundle.model.inner[1]]
    found = dw.invariance(bundle, images, "brightness", amounts, layers=["inner.1"], photographs=[5], progress=False)
    photograph = TransformedPhotograph(bundle, images.open_source(5))
    (before,), scores = hooked(bundle.model, module, photograph.unchanged())
    for place, amount in enumerate(amounts):
        (after,), now = hooked(bundle.model, module, photograph.input(kind_of("brightness"), amount))
        assert found.distances[0, 0, place] == pytest.approx(np.linalg.norm(after - before), rel=1e-4)
        assert found.scores[0, place] == pytest.approx(now[scores.argmax()], rel=1e-4)


class Labelled(NoisePhotographs):
    """Photographs whose classes are the model's, but for the first."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.categories = ("cow", "Ant", "kite")


def test_the_score_is_that_of_the_label_if_it_names_a_class_of_the_model():
    bundle, images = make_tiny_bundle(), Labelled()  # the tiny network's classes are ant, bee and cow
    found = dw.invariance(bundle, images, "blur", [0, 1], photographs=[0, 1, 2, 3], progress=False)
    classes = [images.label(source) for source in range(4)]  # none, Ant, kite, cow
    assert classes == [None, 1, 2, 0]
    assert [one.labelled for one in found.photographs] == [False, True, False, True]
    assert [one.target for one in found.photographs][1::2] == ["ant", "cow"]
    probabilities = bundle.model(bundle.prepare(images.open_source(1))[None]).detach().softmax(1)
    assert found.photographs[1].unchanged == pytest.approx(float(probabilities[0, 0]), rel=1e-5)
    assert found.scores[1, 0] == pytest.approx(float(probabilities[0, 0]), rel=1e-5)
    assert "noise-0, noise-2" in found.notes[0]


def test_without_a_classifier_there_are_distances_only_and_the_pass_stops_at_the_last_layer():

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.ReLU()).eval()
    bundle = dw.ModelBundle.from_module(net, transform=Preprocess(18, (16, 16), (0.5,) * 3, (0.25,) * 3), task=None, name="maps")
    found = dw.invariance(bundle, NoisePhotographs(), "noise", [0, 9], layers="conv1", photographs=1, progress=False)
    assert found.scores is None
    assert found.photographs[0].target is None
    bundle.network.graph  # noqa: B018 - traced before the operations are counted
    calls = _operations_run(lambda: dw.invariance(bundle, NoisePhotographs(), "noise", [9], layers="conv1", photographs=1, progress=False))
    assert calls.count("convolution") == 2  # one layer, of the photograph as it is and of the transformed one


def _operations_run(work) -> list[str]:
    from torch.utils._python_dispatch import TorchDispatchMode

    names: list[str] = []

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            names.append(function.overloadpacket.__name__)
            return function(*arguments, **(keywords or {}))

    with Recorder():
        work()
    return names


def test_one_pass_serves_layers_and_outputs():
    bundle = make_tiny_bundle()
    bundle.network.graph  # noqa: B018
    calls = _operations_run(lambda: dw.invariance(bundle, NoisePhotographs(), "noise", [9, 12], photographs=1, progress=False))
    assert calls.count("convolution") == 4  # two layers, for two batches: the photograph as it is, and both amounts


def test_a_model_that_cannot_be_traced_has_the_same_curves():
    class Branching(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x) if float(x.sum()) > -1e9 else x  # depends on the data: torch.export refuses it

    bundle, images = make_tiny_bundle(), NoisePhotographs()
    wrapped = dw.ModelBundle.from_module(
        Branching(bundle.model).eval(), transform=bundle.transform, categories=list(bundle.categories), name="branching"
    )
    assert not wrapped.network.traced
    layers = ["inner.1", "inner.3"]
    found = dw.invariance(wrapped, images, "translate", [-3, 2], layers=layers, photographs=2, progress=False)
    expected = dw.invariance(bundle, images, "translate", [-3, 2], layers=["1", "3"], photographs=2, progress=False)
    np.testing.assert_allclose(found.distances, expected.distances, rtol=1e-5)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)


class AlwaysDropout(nn.Sequential):
    """Calls dropout as a function, which is on by default also in evaluation mode."""

    def forward(self, x):
        return super().forward(torch.dropout(x, 0.5, True))


def test_a_model_that_draws_random_numbers_is_named_in_a_note():
    layers = (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 196, 2))
    for model, noisy in ((AlwaysDropout(*layers), True), (nn.Sequential(*layers), False)):
        bundle = dw.ModelBundle.from_module(model.eval(), input_size=(3, 16, 16), categories=["a", "b"])
        found = dw.invariance(bundle, NoisePhotographs(), "rotate", [0, 90], layers=["0"], photographs=2, progress=False)
        assert any("draws random numbers" in note for note in found.notes) == noisy


def test_a_regression_has_values():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 1)).eval()
    bundle = dw.ModelBundle.from_module(net, transform=Preprocess(18, (16, 16), (0.5,) * 3, (0.25,) * 3), categories=["depth"], unit="m")
    images = NoisePhotographs()
    found = dw.invariance(bundle, images, "brightness", [1, 0.5], photographs=1, progress=False)
    value = float(net(bundle.prepare(images.open_source(0))[None]).detach())
    assert found.scores[0, 0] == pytest.approx(value, rel=1e-5)
    assert found.photographs[0].target == "depth"
    assert found.quantity.kind == "value"
    assert found.notes == ()


def test_a_layer_without_activation_has_no_relative_distance():
    bundle = make_tiny_bundle()
    with torch.no_grad():
        bundle.model[0].weight.zero_()
        bundle.model[0].bias.fill_(-1.0)
    found = dw.invariance(bundle, NoisePhotographs(), "noise", [0, 9], layers="conv1", photographs=1, progress=False)
    assert np.isnan(found.relative).all()
    assert (found.distances == 0).all()


def test_layers_that_are_not_finite_are_refused_by_name():
    bundle = make_tiny_bundle()
    with torch.no_grad():
        bundle.model[0].weight[1, 0, 0, 0] = float("nan")
    with pytest.raises(ModelError, match=r"\b1\b.*NaN|NaN"):
        dw.invariance(bundle, NoisePhotographs(), "noise", [9], photographs=1, progress=False)


def test_unreadable_photographs_are_skipped_and_listed():
    images = NoisePhotographs(broken=[4])
    found = dw.invariance(make_tiny_bundle(), images, "blur", [1], photographs=[3, 4], progress=False)
    assert [one.name for one in found.photographs] == ["noise-3"]
    assert [one.name for one in found.skipped] == ["noise-4"]
    with pytest.raises(PictureError, match="None of the 1 photographs"):
        dw.invariance(make_tiny_bundle(), images, "blur", [1], photographs=[4], progress=False)


def test_images_may_be_given_as_they_are(tmp_path):
    images = NoisePhotographs()
    pictures = [images.open_source(1), np.asarray(images.open_source(2))]
    found = dw.invariance(make_tiny_bundle(), pictures, "scale", [1, 2], progress=False)
    expected = dw.invariance(make_tiny_bundle(), images, "scale", [1, 2], photographs=[1, 2], progress=False)
    np.testing.assert_array_equal(found.distances, expected.distances)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = dw.invariance(make_tiny_bundle(), [*pictures, tmp_path / "broken.png"], "scale", [1, 2], progress=False)
    np.testing.assert_array_equal(found.distances, expected.distances)
    assert [one.name for one in found.skipped] == ["broken.png"]
    with pytest.raises(PictureError, match="normalised input"):
        dw.invariance(make_tiny_bundle(), torch.zeros(3, 16, 16), "scale", [1, 2], progress=False)


def test_photographs_are_spread_evenly():
    found = dw.invariance(make_tiny_bundle(), NoisePhotographs(), "blur", [0], photographs=3, progress=False)
    assert [one.name for one in found.photographs] == ["noise-0", "noise-4", "noise-9"]
    every = dw.invariance(make_tiny_bundle(), NoisePhotographs(), "blur", [0], photographs=99, progress=False)
    assert len(every.photographs) == 14


def test_the_job_reports_and_is_cancelled():
    reports = []
    job = JobContext(on_progress=reports.append, batch_size=FixedBatch(2))
    dw.invariance(make_tiny_bundle(), NoisePhotographs(), "blur", [0, 1, 2], photographs=2, progress=False, job=job)
    assert (reports[-1].done, reports[-1].total) == (8, 8)
    stopped = JobContext(cancelled=lambda: True)
    with pytest.raises(JobCancelledError):
        dw.invariance(make_tiny_bundle(), NoisePhotographs(), "blur", [0, 1, 2], progress=False, job=stopped)


def test_switched_off_units_are_off():
    bundle, images = make_tiny_bundle(), NoisePhotographs()
    off = bundle.with_units({("conv1", unit): 0.0 for unit in (0, 1, 3)})  # and unit 2 is dead
    found = dw.invariance(off, images, "blur", [1], layers="conv1", photographs=1, progress=False)
    assert (found.distances == 0).all()


def test_default_layers_are_the_first_and_last_maps_and_the_last_hidden_fully_connected_one():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(2 * 10 * 10, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3),
    ).eval()  # fmt: skip
    bundle = dw.ModelBundle.from_module(net, transform=Preprocess(18, (16, 16), (0.5,) * 3, (0.25,) * 3), categories=list("abc"))
    assert [info.alias for info in default_layers(bundle.network)] == ["conv1", "conv3", "fc5"]
    assert [info.alias for info in default_layers(make_tiny_bundle().network)][:1] == ["conv1"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"transform": "shear"}, InvarianceError),
        ({"amounts": [1.5]}, InvarianceError),
        ({"layers": ["conv9"]}, LayerError),
        ({"layers": []}, LayerError),
        ({"photographs": 0}, InvarianceError),
        ({"photographs": [99]}, InvarianceError),
        ({"photographs": []}, InvarianceError),
        ({"photographs": "all"}, InvarianceError),
    ],
)
def test_invalid_arguments_are_refused(arguments, error):
    with pytest.raises(error):
        dw.invariance(make_tiny_bundle(), NoisePhotographs(), **{"transform": "translate", "progress": False, **arguments})
