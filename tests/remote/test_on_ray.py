"""On a real Ray cluster on this machine: a service in an actor with its sessions and events, a study, and a training.

They are together because a cluster takes long to start.
"""

from __future__ import annotations

import os
import threading
import time
from functools import partial

import pytest
import torch
from playwright.sync_api import expect

import deconvwidgets as dw
from deconvwidgets.errors import AblationError, LayerError, PictureError, ServiceError
from deconvwidgets.instruments.layers.widget.messages import HANDLERS as LAYERS
from deconvwidgets.instruments.layers.widget.state import checked_state
from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.remote import link
from deconvwidgets.widgets.messages import Request
from tests.conftest import NoisePhotographs, make_tiny_bundle, random_head
from tests.instruments.ablation.compute.test_run_ablation import broken
from tests.instruments.ablation.conftest import net, study_of
from tests.instruments.training.compute import training_script
from tests.instruments.training.compute.conftest import draw_classes
from tests.ray_start import started
from tests.widgets.chromium import blank, browser, built, kernel, load_page, shared_page

__all__ = ["blank", "browser", "shared_page"]  # pytest finds fixtures by name

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of this machine alone, which nothing outside of it can reach."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DECONVWIDGETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # by default 15: other tests that run at the same time would take all time
        patch.syspath_prepend(os.getcwd())
        options = {"namespace": "deconvwidgets", "num_cpus": 2, "object_store_memory": 80 << 20, "include_dashboard": False}
        started(lambda: ray.init(address="local", **options), ray.shutdown)
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of photographs with a folder for each class."""
    root, noise = tmp_path_factory.mktemp("photographs"), NoisePhotographs()
    for source in range(noise.source_count):
        place = root / ("cat", "dog", "kite")[source % 3]
        place.mkdir(exist_ok=True)
        noise.open_source(source).save(place / f"{source}.png")
    return root


@pytest.fixture
def served(cluster, folder):
    with dw.serve(make_tiny_bundle(), folder, name="class", device="cpu") as running:
        yield running


def connect():
    return dw.connect("auto", name="class").wait(60)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_two_sessions_have_their_own_heads_and_hear_their_own_events(served, tmp_path):
    one, two, heard = connect(), connect(), []
    one.subscribe(lambda event: heard.append(("one", event.kind)), {"changed"})
    two.subscribe(lambda event: heard.append(("two", event.kind)), {"changed"})
    path = dw.save_head(random_head(make_tiny_bundle(), "conv2", classes=7), tmp_path / "mine")
    one.set_head(path)
    until(lambda: heard)
    assert heard == [("one", "changed")]
    assert [len(service.occlusion.choices().classes) for service in (one, two)] == [7, 3]
    assert served.sessions == 2
    run = two.transfer.start(TransferSettings("images", "conv2", images_per_class=2, folds=1))
    two.transfer.wait(run, 60)
    two.transfer.use_head(run)
    assert one.transfer.status().runs == ()
    one.close()
    with pytest.raises(ServiceError, match=r"is closed: call dw\.connect again"):
        one.overview()
    until(lambda: served.sessions == 1)
    two.close()


def test_errors_are_ours(served):
    service = connect()
    with pytest.raises(LayerError, match="no layer 'conv9'"):
        service.layers.unit_table("conv9")
    with pytest.raises(PictureError, match="give an absolute path there"):
        service.transfer.data(TransferSettings("photographs"))
    with pytest.raises(ServiceError, match="has a model service 'class' already"):
        dw.serve(make_tiny_bundle(), "photos", name="class")
    with pytest.raises(ServiceError, match=r"no model service 'other'\. Its services are 'class'"):
        dw.connect("auto", name="other")
    service.close()


def test_a_service_that_cannot_be_made_raises_its_error_and_leaves_the_name(cluster):
    for _ in range(2):
        with pytest.raises(PictureError, match="/nowhere"):
            dw.serve(make_tiny_bundle(), "/nowhere", name="class")


def test_a_lost_actor_is_said_in_words_and_a_new_one_is_found(served, folder):
    service, heard = connect(), []
    service.subscribe(heard.append, {"failed"})
    widget = dw.LayerExplorer(service, layer="conv2")
    run = service.transfer.start(TransferSettings("images", "conv2", images_per_class=2, folds=100))
    raised: list[str] = []
    waiting = threading.Thread(target=wait_for_run, args=(service, run, raised))
    waiting.start()
    ray.kill(ray.get_actor("class"))
    until(lambda: heard)
    words = "The model service 'class' at auto does not answer any more: its process was ended. Start it again"
    assert heard[0].message.startswith(words)
    started = time.monotonic()
    with pytest.raises(ServiceError, match=words):
        service.overview()
    request = {"kind": "unit_table", "layer": "conv2", "seq": 1, "client": "c"}
    reply, _ = widget._answer(Request(request))
    assert reply["error"].startswith(words)
    assert time.monotonic() - started < 30  # without the time-out of a call
    waiting.join(60)
    assert raised[0].startswith(words)
    service.close()
    with dw.serve(make_tiny_bundle(), folder, name="class", device="cpu"):
        assert connect().layers.unit_table("conv2").maximum.shape == (5,)


def wait_for_run(service, run, raised):
    try:
        service.transfer.wait(run)
    except ServiceError as error:
        raised.append(str(error))


def test_an_actor_that_hangs_is_lost_after_a_while(served, monkeypatch):
    monkeypatch.setattr(link, "SILENT_SECONDS", -8.0)  # two seconds
    monkeypatch.setattr(link, "_LOOK_SECONDS", 0.2)
    monkeypatch.setattr(link, "_ANSWER_SECONDS", 1.0)
    service = connect()
    pid = int(served.where.rpartition(" ")[2])
    os.kill(pid, 19)
    try:
        with pytest.raises(ServiceError, match="nothing was heard of it"):
            service.overview()
    finally:
        os.kill(pid, 18)
    service.close()


def test_a_slow_listener_of_this_notebook_is_no_loss_of_the_service(served, monkeypatch):
    monkeypatch.setattr(link, "SILENT_SECONDS", -9.5)  # half a second
    monkeypatch.setattr(link, "_LOOK_SECONDS", 0.1)
    service = connect()
    heard, go_on = threading.Event(), threading.Event()

    def listen(_):
        heard.set()
        go_on.wait(60)

    service.subscribe(listen)
    service.set_units({("conv1", 0): 0.0})
    assert heard.wait(60)  # from now on no events are fetched
    run = service.transfer.start(TransferSettings("images", "conv2", images_per_class=2, folds=100))
    started = time.monotonic()
    service.transfer.wait(run)
    assert time.monotonic() - started > 1, "a call takes longer than the service is silent"
    assert service.units == {("1", 0): 0.0}
    go_on.set()
    service.close()


def test_thirty_sessions_are_answered_at_the_same_time_and_take_little_memory(served):
    first, before = connect(), served.memory
    services = [connect() for _ in range(29)]
    assert served.sessions == 30
    assert served.memory - before < 60 << 20
    for number, service in enumerate(services):
        service.set_units({("conv1", number % 4): 0.0})
    found: dict[int, object] = {}

    def click(number, service):
        service.layers.top_activations("conv2", number % 5)
        found[number] = service.units

    threads = [threading.Thread(target=click, args=pair) for pair in enumerate(services)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: {("1", number % 4): 0.0} for number in range(29)}
    assert first.units == {}
    for service in (first, *services):
        service.close()
    until(lambda: served.sessions == 0)


@pytest.mark.browser
def test_an_explorer_in_chromium_shows_units_of_a_service_elsewhere(served, blank):
    service = connect()
    load_page(blank, built("layers.css"), kernel(LAYERS, service))
    state = checked_state({"layer": "conv2", "unit": 3}, {}, service.overview())
    blank.evaluate("([code, state]) => globalThis.open(code, state, 1460)", [built("layers.js"), state])
    expect(blank.locator(".dwx-tile")).to_have_count(5)
    expect(blank.locator("[data-testid=layer-explorer][data-ready=true]")).to_be_visible()
    service.close()


def in_another_process(driver, end, classes):
    """Build a network in the process `driver`; end any other process, or fail there."""
    if os.getpid() != driver:
        os._exit(1) if end else divmod(classes, 0)
    return net(classes)


def test_a_study_on_ray_has_the_runs_of_one_process_and_reports_those_that_fail(cluster, tmp_path):
    images, failing = dw.open_images(draw_classes(tmp_path / "images")), partial(in_another_process, os.getpid())
    specs = {"whole": lambda classes: net(classes), "broken": broken}
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # as a task of one CPU
        with pytest.warns(UserWarning, match="broken, seed 0") as local:
            here = study_of(images, tmp_path / "here", specs, seeds=1)
    finally:
        torch.set_num_threads(threads)
    with pytest.warns(UserWarning, match="(broken|lost), seed 0: ") as remote:
        there = study_of(images, tmp_path / "there", {**specs, "lost": partial(failing, True)}, seeds=1, engine="ray", workers=2)
    messages = [str(entry.message).replace("/there/", "/here/") for entry in remote]
    assert str(local[0].message) in messages
    assert any(text.startswith("lost, seed 0: the process that trained it was lost") for text in messages)
    assert [run.phase for run in there.runs] == ["complete", "failed", "new"]
    assert (here.runs[0].train_error, here.runs[0].curve) == (there.runs[0].train_error, there.runs[0].curve)
    states = [study.bundle("whole").model.state_dict() for study in (here, there)]
    assert all(torch.equal(states[1][name], value) for name, value in states[0].items())
    with pytest.raises(AblationError, match="All runs failed: error, seed 0: ZeroDivisionError"):  # the user's code, as in one process
        study_of(images, tmp_path / "error", {"error": partial(failing, False)}, seeds=1, engine="ray", workers=2)


def test_two_processes_of_ray_train_give_the_loss_curve_of_one(cluster, tmp_path):
    pytest.importorskip("ray.train")
    images = dw.open_images(draw_classes(tmp_path / "images"))
    common = {"input_size": 24, "epochs": 4, "batch_size": 14, "state_seconds": 0, "device": "cpu", "progress": False}
    alone = dw.train(training_script.with_dropout, images, out=tmp_path / "alone", **common)
    together = dw.train(training_script.with_dropout, images, out=tmp_path / "together", engine="ray", workers=2, **common)
    for one, two in zip(alone.log.epochs, together.log.epochs, strict=True):
        assert two.validation_loss == pytest.approx(one.validation_loss, rel=1e-4)
        assert two.train_loss == (None if one.train_loss is None else pytest.approx(one.train_loss, rel=1e-4))
    assert not (tmp_path / "together" / "ray").exists()
