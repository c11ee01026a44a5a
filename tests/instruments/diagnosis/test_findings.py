"""Findings at the edges of what a check can see: each says what was measured, and claims no more."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import ModelError
from deconvwidgets.instruments.diagnosis.compute.activation_limit import upper_limit
from deconvwidgets.instruments.diagnosis.compute.aliasing_finding import aliasing
from deconvwidgets.instruments.diagnosis.compute.first_layer import first_convolution
from deconvwidgets.instruments.diagnosis.compute.input_finding import input_finding
from deconvwidgets.instruments.diagnosis.compute.input_sweep import preparations
from deconvwidgets.instruments.diagnosis.compute.layer_findings import shifts
from deconvwidgets.instruments.diagnosis.compute.unit_checks import Pair
from deconvwidgets.instruments.diagnosis.compute.unit_findings import near_copies
from deconvwidgets.instruments.diagnosis.input_records import InputCheck, InputVariant
from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing, share_text
from deconvwidgets.instruments.diagnosis.records import Finding, ShiftCurves
from deconvwidgets.models.bundle import ModelBundle
from tests.instruments.diagnosis.planted import TRANSFORM, SmoothPhotographs, bundle_of, inputs, network, train_statistics
from tests.instruments.diagnosis.widget.fake_api import first_layer

IMAGES = SmoothPhotographs(60)


@pytest.fixture(autouse=True)
def cache(own_cache):
    """Indexes are built into a folder of the test."""


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["weight", "running_mean", "running_var"])
def test_statistics_that_are_no_numbers_are_refused(part, value):
    model = network(norm=True)
    with torch.no_grad():
        model[1].running_mean += 0.1  # it has recorded something
        if part == "weight":
            model[0].weight[4] = value
        else:
            getattr(model[1], part)[4] = value  # one of 12 channels: the median would not show it
    with pytest.raises(ModelError, match=r"channel 4 .* NaN or infinity"):
        dw.check_input(bundle_of(model), SmoothPhotographs(3), device="cpu")


@pytest.mark.parametrize("layers", [["conv1", "conv2"], ["conv2", "conv1"], ["fc3", "conv2", "conv1"]])
def test_the_deepest_map_is_judged_at_one_pixel(layers):
    bundle, images = bundle_of(network()), SmoothPhotographs(4)
    found = dw.diagnose(bundle, images, layers=layers, shifts=[8, 4], shift_photographs=4, device="cpu")
    maxima = {0: [], 1: []}
    for source in range(4):
        resized = images.open_source(source).resize((40, 40), Image.Resampling.BILINEAR)
        for pixels, values in maxima.items():
            crop = resized.crop((4 - pixels, 4, 36 - pixels, 36))  # the content moves right
            values.append(bundle.model[:5](normalised(crop)).amax((2, 3))[0].detach())
    still, moved = (torch.cat(maxima[pixels]).double() for pixels in (0, 1))
    expected = np.median(((moved - still).abs() / still)[still > 0].numpy())
    finding = found.finding("shift")
    assert finding.count_text == f"{expected:.1%} at 1 px"
    assert "conv2" in finding.summary
    assert finding.level == ("found" if expected >= 0.25 else "near" if expected >= 0.2 else "clear")


def normalised(image: Image.Image) -> torch.Tensor:
    return ((torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255 - 0.5) / 0.25)[None]


@pytest.mark.parametrize(
    ("change", "level"), [(0.12, "clear"), (0.17, "clear"), (0.199, "clear"), (0.2, "near"), (0.249, "near"), (0.25, "found")]
)
def test_what_trained_networks_measure_is_clear(change, level):
    curves = ShiftCurves(
        layers=("conv2", "conv1"),
        strides=(4, 2),
        shifts=(4, 1),
        direction="right",
        changes=np.array([[0.9, change], [0.8, 0.7]]),
        probability=np.array([0.3, 0.1]),
        reference="label",
        photographs=9,
        labelled=7,
        filled=2,
    )
    finding = shifts(curves, "conv2", [], pools=False)
    assert finding.level == level
    assert "90.0% at 4 px. Mean change of the probability of the label's class, 7 labelled photographs: 10.0 " in finding.summary
    assert "9 photographs, moved right; on 2 of them edge pixels are repeated" in finding.evidence
    predicted = shifts(replace(curves, reference="predicted", labelled=0), "conv2", [], pools=False)
    assert "the probability of the predicted class, 9 photographs" in predicted.summary
    others = replace(curves, shifts=(4, 2))
    assert (shifts(others, "conv2", [], pools=False).level, shifts(curves, None, [], pools=False).level) == ("not_checked", "not_checked")
    assert "1 px was not measured" in shifts(others, "conv2", [], pools=False).summary


@pytest.mark.parametrize(("stride", "norm", "words"), [(4, True, "4"), (2, False, "2"), ((1, 2), False, "1 x 2")])
def test_after_a_blur_of_the_first_map_the_finding_has_its_share_and_that_before(stride, norm, words):
    base = bundle_of(network(stride=stride, norm=norm))
    found, before = (dw.diagnose(one, IMAGES, shift_photographs=1, device="cpu") for one in (dw.surgery.blur_strides(base), base))
    finding, measured = found.finding("aliasing"), found.first_layer.map_aliasing
    texts = [share_text(measured.unblurred_mean), share_text(measured.mean)]
    assert measured.unblurred_mean == pytest.approx(before.first_layer.map_aliasing.mean, rel=1e-5)
    assert f"In the map of conv1 it is {texts[0]}." in before.finding("aliasing").summary
    assert measured.mean < measured.unblurred_mean
    assert (finding.count_text, finding.surgeries) == (f"{texts[0]} before, {texts[1]} after", ())
    assert finding.level == ("found" if measured.mean >= 0.25 else "near" if measured.mean >= 0.1 else "clear")
    assert finding.summary == (
        f"{texts[1]} of the energy of the map of conv1, on average over its units, is finer than what the subsampling by {words} after the "
        f"blur can carry; without the blur it is {texts[0]}."
    )
    assert "10 photographs" in finding.evidence
    assert np.isnan(found.first_layer.aliased).all()  # the responses of filters, without the activation function and the blur
    if norm:  # the files are drawn alike for all
        files = {kind: dw.diagnosis_file(found, kind) for kind in ("html", "json", "csv", "png")}
        assert finding.count_text.encode() in files["html"]
        beside = f"{texts[1]} of the map after the blur; {texts[0]} before it"
        assert beside in dw.diagnosis_file([before, found], "html").decode()
        shares = json.loads(files["json"])["first_layer"]["map_aliasing"]["shares"]
        assert shares == pytest.approx(measured.shares.tolist())


@pytest.mark.parametrize(
    ("share", "level"), [(0.0949, "clear"), (0.1, "near"), (0.2499, "near"), (0.25, "found"), (float("nan"), "not_checked")]
)
def test_a_blurred_map_is_judged_by_the_limits_of_the_stride(share, level):
    measured = MapAliasing(
        layer="conv1",
        stride=(4, 4),
        blurred=True,
        shares=np.array([share, share, 0.6, 0.1]),
        mean=share,
        unblurred=np.full(4, 0.4),
        unblurred_mean=0.4,
        photographs=10,
    )
    layer = replace(first_layer(), stride=(1, 1), blur=(4, 4), aliased_mean=float("nan"), map_aliasing=measured)
    finding = aliasing(layer)
    assert finding.level == level
    if level == "found":
        assert [(unit.unit, unit.text) for unit in finding.units] == [(2, "60% aliased"), (0, "25% aliased"), (1, "25% aliased")]


def test_a_blur_after_the_second_convolution_does_not_blur_the_first():
    model = network(stride=1)
    model[3] = nn.Conv2d(12, 16, 3, stride=2, padding=1)
    bundle = dw.surgery.blur_strides(bundle_of(model.eval()))
    finding = dw.diagnose(bundle, IMAGES, shift_photographs=1, device="cpu").finding("aliasing")
    assert (finding.level, finding.count_text) == ("clear", "none")


def always(activation: nn.Module, bias: float, units: slice = slice(None)) -> Finding:
    """Return the finding of a network whose first units are computed from a bias alone."""
    model = network()
    model[1] = activation
    with torch.no_grad():
        model[0].weight[units], model[0].bias[units] = 0.0, bias
    return dw.diagnose(bundle_of(model), IMAGES, layers=["conv1"], shift_photographs=1, device="cpu").finding("always_active")


@pytest.mark.parametrize(
    ("activation", "bias", "value", "level"),
    [
        (nn.ReLU(), 1.0, 1.0, "found"),
        (nn.ReLU6(), 5.0, 5.0, "found"),
        (nn.ReLU6(), 7.0, 6.0, "near"),
        (nn.Hardtanh(-1, 2), 3.0, 2.0, "near"),
        (nn.Hardtanh(-1, 2), 1.0, 1.0, "found"),
    ],
)
def test_constant_units_are_at_a_limit_only_of_a_function_that_has_one(activation, bias, value, level):
    finding = always(activation, bias)
    assert (finding.level, finding.count_text) == (level, "12 constant")
    assert [(unit.unit, unit.value) for unit in finding.units] == [(number, value) for number in range(12)]
    assert ("upper limit" in finding.summary) == (level == "near")


def test_one_unit_at_its_limit_is_at_its_limit():
    finding = always(nn.ReLU6(), 7.0, slice(3, 4))
    assert [(unit.unit, unit.text) for unit in finding.units] == [(3, "at the upper limit, 6")]
    assert finding.level == "near"


@pytest.mark.parametrize(
    ("activation", "limit"),
    [
        (nn.ReLU(), np.inf), (nn.SiLU(), np.inf), (nn.ReLU6(), 6), (nn.Hardtanh(-1, 2), 2), (nn.Sigmoid(), 1), (nn.Hardsigmoid(), 1),
        (nn.Tanh(), 1),
    ],
)  # fmt: skip
def test_the_limits_of_activation_functions(activation, limit):
    model = network()
    model[1] = activation
    found = bundle_of(model).network
    assert float(activation(torch.tensor(1e6))) == (1e6 if limit == np.inf else limit)
    assert [upper_limit(found, name) for name in ("0", "1", "2", "4")] == [np.inf, limit, limit, np.inf]


@pytest.mark.parametrize(("kernel", "stride", "offered"), [(5, 1, []), (5, 2, []), (11, 1, []), (11, 4, ["change_first_layer"])])
def test_extreme_frequencies_offer_only_what_changes_the_filters(kernel, stride, offered):
    model = network(kernel=kernel, stride=stride)
    with torch.no_grad():
        signs = (-1.0) ** (torch.arange(kernel)[:, None] + torch.arange(kernel))  # a chessboard: only the highest frequency
        model[0].weight.copy_(signs * torch.rand(12, 3, 1, 1))
    bundle = bundle_of(model)
    finding = dw.diagnose(bundle, IMAGES, layers=["conv1"], shift_photographs=1, device="cpu").finding("frequencies")
    assert finding.level == "found"
    assert [one.function for one in finding.surgeries] == offered
    for one in finding.surgeries:
        assert first_convolution(getattr(dw.surgery, one.function)(bundle, **one.arguments).network).window.kernel == (7, 7)


def test_copies_and_negatives_are_counted_apart():
    model = network()
    with torch.no_grad():
        model[0].weight[4], model[0].bias[4] = model[0].weight[1], model[0].bias[1]
        for unit, other in ((8, 9), (10, 11)):
            model[0].weight[other] = -model[0].weight[unit]
    finding = dw.diagnose(bundle_of(model), IMAGES, shift_photographs=1, device="cpu").finding("near_copies")
    alike = [unit for unit in finding.units if unit.value > 0]
    negative = [unit for unit in finding.units if unit.value < 0]
    assert [unit.unit for unit in negative] == [8, 9, 10, 11]
    assert finding.title == "Near copies and negatives"
    assert finding.count_text == f"{len(alike) // 2} alike, 2 negative"
    assert "1 beyond the limit for copies; first: conv1 1 and 4 (correlation 1.000)." in finding.summary
    assert "2 pairs of opposite filters, 2 beyond the limit for exact negatives; first: conv1 8 and 9" in finding.summary
    assert "of them" not in finding.summary


def test_negatives_are_no_copies():
    pairs = [Pair("conv1", 0, 1, -1.0, negative=True, found=True)]
    finding = near_copies(pairs, 60)
    assert (finding.level, finding.count_text, finding.surgeries) == ("found", "1 negative", ())
    assert finding.summary == (
        "No two units of a layer correlate with 0.9 or more. 1 pair of opposite filters, 1 beyond the limit for exact negatives; first: "
        "conv1 0 and 1 (negatives, cosine -1.000)."
    )
    many = [Pair("conv1", 0, number, 0.995, negative=False, found=number < 3) for number in range(1, 9)]
    finding = near_copies(many, 60)
    assert (finding.title, finding.count_text) == ("Near copies", "8 alike")
    assert finding.summary == "8 pairs alike, 2 beyond the limit for copies; first: conv1 0 and 1 (correlation 0.995)."
    assert near_copies([], 60).count_text == "none"


def test_a_unit_whose_strongest_activation_alone_is_the_same_is_not_constant():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.Conv2d(4, 4, 1, bias=False), nn.ReLU()).eval()
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].weight[:, 0, 0, 0], model[0].weight[:, 0, 2, 2] = 1000.0, -1000.0  # at the limit of 6 somewhere in each photograph
        model[2].weight.copy_(torch.eye(4)[:, :, None, None] / 2)
        bundle = dw.ModelBundle.from_module(model, input_size=(3, 32, 32), task=None, name="saturating")
        maps = torch.cat([model(bundle.prepare(IMAGES.open_source(source))[None]) for source in range(IMAGES.source_count)])
        assert maps.amax((2, 3)).unique().tolist() == [3]
        assert (maps.amax(0) > maps.amin(0)).flatten(1).any(1).all()
    assert dw.diagnose(bundle, IMAGES, shift_photographs=1, device="cpu").finding("always_active").count_text == "0 constant"
    with torch.no_grad():
        model[0].weight[1], model[0].bias[1] = 0.0, 7.0
    finding = dw.diagnose(bundle, IMAGES, shift_photographs=1, device="cpu").finding("always_active")
    assert [(unit.layer, unit.unit, unit.value) for unit in finding.units] == [("conv2", 1, 3), ("conv1", 1, 6)]


def test_a_batch_norm_without_statistics_or_with_those_it_is_made_with_has_recorded_nothing():
    for middle in (nn.BatchNorm2d(12, track_running_stats=False), nn.BatchNorm2d(12), nn.InstanceNorm2d(12, track_running_stats=True)):
        model = network()
        found = dw.check_input(bundle_of(nn.Sequential(model[0], middle, *model[1:]).eval()), SmoothPhotographs(3), device="cpu")
        assert (found.level, found.layers) == ("not_checked", ())
        assert found.summary.startswith("No batch norm in this network has recorded statistics")
    inserted = dw.surgery.insert_normalization(bundle_of(network()), "conv1")
    assert dw.check_input(inserted, SmoothPhotographs(3), device="cpu").level == "not_checked"


def test_statistics_recorded_before_a_surgery_are_not_held_against_the_photographs():
    bundle = bundle_of(train_statistics(network(norm=True), inputs(bundle_of(network()), IMAGES)))
    assert dw.check_input(bundle, IMAGES, device="cpu").level == "clear"
    changed = dw.check_input(dw.surgery.change_first_layer(bundle, 11), IMAGES, device="cpu")
    assert changed.level == "not_checked"
    assert f"diverges by {changed.divergences[0]:.2g} from what training recorded, which is not judged" in changed.summary


@pytest.mark.parametrize(
    ("count", "not_checked"),
    [(1, {"one_photograph", "dead_units", "always_active", "near_copies"}), (2, {"near_copies"}), (9, {"near_copies"}), (10, set())],
)
def test_nothing_is_said_of_units_where_few_photographs_decide_it(count, not_checked):
    model = network()
    with torch.no_grad():
        model[0].weight[3:5] = model[0].weight[2]  # copies
    found = dw.diagnose(bundle_of(model), SmoothPhotographs(count), shift_photographs=1, device="cpu")
    checks = ("one_photograph", "dead_units", "always_active", "near_copies")
    assert {check for check in checks if found.finding(check).level == "not_checked"} == not_checked


def test_the_sweep_of_a_model_that_couples_a_batch_has_one_photograph_at_a_time():
    class Coupled(nn.Module):
        def forward(self, batch):
            return (batch / batch.amax()).mean((2, 3))[:, [0, 2]] + 0.1 * batch.mean()

    bundle = dw.ModelBundle.from_module(Coupled().eval(), transform=TRANSFORM, categories=["red", "blue"], name="coupled")
    assert bundle.network.single
    found = dw.check_input(bundle, IMAGES, labels="auto", device="cpu")
    given = next(variant for variant in found.variants if variant.kind == "given")
    with torch.no_grad():
        outputs = torch.cat([bundle.model(pixels[None]) for pixels in inputs(bundle, IMAGES)]).double()
    losses = torch.nn.functional.cross_entropy(outputs, torch.arange(60) % 2, reduction="none")
    assert given.log_loss == pytest.approx(float(losses.mean()), rel=1e-5)


def test_the_count_of_the_input_fits_beside_its_title():
    texts = [_count_of(way.label, way.kind) for way in preparations(bundle_of(network()))]
    assert max(map(len, texts)) <= len("0 to 255 minus mean, BGR: 84% against 61%")
    assert _count_of("channels reversed (BGR for RGB)", "channels") == "BGR: 84% against 61%"
    assert _count_of("0 to 255 minus ImageNet's mean, channels reversed", "range") == "0 to 255 minus mean, BGR: 84% against 61%"
    assert _count_of("photographs resized to 192 before the crop", "size") == "resized to 192: 84% against 61%"


def _count_of(label: str, kind: Any) -> str:
    ways = (InputVariant(label, kind, 0.84, 0.9, 1.0, better=True), InputVariant("as given", "given", 0.61, 0.9, 2.0))
    check = InputCheck(level="found", summary="", layers=(), divergences=np.zeros(0), photographs=0, variants=ways, labelled=90)
    return input_finding(check).count_text


def test_an_input_of_which_nothing_else_can_be_tried_is_not_checked():
    images = SmoothPhotographs(20)
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    bundle = ModelBundle.from_module(
        model, transform=lambda image: inputs(bundle_of(network()), images)[0, :1], categories=["red", "blue"], input_size=(1, 32, 32)
    )
    found = dw.check_input(bundle, images, labels="auto", device="cpu")
    assert [variant.label for variant in found.variants] == ["as given"]
    assert (found.level, input_finding(found).count_text) == ("not_checked", "not checked")
    assert "none was tried" in found.summary
