"""StateTrait: a state is a read-only dict."""

from __future__ import annotations

import copy
import json
import operator
import pickle

import pytest
import traitlets

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.layers.widget.explorer import LayerExplorer
from deconvwidgets.instruments.transfer.widget.panel import TransferPanel
from deconvwidgets.widgets.state import StateMessages, StateTrait
from tests.instruments.transfer.widget.fake_api import FakeTransferService
from tests.widgets.fake_service import FakeService

PLAIN = {"unit": 3, "window": [48, 48], "pinned": {"layer": "conv5"}}


class Widget(traitlets.HasTraits):
    state = StateTrait(StateMessages("OcclusionExplorer", "{'unit': 3}"))

    @traitlets.validate("state")
    def _check(self, proposal):
        return {**PLAIN, **proposal["value"]}


@pytest.fixture(params=["opened", "set"])
def widget(request):
    if request.param == "opened":
        return Widget(state={"unit": 3})
    widget = Widget(state={"unit": 4})
    widget.state = {"unit": 3}
    return widget


IN_PLACE = {
    "an item": lambda state: operator.setitem(state, "window", [16, 16]),
    "del": lambda state: operator.delitem(state, "unit"),
    "update": lambda state: state.update(unit=4),
    "pop": lambda state: state.pop("unit"),
    "popitem": lambda state: state.popitem(),
    "setdefault": lambda state: state.setdefault("zoom", 4),
    "clear": lambda state: state.clear(),
    "|=": lambda state: operator.ior(state, {"unit": 4}),
}


@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
def test_change_in_place_raises_an_error(widget, change):
    with pytest.raises(TypeError, match=r"^An OcclusionExplorer's state .* set it as a whole or in part: explorer\.state = \{'"):
        change(widget.state)
    assert widget.state == PLAIN


def test_error_suggests_how_to_set_the_state(widget):
    with pytest.raises(TypeError, match=r"explorer\.state = \{'window': \[16, 16\]\}$"):
        widget.state["window"] = [16, 16]


def test_observers_receive_a_read_only_state():
    states = []
    widget = Widget(state={"unit": 3})
    widget.observe(lambda change: states.append(change["new"]), "state")
    widget.state = {"unit": 5}
    with pytest.raises(TypeError):
        states[0]["unit"] = 6


def test_state_can_be_read_as_a_dict(widget):
    assert isinstance(widget.state, dict)
    assert widget.state == PLAIN
    assert repr(widget.state) == repr(PLAIN)
    assert json.loads(json.dumps(widget.state)) == PLAIN
    assert list(widget.state) == list(PLAIN)


COPIES = {
    "copy()": lambda state: state.copy(),
    "dict()": dict,
    "**": lambda state: {**state},
    "|": lambda state: state | {},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda state: pickle.loads(pickle.dumps(state)),
}


@pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)
def test_copies_are_plain_dicts(widget, make_copy):
    copied = make_copy(widget.state)
    assert type(copied) is dict
    assert copied == PLAIN
    copied["unit"] = 5
    assert widget.state["unit"] == 3
    widget.state = copied
    assert widget.state["unit"] == 5


def test_a_deep_copy_is_deep(widget):
    copy.deepcopy(widget.state)["window"].append(1)
    assert widget.state["window"] == [48, 48]


def test_state_must_be_a_dict(widget):
    for value, message in (([1], "not a list;"), (5, "not an int;"), (None, "not None;")):
        with pytest.raises(ServiceError, match=message):
            widget.state = value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("open_", "message"),
    [
        (lambda: LayerExplorer(FakeService()), r"A LayerExplorer's state .*: explorer\.state = "),
        (lambda: TransferPanel(FakeTransferService()), r"A TransferPanel's state .*: panel\.state = "),
    ],
)
def test_change_in_place_of_the_state_of_widgets_raises_an_error(open_, message):
    with open_() as widget, pytest.raises(TypeError, match=message):
        widget.state["layer"] = "conv1"
