"""Runs that compute occlusion maps in a worker: reuse, stop and resume, priorities, events, and memory."""

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
from deconvwidgets.instruments.occlusion.compute.occlude import OcclusionScan
from deconvwidgets.instruments.occlusion.records import MapsSettings
from deconvwidgets.instruments.occlusion.service import api as api_module
from deconvwidgets.instruments.occlusion.service.map_job import MapJob
from deconvwidgets.instruments.occlusion.service.runs import MapsComputation, MapsRuns
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.service.worker import Job, SynchronousExecutor


def advance(api, run, count=3):
    """Compute `count` positions of a run, as the worker does."""
    computation = api._runs.get(run).computation
    computation._batch_size.size = lambda: count
    computation.advance(api._context.device_lock.batch)


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.005)


@pytest.fixture
def manual_api(make_service, manual_executor, make_request):
    """An OcclusionApi whose jobs are run by the test, with the scene of crop 3 computed."""
    service = make_service(manual_executor)
    service.occlusion.scene(make_request())
    manual_executor.jobs.clear()
    return service.occlusion


def test_maps_equal_those_of_occlude(service, api, make_request, settings):
    for requested in (settings(), settings((3, 6), (4, 3)), settings((4, 4), (4, 4), "same")):
        maps = api.wait(api.start_maps(make_request(fill="mean"), requested))
        image = service._context.snapshot.images.open_crop(3)
        expected = dw.occlude(
            service._context.snapshot.bundle, image, requested.window, requested.stride, border=requested.border, fill="mean"
        )
        for name in ("probability", "label_probability", "activity"):
            np.testing.assert_allclose(getattr(maps, name), getattr(expected, name), atol=1e-5)
        np.testing.assert_array_equal(maps.label, expected.label)
        np.testing.assert_array_equal(maps.centres, expected.centres)
        assert (maps.target, maps.unit, maps.layer, maps.fill) == (expected.target, expected.unit, expected.layer, "mean")
        assert (maps.complete, maps.logits, maps.categories) == (True, None, ("ant", "bee", "cow"))


def test_invalid_maps_settings_are_rejected(api, make_request, settings):
    for invalid, message in (
        (settings((17, 4)), "larger than the image"),
        (settings((0, 4)), "at least 1 pixel"),
        (settings(stride=(0, 1)), "at least 1 pixel"),
        (settings(border="wrap"), "'inside' or 'same'"),
        (settings(window=("a", 4)), "integer"),
    ):
        with pytest.raises(OcclusionError, match=message):
            api.start_maps(make_request(), invalid)
    with pytest.raises(LayerError):
        api.start_maps(make_request(layer="conv7"), settings())
    for number in (1, 0, "1"):
        with pytest.raises(ServiceError, match="no maps run"):
            api.maps(number)


def test_maps_are_computed_coarse_to_fine_and_can_be_stopped_and_resumed(manual_api, manual_executor, make_request, settings):
    run = manual_api.start_maps(make_request(), settings())
    maps = manual_api.maps(run)
    assert (maps.done, maps.complete, maps.activity.shape) == (0, False, (7, 7))
    assert np.isnan(maps.probability).all()
    assert (maps.label == -1).all()
    advance(manual_api, run, 16)
    maps = manual_api.maps(run)
    assert maps.done == 16
    assert np.isfinite(maps.activity[::2, ::2]).all()
    manual_api.stop_maps(run)
    advance(manual_api, run)  # a step that waited for the device lock
    manual_executor.jobs[-1].run()
    assert manual_api.maps(run).done == 16
    with pytest.raises(ServiceError, match=r"stopped at 16 of 49 positions: request them again"):
        manual_api.wait(run)
    assert manual_api.start_maps(make_request(), settings()) == run  # it is resumed
    assert not manual_api._runs.get(run).computation.stopped
    assert manual_api.maps(run).done == 16
    manual_executor.jobs[-1].run()
    assert manual_api.wait(run).complete
    np.testing.assert_array_equal(manual_api.wait(run).activity[::2, ::2], maps.activity[::2, ::2])


def test_maps_that_are_resumed_before_the_stop_takes_effect_are_completed(manual_api, manual_executor, make_request, settings, monkeypatch):
    run = manual_api.start_maps(make_request(), settings())
    computation = manual_api._runs.get(run).computation
    manual_api.stop_maps(run)

    def resume_now(self):  # as another thread could, when the job sees the stop
        active = not self._ended.is_set()
        self.resume()
        return active

    with monkeypatch.context() as patched:
        patched.setattr(MapsComputation, "active", property(resume_now))
        manual_executor.jobs[-1].run()
    assert computation.active
    manual_api.stop_maps(run)
    assert manual_api.start_maps(make_request(), settings()) == run
    superseded = Job("maps", lambda job: None, lambda message: None)
    superseded.cancel()  # as the worker does when the next job is submitted
    MapJob(computation, manual_api._runs, nullcontext, print, manual_executor)(superseded)
    assert computation.active
    manual_executor.jobs[-1].run()
    assert manual_api.wait(run).complete


def test_equal_requests_share_a_run(manual_api, manual_executor, make_request, settings):
    run = manual_api.start_maps(make_request(), settings())
    resolved = manual_api.scene(make_request()).request
    assert manual_api.start_maps(resolved, settings()) == run
    assert len(manual_executor.jobs) == 1
    manual_executor.jobs[0].run()
    assert manual_api.start_maps(make_request(), settings()) == run
    assert len(manual_executor.jobs) == 1


def test_a_new_request_stops_older_maps_of_the_same_image_only(manual_api, manual_executor, make_request, settings):
    other = manual_api.start_maps(make_request("crop:6"), settings())
    first = manual_api.start_maps(make_request(), settings())
    second = manual_api.start_maps(make_request(), settings((5, 5)))
    computations = [manual_api._runs.get(run).computation for run in (other, first, second)]
    assert [computation.stopped for computation in computations] == [False, True, False]
    manual_executor.jobs[0].run()  # a job computes the newest run first, then the others
    assert [computation.active for computation in computations] == [False, False, False]
    assert manual_api.wait(second).complete
    assert manual_api.wait(other).complete
    assert manual_api.maps(first).done == 0


def test_maps_are_not_stopped_while_another_view_shows_them(manual_api, manual_executor, make_request, settings):
    runs = [manual_api.start_maps(make_request(), settings((side, side)), view) for side, view in ((3, "left"), (4, "right"), (5, "right"))]
    left, before, right = (manual_api._runs.get(run).computation for run in runs)
    assert [computation.stopped for computation in (left, before, right)] == [False, True, False]
    assert manual_api.start_maps(make_request(), settings((5, 5)), "left") == runs[2]  # both views show the same maps
    assert left.stopped
    manual_api.start_maps(make_request(), settings((6, 6)), "right")
    assert not right.stopped
    for job in manual_executor.jobs:
        job.run()
    assert manual_api.wait(runs[2]).complete


def test_the_newest_request_is_computed_first(manual_api, make_request, settings):
    runs = [manual_api.start_maps(make_request(f"crop:{index}"), settings()) for index in (0, 3, 6)]
    assert [computation.request.request.image for computation in manual_api._runs.active()] == ["crop:6", "crop:3", "crop:0"]
    assert manual_api.start_maps(make_request("crop:0"), settings()) == runs[0]
    assert next(manual_api._runs.active()).request.request.image == "crop:0"


def test_maps_of_another_target_are_computed_from_the_logits(service, api, make_request, settings, monkeypatch):
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


def test_large_maps_keep_no_logits_and_are_computed_again_for_another_target(api, make_request, settings, monkeypatch):
    monkeypatch.setattr(api_module, "_MAX_LOGITS_BYTES", 100)
    first = api.start_maps(make_request(), settings())
    target = (api.maps(first).target + 1) % 3
    second = api.start_maps(make_request(target=target), settings())
    assert api._runs.get(first).computation is not api._runs.get(second).computation
    assert api.maps(second).target == target
    assert api.wait(second).complete


def test_errors_of_a_run_are_raised_and_the_next_run_works(manual_api, manual_executor, make_request, settings, caplog):
    events = []
    manual_api._changed._action = lambda: events.append(1)
    run = manual_api.start_maps(make_request(), settings())
    computation = manual_api._runs.get(run).computation
    computation._scan.step = lambda count: 1 / 0
    manual_executor.jobs[-1].run()
    for method in (manual_api.maps, manual_api.wait):
        with pytest.raises(ServiceError, match="could not be computed: ZeroDivisionError"):
            method(run)
    assert "Traceback" in caplog.text
    assert events
    again = manual_api.start_maps(make_request(), settings())
    assert again != run
    manual_executor.jobs[-1].run()
    assert manual_api.wait(again).complete


def test_set_head_starts_new_maps_and_keeps_the_old_ones(make_service, manual_executor, tiny_bundle, make_head, make_request, settings):
    service = make_service(manual_executor)
    api = service.occlusion
    first = api.start_maps(make_request(), settings())
    advance(api, first, 9)
    service.set_head(make_head(tiny_bundle, "conv1", classes=6, pool=(2, 2)))
    advance(api, first, 9)  # the running job is not affected
    old = api.maps(first)
    assert (old.done, old.categories) == (18, ("ant", "bee", "cow"))
    assert old.label.max() < 3
    second = api.start_maps(make_request(), settings())
    assert second != first
    assert api._runs.get(first).computation.stopped  # no view shows them
    manual_executor.jobs[-1].run()
    new = api.wait(second)
    assert new.categories == tuple(f"kind {number}" for number in range(6))
    other = api.start_maps(make_request("crop:9"), settings())
    service.reset_head()
    api.start_maps(make_request(), settings())
    assert api._runs.get(other).computation.stopped


def test_old_maps_are_discarded_and_stopped_runs_release_their_memory(manual_api, manual_executor, make_request, settings, monkeypatch):
    stopped = []
    for side in range(2, 8):
        stopped.append(manual_api.start_maps(make_request(), settings((side, side))))
        advance(manual_api, stopped[-1])
    computations = [manual_api._runs.get(run).computation for run in stopped]
    assert [computation._scan is not None for computation in computations] == [False, False, True, True, True, True]
    assert manual_api.maps(stopped[0]).done == 3  # the computed positions are kept
    again = manual_api.start_maps(make_request(), settings((2, 2)))
    assert again != stopped[0]  # it cannot be resumed, so a new run is started
    manual_executor.jobs[-1].run()
    assert manual_api.wait(again).complete
    monkeypatch.setattr(manual_api._runs, "_max_bytes", 2500)
    newest = manual_api.start_maps(make_request("crop:9"), settings())
    assert manual_api.maps(newest).done == 0
    with pytest.raises(ServiceError, match="no longer kept: start it again"):
        manual_api.maps(stopped[0])


def test_the_memory_of_all_maps_is_limited():
    assert MapsRuns()._max_bytes <= 256 << 20


# With worker threads


@pytest.fixture
def threaded_service(make_service, make_request):
    service = make_service(None)
    service.wait(60)
    service.occlusion.scene(make_request())
    return service


FINE = MapsSettings((3, 3), (1, 1), "same")


def test_events_are_rate_limited_and_the_last_one_is_published(threaded_service, make_request):
    api, events = threaded_service.occlusion, []

    def listener(event):
        if event.kind == "occlusion":
            events.append((time.monotonic(), api.maps(runs[0]).complete if runs else False))

    runs = []
    threaded_service.subscribe(listener)
    runs.append(api.start_maps(make_request(), FINE))
    assert api.wait(runs[0], 60).complete
    wait_until(lambda: events and events[-1][1])
    times = [seconds for seconds, _ in events[:-1]]
    assert all(later - earlier > 0.15 for earlier, later in pairwise(times))


def test_superseded_and_stopped_runs_with_threads(threaded_service, make_request):
    api = threaded_service.occlusion
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


def test_patch_requests_have_priority_over_maps(threaded_service, make_request, monkeypatch):
    api, step, steps, during = threaded_service.occlusion, OcclusionScan.step, [], []
    monkeypatch.setattr(OcclusionScan, "step", lambda scan, count: (steps.append(count), time.sleep(0.03), step(scan, min(count, 2))))
    run = api.start_maps(make_request(), FINE)
    for offset in range(12):
        before = len(steps)
        api.answer(make_request(), [(offset, 2, offset + 4, 6)])
        during.append(len(steps) - before)
        time.sleep(0.02)
    assert sorted(during)[6] <= 1, during  # none but the one that runs when the request comes
    wait_until(lambda: steps)  # and then they go on
    api.stop_maps(run)


def test_requests_from_many_threads(threaded_service, make_request, settings):
    api, errors, runs = threaded_service.occlusion, [], []

    def send_requests(number):
        try:
            request = make_request(f"crop:{number % 3}", fill=("gray", "mean")[number % 2])
            runs.append((number % 3, number % 2, api.start_maps(request, settings())))
            for offset in range(4):
                api.answer(request, [(offset, offset, offset + 5, offset + 5)])
            api.projections(request, 32)
        except Exception as error:  # noqa: BLE001 - compared below
            errors.append(error)

    threads = [threading.Thread(target=send_requests, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for index in range(3):  # the newest request of each image is completed
        newest = max(run for image, _, run in runs if image == index)
        assert api.wait(api.start_maps(api._runs.get(newest).computation.request.request, settings()), 60).complete


def test_maps_are_computed_while_the_worker_is_busy(threaded_service, make_request, settings):
    """Maps have a worker of their own."""
    release = threading.Event()
    job = threaded_service._context.executor.submit("training", lambda job: release.wait(30), print)
    try:
        assert threaded_service.occlusion.wait(threaded_service.occlusion.start_maps(make_request(), settings()), 20).complete
        assert not job.done
    finally:
        release.set()


def test_close_stops_the_computation(make_service, make_request):
    service = make_service(None)
    run = service.occlusion.start_maps(make_request(), FINE)
    service.close()
    assert not service.occlusion._runs.get(run).computation.active
    with pytest.raises(ServiceError, match="closed"):
        service.occlusion.start_maps(make_request(), MapsSettings((5, 5), (1, 1)))
    assert service.occlusion.scene(make_request()).classes  # cached results are available


def test_running_maps_do_not_keep_the_service_alive(tiny_bundle, tiny_images, make_request):
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu")
    service.wait(60)
    api = service.occlusion
    api.scene(make_request())
    with api._context.device_lock.request():  # no step is computed meanwhile
        computation = api._runs.get(api.start_maps(make_request(), FINE)).computation
        step = computation._scan.step
        computation._scan.step = lambda count: (time.sleep(0.05), step(1))
    reference, worker = weakref.ref(service), api._context.interactive_executor
    del service, api
    wait_until(lambda: gc.collect() is not None and reference() is None)
    wait_until(lambda: not computation.active, 3)
    assert not computation.maps(None).complete
    worker.close()


def test_wait_raises_an_error_after_an_interrupt(manual_api, manual_executor, make_request, settings):
    run = manual_api.start_maps(make_request(), settings())

    def interrupt(count):
        raise KeyboardInterrupt

    manual_api._runs.get(run).computation._scan.step = interrupt
    manual_executor.jobs[-1].run()
    with pytest.raises(ServiceError, match="stopped at 0 of 49"):
        manual_api.wait(run, 5)
    assert manual_api.start_maps(make_request(), settings()) == run


def test_synchronous_executor_returns_complete_maps(make_service, make_request, settings):
    service = make_service(SynchronousExecutor())
    assert service.occlusion.maps(service.occlusion.start_maps(make_request(), settings())).complete
