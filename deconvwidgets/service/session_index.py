"""The activation index as one session sees it: the shared index, and the layers that this session has opened."""

from __future__ import annotations

from typing import Protocol

from deconvwidgets.errors import ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.index_job import IndexJob
from deconvwidgets.service.partial_index import PartialIndexes
from deconvwidgets.service.snapshot import Snapshot


class SessionState(Protocol):
    """What it needs of the session."""

    @property
    def snapshot(self) -> Snapshot:
        """The current state."""
        ...

    @property
    def other_sessions(self) -> int:
        """The number of other sessions that share the layers."""
        ...

    def open_layer(self, info: LayerInfo) -> None:
        """Add a layer to those that the session has opened."""
        ...

    def update_layers(self) -> Snapshot:
        """Take over the shared index, and return the state."""
        ...


class SessionIndex:
    """Answers for one session from the shared `IndexJob`, which builds each layer's index once. Thread-safe."""

    def __init__(self, job: IndexJob, session: SessionState) -> None:
        self._job = job
        self._session = session

    @property
    def partial(self) -> PartialIndexes:
        """The indexes of the crops so far."""
        return self._job.partial

    @property
    def note(self) -> str:
        """A sentence about the state of the listed layers' index; empty if it is complete."""
        return self._job.note

    def open(self, name: object, again: bool = True) -> LayerInfo:
        """Return a layer, and begin to build its index unless there is one. Raises LayerError if it is no layer with feature maps.

        Parameters
        ----------
        again : bool
            Whether to build an index again that could not be built.
        """
        snapshot = self._session.snapshot
        info = snapshot.layer(name)
        if all(info.name != known.name for known in (*snapshot.listed, *snapshot.opened)):
            self._session.open_layer(info)
        return self._job.open(info.name, again)

    def require(self, layer: object, partial: bool = False) -> tuple[Snapshot, ActivationIndex, LayerInfo]:
        """Return the session's snapshot for one request, an index with a layer, and the layer.

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
        info = self.open(layer, again=False)
        shared, index, _ = self._job.require(info.name, partial)
        snapshot = self._session.snapshot
        if shared.index is index and not snapshot.has(info.name):  # it was completed at this moment
            snapshot = self._session.update_layers()
        return (snapshot, index if snapshot.index is None or shared.index is not index else snapshot.index, info)

    @property
    def building(self) -> tuple[LayerInfo, ...]:
        """The layers of the pass that is running."""
        return self._job.building

    @property
    def cancelled(self) -> tuple[LayerInfo, ...]:
        """The layers whose pass was cancelled."""
        return self._job.cancelled

    @property
    def progress(self) -> Progress | None:
        """The progress of the pass that is running, or of the last one."""
        return self._job.progress

    def cancel(self) -> None:
        """End the pass that is running. Raises ServiceError if other sessions wait for it."""
        others = self._session.other_sessions
        if others:
            waiting = "another session waits" if others == 1 else f"{others} other sessions wait"
            raise ServiceError(f"The index is not cancelled: {waiting} for it, too.")
        self._job.cancel()

    def resume(self) -> None:
        """Build the indexes again that were cancelled."""
        self._job.resume()

    def wait(self, timeout: float | None) -> None:
        """Wait for all indexes. Raises what `IndexJob.wait` raises."""
        self._job.wait(timeout)
