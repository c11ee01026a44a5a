"""Tests of all widgets: state, requests, events, files, the static image, and lifetime."""

from __future__ import annotations

import gc
import inspect
import json
import logging
import re
import threading
import weakref

import anywidget
import pytest
import traitlets
from ipywidgets.widgets import widget as ipywidgets_registry

from deconvwidgets.errors import ServiceError
from deconvwidgets.widgets.comm import SubshellComm
from deconvwidgets.widgets.explorer import Explorer
from tests.widgets.every_widget import CASES
from tests.widgets.requests import send_request, sent, wait_until

__all__ = ["sent"]  # pytest finds fixtures by name

EVENTS = ("changed", "progress", "failed", "occlusion", "transfer", "evaluation", "diagnosis", "evolution", "training", "ablation")


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def service(case):
    return case.make_service()


@pytest.fixture
def widget(case, service):
    with case.widget(service) as widget:
        yield widget


@pytest.fixture
def published(monkeypatch):
    """The data of all messages that widgets publish."""
    messages = []
    monkeypatch.setattr(SubshellComm, "publish_msg", lambda self, kind, data=None, **rest: messages.append(data))
    return messages


def is_collected(reference):
    gc.collect()
    return reference() is None


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("deconvwidgets")]


def test_only_known_attributes_of_anywidget_are_overridden(case):
    ours = {name for cls in case.widget.__mro__ if cls.__module__.startswith("deconvwidgets") for name in vars(cls)}
    traits = {"_traits", "_all_trait_default_generators", "_descriptors", "_instance_inits"}
    theirs = {name for name in ours if hasattr(anywidget.AnyWidget, name) and not name.startswith("__")} - traits
    of_traitlets = {"_static_immutable_initial_values", "_trait_default_generators"}
    assert theirs <= {"open", "close", "model_id", "set_state", "_repr_mimebundle_", *of_traitlets}


# State


def test_invalid_state_of_the_front_end_is_rolled_back_and_the_valid_state_is_sent(case, widget, published):
    before = dict(widget.state)
    published.clear()
    with pytest.raises(traitlets.TraitError):
        widget.set_state({"height": 900, "state": {**before, **case.invalid_state}})
    assert widget.state == before
    updates = [message["state"] for message in published if message["method"] == "update"]
    assert updates[-1] == {"state": before, "height": widget.height}
    (failure,) = [message["content"] for message in published if message["method"] == "custom"]
    assert failure["event"] == "failed"
    assert failure["message"]
    widget.set_state({"state": {**before, **case.valid_state}})  # the next change is accepted
    assert case.valid_state.items() <= widget.state.items()


def test_invalid_state_set_in_python_is_rolled_back(case, widget):
    before = dict(widget.state)
    with pytest.raises(traitlets.TraitError):
        widget.state = case.invalid_state
    assert widget.state == before
    widget.state = case.valid_state
    assert case.valid_state.items() <= widget.state.items()


@pytest.mark.parametrize("state", [None, 5, 0, "conv5", ["conv5"]])
def test_state_must_be_a_dict(case, widget, service, state):
    before = dict(widget.state)
    pattern = rf"A.? {case.widget.__name__}'s state is a dict such as .* the others keep their values"
    with pytest.raises(ServiceError, match=pattern):
        widget.state = state
    assert widget.state == before
    if state is not None:
        with pytest.raises(ServiceError, match=pattern):
            case.widget(service, state=state)
        assert len(service.events) == 1, "the second widget is not subscribed"


def test_the_synced_traits(case, widget):
    ours = {name for name in widget.keys if not name.startswith("_")} - {"layout", "tabbable", "tooltip"}
    assert ours == {"height", "state", "summary"}
    assert len(json.dumps(widget.state)) < 500, "the state is small"


def test_unknown_arguments_raise_an_error_with_a_suggestion(case, service):
    with pytest.raises(TypeError, match=rf"{case.widget.__name__} has no argument '{case.argument}s'.* Did you mean '{case.argument}'\?"):
        case.widget(service, **{f"{case.argument}s": None})
    with pytest.raises(TypeError, match=f"Its arguments are {next(iter(inspect.signature(case.widget).parameters))}, "):
        case.widget(service, zzz=1)
    assert len(service.events) == 0


def test_service_must_be_of_the_widgets_kind(case):
    for value in (None, "alexnet", object()):
        with pytest.raises(ServiceError, match=f"{case.widget.__name__} needs {re.escape(case.widget.SERVICE_EXAMPLE)}"):
            case.widget(value)


# Requests


def test_long_requests_are_accepted_and_do_not_block_others(case, service, widget, sent, monkeypatch):
    case.prepare(service)
    started, proceed, api = threading.Event(), threading.Event(), case.api_of(service)
    work = getattr(api, case.slow_method)

    def slow(*arguments):
        started.set()
        assert proceed.wait(20)
        return work(*arguments)

    monkeypatch.setattr(api, case.slow_method, slow)
    sent.clear()
    widget._handle_custom_msg({"seq": 1000, "client": "c", **case.slow_request}, [])
    assert ({"seq": 1000, "client": "c", "accepted": True}, []) in sent
    assert started.wait(20)
    assert send_request(widget, sent, "hello")[0]["ok"], "another request is answered meanwhile"
    assert not any(content.get("seq") == 1000 and "ok" in content for content, _ in sent)
    proceed.set()
    wait_until(lambda: any(content.get("seq") == 1000 and content.get("ok") for content, _ in sent))


def test_unexpected_errors_are_logged_and_not_sent(case, service, widget, sent, caplog):
    case.prepare(service)
    case.api_of(service).error = ZeroDivisionError("secret detail")
    with caplog.at_level(logging.ERROR):
        content, buffers = send_request(widget, sent, **case.slow_request)
    assert content["ok"] is False
    assert content["error"] == (
        f"The request {case.slow_request['kind']!r} failed with an unexpected ZeroDivisionError; the kernel's log has the traceback."
    )
    assert buffers == []
    assert "Traceback" in caplog.text
    case.api_of(service).error = None
    assert send_request(widget, sent, **case.slow_request)[0]["ok"]


@pytest.mark.parametrize("message", ["nonsense", None, 5, [], {}, {"kind": None}, {"kind": ["hello"]}, {"kind": "no such"}])
def test_invalid_messages_return_an_error(widget, sent, message):
    sent.clear()
    widget._handle_custom_msg(message, None)
    ((content, _),) = [(content, data) for content, data in sent if "ok" in content]
    assert content["ok"] is False
    assert "There is no request" in content["error"]


def test_errors_of_sending_are_logged(case, service, widget, monkeypatch, caplog):
    failing, delivered = [True], []

    def send(self, content, buffers=None):
        if failing[0]:
            raise OSError("the socket is closed")
        delivered.append(content)

    monkeypatch.setattr(Explorer, "send", send)
    service.publish("changed")
    widget._handle_custom_msg({"seq": 1, "client": "c", "kind": "hello"}, [])
    widget._handle_custom_msg({"seq": 2, "client": "c", **case.slow_request}, [])
    wait_until(lambda: caplog.text.count("could not be sent") >= 4)  # the event, the reply, that work is accepted, and its reply
    failing[0] = False
    service.publish("changed")
    widget._handle_custom_msg({"seq": 3, "client": "c", **case.slow_request}, [])
    wait_until(lambda: any(content.get("seq") == 3 and "ok" in content for content in delivered))
    assert delivered[0]["event"] == "changed"


# Events


def test_widgets_receive_their_kinds_of_events(case, service, widget, sent):
    sent.clear()
    for kind in EVENTS:
        service.publish(kind)
    assert {content["event"] for content, _ in sent if "event" in content} - {"summary"} == case.events


def test_events_of_any_thread_are_sent_until_the_widget_is_closed(case, service, widget, sent):
    def events():
        return [content for content, _ in sent if "event" in content]

    sent.clear()
    kind = max(case.events - {"failed"})
    thread = threading.Thread(target=service.publish, args=(kind,))
    thread.start()
    thread.join()
    service.publish("failed", message="The disk is full")
    assert events() == [
        {"event": kind, "progress": None, "message": ""},
        {"event": "failed", "progress": None, "message": "The disk is full"},
    ]
    widget.close()
    service.publish(kind)
    assert len(events()) == 2
    assert len(service.events) == 0
    widget.close()  # ipywidgets closes a widget again when it is deleted


# Lifetime


def test_a_widget_that_is_garbage_is_closed_although_its_thread_holds_the_lock_that_closing_needs(case, service):
    """Garbage is collected at any allocation, so also within the locked part of `subscribe`."""
    lock, closed = threading.Lock(), threading.Event()
    widget = case.widget(service)
    unsubscribe = widget._unsubscribe

    def unsubscribe_with_lock():
        with lock:
            unsubscribe()
            closed.set()

    widget._unsubscribe = unsubscribe_with_lock

    def drop():
        with lock:
            widgets.clear()
            gc.collect()

    widgets = [widget]
    del widget, unsubscribe_with_lock
    thread = threading.Thread(target=drop, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert closed.wait(10)


def test_close_ends_the_threads_and_ignores_requests(case, service, sent):
    others = set(our_threads())
    widget = case.widget(service)
    send_request(widget, sent, **case.slow_request)
    assert set(our_threads()) - others
    widget.close()
    wait_until(lambda: not set(our_threads()) - others)
    sent.clear()
    widget._handle_custom_msg({"seq": 1, "client": "c", "kind": "hello"}, [])
    assert sent == []


def test_widget_without_views_is_garbage_collected(case, service, sent):
    others = set(our_threads())
    widget = case.widget(service)
    send_request(widget, sent, **case.slow_request)
    reference = weakref.ref(widget)
    del widget
    wait_until(lambda: is_collected(reference))
    assert len(service.events) == 0
    wait_until(lambda: not set(our_threads()) - others)


@pytest.mark.slow
def test_widget_is_kept_alive_until_all_clients_say_goodbye(case, service, sent):
    widget = case.widget(service)
    reference = weakref.ref(widget)
    for client in ("one", "two"):
        widget._handle_custom_msg({"seq": 1, "client": client, "kind": "hello"}, [])
    handle = widget._handle_custom_msg
    del widget
    gc.collect()
    handle({"kind": "goodbye", "client": "one"}, [])
    del handle
    gc.collect()
    assert reference() is not None
    reference()._handle_custom_msg({"kind": "goodbye", "client": "two"}, [])
    wait_until(lambda: is_collected(reference))


@pytest.mark.slow
def test_displayed_widget_is_kept_alive_until_it_is_closed(case, service):
    widget = case.widget(service)
    widget._repr_mimebundle_()
    reference = weakref.ref(widget)
    del widget
    gc.collect()
    assert reference() is not None
    reference().close()
    wait_until(lambda: is_collected(reference))


def test_widget_without_views_stays_in_the_registry_where_later_pages_find_it(case, service):
    registry = ipywidgets_registry._instances
    widget = case.widget(service)
    model_id = widget.model_id
    for client in ("one", "two"):  # a page that was closed for a minute, and opened again
        widget._handle_custom_msg({"seq": 1, "client": client, "kind": "hello"}, [])
        assert registry[model_id].get_state()["_comm_id"] == model_id
        widget._handle_custom_msg({"kind": "goodbye", "client": client}, [])
        assert registry[model_id].get_state()["_comm_id"] == model_id
    del widget
    wait_until(lambda: gc.collect() >= 0 and model_id not in registry)


# Files and the static image


def test_files_are_written_atomically(case, service, widget, tmp_path, file_size_limit):
    case.prepare(service)
    for suffix in widget.FILES:
        path = tmp_path / f"a{suffix}"
        assert widget.save(path) == path
        size = path.stat().st_size
        path.write_bytes(b"former contents")
        with file_size_limit(min(size - 1, 8)), pytest.raises(ServiceError, match=r"a\.\w+ cannot be written: File too large"):
            widget.save(path)
        assert path.read_bytes() == b"former contents"
    assert len(list(tmp_path.iterdir())) == len(widget.FILES)


def test_invalid_paths_raise_an_error_before_the_file_is_drawn(case, service, widget, tmp_path):
    case.prepare(service)
    last = list(widget.FILES)[-1]
    case.api_of(service).calls.clear()
    with pytest.raises(ServiceError, match=rf"use a name ending in {' or '.join(widget.FILES)}"):
        widget.save(tmp_path / "a.gif")
    with pytest.raises(ServiceError, match=r"missing.*create it first"):
        widget.save(tmp_path / "missing" / f"a{last}")
    assert not {"figure", "file", "start_maps"} & {kind for kind, _ in case.api_of(service).calls}
    assert list(tmp_path.iterdir()) == []
    (tmp_path / f"a{last}").mkdir()
    with pytest.raises(ServiceError, match=r"cannot be written.*another place"):
        widget.save(tmp_path / f"a{last}")


@pytest.mark.parametrize("error", [ServiceError("not now"), ZeroDivisionError("a bug")])
def test_errors_of_the_static_image_are_logged(case, service, widget, caplog, error):
    if case.widget._static_image is Explorer._static_image:
        pytest.skip("the widget has no static image")
    case.prepare(service)
    case.api_of(service).error = error
    data, _ = widget._repr_mimebundle_()
    assert "image/png" not in data
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert str(error) in caplog.text


@pytest.mark.slow
def test_text_of_the_mimebundle_is_the_repr(case, widget):
    assert widget._repr_mimebundle_()[0]["text/plain"] == repr(widget)
