"""Services are garbage-collected and their threads end, even if neither they nor their widgets are closed."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from types import SimpleNamespace

import pytest

import deconvwidgets as dw
from deconvwidgets.instruments.occlusion.service.runs import MapsComputation, MapsRuns
from deconvwidgets.remote.link import RayLink
from deconvwidgets.service.worker import Worker


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path))


def live_threads():
    return {thread for thread in threading.enumerate() if thread.name.startswith("deconvwidgets")}


def use_service(tiny_bundle, tiny_images, data):
    """Make a service with all widgets, and send requests that start threads. Nothing is closed or displayed."""
    service = dw.LocalModelService(tiny_bundle, tiny_images, device="cpu").wait()
    widgets = [dw.LayerExplorer(service), dw.OcclusionExplorer(service), dw.TransferPanel(service)]
    mosaics = {"kind": "mosaics", "layer": "conv1", "unit": 0, "tile": 20, "background": True}
    widgets[0]._handle_custom_msg({"seq": 1, "client": "c", **mosaics}, [])
    service.occlusion.wait(widgets[1]._start())
    widgets[2]._handle_custom_msg({"seq": 1, "client": "c", "kind": "data", "settings": {"data": data}}, [])
    return [weakref.ref(item) for item in (service, service._context, *widgets)]


@pytest.mark.slow
def test_services_that_are_not_closed_are_garbage_collected(tiny_bundle, tiny_images):
    before = live_threads()
    # One service is dropped while its thread downloads photographs. To download them for each would take longest.
    data = ("photo-crops", *["images"] * 7)
    references = [reference for name in data for reference in use_service(tiny_bundle, tiny_images, name)]
    end = time.monotonic() + 120
    while live_threads() - before or any(reference() is not None for reference in references):
        assert time.monotonic() < end, (live_threads() - before, [reference() for reference in references if reference() is not None][:3])
        gc.collect()
        time.sleep(0.05)


def test_widget_keeps_its_service_alive(tiny_bundle, tiny_images):
    widget = dw.LayerExplorer(dw.LocalModelService(tiny_bundle, tiny_images, device="cpu").wait())
    gc.collect()
    assert widget._service.layers.unit_table("conv1").maximum.shape == (4,)


@pytest.mark.parametrize(
    ("make", "lock_of", "finalize"),
    [
        (Worker, lambda worker: worker._jobs.lock, Worker.cancel),
        (MapsRuns, lambda runs: runs._lock, MapsRuns.stop_all),
        (lambda: MapsComputation(None, None, None), lambda one: one._lock, MapsComputation.stop),
        (lambda: RayLink(SimpleNamespace(is_initialized=lambda: False), None, "session", ""), lambda link: link._lock, RayLink.close),
    ],
    ids=["worker", "runs", "computation", "link"],
)
def test_finalizers_take_locks_that_their_own_thread_may_hold(make, lock_of, finalize):
    """Garbage is collected at any allocation, and finalizers run in the thread that allocates."""
    made = make()

    def collect_within_the_lock():
        with lock_of(made):
            finalize(made)

    thread = threading.Thread(target=collect_within_the_lock, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
