"""What a state names must exist: an assignment is refused, and what is gone meanwhile, or is known later, is reset. For all widgets."""

from __future__ import annotations

from typing import Any

import pytest

from deconvwidgets.errors import DeconvWidgetsError, LayerError, ServiceError
from deconvwidgets.widgets.lasting_state import after_change, lasting
from tests.instruments.contributions.widget.fake_api import FakeContributionsApi
from tests.widgets.every_widget import CASES
from tests.widgets.fake_service import FakeService

CLASSES = ("ant", "bee", "cow", "dog", "elk")

MISSING: dict[str, dict[str, Any]] = {  # by widget, parts of a state that name something that no service of the tests has
    "layers": {
        "layer": "conv77", "unit": 9999, "target": "zebra", "selected_units": [9999], "scroll": 9999, "bookmarks": [["conv77", 1]],
        "pinned": [{"layer": "conv77", "unit": 1}],
    },
    "occlusion": {"image": "crop:9999", "layer": "conv77", "unit": 9999, "target": "zebra", "against": "zebra"},
    "transfer": {"layer": "conv77", "run": 99, "compare": 99},
    "evaluation": {"run": 99, "before": 99},
    "diagnosis": {"finding": "colour", "unit": ["conv77", 1], "image": "crop:9999", "arm": 99},
    "evolution": {"units": [["conv1", 9999]], "layers": ["conv77"], "epoch": 99, "unit": ["conv77", 1]},
    "invariance": {"images": ["crop:9999"], "image": "crop:9999", "transform": "fold", "layers": ["conv77"], "layer": "conv77"},
    "training": {},
    "ablation": {"chosen": ["vgg"], "variant": "vgg", "seed": 99},
    "comparison": {
        "layer_a": "conv77", "layer_b": "conv77", "unit_a": 9999, "unit_b": 9999,
        "pinned": [{"side": "a", "layer": "conv77", "unit": 1}],
    },
    "comparison_occlusion": {"image": "crop:9999", "target_a": "zebra", "target_b": "zebra"},
}  # fmt: skip
NO_NAMES = {  # keys whose values name nothing of the model, the images, or a run; or what is found out only when it is used
    "layers": {"rank", "rule", "contrast", "view", "tile_size", "sort", "filter", "where", "tab", "more", "display", "map_method",
               "map_colour"},
    "occlusion": {"fill", "window", "patches", "stride", "border", "map", "overlay", "tab"},
    "transfer": {"data", "root", "images_per_class", "folds", "weight_decay", "views", "seed", "curve", "tab", "show", "cell", "sort",
                 "order"},
    "evaluation": {"data", "root", "limit", "mapping", "threshold", "automatic", "show", "cell", "sort", "order", "label", "output"},
    "diagnosis": {"sort", "shift", "layers"},
    "evolution": {"choose", "count", "seed", "rank", "show", "measure"},
    "invariance": {"amount", "measure", "tab"},
    "training": {"accuracy", "layers"},
    "ablation": {"measure"},
    "comparison": {"paired_by", "sort", "status", "rule", "contrast", "view", "tile_size", "side", "rank", "pane", "tab", "more"},
    "comparison_occlusion": {"fill", "window", "patches", "stride", "border", "tab"},
}  # fmt: skip
PARTS = [pytest.param(name, {key: value}, id=f"{name}-{key}") for name, missing in MISSING.items() for key, value in missing.items()]


def make_service(name: str) -> Any:
    service = CASES[name].make_service()
    if isinstance(service, FakeService) and name == "layers":
        service.contributions = FakeContributionsApi(60, CLASSES)
    if CASES[name].prepare is not None:
        CASES[name].prepare(service)
    return service


@pytest.mark.parametrize("name", CASES)
def test_every_key_of_a_state_is_in_this_test(name):
    with CASES[name].widget(make_service(name)) as widget:
        assert set(widget.state) == set(MISSING[name]) | NO_NAMES[name]


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_what_does_not_exist_is_refused(name, part):
    with CASES[name].widget(make_service(name)) as widget:
        before = dict(widget.state)
        with pytest.raises(DeconvWidgetsError):
            widget.state = part
        assert widget.state == before


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_what_turns_out_not_to_exist_is_reset(name, part, monkeypatch):
    service, kind = make_service(name), CASES[name].widget
    with kind(service) as widget:
        defaults = dict(widget.state)
        with monkeypatch.context() as patch:  # nothing is known yet
            patch.setattr(kind, "_check_state", lambda self, state, current: {**current, **state})
            widget.state = part
            assert widget.state == {**defaults, **part}
        service.publish(min(kind.SUMMARY_EVENTS))
        assert widget.state == defaults
        widget.state = {}


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_a_page_that_sends_what_is_gone_can_change_the_rest(name, part, monkeypatch):
    kind = CASES[name].widget
    with kind(make_service(name)) as widget:
        with monkeypatch.context() as patch:
            patch.setattr(kind, "_check_state", lambda self, state, current: {**current, **state})
            widget.state = part
        key = next(iter(part))
        widget.state = {**widget.state, **{name: value for name, value in CASES[name].valid_state.items() if name != key}}
        assert widget.state[key] != part[key]


def check(state, current):
    """A check of a state with a list of letters, "a" or "b", one of which may be chosen."""
    whole = {"letters": [], "chosen": None, "size": 1, **current, **state}
    for letter in [*whole["letters"], *filter(None, [whole["chosen"]])]:
        if letter not in ("a", "b"):
            raise LayerError(f"There is no letter {letter}.")
    return whole


def test_a_list_loses_only_the_entries_that_are_gone():
    current = {"letters": ["a", "c", "b"], "chosen": "c", "size": 7}
    assert lasting(current, check) == {"letters": ["a", "b"], "chosen": None, "size": 7}
    assert after_change({"size": 8}, current, check) == {"letters": ["a", "b"], "chosen": None, "size": 8}
    with pytest.raises(LayerError, match="no letter d"):
        after_change({"chosen": "d"}, current, check)


def test_an_error_of_the_service_is_raised_as_it_is():
    def closed(_state, _current):
        raise ServiceError("The service is closed.")

    with pytest.raises(ServiceError, match="closed"):
        after_change({"size": 8}, {"size": 7}, closed)
