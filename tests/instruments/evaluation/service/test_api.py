"""The evaluation service: runs, photographs, name matching, comparison after a change of the model, files."""

import csv
import gc
import io
import time
import weakref

import numpy as np
import pytest
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.errors import EvaluationError, PictureError, ServiceError
from deconvwidgets.instruments.evaluation.service.protocol import EvaluationService, SupportsEvaluation
from deconvwidgets.instruments.evaluation.settings import EvaluationSettings, PhotographsRequest
from deconvwidgets.service.worker import SynchronousExecutor
from tests.conftest import NoisePhotographs, make_tiny_bundle, random_head

CLASSES = ("cat", "dog", "kite")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def heads():
    bundle = make_tiny_bundle()
    return [random_head(bundle, "conv2", 3, seed=seed, categories=CLASSES) for seed in range(3)]


@pytest.fixture
def service(heads):
    """A service whose model's classes are those of its photographs; it evaluates in the caller's thread."""
    bundle = make_tiny_bundle().with_head(heads[0])
    with_service = dw.LocalModelService(bundle, NoisePhotographs(broken=[5]), device="cpu", worker=SynchronousExecutor())
    yield with_service
    with_service.close()


@pytest.fixture
def api(service):
    return service.evaluation


def test_the_service_has_the_protocol(service):
    assert isinstance(service, SupportsEvaluation)
    assert isinstance(service.evaluation, EvaluationService)


def test_a_run_has_the_results_of_evaluate(service, api):
    events = []
    service.subscribe(events.append, {"evaluation"})
    run = api.start(EvaluationSettings())
    api.wait(run)
    results = api.results(run)
    expected = dw.evaluate(service._context.snapshot.bundle, NoisePhotographs(broken=[5]), store="memory", progress=False)
    assert results.evaluation.accuracy == expected.accuracy
    np.testing.assert_array_equal(results.evaluation.predictions, expected.predictions)
    summary = results.summary
    assert (summary.phase, summary.photographs, summary.total, summary.current) == ("done", 12, 13, True)
    assert (summary.score_name, summary.score) == ("accuracy", expected.accuracy)
    assert [skipped.name for skipped in results.evaluation.skipped] == ["noise-5"]
    assert events
    status = api.status()
    assert (status.running, status.before, status.after, status.task) == (None, None, None, "classification")
    assert status.choices[0].data == "images"


def test_photographs_of_cells_and_mistakes(api):
    api.start(EvaluationSettings())
    found = api.results(1).evaluation
    mistakes = api.photographs(1, PhotographsRequest(right=False, limit=100))
    assert [one.source for one in mistakes.photographs] == found.sources[found.mistakes(100)].tolist()
    assert mistakes.total == (~found.right).sum()
    for truth, predicted in np.argwhere(found.confusion):
        cell = api.photographs(1, PhotographsRequest(truth=int(truth), prediction=int(predicted), limit=1))
        assert cell.total == found.confusion[truth, predicted]
        (first,) = cell.photographs
        row = int(np.searchsorted(found.sources, first.source))
        assert (first.truth, first.prediction) == (truth, predicted)
        assert first.predicted_class == CLASSES[found.predictions[row]]
        assert first.confidence == pytest.approx(found.confidences[row])
    assert len(api.thumbnails(1, [0, 5], 32)) == 2
    with pytest.raises(EvaluationError, match="There is no class 3"):
        api.photographs(1, PhotographsRequest(truth=3))
    with pytest.raises(EvaluationError, match="There is no run 9"):
        api.results(9)


def test_names_are_matched_before_a_run_and_with_a_table(api, service, tmp_path):
    for name in ("Cats", "hound"):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (20, 20), (40 * number, 9, 0)).save(tmp_path / "animals" / name / f"{number}.png")
    settings = EvaluationSettings(str(tmp_path / "animals"))
    summary = api.data(settings)
    assert [(match.name, match.how, match.classes, match.photographs) for match in summary.matches] == [
        ("Cats", "case", (0,), 3), ("hound", "none", (), 3)
    ]  # fmt: skip
    assert (summary.labelled, summary.matched, summary.problem, summary.classes) == (6, 3, None, CLASSES)
    assert "hound" in summary.notes[0]
    mapped = EvaluationSettings(settings.data, mapping={"hound": ("dog",)})
    assert api.data(mapped).matched == 6
    assert api.results(api.start(mapped)).evaluation.photographs == 6
    wrong = api.data(EvaluationSettings(settings.data, mapping={"hound": ("cow",)}))
    assert "'cow', which the model does not have" in wrong.problem
    assert [match.how for match in wrong.matches] == ["case", "none"], "the table can still be completed"
    assert list(api.classes("dogs")) == ["dog"]
    assert list(api.classes("", 2)) == ["cat", "dog"]
    with pytest.raises(PictureError, match="no folder"):
        api.data(EvaluationSettings(str(tmp_path / "nothing")))


def test_a_set_of_which_no_class_matches_lists_its_classes(api, tmp_path):
    for name in ("yak", "emu"):
        (tmp_path / "animals" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20)).save(tmp_path / "animals" / name / "1.png")
    settings = EvaluationSettings(str(tmp_path / "animals"))
    summary = api.data(settings)
    assert "No class of the images is one of the 3 classes" in summary.problem
    assert [match.name for match in summary.matches] == ["emu", "yak"]
    with pytest.raises(EvaluationError, match="No class of the images"):
        api.start(settings)
    assert api.status().runs == ()


def test_images_that_python_adds(api, service):
    images = NoisePhotographs(6, seed=4)
    name = api.add_images(images)
    assert api.add_images(images) == name != "images"
    assert api.status().choices[0].data == name
    assert api.results(api.start(EvaluationSettings(name))).evaluation.total == 6
    assert api.add_images(service._context.snapshot.images) == "images"
    with pytest.raises(EvaluationError, match="no images 'images:7' in this session"):
        api.data(EvaluationSettings("images:7"))


def test_a_change_of_the_model_is_evaluated_and_compared(api, service, heads):
    first = api.start(EvaluationSettings(limit=12))
    service.set_head(heads[1])
    status = api.status()
    assert [run.current for run in status.runs] == [False, True]
    assert (status.before, status.after) == (first, 2)
    found = api.compare(2)
    before, after = (api.results(run).evaluation for run in (first, 2))
    assert found.comparison.accuracy_before == before.accuracy
    assert found.comparison.accuracy_after == after.accuracy
    assert [one.source for one in found.now_right] == found.comparison.now_right.tolist()
    for one in (*found.now_right, *found.now_wrong):
        row = int(np.searchsorted(before.sources, one.source))
        assert one.truth == CLASSES[before.truths[row]]
        assert (one.before, one.after) == (CLASSES[before.predictions[row]], CLASSES[after.predictions[row]])
    service.set_units({("conv1", 0): 0.0})
    assert (api.status().before, api.status().after) == (2, 3)
    assert "1 unit off" in api.results(3).summary.classifier
    service.set_units({("conv1", 1): 0.0})
    assert (api.status().before, api.status().after) == (2, 4), "the change is that of both units"
    service.reset_units()
    np.testing.assert_array_equal(api.results(5).evaluation.outputs, after.outputs)
    assert api.results(5).summary.from_cache
    assert api.compare(5, first).comparison.photographs == before.photographs
    api.start(EvaluationSettings(limit=12))
    assert (api.status().before, api.status().after) == (4, 6), "run 5 is of the same model"
    service.set_head(None)
    assert len(api.status().runs) == 6, "there is nothing to evaluate"
    assert "predicts no classes" in api.status().problem


def test_the_first_change_reads_no_photograph_again(api, service, heads, monkeypatch):
    opened = []
    read = NoisePhotographs.open_source
    monkeypatch.setattr(NoisePhotographs, "open_source", lambda images, source: opened.append(source) or read(images, source))
    api.start(EvaluationSettings())
    assert (len(opened), api.results(1).evaluation.notes) == (13, ("1 photograph without a label is left out.",))
    opened.clear()
    service.set_units({("conv2", 0): 0.0})
    found = api.results(2)
    assert opened == [5], "it cannot be read"
    assert found.summary.from_cache
    expected = dw.evaluate(service._context.snapshot.bundle, NoisePhotographs(broken=[5]), store="memory", progress=False)
    np.testing.assert_allclose(found.evaluation.outputs, expected.outputs, rtol=1e-5, atol=1e-6)


def test_a_note_says_that_a_change_runs_the_whole_model(api, service, heads):
    api.start(EvaluationSettings())
    service.evaluation._values._entries.clear()  # as in another session, which finds the outputs
    run = api.start(EvaluationSettings())
    assert "the first time, because the outputs are those of an earlier evaluation" in api.results(run).evaluation.notes[-1]
    service.evaluation._values.max_bytes = 10
    service.evaluation._values._entries.clear()
    run = api.start(EvaluationSettings())
    assert "all photographs again, because the values of" in api.results(run).evaluation.notes[-1]


def test_a_run_that_is_not_automatic_is_not_repeated(api, service, heads):
    api.start(EvaluationSettings(automatic=False))
    service.set_head(heads[1])
    assert len(api.status().runs) == 1
    assert not api.status().runs[0].current
    with pytest.raises(EvaluationError, match="no complete run of another model"):
        api.compare(1)


def test_files(api):
    api.start(EvaluationSettings())
    found = api.results(1).evaluation
    rows = list(csv.DictReader(io.StringIO(api.file(1, "photographs.csv").decode())))
    assert len(rows) == 12
    for row, line in enumerate(rows):
        assert line["truth"] == CLASSES[found.truths[row]]
        assert line["prediction"] == CLASSES[found.predictions[row]]
        assert float(line["confidence"]) == pytest.approx(found.confidences[row], abs=1e-6)
        assert int(line["rank"]) == found.ranks[row] + 1
        assert int(line["correct"]) == found.right[row]
    classes = list(csv.DictReader(io.StringIO(api.file(1, "classes.csv").decode())))
    assert [float(line["accuracy"]) for line in classes] == pytest.approx(found.recall.tolist(), abs=1e-6)
    assert Image.open(io.BytesIO(api.file(1, "results.png"))).width == 1200
    page = api.file(1, "results.html").decode()
    assert f"{100 * found.accuracy:.1f}%" in page
    assert api.file(1, "results.pdf")[:4] == b"%PDF"
    assert b"<svg" in api.file(1, "results.svg")
    with pytest.raises(ServiceError, match=r"There is no file 'results\.gif'; choose one of photographs\.csv"):
        api.file(1, "results.gif")


class SlowPhotographs(NoisePhotographs):
    def open_source(self, source):
        time.sleep(0.02)
        return super().open_source(source)


def test_a_run_on_a_worker_is_stopped_and_ends_with_the_service(heads):
    service = dw.LocalModelService(make_tiny_bundle().with_head(heads[0]), SlowPhotographs(400), device="cpu")
    api = service.evaluation
    run = api.start(EvaluationSettings())
    deadline = time.monotonic() + 60
    while not api.status().runs[0].photographs and time.monotonic() < deadline:
        time.sleep(0.02)
    again = api.start(EvaluationSettings(threshold=0.4))
    api.wait(run, 20)
    assert api.results(run).summary.phase == "stopped"
    assert 0 < api.results(run).evaluation.photographs < 399
    api.stop()
    api.wait(again, 20)
    api.start(EvaluationSettings())
    gone = weakref.ref(api)
    service.close()
    assert all(summary.phase in ("stopped", "done") for summary in api.status().runs)
    del service, api
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EvaluationSettings(limit=0), "limit must be an integer of at least 1"),
        (EvaluationSettings(threshold=2), "threshold must be a probability"),
        (EvaluationSettings(mapping=["cat"]), "mapping must be a table"),
        (EvaluationSettings(automatic=1), "automatic must be True or False"),
        ({"data": "images"}, "settings must be an EvaluationSettings"),
    ],
)
def test_wrong_settings_are_refused(api, settings, message):
    for request in (api.start, api.data):
        with pytest.raises(EvaluationError, match=message):
            request(settings)


def test_a_whole_photograph_has_the_name_of_the_models_class(tmp_path):
    bundle, images = make_tiny_bundle(), NoisePhotographs()
    with_service = dw.LocalModelService(bundle, images, device="cpu", worker=SynchronousExecutor())
    api = with_service.evaluation
    run = api.start(EvaluationSettings(mapping={"cat": ("bee",), "dog": ("ant",), "kite": ()}))
    found = api.photograph(run, 3)
    assert (found.name, found.label) == ("noise-3", "bee"), "of the image set it is a cat"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found.image.data))), images.pixels[3])
    assert api.photograph(run, 2).label is None, "it was left out"
    with pytest.raises(ServiceError, match="there is no 14"):
        api.photograph(run, 14)
    with_service.close()


def test_photographs_of_a_label_at_another_threshold(tmp_path):
    bundle = dw.ModelBundle.from_module(
        make_tiny_bundle().model, transform=make_tiny_bundle().transform, categories=CLASSES, task="multilabel", name="labels"
    )
    with_service = dw.LocalModelService(bundle, NoisePhotographs(), device="cpu", worker=SynchronousExecutor())
    api = with_service.evaluation
    run = api.start(EvaluationSettings())
    evaluation = api.results(run).evaluation
    probabilities, labelled = evaluation.probabilities[:, 1], evaluation.truths[:, 1]
    for threshold in (0.2, float(np.median(probabilities)), 0.9):
        found = api.photographs(run, PhotographsRequest(1, 1, None, 99, threshold))
        assert found.total == (labelled & (probabilities >= threshold)).sum()
        alarms = api.photographs(run, PhotographsRequest(None, 1, False, 99, threshold))
        assert {photograph.source for photograph in alarms.photographs} == set(
            evaluation.sources[~labelled & (probabilities >= threshold)].tolist()
        )
    with_service.close()
