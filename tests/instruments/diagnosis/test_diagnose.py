"""Planted faults are found, by the check that is for them, and a network without them has no finding."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import DiagnosisError
from deconvwidgets.instruments.diagnosis.records import CHECKS, Diagnosis, SuggestedSurgery
from deconvwidgets.instruments.diagnosis.service.arms import operate
from deconvwidgets.models.bundle import ModelBundle
from tests.instruments.diagnosis.planted import TRANSFORM, SmoothPhotographs, bundle_of, inputs, network, train_statistics

IMAGES = SmoothPhotographs(60)


@pytest.fixture(autouse=True)
def cache(own_cache):
    """Indexes are built into a folder of the test."""


def smooth(model: nn.Sequential) -> nn.Sequential:
    """Make the first filters smooth, so that a stride of 2 aliases little."""
    with torch.no_grad():
        blurred = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(model[0].weight, (2, 2, 2, 2)), 5, stride=1)
        model[0].weight.copy_(blurred / blurred.pow(2).mean((1, 2, 3), keepdim=True).sqrt() * 0.1)
    return model


def diagnosed(model: nn.Sequential, **arguments) -> Diagnosis:
    return dw.diagnose(bundle_of(model, **arguments), IMAGES, shift_photographs=4, device="cpu")


def test_nothing_is_found_in_a_network_without_faults():
    found = diagnosed(smooth(network()))
    assert {finding.check for finding in found.findings} == set(CHECKS)
    assert [finding.check for finding in found.findings if finding.level == "found" and finding.check != "shift"] == []
    assert (found.photographs, found.crops, found.units) == (60, 60, 28)
    assert found.finding("input").level == "not_checked"


@pytest.mark.parametrize(("top", "functions"), [(nn.MaxPool2d(16), ["blur_strides"]), (nn.MaxPool2d(8), ["swap_pooling", "blur_strides"])])
def test_blurred_pooling_is_suggested_where_pooling_subsamples(top, functions):
    """A maximum of all 16 x 16 positions does not subsample, and swap_pooling refuses to blur it."""
    first, relu, _, second, last, *_ = network()
    classifier = (nn.Flatten(), nn.LazyLinear(2))
    model = nn.Sequential(first, relu, second, last, top, *classifier).eval()
    model(torch.zeros(1, 3, 32, 32))
    assert [surgery.function for surgery in diagnosed(model).finding("shift").surgeries] == functions


def test_killed_units_are_found():
    model = smooth(network())
    with torch.no_grad():
        model[0].bias[[2, 7]] = -1000.0
    finding = diagnosed(model).finding("dead_units")
    assert (finding.level, finding.count_text) == ("found", "2 of 28")
    assert [(unit.layer, unit.unit) for unit in finding.units] == [("conv1", 2), ("conv1", 7)]


def test_the_surgery_of_killed_units_removes_them_and_nothing_else_changes():
    """Large weights, so that the dead units are the strongest by weight; a diagnosis of the new network finds none."""
    model = smooth(network())
    with torch.no_grad():
        for layer, unit in ((0, 2), (0, 7), (3, 4)):
            model[layer].weight[unit] *= 1.5
            model[layer].bias[unit] = -1000.0
    bundle = bundle_of(model)
    found = dw.diagnose(bundle, IMAGES, shift_photographs=1, device="cpu").finding("dead_units")
    (surgery,) = found.surgeries
    assert surgery == SuggestedSurgery("remove 3 dead units", "remove_units", {"units": {"conv1": [2, 7], "conv2": [4]}})
    changed = operate(bundle, surgery)
    batch = inputs(bundle, IMAGES)
    torch.testing.assert_close(changed.model(batch), bundle.model(batch), rtol=1e-5, atol=1e-5)
    again = dw.diagnose(changed, IMAGES, shift_photographs=1, device="cpu").finding("dead_units")
    assert (again.count_text, again.surgeries) == ("0 of 25", ())
    assert dw.surgery.undo(changed) is bundle


class Added(nn.Module):
    """A network whose first units are added to others, so that they cannot be removed; those of the second convolution can."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = (nn.Conv2d(channels, count, 3) for channels, count in ((3, 8), (8, 6), (6, 8)))
        self.relu, self.fc = nn.ReLU(), nn.Linear(8, 2)
        with torch.no_grad():
            self.first.bias[[1, 5]] = -1000.0
            self.second.bias[3] = -1000.0
            self.third.bias[:] = -1000.0

    def forward(self, batch):
        first = self.relu(self.first(batch))
        added = self.relu(self.third(self.relu(self.second(first))))
        return self.fc(first.mean((2, 3)) + added.mean((2, 3)))


def test_only_dead_units_of_layers_that_can_be_changed_are_removed_by_the_surgery():
    finding = diagnosed(Added().eval()).finding("dead_units")
    assert finding.count_text == "11 of 22"
    (surgery,) = finding.surgeries
    assert (surgery.label, surgery.arguments) == ("remove 1 dead unit", {"units": {"conv2": [3]}})


def test_a_unit_that_is_always_negative_is_not_dead():
    model = nn.Sequential(*network()[:4], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)).eval()  # conv2 without a rectifier
    with torch.no_grad():
        model[3].bias[5] = -1000.0
    assert diagnosed(model).finding("dead_units").count_text == "0 of 28"


def test_units_that_never_change_are_found():
    model = smooth(network())
    with torch.no_grad():
        model[0].weight[3], model[0].bias[3] = 0.0, 0.125
    finding = diagnosed(model).finding("always_active")
    assert finding.level == "found"
    assert [(unit.layer, unit.unit, unit.value) for unit in finding.units] == [("conv1", 3, 0.125)]


def test_a_filter_scaled_by_10_is_found():
    model = smooth(network())
    with torch.no_grad():
        model[3].weight[6] *= 10
    finding = diagnosed(model).finding("dominating_filters")
    assert finding.level == "found"
    assert [(unit.layer, unit.unit) for unit in finding.units] == [("conv2", 6)]
    weights = model[3].weight.detach().double().pow(2).mean((1, 2, 3)).sqrt().numpy()
    assert finding.units[0].value == pytest.approx(weights[6] / np.median(weights))
    assert finding.surgeries == (SuggestedSurgery("batch norm after conv2", "insert_normalization", {"after": ["conv2"]}),)
    assert operate(bundle_of(model), finding.surgeries[0]).surgery[0].operation == "insert_normalization"


def test_a_filter_before_batch_norm_dominates_only_with_its_factor():
    model = train_statistics(smooth(network(norm=True)), inputs(bundle_of(network(norm=True)), IMAGES))
    with torch.no_grad():
        model[0].weight[6] *= 10
        model[0].bias[6] *= 10
    finding = diagnosed(model).finding("dominating_filters")
    assert [unit.unit for unit in finding.units] == [6]
    assert finding.surgeries == ()  # it has a batch norm
    with torch.no_grad():
        model[1].weight[6] /= 10
    assert diagnosed(model).finding("dominating_filters").units == ()


def test_copied_and_negated_filters_are_found():
    model = smooth(network())
    with torch.no_grad():
        model[0].weight[4], model[0].bias[4] = model[0].weight[1], model[0].bias[1]
        model[0].weight[9] = -model[0].weight[8]
    finding = diagnosed(model).finding("near_copies")
    assert finding.level == "found"
    pairs = {(finding.units[number].unit, finding.units[number + 1].unit) for number in (0, 2)}
    assert pairs == {(1, 4), (8, 9)}
    assert [(one.function, one.arguments) for one in finding.surgeries] == [("merge_units", {"layer": "conv1", "units": (1, 4)})]


def test_a_stride_of_4_where_2_was_is_found():
    found = []
    for stride in (2, 4):
        model, place = network(kernel=11, stride=stride), torch.arange(11.0) - 5
        with torch.no_grad():  # gratings of 0.2 cycles per pixel, which stride 2 carries, and stride 4 does not
            wave = torch.cos(2 * torch.pi * 0.2 * place) * torch.exp(-place.square() / 18)
            model[0].weight.copy_(wave * torch.exp(-place.square() / 18)[:, None] * torch.rand(12, 3, 1, 1))
        found.append(diagnosed(model).finding("aliasing"))
    assert found[0].level != "found"
    finding = found[1]
    assert finding.level == "found"
    assert finding.surgeries[-1].function == "blur_strides"


def test_one_photograph_is_found():
    class OneBright(SmoothPhotographs):
        def open_source(self, source):
            return Image.new("RGB", (48, 48), "white") if source == 17 else super().open_source(source)

    model = smooth(network())
    with torch.no_grad():
        model[0].weight[:3] = 1.0
        model[0].bias[:3] = -110.0  # 75 weights of a white input of 2 are 150; photographs are darker
    finding = dw.diagnose(bundle_of(model), OneBright(60, seed=1), shift_photographs=1, device="cpu").finding("one_photograph")
    assert finding.level == "found"
    assert {(unit.layer, unit.unit) for unit in finding.units} >= {("conv1", 0), ("conv1", 1), ("conv1", 2)}


@pytest.mark.parametrize(
    ("mean", "std"),
    [(0.0, 1.0), (0.0, 1 / 255), (0.5 * 255, 0.25 * 255), (0.5, 0.5)],
    ids=["0 to 1", "0 to 255", "divided twice", "half contrast"],
)
def test_a_wrong_normalisation_is_found_by_batch_norm(mean, std):
    model = train_statistics(network(norm=True), inputs(bundle_of(network()), IMAGES))
    assert dw.check_input(bundle_of(model), IMAGES, device="cpu").level == "clear"
    wrong = replace(TRANSFORM, mean=(mean,) * 3, std=(std,) * 3)
    assert dw.check_input(bundle_of(model, wrong), IMAGES, device="cpu").level == "found"


class Reddish(nn.Module):
    """Says "red" if the first channel is brighter than the last, and how much; right for images in RGB."""

    def __init__(self, order=(0, 1, 2), factor=1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[0, order[0]], self.conv.weight[1, order[2]] = factor, factor

    def forward(self, batch):
        return self.conv(batch).mean((2, 3))


def test_reversed_channels_are_found_with_labels():
    good = dw.check_input(bundle_of(Reddish().eval()), IMAGES, labels="auto", device="cpu")
    assert (good.level, good.variants[0].top1, good.labelled) == ("clear", 1.0, 60)
    bad = dw.check_input(bundle_of(Reddish((2, 1, 0)).eval()), IMAGES, labels="auto", device="cpu")
    assert (bad.level, bad.variants[0].top1) == ("found", 1.0)
    assert "reversed" in bad.variants[0].label
    assert bad.summary.endswith(f"With {bad.variants[0].label}, top-1 is 100.0% instead of 0.0% (60 labelled photographs).")
    given = next(variant for variant in bad.variants if variant.kind == "given")
    assert given.top1 == 0.0
    assert dw.check_input(bundle_of(Reddish((2, 1, 0)).eval()), IMAGES, device="cpu").level == "not_checked"


def test_reversed_channels_are_found_by_a_diagnosis_with_labels():
    bad = dw.diagnose(bundle_of(Reddish((2, 1, 0)).eval()), IMAGES, shift_photographs=1, labels="auto", device="cpu")
    finding = bad.finding("input")
    assert finding.level == "found"
    assert finding.count_text.endswith("BGR: 100% against 0%")
    assert finding.summary.endswith("top-1 is 100.0% instead of 0.0% (60 labelled photographs).")
    assert "found: one is better than as given by an exact McNemar test at 0.01 divided by the number of other ways" in finding.evidence
    assert "Not detected: ways of preparation that the sweep does not try" in finding.evidence
    assert bad.input.variants[0].better
    assert not next(variant for variant in bad.input.variants if variant.kind == "given").better
    for kind in ("html", "json", "csv", "png"):
        content = dw.diagnosis_file(bad, kind)
        assert kind == "png" or b"BGR: 100% against 0%" in content
    good = dw.diagnose(bundle_of(Reddish().eval()), IMAGES, shift_photographs=1, labels="auto", device="cpu")
    assert (good.finding("input").level, good.finding("input").count_text) == ("clear", "100% as given")


def test_the_finding_of_the_input_is_the_divergence_where_no_way_is_better():
    model = train_statistics(network(norm=True), inputs(bundle_of(network()), IMAGES))
    found = dw.diagnose(bundle_of(model), IMAGES, shift_photographs=1, labels="auto", device="cpu")
    finding = found.finding("input")
    assert (finding.level, finding.count_text) == ("clear", f"{found.input.divergences[0]:.2g}")
    assert "Not detected: swapped channels" in finding.evidence
    wrong = dw.diagnose(
        bundle_of(model, replace(TRANSFORM, mean=(0.0,) * 3)), IMAGES, shift_photographs=1, labels="auto", device="cpu"
    ).finding("input")
    assert (wrong.level, "swapped channels" in wrong.evidence) == ("found", True)


def test_labels_are_checked_before_the_work_of_a_diagnosis(monkeypatch):
    module = import_module("deconvwidgets.instruments.diagnosis.compute.diagnose")
    monkeypatch.setattr(module, "cached_index", lambda *_, **__: pytest.fail("the index is built"))
    with pytest.raises(DiagnosisError, match="labels must be 'auto'"):
        dw.diagnose(bundle_of(network()), IMAGES, labels=[0, 1])
    others = ModelBundle.from_module(network(), transform=TRANSFORM, categories=["cat", "dog"], name="others")
    with pytest.raises(DiagnosisError, match="No label of smooth names a class of others"):
        dw.diagnose(others, IMAGES, labels="auto")


def test_another_way_is_better_only_beyond_chance_of_all_that_were_tried():
    """Each of n photographs is right with reversed channels, and wrong as given: McNemar's p is 2 / 2**n, and its limit 0.01 / ways."""
    bundle = bundle_of(Reddish((2, 1, 0)).eval())
    ways = len(dw.check_input(bundle, IMAGES, labels="auto", photographs=8, device="cpu").variants) - 1
    for count in (8, 9, 10, 11, 12):
        found = dw.check_input(bundle, IMAGES, labels="auto", photographs=count, device="cpu")
        assert found.labelled == count
        expected = ("found", False) if 2 / 2**count < 0.01 / ways else ("not_checked", True)
        assert (found.level, "too few" in found.summary) == expected, count
    assert 2 / 2**8 < 0.01 < ways * 2 / 2**8


def test_top_5_counts_the_five_best_classes():
    torch.manual_seed(4)
    model = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 8)).eval()
    with torch.no_grad():
        model[2].weight *= 5
    categories = ["red", "blue", *"abcdef"]
    bundle = ModelBundle.from_module(model, transform=TRANSFORM, categories=categories, name="eight")
    found = dw.check_input(bundle, IMAGES, labels="auto", device="cpu")
    outputs, labels = model(inputs(bundle, IMAGES)).detach(), torch.arange(60)[:, None] % 2
    ranks = (outputs > outputs.gather(1, labels)).sum(1)
    given = next(variant for variant in found.variants if variant.kind == "given")
    assert (given.top1, given.top5) == pytest.approx((float((ranks == 0).float().mean()), float((ranks < 5).float().mean())))
    assert {0, 4, 5} <= set(ranks.tolist())


def test_the_results_of_the_sweep_are_those_of_plain_transforms():
    bundle = bundle_of(Reddish(factor=0.3).eval())
    found = {variant.label: variant for variant in dw.check_input(bundle, IMAGES, labels="auto", device="cpu").variants}
    labels = torch.tensor([IMAGES.label(source) for source in range(60)])
    resized = [IMAGES.open_source(source).resize((40, 40), Image.Resampling.BILINEAR).crop((4, 4, 36, 36)) for source in range(60)]
    unit = torch.stack([torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255 for image in resized])
    for label, batch in {
        "as given": (unit - 0.5) / 0.25,
        "0 to 1": unit,
        "0 to 255": unit * 255,
        "-1 to 1, channels reversed": (unit.flip(1) - 0.5) / 0.5,
    }.items():
        logs = bundle.model(batch).log_softmax(1).detach()
        assert found[label].log_loss == pytest.approx(-logs[torch.arange(60), labels].mean().item(), rel=1e-4), label
        assert found[label].top1 == pytest.approx((logs.argmax(1) == labels).float().mean().item()), label


def test_a_model_that_cannot_be_traced_is_diagnosed_as_far_as_it_goes():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, batch):
            return self.net(batch) if float(batch.sum()) > -1e30 else self.net(batch) * 2

    found = dw.diagnose(bundle_of(Branches().eval()), IMAGES, layers=["net.1", "net.4"], shift_photographs=2, device="cpu")
    assert {one.check for one in found.findings if one.level == "not_checked"} == {"aliasing", "frequencies", "dominating_filters", "input"}
    assert "cannot be traced" in found.notes[0]


def test_few_photographs_are_said_and_judged_with_care():
    model = smooth(network())
    with torch.no_grad():
        model[0].bias[[2, 7]] = -1000.0
    found = dw.diagnose(bundle_of(model), SmoothPhotographs(10), shift_photographs=1, device="cpu")
    assert found.finding("dead_units").level == "near"
    assert found.finding("dead_units").surgeries == ()  # they may be active in others
    assert "10 photographs" in found.notes[0]


def test_a_diagnosis_is_written_in_every_kind(tmp_path):
    pytest.importorskip("pandas")
    model = smooth(network())
    with torch.no_grad():
        model[0].bias[2] = -1000.0
    found = diagnosed(model, name="<b>name</b>")
    for kind in ("html", "json", "csv", "png"):
        found.save(tmp_path / f"x.{kind}")
        assert (tmp_path / f"x.{kind}").read_bytes() == dw.diagnosis_file(found, kind)
    content = json.loads((tmp_path / "x.json").read_bytes())
    assert [finding["check"] for finding in content["findings"]] == [finding.check for finding in found.findings]
    assert content["first_layer"]["aliased"] == pytest.approx(found.first_layer.aliased.tolist())
    page = (tmp_path / "x.html").read_text("utf-8")
    assert all(finding.title in page for finding in found.findings)
    assert "<b>name" not in page
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    frame = found.to_dataframe()
    assert (frame["check"].nunique(), frame.attrs["photographs"]) == (9, 60)
    assert frame[frame["check"] == "dead_units"]["unit"].tolist() == [2]
    with pytest.raises(DiagnosisError, match="exists"):
        found.save(tmp_path / "x.json")
    found.save(tmp_path / "x.json", overwrite=True)
    with pytest.raises(DiagnosisError, match="must end with"):
        found.save(tmp_path / "x.txt")
    with pytest.raises(DiagnosisError, match="no check 'other'"):
        found.finding("other")
