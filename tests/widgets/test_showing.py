"""Widgets on one service show things in each other."""

from __future__ import annotations

import gc
import threading

import pytest

from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.widgets import showing
from tests.widgets.fake_service import FakeService
from tests.widgets.requests import send_request, sent

__all__ = ["sent"]  # pytest finds fixtures by name


@pytest.fixture
def service():
    return FakeService()


@pytest.fixture(autouse=True)
def short_wait(monkeypatch):
    monkeypatch.setattr(showing, "SHOWN_SECONDS", 0.2)


def tell(widget, kind, client="page", **fields):
    """Send what needs no reply."""
    widget._handle_custom_msg({"kind": kind, "client": client, **fields}, [])


def answering(widget, monkeypatch):
    """Let a view answer the event "show", as one that the page shows. Return the list of the tokens."""
    tokens = []
    send = widget.send

    def answer(content, buffers=None):
        send(content, buffers)
        if content.get("event") == "show":
            tokens.append(content["token"])
            threading.Thread(target=tell, args=(widget, "shown"), kwargs={"token": content["token"]}).start()

    monkeypatch.setattr(widget, "send", answer, raising=False)
    return tokens


def test_the_most_recently_used_open_widget_shows_it(service, sent, monkeypatch):
    with LayerExplorer(service) as asking, LayerExplorer(service) as first, LayerExplorer(service) as second:
        counts = [answering(widget, monkeypatch) for widget in (first, second)]
        for widget in (first, second, first):
            tell(widget, "used")
        reply, _ = send_request(asking, sent, "show", widget="LayerExplorer", state={"layer": "conv2", "unit": 7})
        assert (reply["ok"], reply["where"], reply["model"]) == (True, "open", None)
        assert (first.state["layer"], first.state["unit"]) == ("conv2", 7)
        assert second.state["unit"] != 7
        tell(first, "hidden")
        send_request(asking, sent, "show", widget="LayerExplorer", state={"unit": 9})
        assert second.state["unit"] == 9
        assert [len(tokens) for tokens in counts] == [1, 1]


def test_a_widget_is_made_once_where_none_is_open(service, sent):
    with LayerExplorer(service) as asking, LayerExplorer(service) as unused:
        tell(unused, "used", client="closed page")  # which does not answer
        models = set()
        for unit in (7, 8):
            reply, _ = send_request(asking, sent, "show", widget="LayerExplorer", state={"layer": "conv2", "unit": unit})
            models.add(reply["model"])
            assert reply["where"] == "made"
        (made,) = asking._opened.values()
        assert models == {made.model_id}
        assert (made.state["layer"], made.state["unit"]) == ("conv2", 8)
        assert service.open_widgets.newest(LayerExplorer) == [], "a page that does not answer counts as closed"
    assert made._unsubscribe is None, "it is closed with the widget that asked"


def test_a_page_that_cannot_show_a_widget_below_gets_none(service, sent):
    with LayerExplorer(service) as asking:
        reply, _ = send_request(asking, sent, "show", widget="LayerExplorer", state={}, embeds=False)
        assert (reply["ok"], reply["where"], reply["model"]) == (True, "none", None)
        assert not asking._opened


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"widget": "LayerExplorer", "state": {"unit": 999}}, "there is no unit 999"),
        ({"widget": "LayerExplorer", "state": None}, "needs 'state' as a dict"),
        ({"widget": "ModelBundle", "state": {}}, "There is no widget 'ModelBundle'"),
        ({"widget": "LayerExplorer", "state": {}, "photograph": {"run": 1}}, "no photographs of its own"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(service, sent, monkeypatch, fields, message):
    with LayerExplorer(service) as asking, LayerExplorer(service) as other:
        answering(other, monkeypatch)
        tell(other, "used")
        before = dict(other.state)
        reply, _ = send_request(asking, sent, "show", **fields)
        assert not reply["ok"]
        assert message in reply["error"]
        assert other.state == before


def test_a_widget_is_open_while_one_page_shows_it(service):
    with LayerExplorer(service) as widget:
        tell(widget, "used", client="first")
        tell(widget, "used", client="second")
        tell(widget, "hidden", client="first")
        assert service.open_widgets.newest(LayerExplorer) == [widget]
        tell(widget, "hidden", client="second")
        assert service.open_widgets.newest(LayerExplorer) == []
        tell(widget, "used", client="first")
    assert service.open_widgets.newest(LayerExplorer) == [], "it is closed"


def test_open_widgets_are_not_kept_alive():
    class Widget:
        pass

    widgets, widget = OpenWidgets(), Widget()
    widgets.used(widget)
    del widget
    gc.collect()
    assert widgets.newest(Widget) == []
