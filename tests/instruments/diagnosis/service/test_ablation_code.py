"""The code of an ablation study of the arms runs as it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import deconvwidgets as dw
from deconvwidgets.instruments.diagnosis.records import SuggestedSurgery
from deconvwidgets.instruments.diagnosis.service import jobs
from deconvwidgets.instruments.diagnosis.service.ablation_code import ablation_code, variant_names
from deconvwidgets.models.preprocess import default_preprocess
from deconvwidgets.service.worker import SynchronousExecutor
from tests.instruments.diagnosis.planted import SIDE, TRANSFORM, SmoothPhotographs, bundle_of, network
from tests.instruments.diagnosis.widget.fake_api import shift_curves

USUAL = default_preprocess((3, SIDE, SIDE))
BLUR = SuggestedSurgery("blur pool", "swap_pooling", {"to": "blur"})
SMALL = SuggestedSurgery("smaller: 3/2", "change_first_layer", {"kernel_size": [3, 3], "stride": 2})


@pytest.fixture(autouse=True)
def no_measurements(monkeypatch, own_cache):
    monkeypatch.setattr(jobs, "shift_response", lambda *_, **__: shift_curves())
    monkeypatch.setattr(jobs, "arm_accuracy", lambda *_: "not measured")


@pytest.fixture
def service() -> Iterator[dw.LocalModelService]:
    with_service = dw.LocalModelService(bundle_of(network(), USUAL), SmoothPhotographs(12), device="cpu", worker=SynchronousExecutor())
    yield with_service
    with_service.close()


def arms_of(service: dw.LocalModelService) -> Any:
    return service.diagnosis._arms.all()


def test_the_code_runs_as_it_is_shown_and_trains_the_arms(service, tmp_path, monkeypatch):
    assert service.diagnosis.status().ablation is None
    blur = service.diagnosis.add_arm(BLUR)
    service.diagnosis.add_arm(SMALL, blur)
    shown = service.diagnosis.status().ablation
    assert "3 seeds" in shown.note
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"service": service}
    exec(shown.code.replace("dw.AblationPanel(study)", "panel = dw.AblationPanel(study)"), names)
    made = [arm.bundle for arm in arms_of(service)]
    assert list(names["variants"]) == ["as it is", "blur pool", "blur pool, smaller_ 3_2"]
    for variant, bundle in zip(names["variants"].values(), made, strict=True):
        assert [(step.operation, step.arguments) for step in variant.surgery] == [(one.operation, one.arguments) for one in bundle.surgery]
    rows = names["study"].table.rows
    assert [(row.variant.name, row.variant.origin, len(row.runs)) for row in rows] == [
        (name, "given weights", 3) for name in names["variants"]
    ]
    assert (tmp_path / "runs" / "planted-surgery").is_dir()
    assert names["panel"].summary


def test_what_has_to_be_filled_in_is_said(service):
    service.diagnosis.add_arm(BLUR)
    arms = arms_of(service)
    elsewhere = ablation_code(arms, "gpu-7")
    assert "run it on gpu-7" in elsewhere.note
    assert "service.bundle" not in elsewhere.code
    arms[0].images = SmoothPhotographs(12)
    arms[0].images.label = lambda source: None
    unlabelled = ablation_code(arms, "")
    assert "the classes that planted predicts" in unlabelled.note
    assert "images = ...  # labelled" in unlabelled.code
    compile(unlabelled.code, "shown", "exec")
    arms[0].images = SmoothPhotographs(12)
    arms[0].images.categories = ("blue", "red")  # in another order: its outputs would be trained as the wrong classes
    assert "images = ...  # labelled" in ablation_code(arms, "").code


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        (bundle_of(network(), TRANSFORM), "not normalised as dw.train does"),
        (replace(bundle_of(network(), USUAL), classifier=None, quantity=None), "does not predict one class by a softmax"),
    ],
)
def test_a_network_that_a_study_cannot_train_has_no_code(bundle, words):
    service = dw.LocalModelService(bundle, SmoothPhotographs(12), device="cpu", worker=SynchronousExecutor())
    service.diagnosis.add_arm(BLUR)
    shown = service.diagnosis.status().ablation
    assert (words in shown.note, shown.code) == (True, "")
    service.close()


def test_names_of_variants_are_those_that_folders_can_have():
    long = "x" * 100
    names = variant_names(["as it is", "merge them", "Merge them", "a/b:c", long, long + "y", "..."])
    assert names[:4] == ["as it is", "merge them", "Merge them (2)", "a_b_c"]
    assert (len(names[4]), names[5]) == (80, "x" * 74 + " (2)")
    assert names[6] == "arm"
