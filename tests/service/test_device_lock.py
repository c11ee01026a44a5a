"""The device gate: requests wait for one batch at the most."""

import threading
import time

import pytest

from deconvwidgets.service.device_lock import DRAW_SECONDS, DeviceLock

BATCH = 0.02


def run_batches(gate, stop, started):
    while not stop.is_set():
        with gate.batch():
            started.set()
            time.sleep(BATCH)
        # no pause: a bare Lock would be taken again before anybody wakes


@pytest.mark.parametrize("requesters", [1, 3])
def test_requests_wait_for_one_batch(requesters):
    gate, stop, started, order = DeviceLock(), threading.Event(), threading.Event(), []
    job = threading.Thread(target=run_batches, args=(gate, stop, started))
    job.start()
    started.wait(5)

    def ask():
        for _ in range(10):
            begun = time.perf_counter()
            with gate.request():
                order.append(time.perf_counter() - begun)
            time.sleep(0.003)

    threads = [threading.Thread(target=ask) for _ in range(requesters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    stop.set()
    job.join(5)
    assert len(order) == 10 * requesters
    # One batch, plus what a loaded machine takes to wake a thread; starving requests wait for many.
    assert sorted(order)[len(order) // 2] < 2 * BATCH
    assert max(order) < 10 * BATCH


def test_no_batch_starts_while_a_request_waits():
    gate, log, holding, go = DeviceLock(), [], threading.Event(), threading.Event()

    def hold():
        with gate.batch():
            holding.set()
            go.wait(5)

    def enter(way, name):
        with way():
            log.append(name)

    first = threading.Thread(target=hold)
    first.start()
    holding.wait(5)
    batch = threading.Thread(target=enter, args=(gate.batch, "batch"))
    batch.start()  # the next batch waits first,
    time.sleep(0.05)
    requests = [threading.Thread(target=enter, args=(gate.request, "request")) for _ in range(3)]
    for request in requests:
        request.start()
    time.sleep(0.05)
    go.set()
    for thread in (first, batch, *requests):
        thread.join(5)
    assert log == ["request"] * 3 + ["batch"]  # and is served last


def test_no_batch_starts_while_a_request_is_answered_and_one_does_after():
    gate, entered = DeviceLock(), threading.Event()

    def enter():
        with gate.batch():
            entered.set()

    with gate.pause_batches():
        with gate.request():
            pass
        batch = threading.Thread(target=enter)
        batch.start()
        assert not entered.wait(0.1), "the request still encodes what the device gave"
        ended = time.monotonic()
    assert not entered.is_set()
    assert entered.wait(5)
    assert time.monotonic() - ended >= 0.9 * DRAW_SECONDS, "the browser draws the answer first"
    batch.join(5)


def test_one_at_a_time():
    gate, inside, most = DeviceLock(), [0], []

    def use(way):
        for _ in range(50):
            with way():
                inside[0] += 1
                most.append(inside[0])
                time.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=use, args=(way,)) for way in (gate.batch, gate.batch, gate.request, gate.request)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(most) == 200
    assert max(most) == 1


def test_failure_inside_opens_the_gate_again():
    gate = DeviceLock()
    for way in (gate.request, gate.batch):
        with pytest.raises(RuntimeError), way():
            raise RuntimeError
    entered = []
    for way in (gate.batch, gate.request):
        with way():
            entered.append(way)
    assert len(entered) == 2
