"""What every instrument's API shares."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Lock, RLock
from typing import Any
from weakref import finalize, ref

from deconvwidgets.compute.job import JobContext, ProgressCallback
from deconvwidgets.errors import ServiceError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.overview import Overview
from deconvwidgets.service.batch_sizer import BatchSizer
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.events import Events
from deconvwidgets.service.head_history import HeadHistory
from deconvwidgets.service.index_job import IndexJob
from deconvwidgets.service.input_images import InputImages
from deconvwidgets.service.mosaics import MosaicRenderer
from deconvwidgets.service.overview import make_overview
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.unit_projections import UnitProjections
from deconvwidgets.service.worker import Executor, Worker

_BUSY_SECONDS = 5.0  # a widget counts as in use for so long after its last request


class ServiceContext:
    """The state, device, executors and caches of one model service. Thread-safe.

    It refers neither to the service, nor to the instruments' APIs, nor to the listeners, so that a job which holds it does not keep them
    alive.

    Parameters
    ----------
    snapshot : Snapshot
        The initial state.
    events : Events
        Where events are published. It is held weakly, and all jobs are cancelled when it is deleted: the service and the APIs refer to it.
    executor : Executor, optional
        Runs all jobs. By default the index, training, interactive jobs (maps) and analyses (contributions) have a worker each.
    """

    def __init__(self, snapshot: Snapshot, events: Events, executor: Executor | None = None) -> None:
        self._snapshot = snapshot
        self._events = ref(events)
        self._replace_lock = Lock()
        self._bundle_lock = RLock()  # re-entrant: a listener may change the bundle again
        self._last_request = -float("inf")
        self._on_replace: list[Callable[[Snapshot], None]] = []
        self._made_with = snapshot.bundle
        self._lifetime = finalize(events, self.cancel)
        self.executor: Executor = executor if executor is not None else Worker()
        self.training_executor: Executor = executor if executor is not None else Worker("deconvwidgets training")
        self.interactive_executor: Executor = executor if executor is not None else Worker("deconvwidgets maps")
        self.analysis_executor: Executor = executor if executor is not None else Worker("deconvwidgets analyses")
        self.device_lock = DeviceLock()
        self.images = PreparedImageCache()
        self.projections = UnitProjections(self.device_lock, self.images)
        self.mosaics = MosaicRenderer(self.device_lock, self.images, self.projections)
        self.input_images = InputImages(lambda: self._snapshot)
        self.heads = HeadHistory(lambda: self._snapshot.bundle, self.change_bundle)
        self.index = IndexJob(self)
        self.on_replace(lambda state: self.images.keep_only(state.layers_version))
        self.on_replace(lambda state: self.projections.keep_only(state.layers_version))
        self.on_replace(lambda state: self.mosaics.keep_only(state.layers_version))

    @property
    def snapshot(self) -> Snapshot:
        """The current state."""
        return self._snapshot

    @property
    def events(self) -> Events:
        """Where events are published. Raises ServiceError if nothing refers to the service any more."""
        events = self._events()
        if events is None:
            raise ServiceError("The model service does not exist any more: make a new one")
        return events

    def overview(self) -> Overview:
        """Return a description of the model, the image set and the layers."""
        return make_overview(self._snapshot, self.index.note)

    def on_replace(self, callback: Callable[[Snapshot], None]) -> None:
        """Call `callback` with each new snapshot, before the event "changed" is published: caches remove old entries then."""
        self._on_replace.append(callback)

    def replace(self, new_layers: bool = True, **changes: Any) -> Snapshot:
        """Replace the snapshot, and publish the event "changed".

        Parameters
        ----------
        new_layers : bool
            False if the layers and the index return the same values as before, so that whatever was computed from them stays valid.
        **changes
            Fields of `Snapshot`.
        """
        with self._replace_lock:
            version = self._snapshot.version + 1
            layers_version = version if new_layers else self._snapshot.layers_version
            self._snapshot = snapshot = replace(self._snapshot, version=version, layers_version=layers_version, **changes)
        for callback in self._on_replace:
            callback(snapshot)
        self.publish(ServiceEvent("changed"))
        return snapshot

    def change_bundle(self, change: Callable[[ModelBundle], ModelBundle]) -> ModelBundle:
        """Replace the bundle by the one that `change` makes of it: with another classifier, or with other factors of units.

        Changes are made one after the other, so that none is lost. Nothing is replaced if it returns the same bundle.
        """
        with self._bundle_lock:
            with self.device_lock.request():
                before, bundle = self._snapshot.bundle, change(self._snapshot.bundle)
                bundle.network.graph  # noqa: B018 - traced and checked here, so that no request has to wait for it
            if bundle is not before:
                self.replace(bundle=bundle, new_layers=False)
            return bundle

    @property
    def made_with(self) -> ModelBundle:
        """The bundle that the service was made with."""
        return self._made_with

    def record_request(self) -> None:
        """Record that a widget made a request."""
        self._last_request = time.monotonic()

    def busy(self) -> bool:
        """Return whether a widget made a request in the last seconds."""
        events = self._events()
        return events is not None and len(events) > 0 and time.monotonic() - self._last_request < _BUSY_SECONDS

    def job_context(
        self, cancelled: Callable[[], bool], on_progress: ProgressCallback | None = None, *, background: bool = False
    ) -> JobContext:
        """Return the context of a long job that shares the device with requests; one in the background also waits for other long jobs."""
        lease = self.device_lock.background_batch if background else self.device_lock.batch
        return JobContext(on_progress=on_progress, cancelled=cancelled, device_lease=lease, batch_size=BatchSizer(self.busy))

    def publish(self, event: ServiceEvent) -> None:
        """Publish an event, while the service exists."""
        events = self._events()
        if events is not None:
            events.publish(event)

    def cancel(self) -> None:
        """Cancel all jobs, without waiting."""
        for executor in self._executors():
            executor.cancel()

    def close(self) -> None:
        """Cancel all jobs and wait for the running ones to end."""
        self.cancel()  # all at once: the index waits for the end of training
        for executor in self._executors():
            executor.close()

    def _executors(self) -> tuple[Executor, ...]:
        return self.interactive_executor, self.analysis_executor, self.training_executor, self.executor
