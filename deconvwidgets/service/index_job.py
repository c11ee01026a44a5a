"""Building the activation index of a running service, or loading it from the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from deconvwidgets.compute.devices import device_name
from deconvwidgets.compute.job import JobContext, ProgressCallback
from deconvwidgets.errors import ActivationIndexError, LayerError, ServiceError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex, default_path, stored_index
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.rate_limit import RateLimiter
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.worker import Executor, Job

K = 9  # "top 9" (Zeiler & Fergus 2014, figure 2)


class IndexHost(Protocol):
    """What an index job needs of the service's context."""

    @property
    def snapshot(self) -> Snapshot:
        """The current state."""
        ...

    @property
    def executor(self) -> Executor:
        """Runs long jobs."""
        ...

    @property
    def images(self) -> PreparedImageCache:
        """Prepared crops."""
        ...

    def replace(self, new_layers: bool = True, **changes: Any) -> Snapshot:
        """Replace the snapshot."""
        ...

    def job_context(
        self, cancelled: Callable[[], bool], on_progress: ProgressCallback | None = None, *, background: bool = False
    ) -> JobContext:
        """Return the context of a long job."""
        ...

    def publish(self, event: ServiceEvent) -> None:
        """Publish an event."""
        ...


class IndexJob:
    """The index of a service: given, loaded from the cache, or built by the service's worker."""

    def __init__(self, context: IndexHost) -> None:
        self._context = context
        self._progress: Progress | None = None
        self._job: Job | None = None
        self._published = RateLimiter(self._publish)

    def start(self) -> None:
        """Submit the jobs: the index, unless the snapshot has one, then the decoding of its photographs."""
        executor = self._context.executor
        if self._context.snapshot.index is None:
            self._job = executor.submit("index", self._make, self._publish_failure)
        executor.submit("prefetch", self._prefetch, self._publish_failure)

    def require(self) -> tuple[Snapshot, ActivationIndex]:
        """Return the snapshot for one request, and its index. Raises ServiceError while there is no index."""
        snapshot = self._context.snapshot
        if snapshot.index is None and self.failure is not None:
            raise ServiceError(self.note) from self.failure
        return snapshot, snapshot.require_index(self._progress)

    @property
    def failure(self) -> BaseException | None:
        """The exception that building the index ended with, if any."""
        return self._job.error if self._job is not None else None

    @property
    def note(self) -> str:
        """A sentence about the state of the index; empty if it is complete."""
        if self.failure is not None:
            return f"The index of strongest activations could not be built: {self.failure}"
        progress = self._progress
        if self._context.snapshot.index is None and progress is not None:
            return f"The index of strongest activations is being built: {progress.done} of {progress.total} crops."
        return ""

    def wait(self, timeout: float | None) -> None:
        """Wait for the index. Raises the exception that building it ended with, or ServiceError after `timeout` seconds."""
        if self._job is not None:
            self._job.result(timeout)

    def _make(self, job: Job) -> ActivationIndex:
        snapshot = self._context.snapshot
        path = default_path(snapshot.bundle, snapshot.images, K)
        identity = IndexIdentity.of(snapshot.bundle, snapshot.images, snapshot.network.feature_map_layers, K, 1)
        index, notes = stored_index(path, identity, range(len(snapshot.images))), snapshot.notes
        if index is None:
            context = self._context.job_context(lambda: job.cancelled, self._report, background=True)
            index = ActivationIndex.build(
                snapshot.bundle, snapshot.images, k=K, progress=False, device=device_name(snapshot.bundle), job=context
            )
            try:
                index.save(path)
            except ActivationIndexError as error:  # the index is used in this session all the same
                notes = (*notes, f"{error}; it will be built again next time.")
        self._published.close()
        self._context.replace(index=index, notes=notes)
        return index

    def _prefetch(self, job: Job) -> None:
        """Decode the photographs of all strongest activations, if they fit into memory."""
        snapshot = self._context.snapshot
        if snapshot.index is None:
            return
        ids = [np.unique(snapshot.index.image_ids(info.name)) for info in snapshot.index.layers]
        crops = sorted({int(crop) for layer in ids for crop in layer if crop >= 0})
        self._context.images.prefetch(snapshot, crops, lambda: job.cancelled)

    def _report(self, progress: Progress) -> None:
        self._progress = progress
        self._published.trigger(at_once=progress.finished)

    def _publish_failure(self, message: str) -> None:
        self._context.publish(ServiceEvent("failed", message=message))

    def _publish(self) -> None:
        self._context.publish(ServiceEvent("progress", self._progress))


def check_index(index: ActivationIndex, bundle: ModelBundle, images: ImageSet) -> None:
    """Raise ActivationIndexError unless the index was built from this model and these images."""
    try:
        identity = IndexIdentity.of(bundle, images, index.layers, index.k, index.identity.per_source)
    except LayerError as error:
        raise ActivationIndexError(f"The activation index was built from another model ({index.identity.model}): {error}") from error
    index.check(identity)
