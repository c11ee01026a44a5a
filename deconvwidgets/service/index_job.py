"""The activation index of a running service: of its listed layers, and of others when they are opened."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from threading import RLock
from time import monotonic

import numpy as np

from deconvwidgets.errors import ActivationIndexError, JobCancelledError, LayerError, ServiceError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.layer_sets import with_layers
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.index_host import IndexHost
from deconvwidgets.service.index_source import K, obtain
from deconvwidgets.service.partial_index import PartialIndexes
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.rate_limit import RateLimiter
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.worker import Job

_CANCELLED = "The index of strongest activations was cancelled: service.layers.resume_index() goes on with it"


class IndexJob:
    """The index of a service: given, loaded from the cache, or built by the service's worker. Thread-safe."""

    def __init__(self, context: IndexHost) -> None:
        self._context = context
        self._lock = RLock()
        self._progress: Progress | None = None
        self._building: tuple[LayerInfo, ...] = ()  # the layers of the pass that is running
        self._listed: Job | None = None
        self._opened: dict[str, Job] = {}  # by dotted name
        self._requested: set[str] = set()  # dotted names of opened layers whose index was or is built
        self._waiting: dict[str, LayerInfo] = {}  # those that no pass has begun with
        self._cancelled: dict[str, LayerInfo] = {}  # those whose pass was cancelled, by dotted name
        self.partial = PartialIndexes(self._publish_partial)

    def start(self) -> None:
        """Submit the jobs: the index of the listed layers that the snapshot's index lacks, then the decoding of its photographs."""
        self._build_listed()
        self._context.executor.submit("prefetch", self._prefetch, self._publish_failure)

    def _build_listed(self) -> None:
        snapshot = self._context.snapshot
        missing = [info for info in snapshot.listed if not snapshot.has(info.name)]
        if missing:
            self._listed = self._context.executor.submit("index", lambda job: self._make(job, [missing]), self._publish_failure)

    def open(self, name: object, again: bool = True) -> LayerInfo:
        """Return a layer, and begin to build its index unless there is one.

        Layers that are opened while another index is built share the next pass.

        Parameters
        ----------
        again : bool
            Whether to build an index again that could not be built.

        Raises
        ------
        LayerError
            If there is no such layer, or if it is no feature map.
        """
        snapshot = self._context.snapshot
        info = snapshot.layer(name)
        if any(info.name == known.name for known in snapshot.listed):
            return info
        with self._lock:
            snapshot = self._context.snapshot
            if all(info.name != known.name for known in snapshot.opened):
                self._context.replace(opened=(*snapshot.opened, info), new_layers=False)
            job = self._opened.get(info.name)
            has_failed = job is not None and job.error is not None
            needed = not snapshot.has(info.name) and (info.name not in self._requested or (again and has_failed))
            if needed and (again or info.name not in self._cancelled):
                self._build_opened(info)
        return info

    def _build_opened(self, info: LayerInfo) -> None:
        self._cancelled.pop(info.name, None)
        self._waiting[info.name] = info
        self._opened[info.name] = self._context.executor.submit(
            f"index of {info.name}", lambda job: self._make_opened(job, info), self._publish_failure
        )
        self._requested.add(info.name)

    def cancel(self) -> None:
        """End the pass that is running, and those that wait. The copies of the crops so far stay."""
        with self._lock:
            snapshot = self._context.snapshot
            if self._listed is not None and not self._listed.done:
                self._listed.cancel()
                self._cancelled.update({info.name: info for info in snapshot.listed if not snapshot.has(info.name)})
            for info in snapshot.opened:
                job = self._opened.get(info.name)
                if job is not None and not job.done:
                    job.cancel()
                    self._cancelled[info.name] = info
            self._waiting = {}
        self._context.publish(ServiceEvent("changed"))

    def resume(self) -> None:
        """Build the indexes again that were cancelled; each goes on from the last commit if there is one."""
        with self._lock:
            cancelled, self._cancelled = self._cancelled, {}
            listed = {info.name for info in self._context.snapshot.listed}
            if any(name in listed for name in cancelled):
                self._build_listed()
            for info in cancelled.values():
                if info.name not in listed:
                    self._build_opened(info)
        self._context.publish(ServiceEvent("changed"))

    @property
    def building(self) -> tuple[LayerInfo, ...]:
        """The layers of the pass that is running."""
        return tuple(info for info in self._building if info.name not in self._cancelled)

    @property
    def cancelled(self) -> tuple[LayerInfo, ...]:
        """The layers whose pass was cancelled."""
        return tuple(self._cancelled.values())

    @property
    def progress(self) -> Progress | None:
        """The progress of the pass that is running, or of the last one."""
        return self._progress

    def require(self, layer: object, partial: bool = False) -> tuple[Snapshot, ActivationIndex, LayerInfo]:
        """Return the snapshot for one request, an index with a layer, and the layer.

        Parameters
        ----------
        partial : bool
            Accept the index of the crops so far.

        Raises
        ------
        LayerError
            If there is no such layer, or if it is no feature map.
        ServiceError
            While there is no index. The layer is opened then.
        """
        info, snapshot = self.open(layer, again=False), self._context.snapshot
        if snapshot.index is not None and snapshot.has(info.name):
            return snapshot, snapshot.index, info
        if partial:
            self.partial.watch(info.name)
            found = self.partial.get(info.name)
            if found is not None:
                return snapshot, found, info
        if info.name in self._cancelled:
            raise ServiceError(_CANCELLED)
        job = self._opened.get(info.name, self._listed)
        if job is not None and job.error is not None:
            raise ServiceError(_failure(job.error)) from job.error
        raise ServiceError(self._not_ready(info))

    @property
    def note(self) -> str:
        """A sentence about the state of the listed layers' index; empty if it is complete."""
        if any(info.name in self._cancelled for info in self._context.snapshot.listed):
            return _CANCELLED
        if self._listed is not None and self._listed.error is not None:
            return _failure(self._listed.error)
        progress = self._progress
        if not self._context.snapshot.complete and progress is not None:
            return f"The index of strongest activations is being built: {progress.done} of {progress.total} crops."
        return ""

    def wait(self, timeout: float | None) -> None:
        """Wait for all indexes.

        Raises
        ------
        ServiceError
            After `timeout` seconds, and if the service is closed meanwhile. Otherwise the exception that building one ended with.
        """
        end = None if timeout is None else monotonic() + timeout
        for job in [*([] if self._listed is None else [self._listed]), *self._opened.values()]:
            try:
                job.result(None if end is None else max(0.0, end - monotonic()))
            except JobCancelledError as error:
                if self._cancelled:
                    raise ServiceError(_CANCELLED) from error
                raise ServiceError("The model service was closed before the index was complete: make a new one") from error

    def _make_opened(self, job: Job, info: LayerInfo) -> None:
        """Index the layers that wait, in one pass; if that fails, `info` alone."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if info.name not in waiting:  # a pass that another job made, with this layer, has succeeded
            self._waiting.update(waiting)
            return
        try:
            self._make(job, [[other] for other in waiting.values()])
        except JobCancelledError:
            raise
        except Exception:
            if len(waiting) == 1:
                raise
            with self._lock:
                self._waiting.update({name: other for name, other in waiting.items() if name != info.name})
            self._make(job, [[info]])

    def _make(self, job: Job, groups: Sequence[Sequence[LayerInfo]]) -> None:
        """Add the index of some layers, which are stored in groups, to the snapshot."""
        snapshot, published = self._context.snapshot, RateLimiter(self._publish)

        def report(progress: Progress) -> None:
            self._progress = progress
            published.trigger(at_once=progress.finished)

        self.partial.begin()
        self._progress, self._building = None, tuple(info for infos in groups for info in infos)
        try:
            context = self._context.job_context(lambda: job.cancelled, report, background=True)
            indexes, notes = obtain(snapshot, groups, context, self.partial.offer)
        finally:
            published.close()
            self._building = ()
        current = self._context.snapshot
        known = [] if current.index is None else [current.index]
        self._context.replace(index=reduce(with_layers, [*known, *indexes]), notes=(*current.notes, *notes), new_layers=False)
        self.partial.end()

    def _prefetch(self, job: Job) -> None:
        """Decode the photographs of all strongest activations, if they fit into memory."""
        snapshot = self._context.snapshot
        if snapshot.index is None:
            return
        ids = [np.unique(snapshot.index.image_ids(info.name)[:, :K]) for info in snapshot.index.layers]
        crops = sorted({int(crop) for layer in ids for crop in layer if crop >= 0})
        self._context.images.prefetch(snapshot, crops, lambda: job.cancelled)

    def _not_ready(self, info: LayerInfo) -> str:
        progress, is_building = self._progress, any(info.name == other.name for other in self._building)
        snapshot = self._context.snapshot
        is_listed = any(info.name == other.name for other in snapshot.listed)
        of_layer = "" if is_listed else f" of {snapshot.name_of(info)}"
        if not is_building or progress is None or not progress.total:
            return f"The index of strongest activations{of_layer} is not built yet: try again in a moment"
        share = 100 * progress.done // progress.total
        return (
            f"The index of strongest activations{of_layer} is being built: {progress.done} of {progress.total} crops ({share}%). "
            "Try again when it is complete"
        )

    def _names(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names by which an overview lists layers."""
        snapshot = self._context.snapshot
        return tuple(snapshot.name_of(snapshot.layer(name)) for name in names)

    def _publish_failure(self, message: str) -> None:
        self._context.publish(ServiceEvent("failed", message=message))

    def _publish(self) -> None:
        layers = self._names([info.name for info in self._building])
        self._context.publish(ServiceEvent("progress", self._progress, layers=layers))

    def _publish_partial(self, layers: tuple[str, ...]) -> None:
        self._context.publish(ServiceEvent("partial", self._progress, layers=self._names(layers)))


def _failure(error: BaseException) -> str:
    return f"The index of strongest activations could not be built: {error}"


def check_index(index: ActivationIndex, bundle: ModelBundle, images: ImageSet) -> None:
    """Raise ActivationIndexError unless the index was built from this model, with every unit on, and these images."""
    try:
        identity = IndexIdentity.of(bundle.unchanged or bundle, images, index.layers, index.identity.options)
    except LayerError as error:
        raise ActivationIndexError(f"The activation index was built from another model ({index.identity.model}): {error}") from error
    index.check(identity)
