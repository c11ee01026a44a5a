"""The EvolutionExplorer in Python: its arguments, its state, its summary and its files."""

from __future__ import annotations

import pytest

import deconvwidgets as dw
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.instruments.evolution.records import UnitChoice
from deconvwidgets.instruments.evolution.widget.epoch_requests import layer_and_epoch
from tests.instruments.evolution.widget.fake_api import FakeEvolutionService, column
from tests.widgets.requests import send_request, sent

__all__ = ["sent"]  # pytest finds fixtures by name


@pytest.fixture
def service():
    return FakeEvolutionService()


@pytest.fixture
def explorer(service):
    with dw.EvolutionExplorer(service, state={"seed": 1}) as explorer:
        yield explorer


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({"epoch": 3}, ServiceError, r"no checkpoint of epoch 3: they are of the epochs 0, 1, 2, 5, 10, 20, 30"),
        ({"unit": ["conv9", 1]}, LayerError, r"no layer 'conv9'; choose from conv1, conv2"),
        ({"unit": ["conv1", 24]}, LayerError, r"conv1 has no unit 24: its units are 0 to 23"),
        ({"units": [["conv1"]]}, ServiceError, r"pair of a layer and a number"),
        ({"layers": "conv1"}, ServiceError, r"'layers' is a list"),
        ({"count": 0}, ServiceError, r"count"),
        ({"measure": "cosine"}, ServiceError, r"measure"),
        ({"rank": 9}, ServiceError, r"rank"),
        ({"speed": 2}, ServiceError, r"no 'speed'"),
    ],
)
def test_an_invalid_state_is_refused_by_name(explorer, state, error, message):
    before = dict(explorer.state)
    with pytest.raises(error, match=message):
        explorer.state = state
    assert explorer.state == before


def test_a_dotted_name_becomes_the_short_one_and_double_units_one(explorer):
    explorer.state = {"unit": ["features.conv2", 7], "units": [["conv1", 2], ["features.conv1", 2]], "layers": ["features.conv2", "conv2"]}
    assert (explorer.state["unit"], explorer.state["units"], explorer.state["layers"]) == (["conv2", 7], [["conv1", 2]], ["conv2"])


def test_before_the_first_index_any_layer_can_be_named():
    service = FakeEvolutionService(epochs=())
    with dw.EvolutionExplorer(service, state={"epoch": 7, "unit": ["conv2", 7]}) as explorer:
        assert explorer.state["unit"] == ["conv2", 7]
        assert repr(explorer) == "EvolutionExplorer(fakenet, no checkpoint yet)"
        assert explorer.summary["layers"] == {}


def test_the_summary_follows_the_columns(service, explorer):
    assert explorer.summary["epoch"] == 30
    assert explorer.summary["layers"]["conv1"]["reached"] == service.convergence().curves[0].reached
    service.add(column(40))
    assert explorer.summary["epochs"][-1] == explorer.summary["epoch"] == 40
    explorer.state = {"epoch": 5, "measure": "cka"}
    assert (explorer.summary["epoch"], explorer.summary["measure"]) == (5, "cka")


def test_files_are_of_the_rows_or_of_the_curves(service, explorer, tmp_path):
    for name, kind in (("a.png", "evolution.png"), ("a.html", "evolution.html"), ("a.csv", "cells.csv")):
        explorer.save(tmp_path / name)
        assert [call for name, call in service.calls if name == "figure"][-1][0] == kind
    explorer.save(tmp_path / "b.csv", "convergence")
    found, state = [call for name, call in service.calls if name == "figure"][-1]
    assert (found, state["epoch"], state["seed"]) == ("convergence.csv", 30, 1)
    with pytest.raises(ServiceError, match=r"use a name ending in \.csv"):
        explorer.save(tmp_path / "b.png", "convergence")
    with pytest.raises(ServiceError, match="units"):
        explorer.save(tmp_path / "b.csv", "curves")


def test_requests_of_the_selected_unit_name_an_epoch(service, explorer, sent):
    content, buffers = send_request(explorer, sent, "mosaics", layer="conv2, epoch 5", unit=7, tile=20)
    assert content["ok"]
    assert len(buffers) == 2
    assert ("layers_of", 5) in service.calls
    assert ("top_activations", ("conv2", 7, "deconvnet", "tile", 20)) in service.panes.calls
    assert not send_request(explorer, sent, "mosaics", layer="conv2", unit=7, tile=20)[0]["ok"]
    assert "no index" in send_request(explorer, sent, "unit_detail", layer="conv2, epoch 4", unit=7)[0]["error"]
    assert layer_and_epoch("a, epoch 1, step 20") == ("a, epoch 1", 20)


def test_rows_are_of_the_choice(service, explorer, sent):
    content, _ = send_request(explorer, sent, "rows", choice={"choose": "chosen", "units": [["conv2", 9]]})
    assert content["epochs"] == [0, 1, 2, 5, 10, 20, 30]
    assert [(row["layer"], row["unit"]) for row in content["rows"]] == [("conv2", 9)]
    assert service.calls[-1] == ("rows", UnitChoice(choose="chosen", units=(("conv2", 9),)))


def test_a_service_of_its_own_is_closed_with_it(service, monkeypatch):
    monkeypatch.setattr("deconvwidgets.instruments.evolution.widget.explorer._make_service", lambda checkpoints, images: service)
    dw.EvolutionExplorer("folder", "photos").close()
    assert service.closed
    service.closed = False
    with pytest.raises(TypeError, match="no argument"):
        dw.EvolutionExplorer("folder", "photos", zzz=1)
    assert service.closed, "also if the widget cannot be made"


def test_a_service_has_its_images(service):
    with pytest.raises(ServiceError, match="has its images already"):
        dw.EvolutionExplorer(service, "photos")


def test_a_layer_explorer_needs_an_index(service, explorer):
    service.set(5, state="failed", message="It is damaged.")
    with pytest.raises(ServiceError, match=r"Epoch 5 has no index that is ready; those of the epochs 0, 1, 2, 10, 20, 30 are"):
        explorer.layer_explorer(5)


def test_units_and_layers_that_turn_out_not_to_exist_are_reset_and_the_others_stay(tmp_path):
    service = FakeEvolutionService(epochs=())
    named = {"choose": "chosen", "units": [["conv1", 999], ["features.conv2", 7]], "layers": ["conv9"], "unit": ["conv9", 1]}
    with dw.EvolutionExplorer(service, state=named) as explorer:
        service.columns = [column(1)]  # without an event: it is still on its way
        explorer.save(tmp_path / "evolution.png")
        assert {key: explorer.state[key] for key in named} == {
            "choose": "chosen",
            "units": [["conv2", 7]],
            "layers": [],
            "unit": None,
        }
        explorer.state = {"count": 2}
        with pytest.raises(LayerError):
            explorer.state = {"units": [["conv1", 999]]}


def test_an_unknown_selected_unit_does_not_keep_a_layer_explorer_from_opening():
    service = FakeEvolutionService(epochs=())
    with dw.EvolutionExplorer(service, state={"unit": ["conv9", 1]}) as explorer:
        service.columns = [column(1)]
        with pytest.raises(ServiceError, match="There is no model"):  # that of the fake service, and no refused unit
            explorer.layer_explorer()
        assert explorer.state["unit"] is None
