"""Tests of the pictures of all widgets: static mode, `picture()`, and the picture that is saved with the state."""

from __future__ import annotations

import base64
import io
import os

import comm
import ipywidgets
import numpy as np
import pytest
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.errors import DeconvWidgetsError, ServiceError
from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
from deconvwidgets.instruments.transfer.widget.panel import TransferPanel
from deconvwidgets.widgets.picture import MAX_BYTES, MAX_WIDTH, small_jpeg
from deconvwidgets.widgets.static_mode import VARIABLE, is_static, static
from tests.instruments.transfer.widget.fake_api import FakeTransferService
from tests.widgets.every_widget import CASES
from tests.widgets.fake_service import FakeService

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def service(case):
    service = case.make_service()
    case.prepare(service)
    return service


@pytest.fixture(autouse=True)
def live(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def comms(monkeypatch):
    """The comms that are opened."""
    opened, create = [], comm.create_comm
    monkeypatch.setattr(comm, "create_comm", lambda **arguments: opened.append(arguments) or create(**arguments))
    return opened


def png_of(bundle):
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).convert("RGB")


def test_static_mode_shows_pictures_without_a_comm(case, service, comms):
    with dw.static():
        widget = case.widget(service)
        data, _ = widget._repr_mimebundle_()
        assert set(data) == {"image/png", "text/plain"}
        assert data["text/plain"] == repr(widget)
        widget.state = case.valid_state
        service.publish("changed")
    assert comms == []
    assert VARIABLE not in os.environ
    assert VIEW in widget._repr_mimebundle_()[0], "it is live afterwards"
    assert case.valid_state.items() <= comms[-1]["data"]["state"]["state"].items()
    widget.close()


def test_picture_is_that_of_static_mode(case, service):
    with case.widget(service) as widget, dw.static():
        expected = png_of(widget._repr_mimebundle_()[0])
        assert np.array_equal(np.asarray(widget.picture()), np.asarray(expected))


def test_displaying_saves_a_small_picture_with_the_state(case, service):
    with case.widget(service) as widget:
        assert widget.get_state()["_picture"] == b""
        shown = png_of(widget._repr_mimebundle_()[0])
        saved = Image.open(io.BytesIO(widget.get_state()["_picture"]))
        assert saved.format == "JPEG"
        assert saved.size == shown.size
        assert np.abs(np.asarray(saved, float) - np.asarray(shown, float)).mean() < 12


def test_saved_picture_is_limited():
    noise = np.random.default_rng(0).integers(0, 256, (1500, 3000, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG", compress_level=1)
    saved = small_jpeg(file.getvalue())
    assert Image.open(io.BytesIO(saved)).size == (MAX_WIDTH, 600)
    assert len(saved) < 2 * MAX_BYTES, "even of noise"


def test_the_front_end_is_told_its_comm(case, service):
    with case.widget(service) as widget:
        assert widget.get_state()["_comm_id"] == widget.model_id == widget.comm.comm_id


def test_widget_in_a_box_is_live_in_static_mode(case, service):
    with dw.static(), case.widget(service) as widget:
        box = ipywidgets.VBox([widget])
        assert box.get_state()["children"] == [f"IPY_MODEL_{widget.model_id}"]
        box.close()


def test_nothing_to_show_is_said(comms):
    panel, explorer = TransferPanel(FakeTransferService()), LayerExplorer(FakeService(ready=False))
    with pytest.raises(ServiceError, match=r"There is no run yet: start one with panel\.start\(\)"):
        panel.picture()
    with pytest.raises(DeconvWidgetsError, match="The index could not be built"):
        explorer.picture()
    with dw.static():
        data, _ = panel._repr_mimebundle_()
    assert set(data) == {"text/plain"}
    assert data["text/plain"] == f"{panel!r}: There is no run yet: start one with panel.start()."
    for widget in (panel, explorer):
        widget.close()


def test_static_mode_is_an_environment_variable(case, service, monkeypatch):
    monkeypatch.setenv(VARIABLE, "maybe")
    with pytest.raises(ServiceError, match=r"DECONVWIDGETS_STATIC is 'maybe': set it to 1 for pictures, or to 0"):
        case.widget(service)
    monkeypatch.setenv(VARIABLE, "0")
    with dw.static():
        assert os.environ[VARIABLE] == "1"
        with dw.static(False), case.widget(service) as widget:
            assert VIEW in widget._repr_mimebundle_()[0]
    assert os.environ[VARIABLE] == "0"


def test_blocks_of_static_mode_are_nested(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    mode = static()
    for _ in range(2):
        with mode:
            with mode, static(False):
                assert not is_static()
            assert is_static()
        assert not is_static()
    for wrong in ("off", 0, None):
        with pytest.raises(ServiceError, match="on must be True or False"):
            static(wrong)
    assert not is_static()
