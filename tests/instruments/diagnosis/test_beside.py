"""Diagnoses of several models beside each other."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import DiagnosisError
from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text
from deconvwidgets.instruments.diagnosis.figures.beside_picture import beside_drawing
from deconvwidgets.instruments.diagnosis.records import Diagnosis
from tests.instruments.diagnosis.planted import SmoothPhotographs, bundle_of, network
from tests.instruments.diagnosis.widget.fake_api import fake_diagnosis

FAKE = fake_diagnosis()


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> list[Diagnosis]:
    """A network with a large first stride, and one without."""
    images = SmoothPhotographs(6)
    bundles = [bundle_of(network(7, 4), name="coarse"), bundle_of(network(3, 1), name="fine")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DECONVWIDGETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        return [dw.diagnose(bundle, images, layers=["conv1"], shift_photographs=1, shifts=[1], device="cpu") for bundle in bundles]


def texts(drawing: Drawing) -> list[str]:
    return [item.text for item in drawing.items if isinstance(item, Text)]


def test_each_model_has_its_column_with_what_its_stride_carries(pair):
    drawing = beside_drawing(pair)
    coarse = pair[0].first_layer
    words = texts(drawing)
    assert words[:2] == ["coarse beside fine", "each diagnosed on 6 photographs of smooth"]
    assert {"12 filters of conv1, 7 x 7, stride 4", "12 filters of conv1, 3 x 3, stride 1"} <= set(words)
    over = int((coarse.aliased > 0.5).sum())
    assert f"{coarse.aliased_mean:.0%} of a filter's responses, on average; more than half in {over} of 12" in words
    assert "0%: a stride of 1 carries all frequencies" in words
    assert words.count("stride 4 carries to 0.125 along an axis") == 1
    sheets = [item for item in drawing.items if isinstance(item, Raster)]
    assert sheets[0].x + sheets[0].width <= sheets[1].x
    assert sheets[1].x + sheets[1].width <= drawing.width
    for check in ("Aliasing at the first stride", "Dead units"):
        assert words.count(check) == 1


def test_the_energies_are_on_one_scale(pair):
    drawing = beside_drawing(pair)
    largest = max(float(diagnosis.first_layer.histogram.max()) for diagnosis in pair)
    heights = sorted({round(item.height, 3) for item in drawing.items if isinstance(item, Rectangle) and item.tone == "soft"})
    shares = sorted({round(120 * share / largest, 3) for one in pair for share in one.first_layer.histogram.tolist() if share})
    assert set(shares) <= set(heights)


def test_the_numbers_of_all_are_written(pair):
    rows = list(csv.DictReader(io.StringIO(dw.diagnosis_file(pair, "csv").decode())))
    assert {row["model"] for row in rows} == {"coarse", "fine"}
    assert {key for key in rows[0] if key != "model"} == set(dw.diagnosis_file(pair[0], "csv").decode().splitlines()[0].split(","))
    content = json.loads(dw.diagnosis_file(tuple(pair), "json"))
    assert [one["first_layer"]["carried"] for one in content["diagnoses"]] == [0.125, 0.5]
    assert dw.diagnosis_file(pair, "png").startswith(b"\x89PNG")


def test_the_page_has_the_findings_of_all_and_escapes_names(pair):
    page = dw.diagnosis_file([pair[0], replace(pair[1], model="<b>fine</b>")]).decode()
    assert page.count("data:image/webp") == 2
    assert "&lt;b&gt;fine" in page
    assert "<b>fine" not in page
    for diagnosis in pair:
        assert diagnosis.finding("shift").count_text in page


def test_what_is_not_known_is_said():
    unknown = replace(FAKE, model="untraced", image_set="others", first_layer=None)
    unmeasured = replace(FAKE, first_layer=replace(FAKE.first_layer, aliased_mean=float("nan"), aliased=np.full(24, np.nan)))
    words = texts(beside_drawing([unknown, unmeasured]))
    assert "No convolution that reads the input is known." in words
    assert words.count("not measured") == 2
    assert "diagnosed on different photographs" in words
    assert any("40 photographs of others" in line for line in words)
    assert dw.diagnosis_file([unknown, unmeasured], "html")


@pytest.mark.parametrize(
    ("diagnoses", "words"),
    [
        ([], "must be a Diagnosis, or 2 to 6 of them in a list, not 0 in a list"),
        ([FAKE], "not 1 in a list"),
        ([replace(FAKE) for _ in range(7)], "not 7 in a list"),
        ([FAKE, "vgg16"], r"diagnosis\[1\] must be a Diagnosis, not 'vgg16'"),
        ([FAKE, FAKE], r"diagnosis\[1\], of fakenet, is given twice"),
        ({"a": FAKE}, "diagnosis must be a Diagnosis, not"),
    ],
)
def test_bad_input_is_refused_in_words(diagnoses, words):
    with pytest.raises(DiagnosisError, match=words):
        dw.diagnosis_file(diagnoses, "png")
