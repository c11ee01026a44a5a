"""What every instrument's API shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from typing import Any
from weakref import finalize, ref

from deconvwidgets.compute.job import JobContext, ProgressCallback
from deconvwidgets.errors import ServiceError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.overview import Overview
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.events import Events
from deconvwidgets.service.head_history import HeadHistory
from deconvwidgets.service.input_images import InputImages
from deconvwidgets.service.mosaics import MosaicRenderer
from deconvwidgets.service.overview import make_overview
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.session_index import SessionIndex
from deconvwidgets.service.shared_layers import SharedLayers
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.turns import Turns
from deconvwidgets.service.unit_projections import UnitProjections
from deconvwidgets.service.worker import Executor, Worker


class ServiceContext:
    """The state and executors of one session of a model service, and what it shares with the other sessions. Thread-safe.

    The classifier, the units that are off and every run are the session's; the layers, their index, the device and the pictures are shared.

    It refers neither to the service, nor to the instruments' APIs, nor to the listeners, so that a job which holds it does not keep them
    alive.

    Parameters
    ----------
    layers : SharedLayers
        What all sessions share. The session begins with its snapshot.
    events : Events
        Where events are published. It is held weakly, and all jobs are cancelled when it is deleted: the service and the APIs refer to it.
    host : str
        Empty if the notebook runs on the same machine as the service; else the name of the service's machine, for messages about paths.
    """

    def __init__(self, layers: SharedLayers, events: Events, host: str = "") -> None:
        self.layers = layers
        self.host = host
        self._snapshot = layers.snapshot
        self._events = ref(events)
        self._replace_lock = RLock()  # re-entrant: a listener may replace it again
        self._bundle_lock = RLock()  # re-entrant: a listener may change the bundle again
        self._on_replace: list[Callable[[Snapshot], None]] = []
        self._made_with = layers.snapshot.bundle
        self._lifetime = finalize(events, self.cancel)
        given = layers.given_executor
        self.training_executor: Executor = given if given is not None else Worker("deconvwidgets training")
        self.interactive_executor: Executor = given if given is not None else Worker("deconvwidgets maps")
        self.analysis_executor: Executor = given if given is not None else Worker("deconvwidgets analyses")
        self.input_images = InputImages(lambda: self._snapshot)
        self.heads = HeadHistory(lambda: self._snapshot.bundle, self.change_bundle)
        self.index = SessionIndex(layers.index, self)
        layers.join(self)
        self.update_layers()  # for an index that was completed meanwhile

    @property
    def snapshot(self) -> Snapshot:
        """The current state, for a request. Raises ServiceError if the weights are no longer those of the index and the caches."""
        note = self.layers.weights_note
        if note:
            raise ServiceError(note)
        return self._snapshot

    @property
    def last_snapshot(self) -> Snapshot:
        """The current state, from which nothing is computed."""
        return self._snapshot

    @property
    def executor(self) -> Executor:
        """Runs the jobs of the index, for all sessions."""
        return self.layers.executor

    @property
    def device_lock(self) -> DeviceLock:
        """The lock on the device, which all sessions share."""
        return self.layers.device_lock

    @property
    def turns(self) -> Turns:
        """The turns of the long jobs of all sessions."""
        return self.layers.turns

    @property
    def images(self) -> PreparedImageCache:
        """Prepared crops, for all sessions."""
        return self.layers.images

    @property
    def projections(self) -> UnitProjections:
        """Projections, for all sessions. Their keys have the units that are off."""
        return self.layers.projections

    @property
    def mosaics(self) -> MosaicRenderer:
        """Mosaics, for all sessions. Their keys have the units that are off."""
        return self.layers.mosaics

    @property
    def events(self) -> Events:
        """Where events are published. Raises ServiceError if nothing refers to the service any more."""
        events = self._events()
        if events is None:
            raise ServiceError("The model service does not exist any more: make a new one")
        return events

    @property
    def other_sessions(self) -> int:
        """The number of other sessions that share the layers."""
        return self.layers.session_count - 1

    def overview(self) -> Overview:
        """Return a description of the model, the image set and the layers."""
        return make_overview(self._snapshot, (self.index.note, self.layers.weights_note), self.host)

    def on_replace(self, callback: Callable[[Snapshot], None]) -> None:
        """Call `callback` with each new snapshot, before the event "changed" is published: caches remove old entries then."""
        self._on_replace.append(callback)

    def replace(self, **changes: Any) -> Snapshot:
        """Replace fields of the session's snapshot, and publish the event "changed"."""
        with self._replace_lock:
            version = self._snapshot.version + 1
            if "bundle" in changes:
                changes["bundle_version"] = version
            self._snapshot = snapshot = replace(self._snapshot, version=version, **changes)
        self._announce()
        return snapshot

    def layers_changed(self, layers: Snapshot) -> None:
        """Take over a new state of the shared layers."""
        self.update_layers()

    def update_layers(self) -> Snapshot:
        """Take over the index, the notes and the version of the shared layers, and return the snapshot."""
        with self._replace_lock:
            before, shared = self._snapshot, self.layers.snapshot
            new = {"index": shared.index, "notes": shared.notes, "layers_version": shared.layers_version}
            if all(getattr(before, name) is value for name, value in new.items()):
                return before
            self._snapshot = snapshot = replace(before, version=before.version + 1, **new)  # type: ignore[arg-type] # its own fields
        self._announce()
        return snapshot

    def open_layer(self, info: LayerInfo) -> None:
        """Add a layer to those that this session has opened."""
        with self._replace_lock:
            opened = self._snapshot.opened
            if any(info.name == known.name for known in opened):
                return
            self._snapshot = replace(self._snapshot, version=self._snapshot.version + 1, opened=(*opened, info))
        self._announce()

    def _announce(self) -> None:
        for callback in self._on_replace:
            callback(self._snapshot)  # the newest: two threads may announce in another order than they replaced
        self.publish(ServiceEvent("changed"))

    def change_bundle(self, change: Callable[[ModelBundle], ModelBundle]) -> ModelBundle:
        """Replace the bundle by the one that `change` makes of it: with another classifier, or with other factors of units.

        Changes are made one after the other, so that none is lost. Nothing is replaced if it returns the same bundle.
        """
        with self._bundle_lock:
            with self.device_lock.request():
                before, bundle = self._snapshot.bundle, change(self._snapshot.bundle)
                bundle.network.graph  # noqa: B018 - traced and checked here, so that no request has to wait for it
            if bundle is not before:
                self.replace(bundle=bundle)
            return bundle

    @property
    def made_with(self) -> ModelBundle:
        """The bundle that the service was made with."""
        return self._made_with

    def record_request(self) -> None:
        """Record that a widget made a request."""
        self.layers.record_request()

    @property
    def watched(self) -> bool:
        """Whether anything listens to the events."""
        events = self._events()
        return events is not None and len(events) > 0

    def busy(self) -> bool:
        """Return whether a widget of any session made a request in the last seconds."""
        return self.layers.busy()

    def share_of(self, size: int) -> int:
        """Return this session's share of a number of bytes that all sessions may use together."""
        return self.layers.share_of(size)

    def job_context(
        self, cancelled: Callable[[], bool], on_progress: ProgressCallback | None = None, *, background: bool = False
    ) -> JobContext:
        """Return the context of a long job that shares the device with requests; one in the background also waits for other long jobs."""
        return self.layers.job_context(cancelled, on_progress, background=background)

    def publish(self, event: ServiceEvent) -> None:
        """Publish an event, while the service exists."""
        events = self._events()
        if events is not None:
            events.publish(event)

    def cancel(self) -> None:
        """Cancel all jobs of the session, without waiting; also those of the index, unless another session is left."""
        for executor in self._own_executors():
            executor.cancel()
        self.layers.leave(self)

    def close(self) -> None:
        """Cancel all jobs and wait for the running ones to end."""
        self.cancel()  # all at once: the index waits for the end of training
        for executor in self._own_executors():
            executor.close()
        self.layers.close()

    def _own_executors(self) -> tuple[Executor, ...]:
        if self.layers.given_executor is not None:  # it is shared
            return ()
        return self.interactive_executor, self.analysis_executor, self.training_executor
