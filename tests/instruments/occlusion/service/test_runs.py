"""Maps that grow on a worker: the same question once, another one in its place, stopped and gone on with, paced, told of, and forgotten."""

import gc
import threading
import time
import weakref
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import LayerError, OcclusionError, ServiceError
from deconvwidgets.instruments.occlusion.records import MapsSettings
from deconvwidgets.instruments.occlusion.service import api as api_module
from deconvwidgets.instruments.occlusion.service.map_job import MapJob
from deconvwidgets.instruments.occlusion.service.runs import MapsComputation, MapsRuns
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.worker import Job, SynchronousExecutor


def one_step(api, run, count=3):
    """Compute some positions of a run, as the worker would."""
    computation = api._runs.get(run).computation
    computation._batch_size.size = lambda: count
    computation.advance(api._context.device_lock.batch)


def until(done, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


@pytest.fixture
def held(make_service, manual_executor, make_request):
    """An api whose jobs run when the test says so, its scene made."""
    service = make_service(manual_executor)
    service.occlusion.scene(make_request())
    manual_executor.jobs.clear()
    return service.occlusion


def test_the_maps_are_those_of_occlude(service, api, make_request, settings):
    for given in (settings(), settings((3, 6), (4, 3)), settings((4, 4), (4, 4), "same")):
        maps = api.wait(api.start_maps(make_request(fill="mean"), given))
        image = service._context.snapshot.images.open_crop(3)
        expected = dw.occlude(service._context.snapshot.bundle, image, given.window, given.stride, border=given.border, fill="mean")
        for name in ("probability", "label_probability", "activity"):
            np.testing.assert_allclose(getattr(maps, name), getattr(expected, name), atol=1e-5)
        np.testing.assert_array_equal(maps.label, expected.label)
        np.testing.assert_array_equal(maps.centres, expected.centres)
        assert (maps.target, maps.unit, maps.layer, maps.fill) == (expected.target, expected.unit, expected.layer, "mean")
        assert (maps.complete, maps.logits, maps.categories) == (True, None, ("ant", "bee", "cow"))


def test_what_cannot_be_is_said_at_once(api, make_request, settings):
    for given, words in (
        (settings((17, 4)), "larger than the image"),
        (settings((0, 4)), "at least 1 pixel"),
        (settings(stride=(0, 1)), "at least 1 pixel"),
        (settings(border="wrap"), "'inside' or 'same'"),
        (settings(window=("a", 4)), "integer"),
    ):
        with pytest.raises(OcclusionError, match=words):
            api.start_maps(make_request(), given)
    with pytest.raises(LayerError):
        api.start_maps(make_request(layer="conv7"), settings())
    for number in (1, 0, "1"):
        with pytest.raises(ServiceError, match="no maps run"):
            api.maps(number)


def test_maps_come_coarse_to_fine_and_a_stop_keeps_what_is_there(held, manual_executor, make_request, settings):
    run = held.start_maps(make_request(), settings())
    maps = held.maps(run)
    assert (maps.done, maps.complete, maps.activity.shape) == (0, False, (7, 7))
    assert np.isnan(maps.probability).all()
    assert (maps.label == -1).all()
    one_step(held, run, 16)
    maps = held.maps(run)
    assert maps.done == 16
    assert np.isfinite(maps.activity[::2, ::2]).all()
    held.stop_maps(run)
    one_step(held, run)  # as one that was on its way to the device
    manual_executor.jobs[-1].run()
    assert held.maps(run).done == 16
    with pytest.raises(ServiceError, match=r"stopped at 16 of 49 positions: request them again"):
        held.wait(run)
    assert held.start_maps(make_request(), settings()) == run  # goes on where it was stopped
    assert not held._runs.get(run).computation.stopped
    assert held.maps(run).done == 16
    manual_executor.jobs[-1].run()
    assert held.wait(run).complete
    np.testing.assert_array_equal(held.wait(run).activity[::2, ::2], maps.activity[::2, ::2])


def test_a_stop_that_is_taken_back_at_once_is_taken_back(held, manual_executor, make_request, settings, monkeypatch):
    run = held.start_maps(make_request(), settings())
    computation = held._runs.get(run).computation
    held.stop_maps(run)

    def taken_back(self):  # by another thread, just when the job sees the stop
        active = not self._ended.is_set()
        self.resume()
        return active

    with monkeypatch.context() as patched:
        patched.setattr(MapsComputation, "active", property(taken_back))
        manual_executor.jobs[-1].run()
    assert computation.active
    held.stop_maps(run)
    assert held.start_maps(make_request(), settings()) == run
    superseded = Job("maps", lambda job: None, lambda words: None)
    superseded.cancel()  # as the worker does when the next one is submitted
    MapJob(computation, held._runs, nullcontext, print, manual_executor)(superseded)
    assert computation.active
    manual_executor.jobs[-1].run()
    assert held.wait(run).complete


def test_the_same_question_is_computed_once(held, manual_executor, make_request, settings):
    run = held.start_maps(make_request(), settings())
    definite = held.scene(make_request()).request
    assert held.start_maps(definite, settings()) == run
    assert len(manual_executor.jobs) == 1
    manual_executor.jobs[0].run()
    assert held.start_maps(make_request(), settings()) == run
    assert len(manual_executor.jobs) == 1


def test_another_question_of_the_image_stops_its_predecessor_and_of_another_image_does_not(held, manual_executor, make_request, settings):
    elsewhere = held.start_maps(make_request("crop:6"), settings())
    first = held.start_maps(make_request(), settings())
    second = held.start_maps(make_request(), settings((5, 5)))
    computations = [held._runs.get(run).computation for run in (elsewhere, first, second)]
    assert [one.stopped for one in computations] == [False, True, False]
    manual_executor.jobs[0].run()  # the job of the one elsewhere goes on with what was asked for last, first
    assert [one.active for one in computations] == [False, False, False]
    assert held.wait(second).complete
    assert held.wait(elsewhere).complete
    assert held.maps(first).done == 0


def test_what_another_view_looks_at_goes_on(held, manual_executor, make_request, settings):
    runs = [held.start_maps(make_request(), settings((side, side)), asker) for side, asker in ((3, "left"), (4, "right"), (5, "right"))]
    left, before, right = (held._runs.get(run).computation for run in runs)
    assert [one.stopped for one in (left, before, right)] == [False, True, False]
    assert held.start_maps(make_request(), settings((5, 5)), "left") == runs[2]  # both look at the same
    assert left.stopped
    held.start_maps(make_request(), settings((6, 6)), "right")
    assert not right.stopped
    for job in manual_executor.jobs:
        job.run()
    assert held.wait(runs[2]).complete


def test_what_was_asked_for_last_is_gone_on_with_first(held, make_request, settings):
    runs = [held.start_maps(make_request(f"crop:{view}"), settings()) for view in (0, 3, 6)]
    assert [one.request.request.image for one in held._runs.active()] == ["crop:6", "crop:3", "crop:0"]
    assert held.start_maps(make_request("crop:0"), settings()) == runs[0]
    assert next(held._runs.active()).request.request.image == "crop:0"


def test_another_target_costs_nothing(service, api, make_request, settings, monkeypatch):
    first = api.start_maps(make_request(), settings())
    target = (api.maps(first).target + 1) % 3
    expected = dw.occlude(service._context.snapshot.bundle, service._context.snapshot.images.open_crop(3), 4, 2, target=target)
    monkeypatch.delattr("deconvwidgets.engine.occlusion.occluded_image.OccludedImage.run")
    second = api.start_maps(make_request(target=target), settings())
    assert second != first
    maps = api.wait(second)
    np.testing.assert_allclose(maps.probability, expected.probability, atol=1e-6)
    assert maps.target == target
    assert maps.unoccluded.probability == pytest.approx(expected.unoccluded.probability, abs=1e-6)
    assert maps.unoccluded.label == api.maps(first).unoccluded.label
    assert api.start_maps(make_request(target=target), settings()) == second
    assert api.start_maps(make_request(), settings()) == first


def test_maps_of_many_positions_keep_no_logits_and_another_target_computes_them(api, make_request, settings, monkeypatch):
    monkeypatch.setattr(api_module, "_MAX_LOGITS_BYTES", 100)
    first = api.start_maps(make_request(), settings())
    target = (api.maps(first).target + 1) % 3
    second = api.start_maps(make_request(target=target), settings())
    assert api._runs.get(first).computation is not api._runs.get(second).computation
    assert api.maps(second).target == target
    assert api.wait(second).complete


def test_a_failure_is_kept_in_words_and_the_next_question_works(held, manual_executor, make_request, settings, caplog):
    told = []
    held._changed._action = lambda: told.append(1)
    run = held.start_maps(make_request(), settings())
    computation = held._runs.get(run).computation
    computation._scan.step = lambda count: 1 / 0
    manual_executor.jobs[-1].run()
    for ask in (held.maps, held.wait):
        with pytest.raises(ServiceError, match="could not be computed: ZeroDivisionError"):
            ask(run)
    assert "Traceback" in caplog.text
    assert told
    again = held.start_maps(make_request(), settings())
    assert again != run
    manual_executor.jobs[-1].run()
    assert held.wait(again).complete


def test_another_head_starts_other_maps_and_the_old_ones_stay(
    make_service, manual_executor, tiny_bundle, make_head, make_request, settings
):
    service = make_service(manual_executor)
    api = service.occlusion
    first = api.start_maps(make_request(), settings())
    one_step(api, first, 9)
    service.set_head(make_head(tiny_bundle, "conv1", classes=6, pool=(2, 2)))
    one_step(api, first, 9)  # the worker does not notice
    old = api.maps(first)
    assert (old.done, old.categories) == (18, ("ant", "bee", "cow"))
    assert old.label.max() < 3
    second = api.start_maps(make_request(), settings())
    assert second != first
    assert api._runs.get(first).computation.stopped  # nobody looks at them any more
    manual_executor.jobs[-1].run()
    new = api.wait(second)
    assert new.categories == tuple(f"kind {number}" for number in range(6))
    elsewhere = api.start_maps(make_request("crop:9"), settings())
    service.reset_head()
    api.start_maps(make_request(), settings())
    assert api._runs.get(elsewhere).computation.stopped


def test_old_maps_are_forgotten_and_stopped_ones_let_go(held, manual_executor, make_request, settings, monkeypatch):
    stopped = []
    for side in range(2, 8):
        stopped.append(held.start_maps(make_request(), settings((side, side))))
        one_step(held, stopped[-1])
    computations = [held._runs.get(run).computation for run in stopped]
    assert [one._scan is not None for one in computations] == [False, False, True, True, True, True]
    assert held.maps(stopped[0]).done == 3  # they stay as far as they are
    again = held.start_maps(make_request(), settings((2, 2)))
    assert again != stopped[0]  # cannot go on, so it begins anew
    manual_executor.jobs[-1].run()
    assert held.wait(again).complete
    monkeypatch.setattr(held._runs, "_max_bytes", 2500)
    newest = held.start_maps(make_request("crop:9"), settings())
    assert held.maps(newest).done == 0
    with pytest.raises(ServiceError, match="no longer kept: start it again"):
        held.maps(stopped[0])


def test_the_bookkeeping_is_bounded():
    assert MapsRuns()._max_bytes <= 256 << 20


# With real threads


@pytest.fixture
def threaded(make_service, make_request):
    service = make_service(None)
    service.wait(60)
    service.occlusion.scene(make_request())
    return service


FINE = MapsSettings((3, 3), (1, 1), "same")


def test_events_are_few_and_the_last_is_told(threaded, make_request):
    api, seen = threaded.occlusion, []

    def note(event):
        if event.kind == "occlusion":
            seen.append((time.monotonic(), api.maps(runs[0]).complete if runs else False))

    runs = []
    threaded.subscribe(note)
    runs.append(api.start_maps(make_request(), FINE))
    assert api.wait(runs[0], 60).complete
    until(lambda: seen and seen[-1][1])
    times = [at for at, _ in seen[:-1]]
    assert all(later - earlier > 0.15 for earlier, later in pairwise(times))


def test_supersession_and_stops_with_threads(threaded, make_request):
    api = threaded.occlusion
    runs = [api.start_maps(make_request(), MapsSettings((side, side), (1, 1), "same")) for side in range(2, 9)]
    last = api.wait(runs[-1], 60)
    assert last.complete
    assert last.window == (8, 8)
    for run in runs[:-1]:
        computation = api._runs.get(run).computation
        assert not computation.active
    run = api.start_maps(make_request(), FINE)
    api.stop_maps(run)
    maps = api.maps(run)
    if not maps.complete:
        with pytest.raises(ServiceError, match="were stopped"):
            api.wait(run, 10)
    assert api.wait(api.start_maps(make_request(), FINE), 60).complete


def test_patches_are_answered_while_maps_are_computed(threaded, make_request, monkeypatch):
    api = threaded.occlusion
    run = api.start_maps(make_request(), FINE)
    scan = api._runs.get(run).computation._scan
    slow = scan.step if scan else None
    if slow is not None:
        monkeypatch.setattr(scan, "step", lambda count: (time.sleep(0.03), slow(min(count, 2))))
    waits = []
    for place in range(12):
        begun = time.monotonic()
        api.answer(make_request(), [(place, 2, place + 4, 6)])
        waits.append(time.monotonic() - begun)
        time.sleep(0.02)
    assert sorted(waits)[6] < 0.03, waits
    api.stop_maps(run)


def test_many_threads_ask_one_desk(threaded, make_request, settings):
    api, trouble, runs = threaded.occlusion, [], []

    def ask(number):
        try:
            given = make_request(f"crop:{number % 3}", fill=("gray", "mean")[number % 2])
            runs.append((number % 3, number % 2, api.start_maps(given, settings())))
            for place in range(4):
                api.answer(given, [(place, place, place + 5, place + 5)])
            api.projections(given, 32)
        except Exception as error:  # noqa: BLE001 - for the test to show
            trouble.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    for view in range(3):  # of each image the newest question is answered
        newest = max(run for image, _, run in runs if image == view)
        assert api.wait(api.start_maps(api._runs.get(newest).computation.request.request, settings()), 60).complete


def test_maps_wait_for_no_training_and_no_index(threaded, make_request, settings):
    """The service's own worker is busy; maps have another."""
    hold = threading.Event()
    job = threaded._context.executor.submit("training", lambda job: hold.wait(30), print)
    try:
        assert threaded.occlusion.wait(threaded.occlusion.start_maps(make_request(), settings()), 20).complete
        assert not job.done
    finally:
        hold.set()


def test_closing_ends_what_is_computed(make_service, make_request):
    service = make_service(None)
    run = service.occlusion.start_maps(make_request(), FINE)
    service.close()
    assert not service.occlusion._runs.get(run).computation.active
    with pytest.raises(ServiceError, match="closed"):
        service.occlusion.start_maps(make_request(), MapsSettings((5, 5), (1, 1)))
    assert service.occlusion.scene(make_request()).classes  # what stands can be asked for


def test_a_forgotten_service_is_not_kept_by_its_maps(tiny_bundle, tiny_images, make_request):
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu")
    service.wait(60)
    api = service.occlusion
    api.scene(make_request())
    with api._context.device_lock.request():  # no step begins meanwhile
        computation = api._runs.get(api.start_maps(make_request(), FINE)).computation
        step = computation._scan.step
        computation._scan.step = lambda count: (time.sleep(0.05), step(1))
    gone, worker = weakref.ref(service), api._context.interactive_executor
    del service, api
    until(lambda: gc.collect() is not None and gone() is None)
    until(lambda: not computation.active, 3)
    assert not computation.maps(None).complete
    worker.close()


def test_an_interrupt_leaves_nobody_waiting(held, manual_executor, make_request, settings):
    run = held.start_maps(make_request(), settings())

    def interrupt(count):
        raise KeyboardInterrupt

    held._runs.get(run).computation._scan.step = interrupt
    manual_executor.jobs[-1].run()
    with pytest.raises(ServiceError, match="stopped at 0 of 49"):
        held.wait(run, 5)
    assert held.start_maps(make_request(), settings()) == run


def test_a_synchronous_worker_gives_complete_maps_at_once(make_service, make_request, settings):
    service = make_service(SynchronousExecutor())
    assert service.occlusion.maps(service.occlusion.start_maps(make_request(), settings())).complete
