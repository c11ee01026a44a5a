"""Occlusion maps compared with a loop that runs the model on occluded copies of the image."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.scores import most_probable
from deconvwidgets.engine import Network
from deconvwidgets.errors import LayerError, ModelError, OcclusionError, PictureError
from deconvwidgets.instruments.occlusion.compute.occlude import OcclusionScan, occlude
from deconvwidgets.instruments.occlusion.compute.unoccluded import run_unoccluded
from deconvwidgets.instruments.occlusion.records import MapsSettings


@pytest.fixture(scope="module")
def bundle(tiny_bundle):
    """The tiny bundle in float64, for exact comparisons."""
    return replace(tiny_bundle, model=copy.deepcopy(tiny_bundle.model).double())


@pytest.fixture(scope="module")
def network(bundle):
    return Network.of(bundle.model, bundle.input_size)


@pytest.fixture(scope="module")
def pixels():
    return torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def loop(bundle, pixels, window, stride, border, fill, target, unit):
    """Return (probability, label, label_probability, activity) for each position, computed one at a time."""
    rows = []
    tops, lefts = (corners(16, window[axis], stride[axis], border) for axis in (0, 1))
    for top in tops:
        line = []
        for left in lefts:
            occluded = pixels.clone()
            for row in range(max(top, 0), min(top + window[0], 16)):
                for column in range(max(left, 0), min(left + window[1], 16)):
                    occluded[:, row, column] = fill[:, row, column]
            with torch.no_grad():
                probability = bundle.model(occluded[None])[0].softmax(0)
                activity = bundle.model[:4](occluded[None])[0, unit].sum()
            label = max(range(3), key=lambda number: float(probability[number]))
            line.append((float(probability[target]), label, float(probability[label]), float(activity)))
        rows.append(line)
    return np.array(rows)


def corners(length, window, stride, border):
    if border == "inside":
        return range(0, length - window + 1, stride)
    count = -(-length // stride)
    first = -(((count - 1) * stride + window - length) // 2)
    return [first + stride * number for number in range(count)]


FILLS = {
    "gray": lambda pixels: torch.zeros_like(pixels),
    "mean": lambda pixels: pixels.mean((1, 2), keepdim=True).expand_as(pixels),
    "#804020": lambda pixels: ((torch.tensor([128, 64, 32]) / 255 - 0.5) / 0.25).double()[:, None, None].expand_as(pixels),
}


@pytest.mark.parametrize("method", ["full", "auto"])
@pytest.mark.parametrize(
    ("window", "stride", "border", "fill"),
    [
        ((5, 5), (3, 3), "inside", "gray"),
        ((3, 7), (4, 2), "inside", "mean"),
        ((6, 2), (5, 3), "same", "#804020"),
        ((1, 1), (7, 7), "same", "gray"),
        ((16, 16), (1, 1), "inside", "gray"),
        ((15, 16), (4, 5), "same", "gray"),
    ],
)
def test_every_position_equals_the_loop(bundle, network, pixels, window, stride, border, fill, method):
    maps = occlude(bundle, pixels, window, stride, border=border, fill=fill, method=method, target=1, unit=3)
    expected = loop(bundle, pixels, window, stride, border, FILLS[fill](pixels), 1, 3)
    assert maps.complete
    assert maps.activity.shape == expected.shape[:2]
    for values, number in ((maps.probability, 0), (maps.label_probability, 2), (maps.activity, 3)):
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[..., number], rtol=0, atol=1e-6 * abs(expected[..., number]).max())
    assert maps.label.tolist() == expected[..., 1].astype(int).tolist()
    assert (maps.target, maps.unit, maps.layer, maps.window, maps.stride) == (1, 3, "conv2", window, stride)
    assert (maps.fill, maps.border, maps.categories) == (fill, border, ("ant", "bee", "cow"))


def test_the_window_can_be_filled_with_a_blurred_image(bundle, network, pixels):
    from deconvwidgets.instruments.occlusion.compute.fill import fill_of

    maps = occlude(bundle, pixels, 6, 5, fill="blur", target=0, unit=0)
    expected = loop(bundle, pixels, (6, 6), (5, 5), "inside", fill_of(bundle, pixels, "blur"), 0, 0)
    np.testing.assert_allclose(maps.activity, expected[..., 3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("steps", [(1,), (7, 2), (1000,)])
def test_the_final_map_does_not_depend_on_the_steps(tiny_bundle, pixels, steps):
    settings = MapsSettings((5, 4), (2, 3), "same")
    at_once = OcclusionScan(tiny_bundle, pixels, settings)
    at_once.step(at_once.total)
    stepwise = OcclusionScan(tiny_bundle, pixels, settings)
    number = 0
    while stepwise.remaining:
        stepwise.step(steps[number % len(steps)])
        number += 1
    for name in ("probability", "label_probability", "activity"):
        first, second = getattr(at_once.maps(), name), getattr(stepwise.maps(), name)
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-6 * abs(first).max())
    assert at_once.maps().label.tolist() == stepwise.maps().label.tolist()


def test_of_equally_probable_classes_the_lowest_is_returned():
    assert most_probable(np.array([[0.2, 0.4, 0.4], [0.5, 0.0, 0.5], [0.1, 0.2, 0.7]])).tolist() == [1, 0, 2]
    assert most_probable(np.array([0.3, 0.35 - 1e-8, 0.35])).tolist() == 1  # within the differences between batch sizes
    assert most_probable(np.array([0.3, 0.3499, 0.3501])).tolist() == 2


def test_of_equally_probable_classes_the_map_has_the_lowest(tiny_model, pixels):
    bundle = tiny_model()
    with torch.no_grad():
        bundle.model[5].weight[0] = -1.0
        bundle.model[5].bias[0] = -1e3
        bundle.model[5].weight[2] = bundle.model[5].weight[1]
        bundle.model[5].bias[2] = bundle.model[5].bias[1]
    maps = occlude(bundle, pixels, 3, 1)
    assert set(maps.label.flatten().tolist()) == {1}
    assert maps.target == maps.unoccluded.label == 1


def test_the_defaults_are_the_strongest_unit_and_the_most_probable_class(bundle, network, pixels):
    maps = occlude(bundle, pixels, 5, 5)
    with torch.no_grad():
        sums = bundle.model[:4](pixels[None])[0].sum((1, 2))
        probabilities = bundle.model(pixels[None])[0].softmax(0)
    assert maps.layer == "conv2"
    assert maps.unit == int(sums.argmax())
    assert maps.target == maps.unoccluded.label == int(probabilities.argmax())
    assert maps.unoccluded.activity == pytest.approx(float(sums.max()), abs=1e-9)
    assert maps.unoccluded.probability == maps.unoccluded.label_probability == pytest.approx(float(probabilities.max()), abs=1e-9)
    assert maps.name(maps.target) == bundle.categories[maps.target]


def test_run_unoccluded_resolves_the_defaults(bundle, network, pixels):
    result = run_unoccluded(bundle, pixels, "conv1", target="COW")
    with torch.no_grad():
        maps = bundle.model[:2](pixels[None])[0]
    sums = maps.sum((1, 2))
    assert result.layer == "conv1"
    assert result.strongest == tuple(sorted(range(4), key=lambda unit: (-float(sums[unit]), unit)))
    assert result.unit == result.strongest[0]
    np.testing.assert_allclose(result.map, maps[result.unit], atol=1e-6)
    assert result.target == 2
    assert result.unoccluded.probability == pytest.approx(result.scores[2])
    assert result.scores.sum() == pytest.approx(1.0)
    assert run_unoccluded(bundle, pixels, "1").layer == "conv1"  # a dotted name is replaced by its alias


def test_the_activity_of_a_signed_feature_map_is_a_signed_sum(bundle, network, pixels):
    result = run_unoccluded(bundle, pixels, "conv2", 1)  # its bias is -5: negative everywhere
    assert result.unoccluded.activity < 0
    maps = occlude(bundle, pixels, 5, 5, layer="conv2", unit=1)
    assert np.all(maps.activity < 0)


def test_incomplete_maps_contain_the_computed_positions_only(bundle, network, pixels):
    scan = OcclusionScan(bundle, pixels, MapsSettings((4, 4), (2, 2)), logits=True)
    scan.step(-3)
    empty = scan.maps()
    assert (empty.done, empty.complete, scan.total, scan.remaining) == (0, False, 49, 49)
    scan.step(5)
    scan.step(0)
    partial = scan.maps()
    assert (partial.done, partial.complete, scan.remaining) == (5, False, 44)
    known = np.isfinite(partial.activity)
    assert np.isfinite(partial.probability[known]).all()
    assert np.isnan(partial.probability[~known]).all()
    assert np.isnan(partial.label_probability[~known]).all()
    assert np.isnan(partial.logits[~known]).all()
    assert (partial.label[~known] == -1).all()
    assert (partial.label[known] >= 0).all()
    while scan.remaining:
        scan.step(10)
    scan.step(10)
    whole = scan.maps()
    assert (whole.done, whole.complete) == (49, True)
    np.testing.assert_array_equal(whole.activity[known], partial.activity[known])
    assert partial.done == 5  # a copy does not change


def test_a_step_that_fails_is_repeated(bundle, network, pixels, monkeypatch):
    scan = OcclusionScan(bundle, pixels, MapsSettings((4, 4), (2, 2)))
    run = type(scan._occluded).run

    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(scan._occluded), "run", fail)
    with pytest.raises(KeyboardInterrupt):
        scan.step(10)
    assert scan.remaining == scan.total
    monkeypatch.setattr(type(scan._occluded), "run", run)
    scan.step(scan.total)
    np.testing.assert_array_equal(scan.maps().activity, occlude(bundle, pixels, 4, 2).activity)


def test_without_a_classifier_there_are_activity_maps_only(bundle, network, pixels):
    bare = replace(bundle, classifier=None, categories=None)
    maps = occlude(bare, pixels, 5, 5)
    assert maps.probability is maps.label is maps.label_probability is maps.target is maps.logits is None
    assert maps.unoccluded.probability is maps.unoccluded.label is None
    np.testing.assert_allclose(maps.activity, occlude(bundle, pixels, 5, 5).activity, atol=1e-6)
    with pytest.raises(OcclusionError, match=r"so there is no target class.*from_module\(net, \.\.\., categories=\[\.\.\.\]\)"):
        occlude(bare, pixels, 5, 5, target=1)
    with pytest.raises(OcclusionError, match=r"no classifier, so there are no logits.*from_module\(net, \.\.\., categories=\[\.\.\.\]\)"):
        occlude(bare, pixels, 5, 5, logits=True)


def test_a_trunk_alone_gives_activity_maps(pixels):
    trunk = dw.ModelBundle.from_module(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), input_size=(3, 16, 16))
    maps = occlude(trunk, pixels, 5, 5)
    assert maps.label is None
    assert maps.complete


def test_logits_are_kept_on_request(bundle, network, pixels):
    maps = occlude(bundle, pixels, (4, 6), 5, logits=True)
    assert maps.logits.shape == (*maps.activity.shape, 3)
    softmax = torch.from_numpy(maps.logits).double().softmax(-1).numpy()
    np.testing.assert_allclose(softmax[..., maps.target], maps.probability, atol=1e-6)
    assert occlude(bundle, pixels, 8, 8).logits is None


class Untraceable(nn.Module):
    """A model that cannot be traced: its control flow depends on values."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x * 1 if float(x.sum()) > -1e9 else x)


def test_a_model_that_cannot_be_traced_gives_the_same_maps(bundle, network, pixels):
    untraceable = replace(bundle, model=Untraceable(bundle.model).eval())
    layer = "inner.3"
    maps = occlude(untraceable, pixels, 5, 5, layer=layer, unit=3)
    expected = occlude(bundle, pixels, 5, 5, layer="conv2", unit=3)
    assert maps.method == "full"
    np.testing.assert_allclose(maps.activity, expected.activity, atol=1e-6)
    np.testing.assert_allclose(maps.probability, expected.probability, atol=1e-6)


def test_an_image_can_be_a_pil_image_a_path_an_array_or_a_tensor(tiny_bundle, tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    pil_image = Image.fromarray(array)
    path = tmp_path / "noise.png"
    pil_image.save(path)
    tensor = tiny_bundle.prepare(pil_image)
    first, *others = [occlude(tiny_bundle, image, 5, 5).activity for image in (pil_image, path, str(path), array, tensor, tensor[None])]
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_the_memory_limit_does_not_change_the_map(bundle, network, pixels):
    maps = occlude(bundle, pixels, 5, 2, memory_limit=1)
    np.testing.assert_allclose(maps.activity, occlude(bundle, pixels, 5, 2).activity, atol=1e-6)


def test_progress_is_reported(bundle, network, pixels, capsys):
    reports = []
    maps = occlude(bundle, pixels, 3, 1, network=network, job=JobContext(on_progress=reports.append))
    assert [(report.done, report.total) for report in reports] == [(128, 196), (196, 196)]
    assert maps.complete
    occlude(bundle, pixels, 3, 8)
    assert capsys.readouterr().err == ""


def test_the_default_window_and_stride_are_smaller_for_small_inputs(bundle, network, pixels):
    maps = occlude(bundle, pixels)
    assert (maps.window, maps.stride) == ((3, 3), (1, 1))
    assert (occlude(bundle, pixels, 4).stride, occlude(bundle, pixels, stride=2).window) == (
        (1, 1),
        (3, 3),
    )


def test_the_default_window_and_stride_are_48_and_8_for_inputs_of_alexnets_size():
    trunk = dw.ModelBundle.from_module(
        nn.Sequential(nn.Conv2d(1, 1, 3, stride=2), nn.ReLU()).eval(), lambda image: image, input_size=(1, 224, 240)
    )
    maps = occlude(trunk, torch.zeros(1, 224, 240))
    assert (maps.window, maps.stride, maps.activity.shape) == ((48, 48), (8, 8), (23, 25))


def test_the_public_name_is_the_function():
    assert dw.occlude is occlude


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"window": 17}, OcclusionError, "larger than the image of 16 x 16"),
        ({"stride": 0}, OcclusionError, "at least"),
        ({"window": (5, None)}, OcclusionError, "integer"),
        ({"method": "x"}, OcclusionError, "method must be 'auto', 'incremental' or 'full', not 'x'"),
        ({"method": None}, OcclusionError, "not None"),
        ({"memory_limit": -1}, OcclusionError, "bytes that a batch may use, at least 1.*not -1"),
        ({"memory_limit": 0}, OcclusionError, "not 0"),
        ({"memory_limit": "1 GB"}, OcclusionError, "not '1 GB'"),
        ({"window": "big"}, OcclusionError, "integer"),
        ({"border": "wrap"}, OcclusionError, "'inside' or 'same'"),
        ({"fill": "plaid"}, OcclusionError, "'gray', 'mean', 'blur'"),
        ({"target": "bea"}, OcclusionError, "no class 'bea'. Did you mean 'bee'.*bundle.categories lists them all"),
        ({"target": "zeppelin"}, OcclusionError, "bundle.categories lists them all"),
        ({"target": 3}, OcclusionError, "3 classes, 0 to 2: there is no class 3"),
        ({"target": -1}, OcclusionError, "no class -1"),
        ({"target": 1.5}, OcclusionError, "number or the name of a class, not 1.5"),
        ({"layer": "conv9"}, LayerError, "Did you mean"),
        ({"unit": 5}, LayerError, "5 units, 0 to 4: there is no unit 5"),
        ({"unit": -1}, LayerError, "no unit -1"),
        ({"image": torch.zeros(3, 8, 8)}, PictureError, r"\(3, 16, 16\) of tiny, not \(3, 8, 8\)"),
        ({"image": torch.zeros(2, 3, 16, 16)}, PictureError, "not .2, 3, 16, 16"),
        ({"image": torch.zeros(3, 16, 16, dtype=torch.uint8)}, PictureError, "floating point, not torch.uint8"),
        ({"image": torch.full((3, 16, 16), float("nan"))}, PictureError, "NaN"),
        ({"image": np.full((16, 16, 3), 1.5)}, PictureError, "from 1.5 to 1.5, not 0 to 1"),
        ({"image": None}, PictureError, "An image must be a PIL image, a path.* not None"),
        ({"image": 5}, PictureError, "not 5; images.open_source"),
        ({"image": "nowhere.jpg"}, PictureError, "nowhere.jpg"),
    ],
)
def test_invalid_arguments_raise_errors(tiny_bundle, pixels, changes, error, message):
    arguments = {"image": pixels, "window": 5, "stride": 5} | changes
    with pytest.raises(error, match=message):
        occlude(tiny_bundle, **arguments)


def test_unsuitable_models_raise_errors(tiny_bundle, pixels):
    with pytest.raises(ModelError, match="ModelBundle is expected"):
        occlude(tiny_bundle.model, pixels)
    with pytest.raises(ModelError, match=r"categories has 1 name for the 4 channels of maps of maps: pass a name for each"):
        dw.ModelBundle.from_module(nn.Conv2d(3, 4, 3).eval(), categories=["a"], input_size=(3, 16, 16), name="maps")
    with pytest.raises(ModelError, match="tiny does not return outputs"):
        occlude(replace(tiny_bundle, model=tiny_bundle.model[:3].eval()), pixels, 5, 5)
    vectors = dw.ModelBundle.from_module(nn.Sequential(nn.Flatten(), nn.Linear(768, 2)).eval(), input_size=(3, 16, 16))
    with pytest.raises(LayerError, match=r"pass layer=\.\.\."):
        occlude(vectors, pixels, 5, 5)


@pytest.mark.parametrize("names", [["ant", "bee"], ["ant", "bee", "cow", "dog"]])
def test_there_must_be_one_name_per_class(tiny_bundle, pixels, names):
    with pytest.raises(ModelError, match=rf"categories has {len(names)} names? for the 3 outputs of own: pass a name for each"):
        dw.ModelBundle.from_module(tiny_bundle.model, categories=names, input_size=(3, 16, 16), name="own")
    own = replace(tiny_bundle, categories=tuple(names), name="own")
    with pytest.raises(ModelError, match=rf"own returns 3 outputs, but its bundle names {len(names)} classes: pass a name for each"):
        occlude(own, pixels, 5, 5)


def test_infinite_logits_raise_an_error(tiny_model, pixels):
    broken = tiny_model()
    with torch.no_grad():
        broken.model[5].weight[0, 0] = float("inf")
    with pytest.raises(ModelError, match="NaN or infinite"):
        occlude(broken, pixels, 5, 5)
