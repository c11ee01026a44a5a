"""Random messages and states for all widgets: they are answered, and rejected with a DeconvWidgetsError only."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st

import deconvwidgets as dw
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.instruments.ablation.service.api import LocalAblationService
from deconvwidgets.instruments.comparison.service.api import LocalSideBySide
from deconvwidgets.instruments.evaluation.widget.state import requested_settings as evaluation_settings
from deconvwidgets.instruments.training.service.api import LocalTrainingService
from deconvwidgets.instruments.transfer.widget.state import requested_settings
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.worker import Job, SynchronousExecutor
from deconvwidgets.widgets.messages import Request, dispatch
from tests.conftest import NoisePhotographs, make_tiny_bundle
from tests.instruments.transfer.service.conftest import make_class_folders
from tests.widgets.every_widget import CASES, IMAGE, INVARIANCE

SEEDED = settings(max_examples=100, derandomize=True, deadline=None, database=None)

TEXT = st.text(st.characters(codec=None), max_size=8)  # with control characters and lone surrogates
NUMBERS = st.one_of(st.integers(-3, 70), st.integers(-(10**400), 10**400), st.floats(), st.booleans())
JSON = st.recursive(
    st.one_of(st.none(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
ARRAYS = st.one_of(
    st.lists(st.floats(width=32), max_size=4).map(lambda values: np.array(values, np.float32)),
    st.lists(st.integers(-9, 99), max_size=4).map(np.array),
    st.just(np.zeros((2, 2, 2))),
    st.just(np.array(3)),
    st.just(np.array("conv1")),
)
ANYTHING = st.one_of(
    JSON, ARRAYS, st.sampled_from([np.int64(2), np.float32(0.5), np.bool_(True), np.str_("conv1"), b"bytes", {1, 2}, object(), 1j, int])
)

INVALID: list[Any] = [None, True, -1, 0, 10**400, 2.5, math.nan, math.inf, "", "x", "\x00", "\ud800", [], {}, [1], [[]], {"a": 1}]

SETTINGS = {"data": "colours", "root": None, "layer": "conv2", "images_per_class": 2, "folds": 1, "weight_decay": 1e-3, "views": "one"}
EVALUATION = {"data": "images", "root": None, "limit": 9, "mapping": {"cat": ["ant"], "dog": ["bee"], "kite": []}, "threshold": 0.4}
MAPS = {"window": [8, 8], "stride": [8, 8], "border": "inside"}
BOTH = {
    "image": "crop:2", "target_a": None, "target_b": None, "fill": "gray", "window": [4, 4], "stride": [8, 8], "patches": [[3, 4]],
    "border": "inside",
}  # fmt: skip
UPLOAD = {"kind": "upload", "upload": "none", "offset": 0, "name": "a.png", "size": 100}
# Valid requests of each kind. Some return an error because there is no such run or upload.
REQUESTS: dict[str, list[dict[str, Any]]] = {
    "layers": [
        {"kind": "hello"},
        {"kind": "all_layers"},
        {"kind": "unit_table", "layer": "conv1", "refresh": True},
        {"kind": "mosaics", "layer": "conv1", "unit": 1, "tile": 20, "rule": "deconvnet", "contrast": "tile", "parts": ["patches"]},
        {"kind": "unit_detail", "layer": "conv2", "unit": 3},
        {"kind": "source_image", "layer": "conv1", "unit": 1, "rank": 2, "size": 48},
        {"kind": "enlarged", "layer": "conv2", "unit": 1, "rank": 1, "size": 48, "rule": "gradient", "contrast": "shared"},
        {"kind": "figure", "figure": "unit.svg", "state": {"layer": "conv1", "unit": 1, "rule": "gradient"}},
        {"kind": "unit_columns", "layer": "conv1"},
        {"kind": "matching_units", "layer": "conv1", "where": "max > 0"},
        {"kind": "places", "layer": "conv1", "unit": 1, "tab": "strongest"},
        {"kind": "place_pictures", "layer": "conv1", "unit": 1, "tab": "strongest", "numbers": [0, 1], "tile": 20, "rule": "deconvnet"},
        {"kind": "place_source", "layer": "conv1", "unit": 1, "tab": "strongest", "number": 1, "size": 48},
        {"kind": "chart", "layer": "conv1", "method": "pca", "colour": "selectivity", "selected": [1]},
        {"kind": "plotly"},
        {"kind": "cancel_index"},
        {"kind": "resume_index"},
    ],
    "occlusion": [
        {"kind": "hello"},
        {"kind": "scene", "request": {**IMAGE, "layer": "conv1", "unit": 1, "target": "bee", "against": "auto"}},
        {"kind": "patch", "request": IMAGE, "boxes": [[0, 0, 5, 6]]},
        {"kind": "start_maps", "request": IMAGE, "settings": MAPS, "view": "v"},
        {"kind": "maps", "run": 1},
        {"kind": "stop_maps", "run": 1},
        {"kind": "chart", "run": 1, "map": "probability"},
        {"kind": "plotly"},
        {"kind": "projections", "request": IMAGE, "size": 32},
        {"kind": "images", "start": 0, "count": 2, "query": "noise", "size": 24},
        {"kind": "file", "figure": "figure.svg", "request": IMAGE, "run": None, "state": {"patches": [[4, 4]], "window": [4, 4]}},
        {"kind": "use_bundled_head"},
        *({**UPLOAD, "step": step} for step in ("begin", "chunk", "finish", "cancel")),
    ],
    "transfer": [
        {"kind": "hello"},
        {"kind": "status"},
        {"kind": "data", "settings": SETTINGS},
        {"kind": "start", "settings": SETTINGS},
        {"kind": "stop"},
        {"kind": "run", "run": 1},
        {"kind": "chart", "run": 1, "tab": "curve", "compare": 1},
        {"kind": "training", "run": 1, "search": True},
        {"kind": "plotly"},
        {"kind": "photographs", "run": 1, "truth": 1, "prediction": 1, "right": True, "limit": 3},
        {"kind": "thumbnails", "run": 1, "sources": [0, 1], "size": 24},
        {"kind": "solve_again", "units": "conv2 1, 2", "run": 1},
        {"kind": "use_head", "run": 1},
        {"kind": "undo_head"},
        {"kind": "save_head", "run": 1, "path": "head.safetensors"},
        {"kind": "load_head", "path": "head.safetensors"},
        {"kind": "file", "run": 1, "file": "classes.csv"},
        *({**UPLOAD, "name": "a.zip", "step": step} for step in ("begin", "chunk", "finish", "cancel")),
    ],
    "comparison_occlusion": [
        {"kind": "hello"},
        {"kind": "figure", "figure": "maps.csv", "state": BOTH},
    ],
    "comparison": [
        {"kind": "hello"},
        {"kind": "pairs", "layer_a": "conv1", "layer_b": "conv2", "paired_by": "match"},
        {"kind": "similarity"},
        {"kind": "figure", "figure": "pairs.csv", "state": {"layer_a": "conv1", "layer_b": "conv1", "status": ["kept"], "unit_a": 1}},
        {"kind": "on_crop", "side": "b", "layer": "conv2", "unit": 1, "crop": 2, "size": 32},
    ],
    "training": [
        {"kind": "hello"},
        {"kind": "status"},
        {"kind": "log"},
        {"kind": "start"},
        {"kind": "cancel"},
        {"kind": "file", "file": "training.csv"},
    ],
    "ablation": [
        {"kind": "hello"},
        {"kind": "status"},
        {"kind": "start", "variants": ["zfnet"]},
        {"kind": "cancel"},
        {"kind": "file", "file": "ablation.csv"},
    ],
    "evaluation": [
        {"kind": "hello"},
        {"kind": "status"},
        {"kind": "data", "settings": EVALUATION},
        {"kind": "classes", "query": "an", "limit": 3},
        {"kind": "start", "settings": {**EVALUATION, "automatic": False}},
        {"kind": "stop"},
        {"kind": "run", "run": 1},
        {"kind": "photographs", "run": 1, "truth": 1, "prediction": 1, "right": True, "limit": 3, "threshold": 0.3},
        {"kind": "thumbnails", "run": 1, "sources": [1, 2], "size": 24},
        {"kind": "compare", "after": 2, "before": 1, "limit": 3},
        {"kind": "file", "run": 1, "file": "classes.csv"},
    ],
}
EVOLUTION = {"choose": "chosen", "units": [["conv1", 2], ["conv2", 3]], "count": 2, "seed": 3, "layers": ["conv2"]}
AT_EPOCH = {"layer": "conv2, epoch 1", "unit": 3}
REQUESTS["evolution"] = [
    {"kind": "hello"},
    {"kind": "rows", "choice": EVOLUTION},
    {"kind": "cells", "cells": [[1, "conv1", 2], [0, "conv2", 3]], "parts": ["projections", "patches"], "tile": 24},
    {"kind": "convergence", "measure": "cka"},
    {"kind": "history", "layer": "conv2", "unit": 3},
    {"kind": "figure", "figure": "evolution.svg", "state": {**EVOLUTION, "show": "patches", "measure": "cka"}},
    {"kind": "cancel_index"},
    {"kind": "resume_index"},
    {"kind": "mosaics", **AT_EPOCH, "tile": 20, "rule": "deconvnet", "contrast": "tile", "parts": ["patches"]},
    {"kind": "unit_detail", **AT_EPOCH},
    {"kind": "source_image", **AT_EPOCH, "rank": 2, "size": 48},
    {"kind": "enlarged", **AT_EPOCH, "rank": 1, "size": 48, "rule": "gradient", "contrast": "shared"},
]
REQUESTS["invariance"] = [
    {"kind": "hello"},
    {"kind": "view", "request": INVARIANCE},
    {"kind": "unit_pictures", "request": INVARIANCE, "units": [0, 3], "size": 32},
    {"kind": "curves", "image": "crop:2", "transform": "rotate", "layers": ["conv1"]},
    {"kind": "file", "figure": "curves.csv", "state": {**INVARIANCE, "measure": "relative"}},
    *(request for request in REQUESTS["occlusion"] if request["kind"] in ("images", "upload")),
]
BLUR = {"label": "blur pool", "function": "swap_pooling", "arguments": {"to": "blur"}}
REQUESTS["diagnosis"] = [
    {"kind": "hello"},
    {"kind": "status"},
    {"kind": "stop"},
    {"kind": "start"},
    {"kind": "diagnosis"},
    {"kind": "filters", "tile": 16},
    {"kind": "spectrum", "unit": 1},
    {"kind": "photograph", "image": "crop:4"},
    {"kind": "neighbour", "image": "crop:4", "step": -1},
    UPLOAD,
    {"kind": "shifted", "image": "crop:4", "right": 2, "down": -1, "arm": 0, "layers": "few"},
    {"kind": "add_arm", "surgery": BLUR, "parent": 0},
    {"kind": "remove_arm", "arm": 1},
    {"kind": "file", "file": "curves.csv"},
    {"kind": "mosaics", "layer": "conv1", "unit": 1, "tile": 20, "rule": "deconvnet", "contrast": "tile", "parts": ["patches"]},
]
UNITS = [
    {"kind": "set_units", "units": [["conv1", 1, 0.5], ["conv1", 2, 0]]},
    {"kind": "save_units", "path": "units.json"},
    {"kind": "load_units", "path": "units.json"},
    {"kind": "reset_units"},
]
for name, requests in REQUESTS.items():
    requests += UNITS if CASES[name].widget.HAS_MODEL else []
ANSWER = {"image": "crop:2", "layer": "conv2", "target": 1, "against": 0, "method": "auto", "baseline": None, "top": 2, "unchanged": False}
CONTRIBUTIONS: list[dict[str, Any]] = [
    {"kind": "contributions", "request": ANSWER},
    {"kind": "deletion", "request": ANSWER},
    {"kind": "class_contributions", "layer": "conv2", "target": "bee"},
    {"kind": "unit_classes", "layer": "conv2", "unit": 1},
    {"kind": "classes"},
    {"kind": "tree", "layer": "conv2", "units": [1], "depth": 1, "breadth": 2},
    {"kind": "tree_file", "file": "tree.svg", "layer": "conv2", "unit": 1, "depth": 1, "breadth": 1},
    {"kind": "contributions_file", "file": "contributions.csv", "request": ANSWER},
]
REQUESTS["layers"] += CONTRIBUTIONS
REQUESTS["occlusion"] += [
    *CONTRIBUTIONS,
    {"kind": "unit_maps", "request": {**IMAGE, "layer": "conv1"}, "units": [0, 2]},
    *(request for request in REQUESTS["layers"] if request["kind"] in ("mosaics", "unit_table")),
]
REQUESTS["comparison_occlusion"] += [{**request, "side": "b"} for request in (*REQUESTS["occlusion"], *UNITS) if request["kind"] != "hello"]
REQUESTS["comparison"] += [
    {**request, "side": "b"} for request in (*REQUESTS["layers"], *UNITS) if request["kind"] not in ("hello", "figure")
]
OF_A_MODEL = {request["kind"] for request in (*REQUESTS["layers"], *REQUESTS["occlusion"], *UNITS)}
REFUSED = (
    "upload",
    "use_bundled_head",
    "undo_head",
    "maps",
    "stop_maps",
    "start",
    "cancel",
    "file",
)  # without an upload, a run, a training
STATES: dict[str, dict[str, Any]] = {
    "comparison_occlusion": {**BOTH, "target_a": "bee", "target_b": "cow", "border": "same", "tab": "images"},
    "comparison": {
        "layer_a": "conv2", "layer_b": "conv2", "unit_a": 2, "unit_b": 2, "paired_by": "number", "sort": "strongest", "status": ["kept"],
        "rule": "guided", "side": "b", "rank": 1, "pane": "b", "tab": "range", "more": True,
        "pinned": [{"side": "a", "model": "tiny", "layer": "conv1", "unit": 1}, {"side": "b", "model": "other", "layer": "x", "unit": 9}],
    },
    "layers": {
        "layer": "conv2", "unit": 2, "rank": 1, "rule": "guided", "filter": "cat", "tile_size": "small", "scroll": 1,
        "sort": "contribution", "target": "bee",
        "pinned": [{"model": "tiny", "layer": "conv1", "unit": 1}, {"model": "other", "layer": "x", "unit": 9}],
        "bookmarks": [["conv1", 3]],
    },
    "occlusion": {**IMAGE, "window": [4, 4], "stride": [2, 2], "patches": [[3, 4]], "border": "same", "map": "label", "overlay": 0.5,
        "against": "cow", "tab": "why"},
    "transfer": {**SETTINGS, "data": "photo-crops", "seed": 1, "curve": True, "run": 1, "compare": 1, "show": "confusion", "cell": [0, 1]},
    "training": {"accuracy": "accuracy", "layers": "updates"},
    "invariance": {**INVARIANCE, "measure": "distance", "tab": "images"},
    "ablation": {"measure": "train"},
    "evaluation": {**EVALUATION, "automatic": False, "run": 1, "before": 2, "show": "changes", "cell": [0, 1], "label": 1, "output": 0},
    "diagnosis": {"finding": "shift", "sort": "rms", "unit": ["conv1", 2], "image": "crop:3", "shift": [4, -3], "arm": 0},
    "evolution": {**EVOLUTION, "epoch": 1, "unit": ["conv2", 3], "rank": 2, "show": "both", "measure": "same_strongest"},
}  # fmt: skip


class FirstRunExecutor(SynchronousExecutor):
    """Runs all jobs immediately, except training after the first time: later runs are checked and remain waiting."""

    trained = False

    def submit(self, name, work, on_failure):
        if name == "transfer":
            if self.trained:
                return Job(name, work, on_failure)
            self.trained = True
        return super().submit(name, work, on_failure)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("any input")
        patch.chdir(folder)
        patch.setenv("DECONVWIDGETS_CACHE", str(folder / "cache"))
        service = LocalModelService(make_tiny_bundle(), NoisePhotographs(), device="cpu", worker=FirstRunExecutor())
        SETTINGS["data"] = str(make_class_folders(folder / "colours", each=4))
        service.transfer.wait(service.transfer.start(requested_settings(SETTINGS, service.transfer.status())))
        for _ in range(2):
            service.evaluation.start(evaluation_settings({**EVALUATION, "automatic": False}, service.evaluation.status()))
        yield service
        service.close()


@pytest.fixture(scope="module")
def service_of(service, tmp_path_factory):
    """Return a function that returns the service of a widget by its name."""
    bundle = make_tiny_bundle()
    folder = tmp_path_factory.mktemp("checkpoints")
    recorder = dw.CheckpointRecorder(folder, bundle.model, transform=bundle.transform, input_size=bundle.input_size)
    recorder.end_epoch(train_loss=1.0)
    checkpoints = dw.open_checkpoints(folder, build=bundle)
    evolution = dw.LocalEvolutionService(checkpoints, NoisePhotographs(), device="cpu", worker=SynchronousExecutor())
    both, training = LocalSideBySide(service, service), LocalTrainingService(folder=folder / "no training")
    ablation = LocalAblationService(folder / "no study")
    others = {"ablation": ablation, "evolution": evolution, "comparison": both, "comparison_occlusion": both, "training": training}
    yield lambda name: others.get(name, service)
    evolution.close()


def mutate(draw: st.DrawFn, value: Any, anything: st.SearchStrategy[Any]) -> Any:
    """Return the value with a random part removed or replaced."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 5)):
            return {name: part for name, part in value.items() if name != key}
        return {**value, key: mutate(draw, value[key], anything)}
    if isinstance(value, list) and value and draw(st.booleans()):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], mutate(draw, value[index], anything), *value[index + 1 :]]
    return draw(anything)


@st.composite
def messages(draw: st.DrawFn, name: str) -> tuple[Any, list[bytes]]:
    message = copy.deepcopy(draw(st.sampled_from(REQUESTS[name])))
    kind = message["kind"]
    message = mutate(draw, message, JSON)
    if isinstance(message, dict) and "kind" in message and draw(st.integers(0, 9)):
        message["kind"] = kind
    return message, draw(st.lists(st.binary(max_size=5), max_size=2))


@pytest.mark.parametrize("name", CASES)
def test_unchanged_requests_are_valid(service_of, name):
    service, handlers = service_of(name), CASES[name].widget.HANDLERS
    service_of("layers").reset_head()  # another widget's requests use one of other classes
    assert {request["kind"] for request in REQUESTS[name]} == set(handlers)
    for request in REQUESTS[name]:
        content, _ = dispatch(handlers, service, Request.of(copy.deepcopy(request), [b"abc"]))
        assert content["ok"] or request["kind"] in REFUSED, content


def variants(value: Any) -> Iterator[Any]:
    """Yield the value with each part removed, and replaced by each of `INVALID`."""
    yield from INVALID
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if isinstance(value, dict):
            yield {name: other for name, other in value.items() if name != key}
        for variant in variants(part):
            changed = copy.copy(value)
            changed[key] = variant
            yield changed


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_requests_with_an_invalid_part_are_answered(service_of, name):
    service, handlers = service_of(name), CASES[name].widget.HANDLERS
    for request in REQUESTS[name]:
        # With a side, it is answered as by the model's own widget, for which its other parts are varied.
        with_side = "side" in request and request["kind"] in OF_A_MODEL
        varied = ({**request, "side": side} for side in INVALID) if with_side else variants(request)
        for variant in varied:
            if isinstance(variant, dict) and variant.get("kind") == request["kind"]:
                check_answer(*dispatch(handlers, service, Request.of(variant, [b"abc"])), variant)


def check_answer(content: dict[str, Any], buffers: list[bytes], message: object) -> None:
    json.dumps(content, allow_nan=False).encode("utf-8")
    assert all(isinstance(data, bytes) for data in buffers)
    if not content["ok"]:
        assert "unexpected" not in content["error"], (content["error"], message)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_random_messages_are_answered(service_of, name):
    service, handlers = service_of(name), CASES[name].widget.HANDLERS

    @SEEDED
    @given(messages(name))
    def check(message):
        check_answer(*dispatch(handlers, service, Request.of(*message)), message)

    check()


@pytest.mark.parametrize("name", CASES)
def test_random_states_are_set_or_rejected(service_of, name):
    with CASES[name].widget(service_of(name)) as widget, warnings.catch_warnings():
        warnings.simplefilter("ignore")

        @st.composite
        def states(draw):
            return mutate(draw, copy.deepcopy(STATES[name]), ANYTHING)

        @SEEDED
        @given(states())
        def check(state):
            before = copy.deepcopy(dict(widget.state))
            try:
                widget.state = state
            except traitlets.TraitError as error:
                assert isinstance(error, DeconvWidgetsError)  # noqa: PT017 - any other error fails the test
                assert same(widget.state, before)
            text = json.dumps(widget.state, allow_nan=False)
            widget.state = json.loads(text)  # as the front end sends it back
            assert json.dumps(widget.state) == text

        check()


def same(first: Any, second: Any) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return first == second or (math.isnan(first) and math.isnan(second))
    return bool(first == second)
