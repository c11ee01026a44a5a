"""DeviceLock: requests have priority, and wait for one batch at most."""

import threading
import time

import pytest

from deconvwidgets.service.device_lock import DRAW_SECONDS, DeviceLock
from tests.widgets.requests import wait_until

BATCH = 0.02


def run_batches(lock, stop, started, batches):
    while not stop.is_set():
        with lock.batch():
            started.set()
            batches.append(1)
            time.sleep(BATCH)
        # no pause: a threading.Lock would be acquired again before another thread wakes up


@pytest.mark.parametrize("requesters", [1, 3])
def test_requests_wait_for_one_batch_at_most(requesters):
    lock, stop, started, batches, waits = DeviceLock(), threading.Event(), threading.Event(), [], []
    job = threading.Thread(target=run_batches, args=(lock, stop, started, batches))
    job.start()
    started.wait(5)

    def send_requests():
        for _ in range(10):
            before = len(batches)
            with lock.request():
                waits.append(len(batches) - before)
            time.sleep(0.003)

    threads = [threading.Thread(target=send_requests) for _ in range(requesters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    stop.set()
    job.join(60)
    assert len(waits) == 10 * requesters
    # Batches that started meanwhile: none, or one between the two lines of a request. Without priority it would wait for many.
    assert sorted(waits)[len(waits) // 2] <= 1
    assert max(waits) < 10


def test_waiting_requests_have_priority_over_batches():
    lock, log, holding, release = DeviceLock(), [], threading.Event(), threading.Event()

    def hold():
        with lock.batch():
            holding.set()
            release.wait(60)

    def enter(acquire, name):
        with acquire():
            log.append(name)

    first = threading.Thread(target=hold)
    first.start()
    holding.wait(5)
    batch = threading.Thread(target=enter, args=(lock.batch, "batch"))
    batch.start()  # the next batch waits first
    wait_until(lambda: lock._changed._waiters)
    requests = [threading.Thread(target=enter, args=(lock.request, "request")) for _ in range(3)]
    for request in requests:
        request.start()
    wait_until(lambda: len(lock._queue) == 3)
    release.set()
    for thread in (first, batch, *requests):
        thread.join(60)
    assert log == ["request"] * 3 + ["batch"]  # and is computed last


def test_pause_batches_delays_batches_until_the_answer_is_drawn():
    lock, entered, times = DeviceLock(), threading.Event(), []

    def enter():
        with lock.batch():
            times.append(time.monotonic())
            entered.set()

    with lock.pause_batches():
        with lock.request():
            pass
        batch = threading.Thread(target=enter)
        batch.start()
        assert not entered.wait(0.1), "the request still encodes its images"
        ended = time.monotonic()
    assert entered.wait(60)
    assert times[0] - ended >= 0.9 * DRAW_SECONDS, "the front end draws the answer first"
    batch.join(5)


def test_the_device_is_used_by_one_thread_at_a_time():
    lock, inside, counts = DeviceLock(), [0], []

    def use_device(acquire):
        for _ in range(50):
            with acquire():
                inside[0] += 1
                counts.append(inside[0])
                time.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=use_device, args=(acquire,)) for acquire in (lock.batch, lock.batch, lock.request, lock.request)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(counts) == 200
    assert max(counts) == 1


def test_lock_is_released_after_an_error():
    lock = DeviceLock()
    for acquire in (lock.request, lock.batch):
        with pytest.raises(RuntimeError), acquire():
            raise RuntimeError
    entered = []
    for acquire in (lock.batch, lock.request):
        with acquire():
            entered.append(acquire)
    assert len(entered) == 2


def test_background_batches_wait_for_foreground_jobs():
    lock, entered = DeviceLock(), threading.Event()

    def run_in_background():
        with lock.background_batch():
            entered.set()

    with lock.foreground_job():
        thread = threading.Thread(target=run_in_background)
        thread.start()
        with lock.batch():  # of the foreground job
            pass
        assert not entered.wait(0.2)
    assert entered.wait(5)
    thread.join(5)
