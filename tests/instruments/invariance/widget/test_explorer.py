"""The InvarianceExplorer: its state, its summary and its files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deconvwidgets.errors import DeconvWidgetsError, InvarianceError, LayerError, PictureError, ServiceError
from deconvwidgets.instruments.invariance.widget.explorer import InvarianceExplorer
from tests.instruments.invariance.widget.fake_api import FakeInvarianceService


@pytest.fixture
def service():
    return FakeInvarianceService()


@pytest.fixture
def explorer(service):
    with InvarianceExplorer(service) as explorer:
        yield explorer


def test_the_defaults_are_resolved(explorer):
    assert explorer.state == {
        "images": ["crop:0", "crop:8", "crop:16"], "image": "crop:0", "transform": "translate", "amount": 0.0,
        "layers": ["conv1", "fc7"], "layer": "fc7", "measure": "relative", "tab": "units",
    }  # fmt: skip
    assert repr(explorer) == "InvarianceExplorer(fakenet, crop:0, vertical translation 0 px)"


def test_another_transformation_begins_with_the_photograph_as_it_is(explorer):
    explorer.state = {"amount": 40}
    explorer.state = {"transform": "scale"}
    assert explorer.state["amount"] == 1.0
    explorer.state = {"transform": "rotate", "amount": 30}
    assert explorer.state["amount"] == 30.0
    explorer.state = {"transform": "jpeg"}
    assert explorer.state["amount"] == 100.0


def test_an_image_that_is_shown_has_a_curve(explorer):
    explorer.state = {"image": 5}
    assert explorer.state["image"] == "crop:5"
    assert explorer.state["images"] == ["crop:0", "crop:8", "crop:16", "crop:5"]
    explorer.state = {"images": ["crop:8", "crop:9"]}  # without the one that is shown
    assert explorer.state["image"] == "crop:8"
    explorer.state = {"images": list(range(12))}
    explorer.state = {"image": "crop:40"}
    assert len(explorer.state["images"]) == 12
    assert explorer.state["images"][-1] == "crop:40"


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"transform": "shear"}, InvarianceError),
        ({"amount": 1.5}, InvarianceError),
        ({"amount": "much"}, InvarianceError),
        ({"transform": "scale", "amount": 0}, InvarianceError),
        ({"images": []}, PictureError),
        ({"images": ["crop:9999"]}, PictureError),
        ({"image": "upload:none"}, PictureError),
        ({"image": 1.0}, PictureError),
        ({"images": list(range(13))}, PictureError),
        ({"layers": ["conv9"]}, LayerError),
        ({"layers": []}, LayerError),
        ({"layer": 3}, LayerError),
        ({"measure": "cosine"}, ServiceError),
        ({"tab": "maps"}, ServiceError),
        ({"zoom": 1}, ServiceError),
    ],
)
def test_invalid_states_are_refused_and_the_former_one_is_kept(explorer, state, error):
    before = dict(explorer.state)
    with pytest.raises(error):
        explorer.state = state
    assert explorer.state == before


def test_the_summary_has_the_numbers_of_the_transformed_photograph(service, explorer):
    explorer.state = {"amount": 30}
    summary = explorer.summary
    assert summary["layers"]["conv1"] == {"distance": pytest.approx(1.5), "relative": pytest.approx(0.5)}
    assert summary["units"]["strongest"] == list(range(9))
    assert set(summary["classes"][0]) == {"name", "probability", "as_it_is"}
    views = [value for kind, value in service.invariance.calls if kind == "view"]
    explorer.state = {"tab": "images"}  # which changes none of them
    assert [value for kind, value in service.invariance.calls if kind == "view"] == views


def test_the_static_picture_does_not_wait_for_curves(service, explorer):
    data, _ = explorer._repr_mimebundle_()
    assert "image/png" in data
    assert "curves" not in {kind for kind, _ in service.invariance.calls}
    small = explorer.get_state()["_picture"]
    explorer.picture()  # which waits for them
    assert "curves" in {kind for kind, _ in service.invariance.calls}
    assert explorer._repr_mimebundle_()[0]["image/png"] != data["image/png"]
    assert explorer.get_state()["_picture"] != small


def test_files_have_the_measure_of_the_state(explorer, tmp_path):
    explorer.state = {"transform": "rotate", "measure": "distance"}
    assert "Euclidean distance" in explorer.save(tmp_path / "a.svg").read_text()
    explorer.state = {"measure": "relative"}
    assert "conv1: relative distance" in explorer.save(tmp_path / "a.svg").read_text()
    lines = explorer.save(tmp_path / "a.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 * 2 * 24


def test_the_curves_are_those_of_the_state(explorer):
    curves = explorer.curves
    assert curves.layers == ("conv1", "fc7")
    assert np.allclose(curves.relative, curves.distances / 3)


def test_errors_of_the_service_are_ours(explorer):
    with pytest.raises(DeconvWidgetsError):
        explorer.save("a.gif")


def test_layers_and_uploads_that_are_gone_do_not_keep_anything_else_from_being_changed(service, explorer, monkeypatch):
    before = service.invariance.choices()
    with_upload = replace(before, uploads=("upload:1",))
    monkeypatch.setattr(service.invariance, "choices", lambda: with_upload)
    explorer.state = {"images": ["crop:0", "upload:1"], "image": "upload:1", "layers": ["conv1", "fc7"], "layer": "fc7"}
    gone = replace(before, layers=tuple(name for name in before.layers if name != "fc7"), default_layers=("conv1",))
    monkeypatch.setattr(service.invariance, "choices", lambda: gone)
    explorer.state = {**explorer.state, "amount": 5}  # as the page sends it
    assert {key: explorer.state[key] for key in ("images", "image", "layers", "layer", "amount")} == {
        "images": ["crop:0"], "image": "crop:0", "layers": ["conv1"], "layer": "conv1", "amount": 5.0,
    }  # fmt: skip
    with pytest.raises(LayerError, match="'fc7'"):
        explorer.state = {"layer": "fc7"}
    with pytest.raises(PictureError, match="upload the image again"):
        explorer.state = {"image": "upload:1"}
