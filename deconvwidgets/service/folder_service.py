"""The base of services that run a long computation in a folder, or watch one that any process runs there."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

from deconvwidgets.arguments import positive_number, seconds
from deconvwidgets.checkpoints.log_file import request_stop
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import DeconvWidgetsError, JobCancelledError, ServiceError
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.cores import Cores
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.watch import INTERVAL, Watch
from deconvwidgets.service.worker import Executor, Job, Worker, checked_executor

OwnRun = Literal["none", "running", "stopping"]
ACTIVE = ("running", "stopping")  # the phases of what runs
_POLL = 0.2  # seconds, in `wait`


class FolderStatus(Protocol):
    """The status of what runs in a folder."""

    @property
    def phase(self) -> str:
        """One of `ACTIVE` while it runs."""
        ...

    @property
    def can_start(self) -> bool:
        """Whether there is something to do."""
        ...


Content = TypeVar("Content")
Status = TypeVar("Status", bound=FolderStatus)


class FolderService(Generic[Content, Status]):
    """Runs one computation at a time on a worker, and tells subscribers what its folder says, whichever process writes there.

    A subclass defines the class variables, `_read` and `status`, and the method that starts, by `_begin`. What these two need is set before
    this class is initialised.

    Parameters
    ----------
    folder : Path
        The folder. It need not exist yet.
    interval : float
        Seconds between two looks at the folder, while somebody is subscribed.
    executor : Executor, optional
        Where the computation runs.
    """

    KIND: ClassVar[str]  # of the events
    NOUN: ClassVar[str]  # what runs in the folder
    ERROR: ClassVar[type[DeconvWidgetsError]]
    TO_RUN: ClassVar[str]  # the call of a panel that can start one
    TO_RUN_MORE: ClassVar[str]  # what to change once it is complete

    def __init__(self, folder: Path, interval: float = INTERVAL, executor: Executor | None = None) -> None:
        seconds_between = positive_number(interval, "interval", self.ERROR)
        own_worker = checked_executor(executor, "executor")
        self._folder = folder
        self._lock = RLock()
        self._events = Events()
        self._open_widgets = OpenWidgets()
        self._executor: Executor = own_worker if own_worker is not None else Worker(f"deconvwidgets {self.KIND}")
        self._job: Job | None = None
        self._failure = ""
        self._progress: Progress | None = None
        self._content = self._read()
        self._published = self.status()
        self._watch = Watch(self._look, seconds_between)

    def _read(self) -> Content:
        """Return what the folder says."""
        raise NotImplementedError

    def status(self) -> Status:
        """Return the state of what runs in the folder, as it was seen last."""
        raise NotImplementedError

    @property
    def folder(self) -> Path:
        """The folder."""
        return self._folder

    @property
    def open_widgets(self) -> OpenWidgets:
        """The widgets of this service that pages show."""
        return self._open_widgets

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with each event of the given kinds (None: all), from any thread. Return the function that ends the subscription.

        The folder is watched as long as there is a subscription. A bound method is held weakly.
        """
        unsubscribe = self._events.subscribe(listener, kinds)
        self._watch.begin()
        return unsubscribe

    def cancel(self) -> None:
        """Ask what runs in the folder to save its state and to stop, in whichever process it runs.

        Raises
        ------
        DeconvWidgetsError
            Of the instrument, if nothing runs there.
        """
        with self._lock:
            self._content = self._read()
            if self.status().phase not in ACTIVE:
                raise self.ERROR(f"No {self.NOUN} is running in {self._folder}.")
            if self._job is not None:
                self._job.cancel()
            if self._folder.is_dir():
                request_stop(self._folder)
        self.look()

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until nothing runs in the folder, and return the service.

        Raises
        ------
        ServiceError
            If something still runs after `timeout` seconds.
        """
        limit = seconds(timeout)
        end = None if limit is None else time.monotonic() + limit
        while True:
            self.look()
            if self.status().phase not in ACTIVE:
                return self
            if end is not None and time.monotonic() >= end:
                raise ServiceError(f"The {self.NOUN} is still running after {limit:g} s: wait longer, or watch its progress.")
            time.sleep(_POLL)

    def look(self) -> None:
        """Look at the folder now, and tell the subscribers if something has changed."""
        with self._lock:
            self._content = self._read()
            status = self.status()
            changed, self._published = status != self._published, status
        if changed:
            self._events.publish(ServiceEvent(self.KIND))

    def close(self) -> None:
        """End what this service runs, with its state saved. What another process runs goes on."""
        self._executor.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._folder}, {self.status().phase})"

    @property
    def _own_run(self) -> OwnRun:
        """What this service runs, which may not have written anything yet."""
        job = self._job
        return "none" if job is None or job.done else "stopping" if job.cancelled else "running"

    def _begin(self, work: Callable[[JobContext], Any] | None) -> None:
        """Run `work` on the worker; None if this service only watches.

        Raises
        ------
        DeconvWidgetsError
            Of the class `ERROR`, if it only watches, if something runs in the folder, or if there is nothing left to do.
        """
        with self._lock:
            self._content = self._read()
            if work is None:
                raise self.ERROR(f"This panel only watches {self._folder}. To run a {self.NOUN} there: {self.TO_RUN}.")
            status = self.status()
            if status.phase in ACTIVE:
                raise self.ERROR(f"A {self.NOUN} is running in {self._folder} already. Cancel it first.")
            if not status.can_start:
                raise self.ERROR(f"The {self.NOUN} in {self._folder} is complete: {self.TO_RUN_MORE}, or overwrite=True.")
            self._failure, self._progress = "", None
            self._job = self._executor.submit(self.KIND, lambda job: self._run(work, job), self._fail)
        self.look()

    def _run(self, work: Callable[[JobContext], Any], job: Job) -> None:
        try:
            with Cores().all_but_one():
                work(JobContext(on_progress=self._note, cancelled=lambda: job.cancelled))
        except JobCancelledError:
            return  # the folder says so
        finally:
            self._progress = None

    def _note(self, progress: Progress) -> None:
        """Keep the progress of the own run, for the status."""
        self._progress = progress

    def _fail(self, message: str) -> None:
        with self._lock:
            self._failure = message

    def _look(self) -> bool:
        """Look at the folder, and return whether there is a subscription."""
        self.look()
        return len(self._events) > 0
