"""The TransferPanel's Python side: state, messages, events, runs, the chart, files and the static image."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from deconvwidgets.errors import HeadError, ServiceError
from deconvwidgets.instruments.transfer.records import HeadStep, TransferSettings
from deconvwidgets.instruments.transfer.service.protocol import SupportsTransfer, TransferService
from deconvwidgets.instruments.transfer.widget.chart import curve_chart, format_weight_decay, training_chart
from deconvwidgets.instruments.transfer.widget.lines import split_attempts, training_lines
from deconvwidgets.instruments.transfer.widget.panel import TransferPanel
from deconvwidgets.service.protocol import ModelService
from tests.instruments.transfer.widget.fake_api import KINDS, FakeTransferService
from tests.widgets.requests import send_request, sent

__all__ = ["sent"]  # pytest finds fixtures by name


@pytest.fixture
def service():
    return FakeTransferService()


@pytest.fixture
def api(service):
    return service.transfer


@pytest.fixture
def panel(service):
    with TransferPanel(service) as opened:
        yield opened


def test_fakes_implement_the_protocols(service, api):
    assert isinstance(service, ModelService)
    assert isinstance(service, SupportsTransfer)
    assert isinstance(api, TransferService)


# State


def test_initial_state(panel):
    assert panel.state["data"] == "photo-crops"
    assert (panel.state["folds"], panel.state["weight_decay"], panel.state["views"], panel.state["seed"]) == (5, None, "one", 0)
    assert json.loads(json.dumps(panel.state)) == panel.state


def test_state_can_be_saved_and_restored(service, api, panel):
    api.whole_run()
    panel.state = {"data": "/some/folder", "layer": "conv5", "weight_decay": np.float32(0.5), "views": "ten", "seed": np.int64(3)}
    panel.state = {"run": 1, "show": "confusion", "cell": (2, 4), "order": "accuracy", "tab": "curve", "root": " /data "}
    saved = json.loads(json.dumps(panel.state))
    with TransferPanel(service, state=saved) as other:
        assert other.state == panel.state
    assert (saved["seed"], saved["cell"], saved["root"], saved["weight_decay"]) == (3, [2, 4], "/data", 0.5)


def test_default_images_per_class_of_photo_crops(service):
    with TransferPanel(service) as panel, TransferPanel(service, state={"images_per_class": 3}) as other:
        assert (panel.state["data"], panel.state["images_per_class"]) == ("photo-crops", 4)
        assert other.state["images_per_class"] == 3
    with TransferPanel(service, state={"data": "caltech101"}) as panel:
        assert panel.state["images_per_class"] == 30


def test_runs_of_another_kernel_are_reset(service):
    with TransferPanel(service, state={"run": 4, "compare": 2, "show": "classes"}) as panel:
        assert (panel.state["run"], panel.state["compare"], panel.state["show"]) == (None, None, "classes")


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({"data": ""}, ServiceError, "'photo-crops', 'caltech101'"),
        ({"data": 5}, ServiceError, "path of a folder or zip"),
        ({"root": 5}, ServiceError, "DECONVWIDGETS_DATA"),
        ({"layer": "conv6"}, ServiceError, "Did you mean 'conv5'.*pool5, conv5, conv4"),
        ({"images_per_class": 0}, ServiceError, "1 or more, not 0"),
        ({"images_per_class": 2.5}, ServiceError, "must be an integer"),
        ({"folds": True}, ServiceError, "must be an integer"),
        ({"seed": -1}, ServiceError, "0 or more"),
        ({"weight_decay": 0}, ServiceError, "greater than 0"),
        ({"weight_decay": float("nan")}, ServiceError, "greater than 0"),
        ({"weight_decay": "auto"}, ServiceError, "a number greater than 0"),
        ({"views": "five"}, ServiceError, "one, flips or ten"),
        ({"curve": 1}, ServiceError, "True or False"),
        ({"run": 1}, HeadError, "none was started yet"),
        ({"tab": "loss"}, ServiceError, "training or curve"),
        ({"show": "all"}, ServiceError, "summary, confusion"),
        ({"cell": 3}, ServiceError, r"\[truth, prediction\]"),
        ({"cell": [1, -1]}, ServiceError, "counted from 0"),
        ({"epochs": 5}, ServiceError, "'epochs'"),
        (None, ServiceError, "the others keep their values"),
    ],
)
def test_invalid_state_is_rejected_and_changes_nothing(panel, state, error, message):
    before = panel.state
    with pytest.raises(error, match=message):
        panel.state = state
    assert panel.state == before


def test_cell_is_reset_with_the_run(api, panel):
    api.whole_run()
    api.whole_run()
    panel.state = {"run": 2, "cell": [1, 2]}
    panel.state = {"run": 1}
    assert panel.state["cell"] is None
    panel.state = {"run": 2, "cell": [3, 4]}
    assert panel.state["cell"] == [3, 4]


# Methods


def test_start_with_settings_and_stop(api, panel):
    assert panel.start(data="caltech101", images_per_class=12, folds=2, weight_decay=1e-3, curve=True) == 1
    assert api.settings[1] == TransferSettings("caltech101", None, 12, 2, 1e-3, "one", 0, (1, 2, 5, 10, 12))
    assert panel.state["images_per_class"] == 12
    api.train(0, 1e-3, final=True)
    api.finish_fold(0.9)
    panel.stop()
    assert api.runs[1].phase == "stopped"
    assert panel.results().categories == KINDS
    assert repr(panel) == "TransferPanel(fakenet (random weights), run 1: caltech101, stopped, 90.0%)"


def test_a_run_is_repeated_without_units(api, panel, sent):
    api.whole_run()
    panel.state = {"run": 1}
    assert panel.solve_again({"conv5": [133, 254]}, run=1) == 2
    assert (api.runs[2].muted, api.runs[2].base) == ((("conv5", 133), ("conv5", 254)), 1)
    assert panel.state["run"] is None, "the new run is shown"
    assert send_request(panel, sent, "solve_again", units="conv5 7", run=1)[0]["run"] == 3
    withouts = [run["without"] for run in send_request(panel, sent, "status")[0]["status"]["runs"]]
    assert withouts == ["", "conv5 133, 254", "conv5 7"]


def test_start_rejects_invalid_settings(api, panel):
    with pytest.raises(ServiceError, match="'show'"):
        panel.start(show="classes")
    with pytest.raises(ServiceError, match="1 or more"):
        panel.start(folds=0)
    assert api.runs == {}


def test_state_is_restored_if_start_raises_an_error(api, panel, monkeypatch):
    def raise_error(settings):
        raise HeadError("folds: 1 to 100")

    before = dict(panel.state)
    with monkeypatch.context() as patched:
        patched.setattr(api, "start", raise_error)
        with pytest.raises(HeadError):
            panel.start(folds=1000)
    assert panel.state == before
    panel.start()
    assert panel.state["folds"] == before["folds"]


def test_results_and_wait_without_a_run_raise_errors(api, panel):
    with pytest.raises(ServiceError, match=r"panel\.start"):
        panel.results()
    with pytest.raises(ServiceError, match=r"panel\.start"):
        panel.wait()
    run = panel.start()
    with pytest.raises(HeadError, match="no complete fold"):
        panel.results()
    api.change(phase="done", per_fold=(0.5,))
    assert panel.wait(timeout=3).summary.run == run
    assert api.calls[-1] == ("wait", (run, 3))


@pytest.mark.parametrize(("suffix", "kind"), [("csv", "photographs.csv"), ("png", "results.png"), ("HTML", "results.html")])
def test_save_by_suffix(api, panel, tmp_path, suffix, kind):
    api.whole_run()
    api.whole_run()
    assert panel.save(tmp_path / f"a.{suffix}") == tmp_path / f"a.{suffix}"
    assert api.calls[-1] == ("file", (2, kind)), "the newest run"
    panel.save(str(tmp_path / f"b.{suffix}"), run=1)
    assert api.calls[-1] == ("file", (1, kind))
    assert (tmp_path / f"b.{suffix}").stat().st_size > 0


# Messages

SETTINGS = {"data": "caltech101", "root": None, "layer": "conv5", "images_per_class": 15, "folds": 3, "weight_decay": None}


def test_hello_returns_overview_and_status(api, panel, sent):
    api.whole_run(folds=2)
    content, _ = send_request(panel, sent, "hello")
    assert content["overview"]["model"] == "fakenet"
    assert "layers" not in content["overview"]
    status = content["status"]
    assert [choice["data"] for choice in status["choices"]][:2] == ["photo-crops", "caltech101"]
    assert "DECONVWIDGETS_DATA" in status["choices"][2]["hint"]
    assert status["layers"][0] == ["pool5", "pool5 · 256 x 6 x 6 = 9,216"]
    (run,) = status["runs"]
    assert run["mean"] == pytest.approx(0.8525)
    assert run["std"] == pytest.approx(0.0025)
    assert send_request(panel, sent, "status")[0]["status"] == status


def test_data_start_and_stop_requests(api, panel, sent):
    content, _ = send_request(panel, sent, "data", settings=SETTINGS)
    assert content["summary"]["categories"] == list(KINDS)
    assert content["summary"]["problem"] is None
    assert content["summary"]["skipped"][0] == {"name": "bonsai/image_0007.jpg", "reason": "it is truncated"}
    assert "39 per class" in send_request(panel, sent, "data", settings={**SETTINGS, "images_per_class": 60})[0]["summary"]["problem"]
    assert send_request(panel, sent, "start", settings={**SETTINGS, "curve": True})[0]["run"] == 1
    assert api.settings[1] == TransferSettings("caltech101", "conv5", 15, 3, curve=(1, 2, 5, 10, 15))
    send_request(panel, sent, "stop")
    assert api.runs[1].phase == "stopped"


def test_results_are_sent_as_little_endian_arrays(api, panel, sent):
    api.whole_run()
    content, (accuracy, tests, confusion) = send_request(panel, sent, "run", run=1)
    results = api.results(1)
    classes = len(KINDS)
    np.testing.assert_array_equal(np.frombuffer(accuracy, "<f4"), results.class_accuracy)
    np.testing.assert_array_equal(np.frombuffer(tests, "<i4"), results.class_tests)
    np.testing.assert_array_equal(np.frombuffer(confusion, "<i4").reshape(classes, classes), results.confusion)
    assert content["categories"] == list(KINDS)
    assert content["summary"]["mean"] == pytest.approx(0.86)


def test_photograph_and_thumbnail_requests(api, panel, sent):
    api.whole_run()
    content, _ = send_request(panel, sent, "photographs", run=1, truth=2, prediction=2, right=True, limit=5)
    assert [photograph["truth"] for photograph in content["photographs"]] == [2] * 5
    assert content["total"] == api.results(1).confusion[2, 2]
    sources = [photograph["source"] for photograph in content["photographs"]]
    content, buffers = send_request(panel, sent, "thumbnails", run=1, sources=sources, size=48)
    assert [image["width"] for image in content["images"]] == [48] * 5
    assert buffers[0][:2] == b"\xff\xd8"
    assert "At most 24" in send_request(panel, sent, "thumbnails", run=1, sources=[0] * 25, size=48)[0]["error"]


def test_head_and_file_requests(api, panel, sent):
    api.whole_run()
    assert "run 1" in send_request(panel, sent, "use_head", run=1)[0]["message"]
    assert "now predicts ImageNet" in send_request(panel, sent, "undo_head")[0]["message"]
    assert "nothing to undo" in send_request(panel, sent, "undo_head")[0]["error"]
    assert "my.safetensors" in send_request(panel, sent, "save_head", run=1, path="my.safetensors")[0]["message"]
    assert "caltech101" in send_request(panel, sent, "load_head", path="caltech101")[0]["message"]
    content, (data,) = send_request(panel, sent, "file", run=1, file="classes.csv")
    assert (content["mime"], content["name"], data) == ("text/csv", "transfer-run1-classes.csv", b"classes.csv of run 1")


def test_upload_in_chunks(api, panel, sent):
    upload = send_request(panel, sent, "upload", step="begin", name="mine.zip", size=6)[0]["upload"]
    assert send_request(panel, sent, "upload", [memoryview(b"abc")], step="chunk", upload=upload, offset=0)[0]["have"] == 3
    assert send_request(panel, sent, "upload", [memoryview(b"abc")], step="chunk", upload=upload, offset=0)[0]["have"] == 3
    assert send_request(panel, sent, "upload", [memoryview(b"def")], step="chunk", upload=upload, offset=3)[0]["have"] == 6
    assert api.uploads[upload] == b"abcdef"
    assert send_request(panel, sent, "upload", step="finish", upload=upload)[0]["data"] == f"/uploads/{upload}"
    send_request(panel, sent, "upload", step="cancel", upload=upload)
    assert api.uploads == {}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"kind": "dance"}, "no request 'dance'"),
        ({"kind": "data"}, "a dict such as"),
        ({"kind": "data", "settings": {"data": "caltech101", "folds": "many"}}, "an integer"),
        ({"kind": "start", "settings": {"data": "caltech101", "layer": "conv9"}}, "no layer 'conv9'"),
        ({"kind": "data", "settings": {"data": "/nowhere"}}, "no folder /nowhere"),
        ({"kind": "run", "run": 1}, "no complete fold"),
        ({"kind": "run", "run": "1"}, "an integer"),
        ({"kind": "photographs", "run": 1, "right": "yes", "limit": 3}, "true or false"),
        ({"kind": "thumbnails", "run": 1, "sources": 4, "size": 3}, "'sources' as a list"),
        ({"kind": "save_head", "run": 1, "path": ""}, "'path' as a string"),
        ({"kind": "upload", "step": "begin", "name": "a.rar", "size": 3}, "not a zip by its name"),
        ({"kind": "upload", "step": "chunk", "upload": "u", "offset": 0}, "one buffer"),
        ({"kind": "upload", "step": "jump", "upload": "u"}, "no step 'jump'"),
    ],
)
def test_invalid_requests_return_an_error(panel, sent, request_, message):
    content, buffers = send_request(panel, sent, **request_)
    assert content["ok"] is False
    assert message in content["error"]
    assert not buffers
    assert send_request(panel, sent, "hello")[0]["ok"] is True


# The chart


def step(fold, decay, number, held_out=0.5):
    return HeadStep(fold, decay, number, 1.0 / (number + 1), 0.8, held_out)


def test_steps_are_split_into_attempts():
    steps = [step(0, 0.1, 0), step(0, 0.1, 1), step(0, 0.01, 0), step(0, 0.01, 0, None), step(1, 0.1, 0), step(1, 0.1, 1)]
    attempts = split_attempts(steps)
    assert [(attempt.fold, attempt.weight_decay, attempt.final, attempt.line.steps) for attempt in attempts] == [
        (0, 0.1, False, [1, 2]),
        (0, 0.01, False, [3]),
        (0, 0.01, True, [4]),
        (1, 0.1, False, [1, 2]),
    ]
    lines = training_lines(steps)
    assert (lines.fold, lines.final_fold) == (1, 0)
    assert [decay for decay, _ in lines.candidates] == [0.1]
    assert (lines.final.steps, lines.final.train, lines.final.held_out) == ([0], [80.0], [None])
    assert lines.earlier == ()
    assert training_lines([]).fold is None
    later = training_lines([*steps, step(1, 0.1, 0, None), step(1, 0.1, 1, None)])
    assert (later.final_fold, later.final.steps, [line.steps for line in later.earlier]) == (1, [0, 1], [[0]])


def test_training_lines_contain_the_newest_folds_only():
    lines = training_lines([step(fold, 0.1, 0, None) for fold in range(90)])
    assert (lines.fold, lines.final_fold, len(lines.earlier)) == (89, 89, 4)


def legend_names(figure):
    return {trace.name for trace in figure.data if trace.showlegend and len(trace.x)}


def test_training_chart_and_curve_chart(api):
    api.whole_run(folds=2)
    figure = training_chart(api.steps(1))
    search = {f"search: weight decay {decay}" for decay in ("10⁻²", "10⁻³", "10⁻⁴")}
    assert legend_names(figure) == {*search, "training images, fold 2", "training images, earlier folds"}
    assert {trace.name for trace in figure.data if trace.visible == "legendonly"} == search
    assert "test images, by fold" in legend_names(training_chart(api.steps(1), api.runs[1]))
    held_out = next(trace for trace in figure.data if trace.meta == "search: weight decay 10⁻² held_out")
    assert max(held_out.y) < 100
    assert max(held_out.y) > 1, "in percent"
    run = api.start(TransferSettings("caltech101", curve=(5, 15)))
    api.train(0, 1e-2)
    unfinished = training_chart(api.steps(2))
    assert legend_names(unfinished) == {"search: weight decay 10⁻²"}
    assert all(trace.visible is True for trace in unfinished.data), "the search is shown until there is a final head"
    api.finish_fold(0.84)
    api.draw_curve((5, 15))
    figure = curve_chart(api.runs[run], api.runs[1])
    assert legend_names(figure) == {"run 2: caltech101, pool5", "run 2: 1 fold", "Zeiler & Fergus 2014"}
    curve, paper = (next(trace for trace in figure.data if trace.meta == name) for name in ("run", "paper"))
    assert list(curve.x) == [5, 15]
    assert list(curve.y) == pytest.approx([67.5, 80.0])
    assert len(curve.error_y.array) == 2
    assert (list(paper.x), list(paper.y)) == ([30, 15], [86.5, 83.8])


def test_plotly_and_the_chart_of_a_run_are_sent(api, panel, sent):
    api.whole_run()
    api.whole_run()
    content, (data,) = send_request(panel, sent, "chart", run=2, tab="training")
    assert content["ok"]
    figure = json.loads(data)
    assert {trace["name"] for trace in figure["data"]} >= {"test images, by fold"}
    assert figure["layout"]["uirevision"] == "2 training"
    _, (data,) = send_request(panel, sent, "chart", run=2, tab="curve", compare=1)
    assert "training images per class" in json.loads(data)["layout"]["xaxis"]["title"]["text"]
    assert "There is no run 9" in send_request(panel, sent, "chart", run=9, tab="training")[0]["error"]
    content, (source,) = send_request(panel, sent, "plotly")
    assert content["ok"]
    assert b"plotly.js" in source[:200]


def test_training_steps_are_sent_as_lines(api, panel, sent):
    api.whole_run(folds=2)
    content, _ = send_request(panel, sent, "training", run=1)
    assert (content["fold"], content["final_fold"], content["candidates"], len(content["earlier"])) == (1, 1, [], 1)
    assert content["final"]["train"][-1] == pytest.approx(100 * api.steps(1)[-1].train_accuracy)
    content, _ = send_request(panel, sent, "training", run=1, search=True)
    assert [candidate["weight_decay"] for candidate in content["candidates"]] == [1e-2, 1e-3, 1e-4]
    assert "There is no run 9" in send_request(panel, sent, "training", run=9)[0]["error"]


@pytest.mark.parametrize(("weight_decay", "text"), [(1e-6, "10⁻⁶"), (0.01, "10⁻²"), (0.1, "0.1"), (2.5e-4, "0.00025"), (1.0, "1")])
def test_format_weight_decay(weight_decay, text):
    assert format_weight_decay(weight_decay) == text


# The static image


def test_mimebundle_contains_the_view_text_and_an_image_of_the_results(api, panel):
    data, _ = panel._repr_mimebundle_()
    assert data["text/plain"] == "TransferPanel(fakenet (random weights), photo-crops)"
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id
    assert "image/png" not in data
    api.whole_run(folds=2)
    data, _ = panel._repr_mimebundle_()
    assert data["text/plain"] == "TransferPanel(fakenet (random weights), run 1: caltech101, done, 85.2%)"
    assert base64.b64decode(data["image/png"])[:4] == b"\x89PNG"
    panel._repr_mimebundle_()
    assert [arguments for kind, arguments in api.calls if kind == "file"] == [(1, "results.png")], "the image is cached"


def test_paths_are_accepted_in_the_state(panel):
    panel.state = {"data": Path("/photos/birds"), "root": Path("/data")}
    assert (panel.state["data"], panel.state["root"]) == (str(Path("/photos/birds")), str(Path("/data")))
