"""The EvaluationPanel's Python side: state, messages, events, runs, files and the static image."""

from __future__ import annotations

import base64
import json
from collections import Counter

import numpy as np
import pytest

from deconvwidgets.errors import EvaluationError, ServiceError
from deconvwidgets.instruments.evaluation.service.protocol import EvaluationService, SupportsEvaluation
from deconvwidgets.instruments.evaluation.settings import EvaluationSettings, PhotographsRequest
from deconvwidgets.instruments.evaluation.widget.content import THRESHOLDS, counts_by_threshold
from deconvwidgets.instruments.evaluation.widget.panel import EvaluationPanel
from deconvwidgets.service.protocol import ModelService
from tests.instruments.evaluation.widget.fake_api import CLASSES, EACH, FakeEvaluationService
from tests.widgets.requests import send_request, sent

__all__ = ["sent"]  # pytest finds fixtures by name

MATCHED = 8 * EACH


@pytest.fixture
def service():
    return FakeEvaluationService()


@pytest.fixture
def api(service):
    return service.evaluation


@pytest.fixture
def panel(service):
    with EvaluationPanel(service) as opened:
        yield opened


def test_fakes_implement_the_protocols(service, api):
    assert isinstance(service, ModelService)
    assert isinstance(service, SupportsEvaluation)
    assert isinstance(api, EvaluationService)


def test_initial_state(panel):
    assert panel.state["data"] == "images"
    assert (panel.state["limit"], panel.state["mapping"], panel.state["threshold"], panel.state["automatic"]) == (None, {}, 0.5, True)
    assert json.loads(json.dumps(panel.state)) == panel.state


def test_given_images_are_selected(service, api):
    with EvaluationPanel(service, "photos of mine", state={"limit": 5}) as panel:
        assert (panel.state["data"], panel.state["limit"]) == ("given-1", 5)
    assert api.calls[0] == ("add", "photos of mine")


def test_state_can_be_saved_and_restored(service, api, panel):
    api.whole_run()
    panel.state = {"data": "/some/folder", "limit": np.int64(30), "mapping": {"cat": "tabby", "misc": None}, "threshold": np.float32(0.25)}
    panel.state = {"run": 1, "show": "confusion", "cell": (2, 4), "order": "accuracy", "root": " /data ", "label": 3, "output": 1}
    saved = json.loads(json.dumps(panel.state))
    with EvaluationPanel(service, state=saved) as other:
        assert other.state == panel.state
    assert (saved["limit"], saved["cell"], saved["root"], saved["threshold"]) == (30, [2, 4], "/data", 0.25)
    assert saved["mapping"] == {"cat": ["tabby"], "misc": []}
    with EvaluationPanel(FakeEvaluationService(), state=saved) as fresh:
        assert fresh.state["run"] is None, "runs of another kernel are dropped"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"data": ""}, "'images', 'caltech101'"),
        ({"root": 5}, "DECONVWIDGETS_DATA"),
        ({"limit": 0}, "limit must be an integer"),
        ({"mapping": ["cat"]}, "'cat': \\['tabby'"),
        ({"mapping": {"cat": 3}}, "leave a class out"),
        ({"mapping": {"": ["tabby"]}}, "leave a class out"),
        ({"threshold": 1}, "less than 1"),
        ({"threshold": float("nan")}, "greater than 0"),
        ({"automatic": 1}, "True or False"),
        ({"run": 1}, "none was started yet"),
        ({"before": 2}, "There is no run 2"),
        ({"show": "all"}, "summary, confusion"),
        ({"cell": 3}, r"\[truth, prediction\]"),
        ({"label": -1}, "label must be"),
        ({"output": None}, "output must be"),
        ({"bins": 5}, "'bins'"),
        (None, "the others keep their values"),
    ],
)
def test_invalid_state_is_rejected_and_changes_nothing(panel, state, message):
    before = panel.state
    with pytest.raises(ServiceError, match=message):
        panel.state = state
    assert panel.state == before


def test_start_with_settings_and_stop(api, panel):
    assert panel.start(data="caltech101", limit=12, mapping={"seagull": "ibis"}, automatic=False) == 1
    assert api.settings[1] == EvaluationSettings("caltech101", None, 12, {"seagull": ("ibis",)}, 0.5, False)
    assert panel.state["limit"] == 12
    assert panel.summary["phase"] == "waiting"
    api.advance(40)
    assert panel.summary["photographs"] == 40
    assert "accuracy" not in panel.summary, "the scores change with each batch"
    panel.stop()
    assert api.runs[1].phase == "stopped"
    assert panel.summary["accuracy"] == panel.results().accuracy
    assert panel.summary["expected_calibration_error"] == panel.results().reliability.error
    assert repr(panel) == f"EvaluationPanel(fakenet (random weights), run 1: caltech101, stopped, {100 * api.runs[1].score:.1f}%)"


def test_start_rejects_unknown_settings(api, panel):
    with pytest.raises(ServiceError, match="'show'"):
        panel.start(show="classes")
    assert api.runs == {}


def test_results_wait_and_compare(api, panel):
    with pytest.raises(ServiceError, match=r"panel\.start"):
        panel.results()
    api.whole_run()
    assert panel.wait(timeout=3).photographs == MATCHED
    assert api.calls[-1] == ("wait", (1, 3))
    api.whole_run()
    assert panel.compare().before.run == 1
    panel.state = {"before": 1}
    panel.compare(limit=2)
    assert api.calls[-1] == ("compare", (2, 1, 2))


@pytest.mark.parametrize(("suffix", "kind"), [("csv", "photographs.csv"), ("png", "results.png"), ("HTML", "results.html")])
def test_save_by_suffix(api, panel, tmp_path, suffix, kind):
    api.whole_run()
    assert panel.save(tmp_path / f"a.{suffix}") == tmp_path / f"a.{suffix}"
    assert api.calls[-1] == ("file", (1, kind))


# Messages

SETTINGS = {"data": "caltech101", "root": None, "limit": 20, "mapping": {"seagull": []}, "threshold": 0.5, "automatic": True}


def test_hello_returns_overview_and_status(api, panel, sent):
    api.whole_run()
    content, _ = send_request(panel, sent, "hello")
    assert content["overview"]["model"] == "fakenet"
    status = content["status"]
    assert [choice["data"] for choice in status["choices"]][:2] == ["images", "caltech101"]
    assert status["runs"][0]["score"] == pytest.approx(api.runs[1].score)
    assert send_request(panel, sent, "status")[0]["status"] == status


def test_data_start_and_stop_requests(api, panel, sent):
    summary = send_request(panel, sent, "data", settings=SETTINGS)[0]["summary"]
    assert summary["matches"][0] == {
        "name": "Accordion",
        "photographs": EACH,
        "classes": [0],
        "how": "case",
        "candidates": [],
        "problem": "",
    }
    assert (summary["matches"][-1]["how"], summary["matches"][-1]["classes"]) == ("table", [])
    assert send_request(panel, sent, "start", settings=SETTINGS)[0]["run"] == 1
    assert api.settings[1].mapping == {"seagull": ()}
    send_request(panel, sent, "stop")
    assert api.runs[1].phase == "stopped"
    assert send_request(panel, sent, "classes", query="ib", limit=3)[0]["classes"] == ["ibis"]


def test_classification_is_sent_as_little_endian_arrays(api, panel, sent):
    api.whole_run()
    content, (accuracy, tests, confusion) = send_request(panel, sent, "run", run=1)
    evaluation = api.results(1).evaluation
    np.testing.assert_array_equal(np.frombuffer(accuracy, "<f4"), evaluation.recall.astype("f4"))
    np.testing.assert_array_equal(np.frombuffer(tests, "<i4"), [EACH] * 8)
    np.testing.assert_array_equal(np.frombuffer(confusion, "<i4").reshape(8, 9), evaluation.confusion)
    assert content["task"] == "classification"
    assert content["accuracy"] == pytest.approx(np.trace(evaluation.confusion) / MATCHED)
    others = evaluation.predicted == 8
    expected = Counter(evaluation.classes[number] for number in evaluation.predictions[others])
    assert Counter(name for row in content["others"] for name, count in row for _ in range(count)) == expected
    assert [sum(count for _, count in row) for row in content["others"]] == evaluation.confusion[:, 8].tolist()
    reliability = content["reliability"]
    assert sum(reliability["counts"]) == MATCHED
    assert None in reliability["accuracies"], "empty bins have no accuracy"
    assert reliability["expected_error"] == pytest.approx(evaluation.reliability.error)


def test_counts_by_threshold_are_those_of_each_threshold():
    generator = np.random.default_rng(0)
    probabilities = generator.random((200, 3), np.float32)
    probabilities[0] = 0.5  # reaches a threshold of 0.5
    truths = generator.random((200, 3)) < 0.3
    predicted, right = counts_by_threshold(probabilities, truths)
    for row, threshold in enumerate(THRESHOLDS):
        reached = probabilities.astype(float) >= threshold
        np.testing.assert_array_equal(predicted[row], reached.sum(0))
        np.testing.assert_array_equal(right[row], (reached & truths).sum(0))


def test_multilabel_and_regression_are_sent(sent):
    service = FakeEvaluationService(task="multilabel")
    with EvaluationPanel(service) as panel:
        service.evaluation.whole_run()
        content, (average, _, predicted, right) = send_request(panel, sent, "run", run=1)
        evaluation = service.evaluation.results(1).evaluation
        np.testing.assert_array_equal(np.frombuffer(average, "<f4"), evaluation.average_precision.astype("f4"))
        row = np.frombuffer(predicted, "<i4").reshape(99, 8)[49], np.frombuffer(right, "<i4").reshape(99, 8)[49]
        np.testing.assert_allclose(row[1] / row[0], evaluation.precision)
        np.testing.assert_allclose(row[1] / evaluation.class_tests, evaluation.recall)
        assert content["model_classes"][0] == "accordion", "the model's name, not the folder's"
    service = FakeEvaluationService(task="regression")
    with EvaluationPanel(service) as panel:
        service.evaluation.whole_run()
        content, (_, truths, predictions) = send_request(panel, sent, "run", run=1)
        errors = np.frombuffer(predictions, "<f4").reshape(-1, 2) - np.frombuffer(truths, "<f4").reshape(-1, 2)
        np.testing.assert_allclose(content["mean_absolute_error"], np.abs(errors).mean(0), rtol=1e-5)
        assert repr(panel).endswith("mean absolute error " + f"{content['mean_absolute_error'][0]:.4g})")


def test_photograph_requests(api, panel, sent):
    api.whole_run()
    content, _ = send_request(panel, sent, "photographs", run=1, truth=2, right=False, limit=3)
    assert api.calls[-1] == ("photographs", (1, PhotographsRequest(2, None, False, 3)))
    assert [photograph["truth"] for photograph in content["photographs"]] == [2] * 3
    assert content["photographs"][0]["predicted_class"] in CLASSES
    sources = [photograph["source"] for photograph in content["photographs"]]
    content, buffers = send_request(panel, sent, "thumbnails", run=1, sources=sources, size=48)
    assert [image["width"] for image in content["images"]] == [48] * 3
    assert buffers[0][:2] == b"\xff\xd8"


def test_comparison_is_sent(api, panel, sent):
    api.whole_run()
    api.whole_run()
    content = send_request(panel, sent, "compare", after=2, before=1, limit=3)[0]["comparison"]
    found = api.compare(2, 1).comparison
    assert content["accuracy_after"] - content["accuracy_before"] == pytest.approx(found.change)
    assert content["interval"] == pytest.approx(list(found.interval))
    assert (content["now_right_total"], len(content["now_right"])) == (len(found.now_right), 3)
    assert content["now_right"][0]["after"] in CLASSES
    assert (content["before"]["run"], content["after"]["run"]) == (1, 2)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"kind": "data"}, "a dict such as"),
        ({"kind": "data", "settings": {"data": "/nowhere"}}, "no folder /nowhere"),
        ({"kind": "start", "settings": {"limit": "many"}}, "limit must be an integer"),
        ({"kind": "classes", "query": 3, "limit": 3}, "'query' as a string"),
        ({"kind": "run", "run": 1}, "There is no run 1"),
        ({"kind": "photographs", "run": 1, "right": "yes", "limit": 3}, "true or false"),
        ({"kind": "thumbnails", "run": 1, "sources": [0] * 25, "size": 3}, "At most 24"),
        ({"kind": "compare", "after": "x", "limit": 3}, "'after' as an integer"),
        ({"kind": "file", "run": 1, "file": ""}, "'file' as a string"),
    ],
)
def test_invalid_requests_return_an_error(panel, sent, request_, message):
    content, buffers = send_request(panel, sent, **request_)
    assert content["ok"] is False
    assert message in content["error"]
    assert not buffers


def test_file_request(api, panel, sent):
    api.whole_run()
    content, (data,) = send_request(panel, sent, "file", run=1, file="classes.csv")
    assert (content["mime"], content["name"], data) == ("text/csv", "evaluation-run1-classes.csv", b"classes.csv of run 1")


def test_mimebundle_contains_the_view_text_and_an_image_of_the_results(api, panel):
    data, _ = panel._repr_mimebundle_()
    assert data["text/plain"] == "EvaluationPanel(fakenet (random weights), images)"
    assert "image/png" not in data
    api.whole_run()
    data, _ = panel._repr_mimebundle_()
    assert base64.b64decode(data["image/png"])[:4] == b"\x89PNG"
    panel._repr_mimebundle_()
    assert [arguments for kind, arguments in api.calls if kind == "file"] == [(1, "results.png")], "the image is cached"


def test_unknown_run_raises_the_error_of_the_service(panel):
    with pytest.raises(EvaluationError, match="no run 9"):
        panel.results(9)


def test_a_photograph_is_handed_over_with_its_class(api, panel):
    api.whole_run()
    photograph = panel._photograph({"run": 1, "source": 3})
    assert (photograph.name, photograph.label, photograph.data[:4]) == ("image_0003.jpg", "bonsai", b"\x89PNG")
    with pytest.raises(ServiceError, match="'source' as an integer"):
        panel._photograph({"run": 1, "source": "x"})
