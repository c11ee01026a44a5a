"""DeviceLock: requests have priority, and wait for one batch at most."""

import threading
import time

import pytest

from deconvwidgets.service.device_lock import DRAW_SECONDS, DeviceLock

BATCH = 0.02


def run_batches(lock, stop, started):
    while not stop.is_set():
        with lock.batch():
            started.set()
            time.sleep(BATCH)
        # no pause: a threading.Lock would be acquired again before another thread wakes up


@pytest.mark.parametrize("requesters", [1, 3])
def test_requests_wait_for_one_batch_at_most(requesters):
    lock, stop, started, waits = DeviceLock(), threading.Event(), threading.Event(), []
    job = threading.Thread(target=run_batches, args=(lock, stop, started))
    job.start()
    started.wait(5)

    def send_requests():
        for _ in range(10):
            start = time.perf_counter()
            with lock.request():
                waits.append(time.perf_counter() - start)
            time.sleep(0.003)

    threads = [threading.Thread(target=send_requests) for _ in range(requesters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    stop.set()
    job.join(5)
    assert len(waits) == 10 * requesters
    # One batch, plus the time in which a busy machine wakes a thread. Without priority a request would wait for many batches.
    assert sorted(waits)[len(waits) // 2] < 2 * BATCH
    assert max(waits) < 10 * BATCH


def test_waiting_requests_have_priority_over_batches():
    lock, log, holding, release = DeviceLock(), [], threading.Event(), threading.Event()

    def hold():
        with lock.batch():
            holding.set()
            release.wait(5)

    def enter(acquire, name):
        with acquire():
            log.append(name)

    first = threading.Thread(target=hold)
    first.start()
    holding.wait(5)
    batch = threading.Thread(target=enter, args=(lock.batch, "batch"))
    batch.start()  # the next batch waits first
    time.sleep(0.05)
    requests = [threading.Thread(target=enter, args=(lock.request, "request")) for _ in range(3)]
    for request in requests:
        request.start()
    time.sleep(0.05)
    release.set()
    for thread in (first, batch, *requests):
        thread.join(5)
    assert log == ["request"] * 3 + ["batch"]  # and is computed last


def test_pause_batches_delays_batches_until_the_answer_is_drawn():
    lock, entered = DeviceLock(), threading.Event()

    def enter():
        with lock.batch():
            entered.set()

    with lock.pause_batches():
        with lock.request():
            pass
        batch = threading.Thread(target=enter)
        batch.start()
        assert not entered.wait(0.1), "the request still encodes its images"
        ended = time.monotonic()
    assert not entered.is_set()
    assert entered.wait(5)
    assert time.monotonic() - ended >= 0.9 * DRAW_SECONDS, "the front end draws the answer first"
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
