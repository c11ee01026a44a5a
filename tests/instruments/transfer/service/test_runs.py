"""TransferApi: runs are started, stopped, superseded, fail, and publish their progress."""

import gc
import io
import shutil
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.compute.calibration import calibration
from deconvwidgets.errors import DeconvWidgetsError, HeadError, LayerError, ModelError, PictureError, ServiceError
from deconvwidgets.instruments.transfer.records import TestsRequest
from deconvwidgets.instruments.transfer.service import runs
from deconvwidgets.instruments.transfer.service.protocol import SupportsTransfer
from deconvwidgets.models.preprocess import Preprocess


def wait_until_ended(api, run, seconds=60):
    """Wait for the end of a run, and return its summary."""
    deadline = time.monotonic() + seconds
    while api.status().running == run:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return api.status().runs[run - 1]


def wait_until_status(api, condition, seconds=60):
    """Wait until the summary of the newest run fulfils a condition."""
    deadline = time.monotonic() + seconds
    while not condition(api.status().runs[-1]):
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_run_equals_train_softmax_head(service, settings, tiny_bundle, colours):
    assert isinstance(service, SupportsTransfer)
    api = service.transfer
    number = api.start(settings(folds=3, layer="conv1", curve=(1, 5)))
    run = api.status().runs[0]
    steps_of_script = []
    options = {"store": "memory", "device": "cpu", "progress": False}
    report = dw.train_softmax_head(tiny_bundle, colours, "conv1", 5, 3, on_step=steps_of_script.append, **options)
    assert (number, run.run, run.phase, run.dataset, run.layer) == (1, 1, "done", "colours", "conv1")
    assert (run.per_fold, run.weight_decays, run.features) == (report.per_fold, report.weight_decays, report.features)
    assert (run.mean, run.std) == (report.mean, report.std)
    assert (run.temperatures, run.calibration.error) == (report.temperatures, report.calibration.error)
    expected = calibration(report.confidences, report.truths == report.predictions)
    assert (run.calibration.error, run.calibration.confidence) == (expected.error, expected.confidence)
    assert run.curve.images_per_class == (1, 5)
    assert run.curve.means[1] == report.mean
    assert (run.progress, run.problem, run.paper) == (None, None, ())
    results = api.results(1)
    np.testing.assert_array_equal(results.confusion, report.confusion)
    np.testing.assert_array_equal(results.class_tests, report.confusion.sum(1))
    np.testing.assert_allclose(results.class_accuracy, [np.mean(report.predictions[report.truths == c] == c) for c in range(3)], rtol=1e-6)
    assert results.categories == ("brick", "grass", "sea")
    assert results.has_confidences
    steps = api.steps(1)
    assert list(steps) == steps_of_script  # without the steps of the learning curve
    assert run.steps == len(steps_of_script)
    assert api.steps(1, 7) == steps[7:]


def test_progress_is_published_in_each_phase(service, settings):
    runs = []
    service.subscribe(lambda event: runs.append(service.transfer.status().runs[-1]))
    service.transfer.start(settings(curve=(1, 5)))
    assert list(dict.fromkeys(run.phase for run in runs)) == ["features", "training", "curve", "done"]
    progress = [(run.phase, run.progress.done, run.progress.total) for run in runs if run.progress is not None]
    for expected in (
        ("features", 36, 36),
        ("training", 1, 2),
        ("training", 2, 2),
        ("curve", 0, 2),
        ("curve", 2, 2),
    ):  # the curve adds runs with 1 image per class
        assert expected in progress
    assert {total for phase, _, total in progress if phase == "curve"} == {2}
    seconds = service.transfer.status().runs[0].seconds
    time.sleep(0.01)
    assert service.transfer.status().runs[0].seconds == seconds > 0


def test_photographs_are_those_of_the_report(service, settings, tiny_bundle, colours):
    service.transfer.start(settings(folds=3))
    report = dw.train_softmax_head(tiny_bundle, colours, None, 5, 3, store="memory", device="cpu", progress=False)
    images = dw.open_images(colours)
    wrong = service.transfer.photographs(1, TestsRequest(right=False, limit=1000))
    assert wrong.total == len(wrong.photographs) == int((report.truths != report.predictions).sum()) > 0
    assert all(test.truth != test.prediction for test in wrong.photographs)
    assert [test.confidence for test in wrong.photographs] == sorted((test.confidence for test in wrong.photographs), reverse=True)
    cell = service.transfer.photographs(1, TestsRequest(truth=1, prediction=1, limit=2))
    assert cell.total == report.confusion[1, 1]
    assert len(cell.photographs) == 2
    best = max(np.flatnonzero((report.truths == 1) & (report.predictions == 1)), key=lambda index: report.confidences[index])
    first = cell.photographs[0]
    assert (first.source, first.fold) == (report.sources[best], report.folds[best])
    assert first.name == images.source_name(first.source)
    assert first.name.startswith("grass/")
    assert service.transfer.photographs(1, TestsRequest(limit=0)).total == len(report.sources)
    with pytest.raises(HeadError, match="numbered from 0"):
        service.transfer.photographs(1, TestsRequest(truth=3))


def test_thumbnails_show_the_centre_of_the_photographs(service, settings, colours):
    image = Image.new("RGB", (300, 100), (0, 0, 0))
    image.paste((0, 0, 255), (100, 0, 200, 100))  # the middle square
    image.save(colours / "sea" / "a.jpg", quality=95)
    service.transfer.start(settings())
    names = [dw.open_images(colours).source_name(number) for number in range(37)]
    source = names.index("sea/a.jpg")
    first, _ = service.transfer.thumbnails(1, [source, 0], 32)
    pixels = np.asarray(Image.open(io.BytesIO(first.data)))
    assert (first.mime, first.width, first.height, pixels.shape) == ("image/jpeg", 32, 32, (32, 32, 3))
    assert np.abs(pixels.astype(int) - (0, 0, 255)).max() < 30
    (colours / "sea" / "a.jpg").unlink()
    assert service.transfer.thumbnails(1, [source], 32)[0] == first  # cached
    gray = np.asarray(Image.open(io.BytesIO(service.transfer.thumbnails(1, [source], 40)[0].data)))
    assert np.abs(gray.astype(int) - 128).max() < 3
    for wrong in ([99], [-1]):
        with pytest.raises(ServiceError, match="there is no"):
            service.transfer.thumbnails(1, wrong)
    with pytest.raises(ServiceError, match="from 16 to 1,024"):
        service.transfer.thumbnails(1, [0], 5)


def test_stop_keeps_the_complete_folds(make_service, settings):
    service = make_service(None)
    api = service.transfer
    number = api.start(settings(folds=100))
    wait_until_status(api, lambda run: len(run.per_fold) >= 2)
    api.stop()
    run = wait_until_ended(api, number)
    assert run.phase == "stopped"
    assert 2 <= len(run.per_fold) < 100
    assert api.results(number).class_tests.sum() > 0
    api.stop()  # no run is active, so this does nothing
    assert api.use_head(number)


def test_stop_during_the_learning_curve_keeps_its_complete_points(make_service, settings):
    api = make_service(None).transfer
    number = api.start(settings(folds=20, curve=(1, 2, 3, 4, 5)))
    wait_until_status(api, lambda run: run.curve is not None)
    api.stop()
    run = wait_until_ended(api, number)
    assert (run.phase, len(run.per_fold)) == ("stopped", 20)
    assert 1 <= len(run.curve.means) < 5


def test_wait_returns_at_the_end_of_the_run(make_service, settings, manual_executor):
    api = make_service(manual_executor).transfer
    run = api.start(settings(folds=2))
    with pytest.raises(ServiceError, match=r"Run 1 is still running after 0\.01 s"):
        api.wait(run, 0.01)
    for job in manual_executor.jobs:
        job.run()
    api.wait(run, 0.01)
    with pytest.raises(HeadError, match="no run 2;"):
        api.wait(2)


def test_results_of_a_run_without_a_complete_fold_raise_an_error(make_service, settings, manual_executor):
    service = make_service(manual_executor)
    api = service.transfer
    number = api.start(settings())
    assert (api.status().running, api.status().runs[0].phase) == (number, "waiting")
    with pytest.raises(HeadError, match="no complete fold yet"):
        api.results(number)
    api.stop()
    assert (api.status().running, api.status().runs[0].phase) == (None, "stopped")
    manual_executor.jobs[-1].run()
    assert (api.status().runs[0].phase, manual_executor.jobs[-1].error) == ("stopped", None)
    with pytest.raises(HeadError, match="before its first fold was complete: start it again"):
        api.results(number)


def test_start_stops_the_active_run(make_service, settings):
    api = make_service(None).transfer
    first = api.start(settings(folds=100))
    wait_until_status(api, lambda run: len(run.per_fold) >= 1)
    second = api.start(settings(folds=1, seed=3))
    assert api.status().running == second
    assert wait_until_ended(api, second).phase == "done"
    former = api.status().runs[first - 1]
    assert (former.phase, len(former.per_fold) >= 1) == ("stopped", True)


def test_start_stops_a_waiting_run(make_service, settings, manual_executor):
    api = make_service(manual_executor).transfer
    api.start(settings())
    api.start(settings())
    for job in manual_executor.jobs:
        job.run()
    assert [run.phase for run in api.status().runs] == ["stopped", "done"]


def test_runs_started_by_two_threads_end(make_service, settings, monkeypatch):
    service = make_service(None)
    api, submit, submitted = service.transfer, service._context.training_executor.submit, threading.Event()

    def delayed_submit(*job):
        if not submitted.is_set():
            submitted.set()
            time.sleep(0.3)
        return submit(*job)

    monkeypatch.setattr(service._context.training_executor, "submit", delayed_submit)
    first = threading.Thread(target=api.start, args=(settings(),))
    first.start()
    assert submitted.wait(20)
    second = api.start(settings())
    first.join()
    api.wait(second, 60)
    assert [run.phase for run in api.status().runs] == ["stopped", "done"]


def test_failed_run_has_an_error_message_and_the_next_run_works(make_service, settings, manual_executor, colours, class_folders):
    service = make_service(manual_executor)
    api = service.transfer
    api.start(settings())
    shutil.rmtree(colours)
    events = []
    service.subscribe(events.append)
    manual_executor.jobs[-1].run()
    run = api.status().runs[0]
    assert (run.phase, run.progress) == ("failed", None)
    assert run.problem.startswith("There is no folder")
    with pytest.raises(HeadError, match="There is no folder"):
        api.wait(run.run)
    assert events[-1].kind == "transfer"
    with pytest.raises(PictureError, match="There is no folder"):
        api.start(settings())
    assert len(api.status().runs) == 1
    class_folders(colours)
    api.start(settings())
    for path in sorted((colours / "sea").iterdir())[5:]:
        path.write_bytes(b"not an image")
    manual_executor.jobs[-1].run()
    run = api.status().runs[-1]
    assert run.phase == "failed"
    assert "'sea' (5)" in run.problem
    with pytest.raises(HeadError, match=r"before its first fold was complete: 1 class of 3"):
        api.results(run.run)
    class_folders(colours.parent / "again")
    api.start(settings(data=str(colours.parent / "again")))
    manual_executor.jobs[-1].run()
    assert api.status().runs[-1].phase == "done"


def test_unreadable_photographs_are_listed(service, settings, colours):
    (colours / "sea" / "sea_3.png").write_bytes(b"not an image")
    whole = (colours / "sea" / "sea_4.png").read_bytes()
    (colours / "sea" / "sea_4.png").write_bytes(whole[: len(whole) // 2])
    summary = service.transfer.data(settings())
    assert summary.problem is None
    assert (summary.photographs, summary.sizes, summary.most) == (35, (12, 12, 11), 10)
    assert any("1 file could not be read" in note for note in summary.notes)
    service.transfer.start(settings())
    results = service.transfer.results(1)
    assert [skipped.name for skipped in results.skipped] == ["sea/sea_3.png", "sea/sea_4.png"]
    assert list(results.class_tests) == [2 * 7, 2 * 7, 2 * 5]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"images_per_class": 12}, HeadError, r"3 classes of 3 with fewer than 13 images.*at most 11"),
        ({"images_per_class": 0}, HeadError, "an integer from 1"),
        ({"images_per_class": 2.5}, HeadError, r"2\.5 is not a valid number for images per class"),
        ({"images_per_class": True}, HeadError, "True is not a valid number"),
        ({"folds": 0}, HeadError, "folds"),
        ({"folds": 101}, HeadError, "from 1 to 100"),
        ({"seed": -1}, HeadError, "seed"),
        ({"weight_decay": 0.0}, HeadError, "positive"),
        ({"weight_decay": float("nan")}, HeadError, "positive"),
        ({"weight_decay": "0.1"}, HeadError, "None to choose it"),
        ({"views": "two"}, HeadError, "'one', 'flips', 'ten'"),
        ({"curve": (1, 12)}, HeadError, "fewer than 13"),
        ({"curve": (0,)}, HeadError, "learning curve"),
        ({"layer": "conv9"}, LayerError, "conv2"),
        ({"data": "/no/such/folder"}, PictureError, "There is no folder"),
        ({"data": "/no/such/file.zip"}, PictureError, "There is no zip"),
        ({"data": ""}, PictureError, "The data set is"),
        ({"data": "caltech101"}, PictureError, "DECONVWIDGETS_DATA"),
        ({"data": "caltech256", "root": "/no/such/root"}, PictureError, "/no/such/root"),
        ({"data": "images", "images_per_class": 4}, HeadError, "at most 3"),
    ],
)
def test_invalid_settings_are_rejected_before_the_run_starts(service, settings, changes, error, message, monkeypatch):
    monkeypatch.setattr(service._context.executor, "submit", lambda *job: pytest.fail("submitted"))
    with pytest.raises(error, match=message):
        service.transfer.start(settings(**changes))
    assert service.transfer.status().runs == ()


def test_ten_crops_are_rejected_if_the_transform_is_unknown(make_service, tiny_bundle, settings, manual_executor):
    transform = tiny_bundle.transform
    assert isinstance(transform, Preprocess)
    api = make_service(manual_executor, replace(tiny_bundle, transform=lambda image: transform(image))).transfer
    with pytest.raises(ModelError, match="flips"):
        api.start(settings(views="ten"))


def test_data_summary_describes_problems(service, settings, colours, tmp_path):
    api = service.transfer
    summary = api.data(settings())
    assert (summary.name, summary.photographs, summary.categories, summary.sizes) == (
        "colours",
        36,
        ("brick", "grass", "sea"),
        (12, 12, 12),
    )
    assert (summary.most, summary.problem, summary.notes, summary.skipped) == (11, None, (), ())
    assert "at most 11" in api.data(settings(images_per_class=30)).problem
    (colours / "empty").mkdir()
    left_out = api.data(settings())
    assert (left_out.problem, left_out.categories) == (None, ("brick", "grass", "sea"))
    assert left_out.notes == ("1 class of 4 has no readable image and is left out: 'empty'.",)
    flat = tmp_path / "flat"
    shutil.copytree(colours / "sea", flat)
    unlabelled = api.data(settings(data=str(flat)))
    assert "no labels" in unlabelled.problem
    assert (unlabelled.photographs, unlabelled.categories, unlabelled.sizes, unlabelled.most) == (12, (), (), 0)


def test_a_changed_folder_is_opened_again(service, settings, colours):
    assert service.transfer.data(settings()).photographs == 36
    (colours / "sea" / "sea_11.png").unlink()
    assert service.transfer.data(settings()).photographs == 35
    before = service.transfer._datasets.images(settings())
    assert service.transfer._datasets.images(settings()) is before  # the folder has not changed
    Image.new("RGB", (30, 30), (40, 90, 170)).save(colours / "sea" / "sea_1.png")  # the modification time of the folder does not change
    assert service.transfer._datasets.images(settings()) is before
    service.transfer.start(settings())
    assert service.transfer._runs.get(1).images.digest != before.digest


def test_folder_without_permission_raises_an_error(service, settings, monkeypatch):
    def deny(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", deny)
    with pytest.raises(PictureError, match="no readable photograph"):
        service.transfer.data(settings())


@pytest.mark.slow
def test_events_are_rate_limited_and_the_last_one_is_published(make_service, settings):
    service = make_service(None)
    api, events = service.transfer, []
    service.subscribe(lambda event: events.append((time.monotonic(), api.status().runs)))
    number = api.start(settings(folds=10))
    wait_until_ended(api, number)
    wait_until_status(api, lambda run: events[-1][1][0].phase == "done")
    assert len(events) < 10 + 15 + 10 * (events[-1][0] - events[0][0])  # each fold, each phase, and ten per second


@pytest.mark.slow
def test_results_of_an_active_run_are_consistent(make_service, settings):
    api = make_service(None).transfer
    number, fold_counts = api.start(settings(folds=10)), set()
    wait_until_status(api, lambda run: len(run.per_fold) >= 1)
    while api.status().running:
        results, status = api.results(number), api.status()
        fold_counts.add(len(results.summary.per_fold))
        assert results.class_tests.sum() == 21 * len(results.summary.per_fold)  # 36 photographs less 5 of each class
        assert (status.running is None) == (status.runs[0].phase == "done")
        time.sleep(0.002)  # requests without a pause would hold Python's lock, and delay the worker
    assert len(fold_counts) > 2


def test_other_requests_are_answered_during_a_run(make_service, settings):
    service = make_service(None).wait()
    number = service.transfer.start(settings(folds=100))
    wait_until_status(service.transfer, lambda run: len(run.per_fold) >= 1)
    assert service.layers.top_activations("conv2", 3).count == 9
    assert service.transfer.status().running == number
    service.transfer.stop()


def test_closed_service_starts_no_runs_and_returns_results(make_service, settings):
    service = make_service(None)
    service.transfer.start(settings(folds=100))
    wait_until_status(service.transfer, lambda run: len(run.per_fold) >= 1)
    service.close()
    status = service.transfer.status()
    assert (status.running, status.runs[0].phase) == (None, "stopped")
    with pytest.raises(ServiceError, match="closed"):
        service.transfer.start(settings())
    assert len(service.transfer.status().runs) == 1
    assert service.transfer.results(1).class_tests.sum() > 0


def test_run_started_while_the_service_closes_is_stopped(make_service, settings, monkeypatch):
    service = make_service(None)
    api, cancel = service.transfer, service._context.training_executor.cancel
    api.start(settings(folds=100))
    wait_until_status(api, lambda run: len(run.per_fold) >= 1)

    def cancel_with_new_run():
        monkeypatch.setattr(service._context.training_executor, "cancel", cancel)
        api.start(settings(seed=1))
        cancel()

    monkeypatch.setattr(service._context.training_executor, "cancel", cancel_with_new_run)
    service.close()
    assert [run.phase for run in api.status().runs] == ["stopped", "stopped"]


def test_a_run_begins_while_the_index_is_built(make_service, settings):
    service = make_service(None)
    begun, go_on = threading.Event(), threading.Event()

    def build(job):
        begun.set()
        assert go_on.wait(60)

    service._context.executor.submit("index", build, print)
    assert begun.wait(20)
    run = service.transfer.start(settings())
    service.transfer.wait(run, 60)
    go_on.set()
    assert service.transfer.status().runs[0].phase == "done"


def test_active_run_does_not_keep_the_service_alive(tiny_bundle, tiny_images, settings):
    service = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu").wait()
    service.subscribe(lambda event, service=service: None)  # as a widget does
    service.transfer.start(settings(folds=100))
    wait_until_status(service.transfer, lambda run: len(run.per_fold) >= 1)
    run, reference = service.transfer._runs.get(1), weakref.ref(service)
    del service
    deadline = time.monotonic() + 60
    while reference() is not None or run.active:
        assert time.monotonic() < deadline, (reference(), run.phase)
        gc.collect()
        time.sleep(0.02)
    assert run.phase == "stopped"
    assert run.summary().steps > 0


@pytest.mark.slow
def test_script_can_end_during_a_run(colours):
    script = f"""
import faulthandler
faulthandler.dump_traceback_later(100, exit=True)  # print where the script hangs
import time, torch, deconvwidgets as dw
from deconvwidgets.instruments.transfer.records import TransferSettings
net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)).eval()
bundle = dw.ModelBundle.from_module(net, input_size=(3, 24, 24))
images = dw.open_images({str(colours)!r})
service = dw.LocalModelService(bundle, images, device="cpu").wait()
service.transfer.start(TransferSettings("images", images_per_class=5, folds=100))
while not service.transfer.status().runs[0].per_fold and service.transfer.status().runs[0].phase != "failed":
    time.sleep(0.01)  # a busy loop would hold Python's lock, and delay the run
print(service.transfer.status().runs[0].phase)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "training\n"), done.stderr
    assert "Error" not in done.stderr
    assert "terminate" not in done.stderr


def test_the_number_of_steps_is_limited(make_service, settings, manual_executor, monkeypatch):
    monkeypatch.setattr(runs, "MAX_DENSE_STEPS", 20)
    api = make_service(manual_executor).transfer
    api.start(settings(folds=4))
    manual_executor.jobs[-1].run()
    steps = api.steps(1)
    assert len(steps) == api.status().runs[0].steps
    assert all(step.step % 10 == 0 for step in steps[20:])
    assert {step.fold for step in steps} == {0, 1, 2, 3}


def test_choices_layers_and_unknown_runs(service, monkeypatch, tmp_path):
    status = service.transfer.status()
    by_name = {choice.data: choice for choice in status.choices}
    assert list(by_name) == ["images", "caltech101", "caltech256", "photo-crops"]
    assert "DECONVWIDGETS_DATA" in by_name["caltech101"].hint
    assert status.layers == (
        ("conv2", "conv2 · 5 x 4 x 4 = 80"),
        ("pool1", "pool1 · 4 x 4 x 4 = 64"),
        ("conv1", "conv1 · 4 x 8 x 8 = 256"),
    )  # without fc3, the output of the model
    (tmp_path / "caltech101" / "101_ObjectCategories").mkdir(parents=True)
    monkeypatch.setenv("DECONVWIDGETS_DATA", str(tmp_path))
    assert service.transfer.status().choices[1].hint == ""
    for method in (service.transfer.results, service.transfer.steps, service.transfer.use_head):
        with pytest.raises(HeadError, match="no run 1; there is none yet"):
            method(1)
    assert issubclass(HeadError, DeconvWidgetsError)
