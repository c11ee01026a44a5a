"""The DiagnosisPanel in Python: its state, its methods and files, with a fake service."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import deconvwidgets as dw
from deconvwidgets.errors import DiagnosisError, ServiceError
from deconvwidgets.widgets.messages import Request
from tests.instruments.diagnosis.widget.fake_api import BLUR, FakeDiagnosisService


@pytest.fixture
def service():
    return FakeDiagnosisService()


@pytest.fixture
def panel(service):
    with dw.DiagnosisPanel(service) as panel:
        yield panel


def test_the_state_begins_with_defaults_and_is_set_in_part(panel):
    expected = {"finding": None, "sort": "frequency", "unit": None, "image": "crop:0", "shift": [0, 0], "layers": "few", "arm": 0}
    assert panel.state == expected
    panel.state = {"finding": "shift", "shift": (5, -2)}
    assert panel.state == {**expected, "finding": "shift", "shift": [5, -2]}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"finding": "colour"}, "There is no finding 'colour': choose aliasing"),
        ({"sort": "name"}, "There is no sort 'name'"),
        ({"unit": 54}, r"such as \['conv1', 54\]"),
        ({"unit": ["conv77", 1]}, "no layer 'conv77': the unit is one of conv1"),
        ({"unit": ["conv1", 24]}, "conv1 has 24 units, 0 to 23: there is no unit 24"),
        ({"unit": ["conv1", -1]}, "unit must be an integer of at least 0"),
        ({"image": "crop:120"}, "'crop:0' to 'crop:119'"),
        ({"image": 3}, "not 3"),
        ({"image": "upload:1"}, "upload the image again"),
        ({"shift": [1]}, r"\[right, down\]"),
        ({"shift": [1, 40]}, "from -32 to 32"),
        ({"layers": "most"}, "There is no choice of layers 'most'"),
        ({"arm": 4}, "There is no arm 4: choose 0"),
        ({"speed": 1}, "no 'speed'"),
    ],
)
def test_an_invalid_state_is_refused_and_the_former_one_kept(panel, state, words):
    before = dict(panel.state)
    with pytest.raises(ServiceError, match=words):
        panel.state = state
    assert panel.state == before


def test_a_layer_that_the_diagnosis_does_not_know_is_reset_when_it_is_done():
    service = FakeDiagnosisService("running")
    with dw.DiagnosisPanel(service, state={"unit": ["conv77", 1], "sort": "rms"}) as panel:
        assert panel.state["unit"] == ["conv77", 1], "it may be the first layer"
        service.diagnosis.phase = "done"
        service.publish("diagnosis")
        assert (panel.state["unit"], panel.state["sort"]) == (None, "rms")


def test_an_arm_of_another_kernel_is_dropped_in_a_new_panel(service):
    assert dw.DiagnosisPanel(service, state={"arm": 3}).state["arm"] == 0


def test_surgery_is_tried_and_undone(service, panel):
    assert panel.try_surgery(BLUR) == 1
    assert panel.state["arm"] == 1
    assert [arm.label for arm in panel.arms] == ["as it is", "blur pool"]
    assert panel.undo() == 0
    assert panel.state["arm"] == 0
    with pytest.raises(DiagnosisError, match="cannot be undone"):
        panel.undo()


def test_the_page_undoes_the_arm_that_is_shown(service, panel):
    panel.try_surgery(BLUR)
    content, _ = panel._answer(Request.of({"kind": "remove_arm", "arm": 1}, []))
    assert content["ok"]
    assert panel.state["arm"] == 0


def test_shifted_takes_the_state_or_its_own_arguments(service, panel):
    panel.state = {"image": "crop:4", "shift": [2, 1]}
    assert panel.shifted().request.right == 2
    request = panel.shifted(right=-3).request
    assert (request.image, request.right, request.down, request.arm, request.layers) == ("crop:4", -3, 1, 0, "few")
    panel.state = {"layers": "all"}
    assert panel.shifted().request.layers == "all"


def test_wait_starts_a_diagnosis_that_was_not_started(service, panel):
    service.diagnosis.phase = "none"
    assert panel.wait(3).finding("dead_units").level == "clear"
    assert [kind for kind, _ in service.diagnosis.calls] == ["start", "wait"]


def test_the_summary_and_the_representation(service):
    panel = dw.DiagnosisPanel(service)
    assert panel.summary == {"found": 1, "near": 2, "clear": 1, "not_checked": 1, "findings": ["Aliasing at the first stride"], "arms": 1}
    assert repr(panel) == "DiagnosisPanel(fakenet (random weights), 1 found, 2 near)"
    service.diagnosis.phase = "running"
    assert repr(panel) == "DiagnosisPanel(fakenet (random weights), running)"
    service.publish("diagnosis")
    assert panel.summary == {}


def test_reports_are_saved_by_the_suffix(service, panel, tmp_path):
    for suffix in ("html", "json", "csv"):
        assert panel.save(tmp_path / f"mine.{suffix}").read_bytes() == b"<report>report." + suffix.encode()
    with pytest.raises(ServiceError, match=r"use a name ending in \.html"):
        panel.save(tmp_path / "mine.txt")


def test_an_arm_that_is_gone_does_not_keep_anything_else_from_being_changed(service, panel):
    panel.try_surgery(BLUR)
    assert panel.state["arm"] == 1
    service.diagnosis.remove_arm(1)  # in another panel
    panel.state = {**panel.state, "shift": [2, 0]}  # as the page sends it
    assert (panel.state["shift"], panel.state["arm"]) == ([2, 0], 0)
    with pytest.raises(ServiceError, match="There is no arm 1"):
        panel.state = {"arm": 1}


def test_an_upload_that_is_gone_does_not_keep_anything_else_from_being_changed(service, panel, monkeypatch):
    kept = ["upload:1"]
    monkeypatch.setattr(service.occlusion, "choices", lambda: SimpleNamespace(uploads=tuple(kept)))
    panel.state = {"image": "upload:1"}
    kept.clear()  # 64 others came
    panel.state = {**panel.state, "shift": [2, 0]}  # as the page sends it
    assert (panel.state["shift"], panel.state["image"]) == ([2, 0], "crop:0")
    with pytest.raises(ServiceError, match="The upload 'upload:1' is not in this kernel"):
        panel.state = {"image": "upload:1"}
