"""Long computations: how their batches are sized, how they report progress, and how they are stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Protocol

from tqdm.auto import tqdm

from deconvwidgets.arguments import instance
from deconvwidgets.errors import JobCancelledError
from deconvwidgets.records.progress import Progress

ProgressCallback = Callable[[Progress], None]
DeviceLease = Callable[[], AbstractContextManager[None]]


class BatchSize(Protocol):
    """Chooses the number of items in each batch."""

    def size(self) -> int:
        """Return the number of items in the next batch, at least 1."""
        ...

    def record(self, items: int, seconds: float) -> None:
        """Record how long a batch took."""
        ...


@dataclass(frozen=True, slots=True)
class FixedBatch:
    """Batches of a constant size."""

    items: int = 32

    def size(self) -> int:
        """Return the number of items in the next batch."""
        return self.items

    def record(self, items: int, seconds: float) -> None:
        """Ignore how long a batch took."""


def as_job(job: JobContext | None) -> JobContext:
    """Return a job context; one without callbacks for None. Raises TypeError for anything else."""
    return JobContext() if job is None else instance(job, JobContext, "job", TypeError)


def never_cancelled() -> bool:
    """Return False: the default for jobs that are not cancelled."""
    return False


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """The callbacks of a long computation: progress, cancellation and the device lease. By default it has none.

    A context is picklable if its parts are, so that a job can run in another process.

    Parameters
    ----------
    on_progress : callable, optional
        Called with a `Progress` after each batch.
    cancelled : callable
        Returns True once the job should stop. It is called between batches.
    device_lease : callable
        Returns a context manager that is entered around each use of the device.
    batch_size : BatchSize
        Chooses the number of inputs in each batch.
    decode_threads : int
        Number of threads that decode images ahead of the computation.
    """

    on_progress: ProgressCallback | None = None
    cancelled: Callable[[], bool] = never_cancelled
    device_lease: DeviceLease = nullcontext
    batch_size: BatchSize = field(default_factory=FixedBatch)
    decode_threads: int = 2

    def report(self, progress: Progress) -> None:
        """Report progress."""
        if self.on_progress is not None:
            self.on_progress(progress)

    def check_cancelled(self, message: str) -> None:
        """Raise JobCancelledError with `message` if the job was cancelled."""
        if self.cancelled():
            raise JobCancelledError(message)

    @contextmanager
    def progress_bar(self, title: str, unit: str, total: int, show: bool, start: int = 0) -> Iterator[JobContext]:
        """Show a text bar for `total` units, of which `start` are done; the yielded context advances it with each report."""
        with tqdm(total=total, initial=start, desc=title, unit=unit, disable=not show) as bar:

            def advance(progress: Progress) -> None:
                bar.update(progress.done - bar.n)
                self.report(progress)

            yield replace(self, on_progress=advance)
