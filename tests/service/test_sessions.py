"""Sessions of one service: what each has of its own, and what they share."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

import deconvwidgets as dw
from deconvwidgets.errors import JobCancelledError
from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.service import index_job
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.turns import Turns
from tests.conftest import random_head
from tests.widgets.requests import wait_until


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path))


@pytest.fixture
def service(tiny_bundle, tiny_images):
    with_sessions = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu")
    yield with_sessions.wait(60)
    with_sessions.close()


def test_heads_units_and_events_are_those_of_a_session(service, tiny_bundle):
    one, two, heard = service.new_session(), service.new_session(), []
    for name, session in (("one", one), ("two", two)):
        session.subscribe(lambda event, name=name: heard.append((name, event.kind)))
    one.set_head(random_head(tiny_bundle, "conv2", classes=7))
    two.set_units({("conv1", 1): 0.0})
    assert heard == [("one", "changed"), ("two", "changed")]
    assert len(one.occlusion.choices().classes) == 7
    assert [len(other.occlusion.choices().classes) for other in (two, service)] == [3, 3]
    assert (one.units, two.units, service.units) == ({}, {("1", 1): 0.0}, {})
    assert one.index is two.index is service.index
    # The projections of conv2 go through the unit that is off in one session, and the mosaics come from one cache.
    pictures = [session.layers.top_activations("conv2", 3).projections.data for session in (one, two, service)]
    assert pictures[0] == pictures[2] != pictures[1]
    two.reset_units()
    assert two.layers.top_activations("conv2", 3).projections.data == pictures[0]
    one.close()
    two.close()


def test_a_session_begins_with_the_classifier_that_the_service_was_made_with(service, tiny_bundle):
    service.set_head(random_head(tiny_bundle, "conv2", classes=7))
    session = service.new_session()
    assert len(session.occlusion.choices().classes) == 3
    session.close()


def test_an_opened_layer_is_indexed_once_and_listed_where_it_was_opened(tiny_bundle, tiny_images, monkeypatch):
    passes = []
    obtain = index_job.obtain
    monkeypatch.setattr(index_job, "obtain", lambda *arguments: (passes.append(arguments[1]), obtain(*arguments))[1])
    root = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu", layers=["conv1"]).wait(60)
    one, two = root.new_session(), root.new_session()
    one.layers.open("conv2")
    one.wait(60)
    assert [layer.info.alias for layer in one.overview().opened] == ["conv2"]
    assert two.overview().opened == ()
    two.layers.unit_table("conv2")  # at once: the index is there
    assert [layer.info.alias for layer in two.overview().opened] == ["conv2"]
    assert len(passes) == 2
    for session in (root, one, two):
        session.close()


def test_the_index_is_built_while_a_session_is_left(tiny_bundle, tiny_images):
    root = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu")
    session = root.new_session()
    root.close()
    assert session.wait(60).layers.unit_table("conv1").maximum.shape == (4,)
    session.close()


def test_a_closed_session_is_garbage_collected_and_the_others_answer(service):
    session = service.new_session()
    session.layers.unit_table("conv1")
    gone = [weakref.ref(session), weakref.ref(session._context)]
    session.close()
    del session
    end = time.monotonic() + 60
    while any(reference() is not None for reference in gone):
        assert time.monotonic() < end
        gc.collect()
    assert service._context.layers.session_count == 1
    assert service.layers.unit_table("conv1").maximum.shape == (4,)


def test_a_run_that_waits_for_other_sessions_says_so(service):
    session, turns = service.new_session(), service._context.turns
    settings = TransferSettings("images", "conv2", images_per_class=2, folds=1)
    with turns.take(lambda: False), turns.take(lambda: False):
        run = session.transfer.start(settings)
        end = time.monotonic() + 60
        while not (summary := session.transfer.status().runs[-1]).progress:
            assert time.monotonic() < end
        assert (summary.phase, summary.progress.message) == ("waiting", "Waiting for 2 runs of other notebooks on this service.")
    session.transfer.wait(run, 60)
    assert session.transfer.status().runs[-1].phase == "done"
    session.close()


def test_turns_come_in_order_and_a_cancelled_job_gives_its_place_up():
    turns, order, cancelled = Turns(1), [], threading.Event()

    def work(number):
        with turns.take(lambda: number == 1 and cancelled.is_set()):
            order.append(number)

    def give_up():
        with pytest.raises(JobCancelledError):
            work(1)

    with turns.take(lambda: False):
        threads = [threading.Thread(target=target, args=arguments) for target, arguments in ((give_up, ()), (work, (2,)), (work, (3,)))]
        for waiting, thread in enumerate(threads):
            thread.start()
            wait_until(lambda waiting=waiting: len(turns._waiting) == waiting + 1)
        cancelled.set()
        threads[0].join(60)
    for thread in threads:
        thread.join(60)
    assert order == [2, 3]


def test_requests_without_end_do_not_starve_a_batch_and_take_the_device_in_order():
    lock, stop, batches, order = DeviceLock(lambda: 0.2), threading.Event(), [], []

    def click():
        while not stop.is_set():
            with lock.pause_batches(), lock.request():
                time.sleep(0.005)

    def queue(number):
        with lock.request():
            order.append(number)

    clicking = [threading.Thread(target=click) for _ in range(3)]
    for thread in clicking:
        thread.start()
    begun = time.monotonic()
    with lock.batch():
        batches.append(time.monotonic() - begun)
    stop.set()
    for thread in clicking:
        thread.join(5)
    with lock.request():
        queued = [threading.Thread(target=queue, args=(number,)) for number in range(8)]
        for waiting, thread in enumerate(queued):
            thread.start()
            wait_until(lambda waiting=waiting: len(lock._queue) == waiting + 1)
    for thread in queued:
        thread.join(60)
    assert 0.15 < batches[0] < 20, "with requests all the time, it would wait without end"
    assert order == sorted(order)
