"""What the sessions of one service share: the unchanged layers, their index, the device, and the caches of their pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import inf
from threading import RLock
from typing import Any, Protocol
from weakref import WeakSet

from deconvwidgets.compute.job import JobContext, ProgressCallback
from deconvwidgets.engine.weights_version import WeightsVersion
from deconvwidgets.service.batch_sizer import BatchSizer
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.index_job import IndexJob
from deconvwidgets.service.mosaics import MosaicRenderer
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.thumbnails import Thumbnails
from deconvwidgets.service.turns import Turns
from deconvwidgets.service.unit_projections import UnitProjections
from deconvwidgets.service.worker import Executor, Worker

_BUSY_SECONDS = 5.0  # a widget counts as in use for so long after its last request
_BATCH_PATIENCE = 1.0  # seconds that a batch waits for the requests of several users, who may always be making one
_LONG_JOBS = 2  # of all sessions at a time: one would make everybody wait for the longest


class Session(Protocol):
    """What the shared part calls in each session."""

    @property
    def watched(self) -> bool:
        """Whether anything listens to the session's events."""
        ...

    def layers_changed(self, layers: Snapshot) -> None:
        """Take over the index and the notes of a new snapshot of the layers."""
        ...

    def publish(self, event: ServiceEvent) -> None:
        """Publish an event in the session."""
        ...


class SharedLayers:
    """The layers of a service's model with every unit on, and whatever is the same for all sessions. Thread-safe.

    It holds the sessions weakly, and ends the work on the index when the last of them has left.

    Parameters
    ----------
    snapshot : Snapshot
        The state that each session begins with; its index grows.
    executor : Executor, optional
        Runs all jobs. By default the index has a worker, and each session has its own.
    device_lock, images, projections : DeviceLock, PreparedImageCache and UnitProjections, optional
        Those that it shares with the layers of other models, whose snapshots have other versions of the layers. By default its own.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        executor: Executor | None = None,
        *,
        device_lock: DeviceLock | None = None,
        images: PreparedImageCache | None = None,
        projections: UnitProjections | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._weights = WeightsVersion(snapshot.bundle.model)
        self._lock = RLock()
        self._sessions: WeakSet[Session] = WeakSet()
        self._last_request = -inf
        self.given_executor = executor
        self.executor: Executor = executor if executor is not None else Worker()
        self.device_lock = device_lock or DeviceLock(lambda: _BATCH_PATIENCE if self.session_count > 1 else inf)
        self.turns = Turns(_LONG_JOBS)
        self.images = images or PreparedImageCache()
        self.projections = projections or UnitProjections(self.device_lock, self.images)
        self.mosaics = MosaicRenderer(self.device_lock, self.images, self.projections)
        self.thumbnails = Thumbnails()
        self.index = IndexJob(self)

    @property
    def snapshot(self) -> Snapshot:
        """The state of the layers, with the bundle that the service was made with."""
        return self._snapshot

    @property
    def weights_note(self) -> str:
        """A sentence if the weights were changed since, so that the index and the caches are of others; otherwise empty."""
        if not self._weights.changed:
            return ""
        return (
            f"The weights of {self._snapshot.bundle.name} were changed after this service was made. "
            "Make a new one of the changed model: dw.LocalModelService(bundle, images)."
        )

    @property
    def session_count(self) -> int:
        """The number of sessions."""
        return len(self._sessions)

    def join(self, session: Session) -> None:
        """Add a session."""
        with self._lock:
            self._sessions.add(session)

    def leave(self, session: Session) -> None:
        """Remove a session. After the last one, cancel the jobs without waiting."""
        with self._lock:
            self._sessions.discard(session)
            is_last = not self._sessions
        if is_last:
            self.executor.cancel()

    def close(self) -> None:
        """Wait for the end of the jobs, unless a session is left."""
        if not self._sessions:
            self.executor.close()

    def replace(self, new_layers: bool = True, **changes: Any) -> Snapshot:
        """Replace the snapshot, and tell every session.

        Parameters
        ----------
        new_layers : bool
            False if the layers and the index return the same values as before, so that whatever was computed from them stays valid.
        **changes
            Fields of `Snapshot`.
        """
        with self._lock:
            version = self._snapshot.version + 1
            layers_version = version if new_layers else self._snapshot.layers_version
            self._snapshot = snapshot = replace(self._snapshot, version=version, layers_version=layers_version, **changes)
        if new_layers:
            self.images.keep_only(layers_version)
            self.projections.keep_only(layers_version)
            self.mosaics.keep_only(layers_version)
        for session in self._all():
            session.layers_changed(snapshot)
        return snapshot

    def publish(self, event: ServiceEvent) -> None:
        """Publish an event in every session."""
        for session in self._all():
            session.publish(event)

    def record_request(self) -> None:
        """Record that a widget of any session made a request."""
        self._last_request = time.monotonic()

    def busy(self) -> bool:
        """Return whether a widget of any session made a request in the last seconds."""
        return time.monotonic() - self._last_request < _BUSY_SECONDS and any(session.watched for session in self._all())

    def share_of(self, size: int) -> int:
        """Return a session's share of a number of bytes, of which all sessions may use `size`."""
        return size // max(1, self.session_count)

    def job_context(
        self, cancelled: Callable[[], bool], on_progress: ProgressCallback | None = None, *, background: bool = False
    ) -> JobContext:
        """Return the context of a long job that shares the device with requests; one in the background also waits for other long jobs."""
        lease = self.device_lock.background_batch if background else self.device_lock.batch
        return JobContext(on_progress=on_progress, cancelled=cancelled, device_lease=lease, batch_size=BatchSizer(self.busy))

    def _all(self) -> list[Session]:
        with self._lock:
            return list(self._sessions)
