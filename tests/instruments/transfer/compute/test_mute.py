"""Heads without some units: the same as a head on the other features, compared on the same photographs."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.errors import HeadError, LayerError
from deconvwidgets.images.splits import draw_fold
from deconvwidgets.instruments.transfer.compute.folds import FoldImages, SoftmaxTrainer
from deconvwidgets.instruments.transfer.compute.mute import compare_reports
from deconvwidgets.instruments.transfer.muting import name_units
from tests.instruments.transfer.compute.test_train import ColouredPhotographs, train

OPTIONS = {"images_per_class": 6, "folds": 2, "store": "memory", "device": "cpu", "progress": False}


@pytest.mark.parametrize("views", ["one", "flips"])
def test_a_head_without_units_is_a_head_on_the_other_features(tiny_bundle, views):
    images = ColouredPhotographs(noise=90)
    report = train(tiny_bundle, images, "conv2", views=views, muted={"conv2": [1, 4]})
    weight = report.head.weight.reshape(3, 5, 16)
    assert not weight[:, [1, 4]].any()
    assert weight[:, [0, 2, 3]].any(axis=(0, 2)).all()
    assert report.muted == (("conv2", 1), ("conv2", 4))
    assert report.head.report["muted"] == "conv2 1, 4"
    if views == "one":
        network = tiny_bundle.network
        batch = torch.stack([tiny_bundle.prepare(images.open_source(source)) for source in range(60)])
        with torch.no_grad():
            kept = network.map(batch, "conv2")[:, [0, 2, 3]].flatten(1).half().float()
        split = draw_fold(np.arange(60) % 3, 6, 0, 0)
        expected = SoftmaxTrainer.of(None).train(FoldImages(0, 0, kept[split.train], (np.arange(60) % 3)[split.train], 3), nullcontext)
        np.testing.assert_allclose(weight[:, [0, 2, 3]].reshape(3, -1), expected.weight, atol=1e-4 * float(expected.weight.abs().max()))
        np.testing.assert_allclose(report.head.bias, expected.bias, atol=1e-3)


def test_a_muted_unit_has_no_influence_on_the_answer(tiny_bundle):
    report = train(tiny_bundle, ColouredPhotographs(), "conv2", muted=[("conv2", 0)])
    bundle = tiny_bundle.with_head(report.head)
    assert bundle.classifier.endswith("without conv2 0)")
    batch = torch.rand(4, *tiny_bundle.input_size)
    with torch.no_grad():
        off = bundle.with_units({("conv2", 0): 0.0}).model(batch)
        torch.testing.assert_close(bundle.model(batch), off)
        assert not torch.allclose(off, bundle.with_units({("conv2", 1): 0.0}).model(batch))


def test_units_below_pooling_are_those_of_the_layer(pooled_bundle):
    images = ColouredPhotographs()
    reports = [train(pooled_bundle, images, "pool2", muted={layer: [2]}) for layer in ("conv2", "pool2")]
    np.testing.assert_array_equal(reports[0].head.weight, reports[1].head.weight)
    assert [report.muted for report in reports] == [(("conv2", 2),), (("pool2", 2),)]


@pytest.fixture
def pooled_bundle():
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 6, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    net = torch.nn.Sequential(*layers).eval()
    return dw.ModelBundle.from_module(net, transform=None, input_size=(3, 16, 16), name="pooled")


@pytest.mark.parametrize(
    ("units", "error", "message"),
    [
        ({"conv1": [0]}, HeadError, r'conv1 0 is no unit of pool2.*with_units\(\{\("conv1", 0\): 0.0\}\)'),
        ({"conv2": [6]}, LayerError, "conv2 of pooled has 6 units, 0 to 5: there is no unit 6"),
        ({"conv9": [0]}, LayerError, "conv9"),
        ({"conv2": range(6)}, HeadError, "All 6 units of pool2"),
        ({"conv2": 3}, HeadError, "must be a list of numbers"),
        ({"conv2": ["3"]}, HeadError, "A unit is a layer and a number"),
        ([("conv2", True)], HeadError, "A unit is a layer and a number"),
        ([3], HeadError, "A unit is a layer and a number"),
        ("conv2", HeadError, "Units are given as"),
        ({}, HeadError, "no units to leave out"),
    ],
)
def test_units_that_cannot_be_left_out_are_refused(pooled_bundle, units, error, message):
    with pytest.raises(error, match=message):
        dw.mute_units(pooled_bundle, ColouredPhotographs(), units, "pool2", **OPTIONS)


def test_the_way_on_for_units_of_other_layers_works(pooled_bundle):
    off = pooled_bundle.with_units({("conv1", 0): 0.0})
    report = train(off, ColouredPhotographs(), "pool2")
    bundle = off.with_head(report.head)
    assert list(bundle.units.values()) == [0.0]
    first = report.folds == 0
    batch = torch.stack([bundle.prepare(ColouredPhotographs().open_source(int(source))) for source in report.sources[first]])
    with torch.no_grad():
        assert np.mean(bundle.model(batch).argmax(1).numpy() == report.predictions[first]) > 0.99


def test_a_head_says_that_it_was_trained_with_units_off(tiny_bundle):
    """Its accuracy is that with these units: on the unchanged model it is another one."""
    head = train(tiny_bundle.with_units({("conv1", 0): 0.0}), ColouredPhotographs(noise=90), "conv2").head
    assert head.report["units"] == "1 unit off"
    assert tiny_bundle.with_head(head).classifier.endswith(", trained with 1 unit off)")
    assert "trained with" not in tiny_bundle.with_head(train(tiny_bundle, ColouredPhotographs(noise=90), "conv2").head).classifier


def test_the_comparison_counts_each_photograph_once(tiny_bundle):
    images = ColouredPhotographs(noise=150)
    reports = []
    found = dw.mute_units(tiny_bundle, images, {"conv2": [0, 1, 2]}, "conv2", on_fold=reports.append, **{**OPTIONS, "folds": 4})
    before, after = found.before, found.after
    first = compare_reports(before, next(report for report in reports if report.muted))
    assert first.changes == found.changes[:1], "of the folds so far"
    assert first.describe()
    np.testing.assert_array_equal(before.sources, after.sources)
    assert before.per_fold == train(tiny_bundle, images, "conv2", folds=4).per_fold
    right, wrong = set(), set()
    for source in set(before.sources.tolist()):
        tests = before.sources == source
        change = sum((after.predictions == after.truths)[tests]) - sum((before.predictions == before.truths)[tests])
        if change:
            (right if change > 0 else wrong).add(source)
    assert (set(found.now_right), set(found.now_wrong)) == (right, wrong)
    assert found.change == pytest.approx(after.mean - before.mean)
    shares = [np.mean((report.predictions == report.truths)[report.truths == label]) for label in range(3) for report in (before, after)]
    changes = [after - before for before, after in zip(shares[::2], shares[1::2], strict=True)]
    np.testing.assert_allclose(found.class_changes, changes)
    assert found.worst_class == (before.categories[int(np.argmin(changes))], pytest.approx(min(changes)))
    assert "points without conv2 0, 1, 2:" in found.describe()
    with pytest.raises(HeadError, match="same photographs"):
        compare_reports(before, replace(after, seed=1))


def test_a_unit_that_the_answer_needs_costs_accuracy_and_one_that_is_constant_none(pooled_bundle):
    with torch.no_grad():
        pooled_bundle.model[2].weight[5] = 0  # a constant map
        pooled_bundle.model[2].bias[5] = 1.0
    bundle = dw.ModelBundle.from_module(pooled_bundle.model, transform=None, input_size=(3, 16, 16), name="pooled")
    images = ColouredPhotographs(noise=60)
    without = dw.mute_units(bundle, images, {"conv2": [5]}, "pool2", **OPTIONS)
    assert without.before.per_fold == without.after.per_fold
    assert (len(without.now_right), len(without.now_wrong), without.p_value) == (0, 0, 1.0)


def test_units_as_text():
    assert name_units([("conv5", 133), ("conv5", 254)]) == "conv5 133, 254"
