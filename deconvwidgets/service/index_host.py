"""What the index of a service needs of the layers that its sessions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from deconvwidgets.compute.job import JobContext, ProgressCallback
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.worker import Executor


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
