"""The explorers' services and their files speak of a regression's values, and of probabilities of everything else."""

import io
import json

import numpy as np
import pytest
import torch
from torch import nn

from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.instruments.occlusion.widget.chart import map_chart
from deconvwidgets.instruments.occlusion.widget.explorer import OcclusionExplorer
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.service.worker import SynchronousExecutor

SETTINGS = MapsSettings((4, 4), (4, 4))


def bundle_of(outputs, categories, **options):
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, outputs)).eval()
    return ModelBundle.from_module(net, categories=categories, input_size=(3, 16, 16), name="mine", **options)


@pytest.fixture
def service(make_service):
    return make_service(SynchronousExecutor(), bundle_of(2, ["depth", "width"], task="regression", unit="m"))


def outputs_of(service, box=None, crop=3):
    bundle = service._context.snapshot.bundle
    pixels = bundle.prepare(service._context.snapshot.images.open_crop(crop))[None].clone()
    if box is not None:
        pixels[:, :, box[1] : box[3], box[0] : box[2]] = 0
    with torch.no_grad():
        return bundle.model(pixels)[0].tolist()


def test_values_of_a_regression_with_patches(service):
    api = service.occlusion
    scene = api.scene(OcclusionRequest("crop:3"))
    assert scene.request.target == 0
    shares = api.answer(scene.request, [(0, 0, 8, 8)]).classes
    assert [(share.label, share.name) for share in shares] == [(0, "depth"), (1, "width")]
    assert [share.before for share in shares] == pytest.approx(outputs_of(service), rel=1e-5)
    assert [share.now for share in shares] == pytest.approx(outputs_of(service, (0, 0, 8, 8)), rel=1e-5)
    assert (service.overview().quantity.unit, api.choices().quantity.kind) == ("m", "value")


def test_maps_of_another_output_need_no_computation(service):
    api = service.occlusion
    first = api.maps(api.start_maps(OcclusionRequest("crop:3"), SETTINGS))
    other = api.maps(api.start_maps(OcclusionRequest("crop:3", target=1), SETTINGS))
    assert (first.target, other.target, other.probability) == (0, 1, None)
    assert (first.unoccluded.value, other.unoccluded.value) == pytest.approx(outputs_of(service), rel=1e-5)
    assert other.value[1, 2] == pytest.approx(outputs_of(service, (8, 4, 12, 8))[1], rel=1e-4)
    assert len(api._runs.computations()) == 1


@pytest.mark.parametrize(
    ("task", "outputs", "categories"), [("multilabel", 3, ["ant", "bee", "cow"]), ("binary", 1, ["no", "yes"]), ("softmax", 2, ["a", "b"])]
)
def test_maps_of_another_class_of_every_task_equal_new_ones(make_service, task, outputs, categories):
    service = make_service(SynchronousExecutor(), bundle_of(outputs, categories, task=task))
    api = service.occlusion
    api.start_maps(OcclusionRequest("crop:3", target=0), SETTINGS)
    maps = api.maps(api.start_maps(OcclusionRequest("crop:3", target=1), SETTINGS))
    values = outputs_of(service, (8, 4, 12, 8))
    exponentials = np.exp(values)
    softmax = exponentials[-1 if task == "binary" else 1] / exponentials.sum()
    expected = softmax if task == "softmax" else 1 / (1 + np.exp(-values[0 if task == "binary" else 1]))
    assert maps.probability[1, 2] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["figure.html", "figure.svg"])
def test_figures_of_a_regression_speak_of_no_probability(service, kind):
    api = service.occlusion
    request = api.scene(OcclusionRequest("crop:3")).request
    run = api.start_maps(request, SETTINGS)
    state = {"window": [4, 4], "patches": [[8, 8]]}
    text = api.file(kind, request, run, state).decode()
    assert "depth in m" in text
    for absent in ("robab", "Class", "no classifier"):
        assert absent not in text, absent
    assert "Predicted: your model's own 2 values, in m" in text.replace("&#x27;", "'").replace("&#39;", "'")
    assert api.file("figure.png", request, None, state)[:4] == b"\x89PNG"


def test_arrays_of_a_regression(service):
    api = service.occlusion
    request = api.scene(OcclusionRequest("crop:3")).request
    run = api.start_maps(request, SETTINGS)
    with np.load(io.BytesIO(api.file("maps.npz", request, run, {}))) as file:
        assert "probability" not in file
        np.testing.assert_array_equal(file["value"], api.maps(run).value)
        about = json.loads(str(file["about"]))
    assert about["quantity"] == {"task": "regression", "activation": "none", "unit": "m"}
    assert about["unoccluded"]["value"] == api.maps(run).unoccluded.value


def test_the_explorer_of_a_regression(service):
    explorer = OcclusionExplorer(service, image=3, state={"window": 4, "stride": 4, "target": "width"})
    assert explorer.state["map"] == "value"
    explorer.state = {"map": "label"}
    assert explorer.state["map"] == "value", "there is no map of classes"
    title = explorer.chart.layout.title.text
    assert "width in m" in title
    assert " m" in title.partition("without a patch")[2]
    (trace,) = map_chart(explorer.maps, "probability", {}).data
    np.testing.assert_array_equal(np.asarray(trace.z), explorer.maps.value)
    assert trace.zmax - explorer.maps.unoccluded.value == pytest.approx(explorer.maps.unoccluded.value - trace.zmin)
    explorer.state = {"map": "activity"}
    assert explorer.state["map"] == "activity"


def test_predictions_in_the_layer_explorer(make_service):
    one = make_service(SynchronousExecutor(), bundle_of(1, None, unit="m")).wait()
    entry = one.layers.unit_detail("conv1", 0).entries[0]
    (value,) = outputs_of(one, crop=entry.image)
    assert (entry.prediction, entry.probability) == (f"{value:.4g} m", None)
    labels = make_service(SynchronousExecutor(), bundle_of(3, ["ant", "bee", "cow"], task="multilabel")).wait()
    entry = labels.layers.unit_detail("conv1", 0).entries[0]
    logits = outputs_of(labels, crop=entry.image)
    assert entry.prediction == ["ant", "bee", "cow"][int(np.argmax(logits))]
    assert entry.probability == pytest.approx(1 / (1 + np.exp(-max(logits))), rel=1e-5)
