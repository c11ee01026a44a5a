"""Runs as a panel sees them: started, watched, stopped, superseded, failed; never in the way of anything else."""

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
from deconvwidgets.errors import DeconvWidgetsError, HeadError, LayerError, ModelError, PictureError, ServiceError
from deconvwidgets.instruments.transfer.records import TestsRequest
from deconvwidgets.instruments.transfer.service import runs
from deconvwidgets.instruments.transfer.service.protocol import SupportsTransfer
from deconvwidgets.models.preprocess import Preprocess


def ended(api, run, seconds=60):
    """The summary of a run, when it has ended."""
    until = time.monotonic() + seconds
    while api.status().running == run:
        assert time.monotonic() < until
        time.sleep(0.01)
    return api.status().runs[run - 1]


def reached(api, fits, seconds=60):
    until = time.monotonic() + seconds
    while not fits(api.status().runs[-1]):
        assert time.monotonic() < until
        time.sleep(0.002)


def test_a_run_gives_what_training_in_a_script_gives(service, settings, tiny_bundle, colours):
    assert isinstance(service, SupportsTransfer)
    api = service.transfer
    number = api.start(settings(folds=3, layer="conv1", curve=(1, 5)))
    run = api.status().runs[0]
    taken = []
    options = {"store": "memory", "device": "cpu", "progress": False}
    report = dw.train_softmax_head(tiny_bundle, colours, "conv1", 5, 3, on_step=taken.append, **options)
    assert (number, run.run, run.phase, run.dataset, run.layer) == (1, 1, "done", "colours", "conv1")
    assert (run.per_fold, run.weight_decays, run.features) == (report.per_fold, report.weight_decays, report.features)
    assert (run.mean, run.std) == (report.mean, report.std)
    assert run.curve.images_per_class == (1, 5)
    assert run.curve.means[1] == report.mean
    assert (run.progress, run.problem, run.paper) == (None, None, ())
    view = api.results(1)
    np.testing.assert_array_equal(view.confusion, report.confusion)
    np.testing.assert_array_equal(view.class_tests, report.confusion.sum(1))
    np.testing.assert_allclose(view.class_accuracy, [np.mean(report.predictions[report.truths == c] == c) for c in range(3)], rtol=1e-6)
    assert view.categories == ("brick", "grass", "sea")
    assert view.has_confidences
    steps = api.steps(1)
    assert list(steps) == taken  # and none of the curve's
    assert run.steps == len(taken)
    assert api.steps(1, 7) == steps[7:]


def test_how_far_a_run_is_is_told_phase_by_phase(service, settings):
    told = []
    service.subscribe(lambda event: told.append(service.transfer.status().runs[-1]))
    service.transfer.start(settings(curve=(1, 5)))
    assert list(dict.fromkeys(run.phase for run in told)) == ["features", "training", "curve", "done"]
    far = [(run.phase, run.progress.done, run.progress.total) for run in told if run.progress is not None]
    for expected in (("features", 36, 36), ("training", 1, 2), ("training", 2, 2), ("curve", 0, 2), ("curve", 2, 2)):  # of 1 a class
        assert expected in far
    assert {total for phase, _, total in far if phase == "curve"} == {2}
    seconds = service.transfer.status().runs[0].seconds
    time.sleep(0.01)
    assert service.transfer.status().runs[0].seconds == seconds > 0


def test_photographs_are_those_of_the_report(service, settings, tiny_bundle, colours):
    service.transfer.start(settings(folds=3))
    report = dw.train_softmax_head(tiny_bundle, colours, None, 5, 3, store="memory", device="cpu", progress=False)
    images = dw.open_images(colours)
    wrong = service.transfer.photographs(1, TestsRequest(right=False, limit=1000))
    assert wrong.total == len(wrong.photographs) == int((report.truths != report.predictions).sum()) > 0
    assert all(one.truth != one.prediction for one in wrong.photographs)
    assert [one.confidence for one in wrong.photographs] == sorted((one.confidence for one in wrong.photographs), reverse=True)
    cell = service.transfer.photographs(1, TestsRequest(truth=1, prediction=1, limit=2))
    assert cell.total == report.confusion[1, 1]
    assert len(cell.photographs) == 2
    best = max(np.flatnonzero((report.truths == 1) & (report.predictions == 1)), key=lambda place: report.confidences[place])
    first = cell.photographs[0]
    assert (first.source, first.fold) == (report.sources[best], report.folds[best])
    assert first.name == images.source_name(first.source)
    assert first.name.startswith("grass/")
    assert service.transfer.photographs(1, TestsRequest(limit=0)).total == len(report.sources)
    with pytest.raises(HeadError, match="numbered from 0"):
        service.transfer.photographs(1, TestsRequest(truth=3))


def test_thumbnails_are_the_middles_of_the_photographs(service, settings, colours):
    half = Image.new("RGB", (300, 100), (0, 0, 0))
    half.paste((0, 0, 255), (100, 0, 200, 100))  # the middle square
    half.save(colours / "sea" / "a.jpg", quality=95)
    service.transfer.start(settings())
    names = [dw.open_images(colours).source_name(source) for source in range(37)]
    place = names.index("sea/a.jpg")
    first, _ = service.transfer.thumbnails(1, [place, 0], 32)
    pixels = np.asarray(Image.open(io.BytesIO(first.data)))
    assert (first.mime, first.width, first.height, pixels.shape) == ("image/jpeg", 32, 32, (32, 32, 3))
    assert np.abs(pixels.astype(int) - (0, 0, 255)).max() < 30
    (colours / "sea" / "a.jpg").unlink()
    assert service.transfer.thumbnails(1, [place], 32)[0] == first  # kept
    grey = np.asarray(Image.open(io.BytesIO(service.transfer.thumbnails(1, [place], 40)[0].data)))
    assert np.abs(grey.astype(int) - 128).max() < 3
    for wrong in ([99], [-1]):
        with pytest.raises(ServiceError, match="there is no"):
            service.transfer.thumbnails(1, wrong)
    with pytest.raises(ServiceError, match="at most"):
        service.transfer.thumbnails(1, [0], 5)


def test_a_stop_keeps_the_folds_that_are_done(make_service, settings):
    service = make_service(None)
    api = service.transfer
    number = api.start(settings(folds=100))
    reached(api, lambda run: len(run.per_fold) >= 2)
    api.stop()
    run = ended(api, number)
    assert run.phase == "stopped"
    assert 2 <= len(run.per_fold) < 100
    assert api.results(number).class_tests.sum() > 0
    api.stop()  # nothing runs: nothing happens
    assert api.use_head(number)


def test_a_stop_of_the_curve_keeps_run_and_points(make_service, settings):
    api = make_service(None).transfer
    number = api.start(settings(folds=20, curve=(1, 2, 3, 4, 5)))
    reached(api, lambda run: run.curve is not None)
    api.stop()
    run = ended(api, number)
    assert (run.phase, len(run.per_fold)) == ("stopped", 20)
    assert 1 <= len(run.curve.means) < 5


def test_a_script_waits_for_the_end(make_service, settings, manual_executor):
    api = make_service(manual_executor).transfer
    run = api.start(settings(folds=2))
    with pytest.raises(ServiceError, match=r"Run 1 is still running after 0\.01 s"):
        api.wait(run, 0.01)
    for job in manual_executor.jobs:
        job.run()
    api.wait(run, 0.01)
    with pytest.raises(HeadError, match="no run 2;"):
        api.wait(2)


def test_a_run_stopped_before_its_first_fold_says_so(make_service, settings, manual_executor):
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


def test_a_new_run_supersedes_the_one_that_goes_on(make_service, settings):
    api = make_service(None).transfer
    first = api.start(settings(folds=100))
    reached(api, lambda run: len(run.per_fold) >= 1)
    second = api.start(settings(folds=1, seed=3))
    assert api.status().running == second
    assert ended(api, second).phase == "done"
    former = api.status().runs[first - 1]
    assert (former.phase, len(former.per_fold) >= 1) == ("stopped", True)


def test_a_run_that_waits_is_superseded_too(make_service, settings, manual_executor):
    api = make_service(manual_executor).transfer
    api.start(settings())
    api.start(settings())
    for job in manual_executor.jobs:
        job.run()
    assert [run.phase for run in api.status().runs] == ["stopped", "done"]


def test_runs_that_are_started_at_one_time_all_end(make_service, settings, monkeypatch):
    service = make_service(None)
    api, submit, late = service.transfer, service._context.executor.submit, threading.Event()

    def submit_late(*job):
        if not late.is_set():
            late.set()
            time.sleep(0.3)
        return submit(*job)

    monkeypatch.setattr(service._context.executor, "submit", submit_late)
    first = threading.Thread(target=api.start, args=(settings(),))
    first.start()
    assert late.wait(20)
    second = api.start(settings())
    first.join()
    api.wait(second, 60)
    assert [run.phase for run in api.status().runs] == ["stopped", "done"]


def test_a_failure_is_told_in_words_and_the_next_run_works(make_service, settings, manual_executor, colours, class_folders):
    service = make_service(manual_executor)
    api = service.transfer
    api.start(settings())
    shutil.rmtree(colours)
    told = []
    service.subscribe(told.append)
    manual_executor.jobs[-1].run()
    run = api.status().runs[0]
    assert (run.phase, run.progress) == ("failed", None)
    assert run.problem.startswith("There is no folder")
    with pytest.raises(HeadError, match="There is no folder"):
        api.wait(run.run)
    assert told[-1].kind == "transfer"
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


def test_unreadable_photographs_are_counted_and_listed(service, settings, colours):
    (colours / "sea" / "sea_3.png").write_bytes(b"not an image")
    whole = (colours / "sea" / "sea_4.png").read_bytes()
    (colours / "sea" / "sea_4.png").write_bytes(whole[: len(whole) // 2])
    summary = service.transfer.data(settings())
    assert summary.problem is None
    assert (summary.photographs, summary.sizes, summary.most) == (35, (12, 12, 11), 10)
    assert any("1 file could not be read" in note for note in summary.notes)
    service.transfer.start(settings())
    view = service.transfer.results(1)
    assert [skipped.name for skipped in view.skipped] == ["sea/sea_3.png", "sea/sea_4.png"]
    assert list(view.class_tests) == [2 * 7, 2 * 7, 2 * 5]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
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
def test_what_cannot_begin_is_said_at_once(service, settings, changes, error, words, monkeypatch):
    monkeypatch.setattr(service._context.executor, "submit", lambda *job: pytest.fail("submitted"))
    with pytest.raises(error, match=words):
        service.transfer.start(settings(**changes))
    assert service.transfer.status().runs == ()


def test_ten_crops_of_an_opaque_transform_are_refused_at_once(make_service, tiny_bundle, settings, manual_executor):
    known = tiny_bundle.transform
    assert isinstance(known, Preprocess)
    api = make_service(manual_executor, replace(tiny_bundle, transform=lambda image: known(image))).transfer
    with pytest.raises(ModelError, match="flips"):
        api.start(settings(views="ten"))


def test_problems_of_the_data_are_words_in_its_summary(service, settings, colours, tmp_path):
    api = service.transfer
    good = api.data(settings())
    assert (good.name, good.photographs, good.categories, good.sizes) == ("colours", 36, ("brick", "grass", "sea"), (12, 12, 12))
    assert (good.most, good.problem, good.notes, good.skipped) == (11, None, (), ())
    assert "at most 11" in api.data(settings(images_per_class=30)).problem
    (colours / "empty").mkdir()
    assert "'empty'" in api.data(settings()).problem
    flat = tmp_path / "flat"
    shutil.copytree(colours / "sea", flat)
    unlabelled = api.data(settings(data=str(flat)))
    assert "no labels" in unlabelled.problem
    assert (unlabelled.photographs, unlabelled.categories, unlabelled.sizes, unlabelled.most) == (12, (), (), 0)


def test_a_folder_that_changed_is_looked_at_again(service, settings, colours):
    assert service.transfer.data(settings()).photographs == 36
    (colours / "sea" / "sea_11.png").unlink()
    assert service.transfer.data(settings()).photographs == 35
    before = service.transfer._datasets.images(settings())
    assert service.transfer._datasets.images(settings()) is before  # nothing changed
    Image.new("RGB", (30, 30), (40, 90, 170)).save(colours / "sea" / "sea_1.png")  # its folder's time stays
    assert service.transfer._datasets.images(settings()) is before
    service.transfer.start(settings())
    assert service.transfer._runs.get(1).images.digest != before.digest


def test_a_folder_that_cannot_be_looked_into_is_told_in_words(service, settings, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(PictureError, match="no readable photograph"):
        service.transfer.data(settings())


def test_the_last_news_is_always_told(make_service, settings):
    service = make_service(None)
    api, seen = service.transfer, []
    service.subscribe(lambda event: seen.append((time.monotonic(), api.status().runs)))
    number = api.start(settings(folds=40))
    ended(api, number)
    time.sleep(0.3)
    assert seen[-1][1][0].phase == "done"
    assert len(seen) < 40 + 15 + 10 * (seen[-1][0] - seen[0][0])  # each fold, each phase, and ten a second


def test_what_is_read_of_a_run_that_goes_on_is_of_one_moment(make_service, settings):
    api = make_service(None).transfer
    number, seen = api.start(settings(folds=30)), set()
    reached(api, lambda run: len(run.per_fold) >= 1)
    while api.status().running:
        view, status = api.results(number), api.status()
        seen.add(len(view.summary.per_fold))
        assert view.class_tests.sum() == 21 * len(view.summary.per_fold)  # 36 photographs less 5 of each class
        assert (status.running is None) == (status.runs[0].phase == "done")
        time.sleep(0.002)  # asking without a pause keeps the interpreter from the worker
    assert len(seen) > 2


def test_other_requests_are_answered_while_a_run_goes_on(make_service, settings):
    service = make_service(None).wait()
    number = service.transfer.start(settings(folds=100))
    reached(service.transfer, lambda run: len(run.per_fold) >= 1)
    before = service.layers.top_activations("conv2", 3)
    assert before.count == 9
    assert service.transfer.status().running == number
    service.transfer.stop()


def test_a_closed_service_starts_nothing_and_shows_its_runs(make_service, settings):
    service = make_service(None)
    service.transfer.start(settings(folds=100))
    reached(service.transfer, lambda run: len(run.per_fold) >= 1)
    service.close()
    status = service.transfer.status()
    assert (status.running, status.runs[0].phase) == (None, "stopped")
    with pytest.raises(ServiceError, match="closed"):
        service.transfer.start(settings())
    assert len(service.transfer.status().runs) == 1
    assert service.transfer.results(1).class_tests.sum() > 0


def test_a_run_that_is_started_while_the_service_closes_ends(make_service, settings, monkeypatch):
    service = make_service(None)
    api, close = service.transfer, service._context.executor.close
    api.start(settings(folds=100))
    reached(api, lambda run: len(run.per_fold) >= 1)

    def close_late():
        monkeypatch.setattr(service._context.executor, "close", close)
        api.start(settings(seed=1))
        close()

    monkeypatch.setattr(service._context.executor, "close", close_late)
    service.close()
    assert [run.phase for run in api.status().runs] == ["stopped", "stopped"]


def test_a_run_does_not_keep_its_service_alive(tiny_bundle, tiny_images, settings):
    service = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu").wait()
    service.subscribe(lambda event, service=service: None)  # as a widget does
    service.transfer.start(settings(folds=100))
    reached(service.transfer, lambda run: len(run.per_fold) >= 1)
    run, gone = service.transfer._runs.get(1), weakref.ref(service)
    del service
    until = time.monotonic() + 20
    while gone() is not None or run.active:
        assert time.monotonic() < until, (gone(), run.phase)
        gc.collect()
        time.sleep(0.02)
    assert run.phase == "stopped"
    assert run.summary().steps > 0


@pytest.mark.slow
def test_a_script_that_ends_during_a_run_ends_quietly(colours):
    script = f"""
import faulthandler
faulthandler.dump_traceback_later(100, exit=True)  # a script that hangs says where
import time, torch, deconvwidgets as dw
from deconvwidgets.instruments.transfer.records import TransferSettings
net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)).eval()
bundle = dw.ModelBundle.from_module(net, input_size=(3, 24, 24))
images = dw.open_images({str(colours)!r})
service = dw.LocalModelService(bundle, images, device="cpu").wait()
service.transfer.start(TransferSettings("images", images_per_class=5, folds=100))
while not service.transfer.status().runs[0].per_fold and service.transfer.status().runs[0].phase != "failed":
    time.sleep(0.01)  # a busy loop would keep Python's lock: every operation of the run would wait for its turn three times
print(service.transfer.status().runs[0].phase)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "training\n"), done.stderr
    assert "Error" not in done.stderr
    assert "terminate" not in done.stderr


def test_steps_are_bounded(make_service, settings, manual_executor, monkeypatch):
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
    assert list(by_name) == ["caltech101", "caltech256", "photo-crops", "images"]
    assert "DECONVWIDGETS_DATA" in by_name["caltech101"].hint
    assert status.layers == (
        ("conv2", "conv2 · 5 x 4 x 4 = 80"),
        ("pool1", "pool1 · 4 x 4 x 4 = 64"),
        ("conv1", "conv1 · 4 x 8 x 8 = 256"),
    )  # and not fc3, the model's own answer
    (tmp_path / "caltech101" / "101_ObjectCategories").mkdir(parents=True)
    monkeypatch.setenv("DECONVWIDGETS_DATA", str(tmp_path))
    assert service.transfer.status().choices[0].hint == ""
    for ask in (service.transfer.results, service.transfer.steps, service.transfer.use_head):
        with pytest.raises(HeadError, match="no run 1; there is none yet"):
            ask(1)
    assert issubclass(HeadError, DeconvWidgetsError)
