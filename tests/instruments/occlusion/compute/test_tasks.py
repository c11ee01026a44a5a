"""Occlusion maps of every kind of output equal those of a plain loop, with each task's formula written out."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import ModelError, OcclusionError

SIZE = (3, 12, 12)
NAMES = ["ant", "bee", "cow"]
WINDOW, STRIDE = 4, 4


def net(outputs, *last):
    torch.manual_seed(4)
    trunk = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*trunk, nn.Linear(8 * 36, outputs), *last).double().eval()


@pytest.fixture(scope="module")
def pixels():
    return torch.randn(SIZE, generator=torch.Generator().manual_seed(8), dtype=torch.float64)


def bundle_of(model, categories=None, **options):
    return dw.ModelBundle.from_module(model, categories=categories, input_size=SIZE, name="mine", **options)


def loop(pixels, number):
    """Return `number(batch of one image)` without a window, and with the window at each position."""
    values = np.empty((3, 3))
    for row in range(3):
        for column in range(3):
            occluded = pixels.clone()
            occluded[:, WINDOW * row : WINDOW * row + WINDOW, WINDOW * column : WINDOW * column + WINDOW] = 0
            with torch.no_grad():
                values[row, column] = number(occluded[None])
    with torch.no_grad():
        return float(number(pixels[None])), values


def sigmoid(value):
    return 1 / (1 + math.exp(-float(value)))


def check(maps, values, unoccluded, expected):
    before, after = expected
    assert unoccluded == pytest.approx(before, abs=1e-6)
    assert maps.complete
    np.testing.assert_allclose(values, after, rtol=1e-5, atol=1e-6)
    assert np.ptp(after) > 1e-4


@pytest.mark.parametrize("method", ["full", "incremental"])
def test_a_softmax_in_the_network_is_not_applied_again(pixels, method):
    model = net(3, nn.Softmax(1))
    maps = dw.occlude(bundle_of(model, NAMES), pixels, WINDOW, STRIDE, target="bee", method=method)
    check(maps, maps.probability, maps.unoccluded.probability, loop(pixels, lambda batch: model(batch)[0, 1]))
    logits = model[:-1](pixels[None])[0].tolist()
    share = math.exp(logits[1]) / sum(math.exp(value) for value in logits)
    assert maps.unoccluded.probability == pytest.approx(share, abs=1e-9)
    assert maps.quantity.task == "probabilities"


def test_the_network_that_says_0452_is_shown_as_045(pixels):
    model = net(4, nn.Softmax(1))
    with torch.no_grad():  # the first logit such that its probability is 0.452
        logits = model[:-1](pixels[None])[0]
        rest = logits[1:].exp().sum()
        model[6].bias[0] += math.log(0.452 / 0.548) + rest.log() - logits[0]
    maps = dw.occlude(bundle_of(model, list("abcd")), pixels, WINDOW, STRIDE, target="a")
    assert maps.unoccluded.probability == pytest.approx(0.452, abs=1e-9)
    assert maps.unoccluded.label_probability == pytest.approx(model(pixels[None]).max().item(), abs=1e-9)


@pytest.mark.parametrize("last", [(), (nn.Sigmoid(),)])
def test_each_class_of_several_sigmoids_is_by_itself(pixels, last):
    model = net(3, *last)
    maps = dw.occlude(bundle_of(model, NAMES, task="multilabel"), pixels, WINDOW, STRIDE, target="cow")
    check(maps, maps.probability, maps.unoccluded.probability, loop(pixels, lambda batch: sigmoid(model[:7](batch)[0, 2])))
    assert maps.unoccluded.label == int(model[:7](pixels[None])[0].argmax())


@pytest.mark.parametrize("last", [(), (nn.Sigmoid(),)])
def test_one_logit_is_the_probability_of_the_second_class(pixels, last):
    model = net(1, *last)
    bundle = bundle_of(model, ["no", "yes"])
    for target, sign in (("yes", 1), ("no", -1)):
        maps = dw.occlude(bundle, pixels, WINDOW, STRIDE, target=target)
        expected = loop(pixels, lambda batch, sign=sign: sigmoid(sign * model[:7](batch)[0, 0]))
        check(maps, maps.probability, maps.unoccluded.probability, expected)
    assert maps.categories[maps.unoccluded.label] == ("yes" if model[:7](pixels[None]).item() > 0 else "no")


@pytest.mark.parametrize("method", ["full", "incremental"])
def test_a_regression_maps_the_value_itself(pixels, method):
    model = net(2)
    bundle = bundle_of(model, ["depth", "width"], task="regression", unit="m")
    maps = dw.occlude(bundle, pixels, WINDOW, STRIDE, target="width", method=method, logits=True)
    check(maps, maps.value, maps.unoccluded.value, loop(pixels, lambda batch: model(batch)[0, 1]))
    assert maps.probability is maps.label is maps.label_probability is maps.unoccluded.label is maps.unoccluded.probability is None
    np.testing.assert_allclose(maps.logits[..., 1], maps.value)
    assert maps.scores is maps.value
    assert "width in m: " in repr(maps)
    assert "probability" not in repr(maps)
    assert dw.occlude(bundle, pixels, WINDOW, STRIDE).target == 0


def test_the_colours_of_a_regression_are_symmetric_about_the_value_without_a_window(pixels):
    maps = dw.occlude(bundle_of(net(1)), pixels, WINDOW, STRIDE)
    low, high = maps.colour_range("value")
    change = np.abs(maps.value - maps.unoccluded.value).max()
    assert (low + high) / 2 == pytest.approx(maps.unoccluded.value)
    assert high - low == pytest.approx(2 * change, rel=1e-5)


def test_one_number_per_image_without_a_column(pixels):
    model = net(1, nn.Flatten(0))
    maps = dw.occlude(bundle_of(model), pixels, WINDOW, STRIDE)
    check(maps, maps.value, maps.unoccluded.value, loop(pixels, lambda batch: model(batch)[0]))


class Streets(nn.Module):
    """A segmentation network, whose maps have the size of the image."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.down, self.classes = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.double().eval()

    def forward(self, batch):
        maps = self.classes(torch.relu(self.down(batch)))
        return {"out": nn.functional.interpolate(maps, scale_factor=2.0, mode="bilinear")}


@pytest.mark.parametrize(("names", "target"), [(NAMES, ("bee", 7, 3)), (None, (1, 7, 3))])
def test_one_class_and_position_of_a_segmentation(pixels, names, target):
    model = Streets()
    bundle = bundle_of(model, names, output="out")
    maps = dw.occlude(bundle, pixels, WINDOW, STRIDE, target=target)
    check(maps, maps.probability, maps.unoccluded.probability, loop(pixels, lambda batch: model(batch)["out"][0, :, 7, 3].softmax(0)[1]))
    assert maps.label.shape == (3, 3)
    assert maps.name(1) == ("bee" if names else "class 1")
    assert dw.occlude(bundle, pixels, WINDOW, STRIDE).probability is None


def test_one_position_of_a_map_of_values(pixels):
    torch.manual_seed(6)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)).double().eval()
    for bundle in (bundle_of(model), bundle_of(model, ["depth"], unit="m")):
        maps = dw.occlude(bundle, pixels, WINDOW, STRIDE, target=(0, 5, 5))
        check(maps, maps.value, maps.unoccluded.value, loop(pixels, lambda batch: model(batch)[0, 0, 5, 5]))
    assert maps.quantity.unit == "m"


class Boxes(nn.Module):
    """A detector: for each image, as many boxes with scores as are above a threshold, so that it cannot be traced."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.conv = nn.Conv2d(3, 5, 4, stride=4)
        self.double().eval()

    def forward(self, batch):
        found = []
        for maps in self.conv(batch).sigmoid():
            keep = maps[4] > 0.3
            found.append({"boxes": maps[:4, keep].T, "scores": maps[4][keep]})
        return found


def test_a_function_of_detections(pixels):
    model = Boxes()

    def best_score(detections):
        return torch.stack([found["scores"].max() if len(found["scores"]) else found["scores"].new_zeros(()) for found in detections])

    bundle = bundle_of(model)
    maps = dw.occlude(bundle, pixels, WINDOW, STRIDE, target=best_score)
    check(maps, maps.value, maps.unoccluded.value, loop(pixels, lambda batch: best_score(model(batch))[0]))
    assert (maps.method, maps.categories) == ("full", ("best_score",))


def test_a_function_of_logits_is_computed_incrementally(pixels):
    model = net(3)
    maps = dw.occlude(bundle_of(model, NAMES), pixels, WINDOW, STRIDE, target=lambda logits: logits[:, 0] - logits[:, 1])
    check(maps, maps.value, maps.unoccluded.value, loop(pixels, lambda batch: model(batch)[0, 0] - model(batch)[0, 1]))
    assert (maps.method, maps.categories) == ("incremental", ("target",))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (("bee", 12, 0), "12 x 12 positions, counted from 0: there is no row 12, column 0"),
        (("bee", -1, 0), "no row -1"),
        (("bee", 1), r"\(class, row, column\)"),
        (("bee", 1.5, 2), "whole numbers"),
        (("wasp", 1, 1), "no class 'wasp'"),
        ((3, 1, 1), "3 classes, 0 to 2"),
        (lambda maps: maps, r"one number per image, a tensor \(N,\), but for 2 images it returned a tensor of \(2, 3, 12, 12\)"),
        (lambda maps: 1.0, "it returned a float"),
    ],
)
def test_targets_that_do_not_fit_are_refused(pixels, target, message):
    with pytest.raises(OcclusionError, match=message):
        dw.occlude(bundle_of(Streets(), NAMES, output="out"), pixels, WINDOW, STRIDE, target=target)


def test_a_position_needs_a_model_with_maps(pixels):
    with pytest.raises(OcclusionError, match=r"models that return maps .* mine returns output \(2, 3\)"):
        dw.occlude(bundle_of(net(3), NAMES), pixels, WINDOW, STRIDE, target=("bee", 1, 1))


def test_probabilities_that_are_none_raise_an_error(pixels):
    bundle = replace(bundle_of(net(3, nn.Softmax(1)), NAMES), model=net(3))
    with pytest.raises(ModelError, match="taken to return probabilities"):
        dw.occlude(bundle, pixels, WINDOW, STRIDE)
