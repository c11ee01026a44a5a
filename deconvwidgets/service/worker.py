"""Long jobs: one thread a service, one job after the other, cancellable; a failure is kept for whoever asks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Lock, Thread, current_thread, main_thread
from typing import Any, Protocol
from weakref import finalize, ref

from deconvwidgets.errors import DeconvWidgetsError, JobCancelledError, ServiceError

_log = logging.getLogger(__name__)

Work = Callable[["Job"], Any]


class Job:
    """A long job and how it went."""

    def __init__(self, name: str, work: Work, on_failure: Callable[[str], None]) -> None:
        self.name = name
        self._work: Work | None = work
        self._on_failure: Callable[[str], None] | None = on_failure
        self._cancel = Event()
        self._done = Event()
        self._result: Any = None
        self._error: BaseException | None = None

    @property
    def cancelled(self) -> bool:
        """Whether it was told to stop; the work asks between its steps and raises JobCancelledError."""
        return self._cancel.is_set()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or badly."""
        return self._done.is_set()

    @property
    def error(self) -> BaseException | None:
        """What it failed with, if it has."""
        return self._error

    def cancel(self) -> None:
        """Tell it to stop at its next step."""
        self._cancel.set()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end and give the result. Raises what the job failed with, or ServiceError when `timeout` seconds have passed."""
        if not self._done.wait(timeout):
            raise ServiceError(f"The job {self.name!r} is still running after {timeout:g} s: wait longer, or follow its progress")
        if self._error is not None:
            raise self._error
        return self._result

    def run(self) -> None:
        """Do the work, once; for executors."""
        # Forgotten as soon as it is done: the work holds the service, and the worker's thread must not keep that alive.
        work, self._work = self._work, None
        on_failure, self._on_failure = self._on_failure, None
        if work is None or on_failure is None:
            raise ServiceError(f"The job {self.name!r} has run already: submit it again")
        try:
            if self.cancelled:
                raise JobCancelledError(f"The job {self.name!r} was cancelled before it began")
            self._result = work(self)
        except BaseException as error:  # noqa: BLE001 - the border of a thread: kept, told, and raised by result()
            self._error = error
        finally:
            self._done.set()
        # While the interpreter ends, executors refuse work: no failure to tell anybody of.
        if self._error is not None and not isinstance(self._error, JobCancelledError) and main_thread().is_alive():
            on_failure(in_words(self._error))


def in_words(error: BaseException) -> str:
    """The message of an error of ours; the type as well for any other, which is also logged with its traceback."""
    if isinstance(error, DeconvWidgetsError):
        return str(error)
    _log.error("Unexpected failure", exc_info=error)
    return f"{type(error).__name__}: {error}"


class Executor(Protocol):
    """What runs long jobs."""

    def submit(self, name: str, work: Work, on_failure: Callable[[str], None]) -> Job:
        """Take on a job; a former one of the same name is superseded (cancelled)."""
        ...

    def close(self) -> None:
        """Cancel everything and end."""
        ...


class SynchronousExecutor:
    """Runs each job at once, in the caller's thread. For tests and scripts."""

    def submit(self, name: str, work: Work, on_failure: Callable[[str], None]) -> Job:
        """Run the job before returning it."""
        job = Job(name, work, on_failure)
        job.run()
        return job

    def close(self) -> None:
        """Nothing runs."""


class Worker:
    """One daemon thread, started by the first job."""

    def __init__(self, name: str = "deconvwidgets worker") -> None:
        self._name = name
        self._lock = Lock()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._open: list[Job] = []
        self._thread: Thread | None = None
        self._closed = False
        finalize(self, _close, ref(self))  # also when the interpreter ends: torch aborts where a thread is still computing then

    def submit(self, name: str, work: Work, on_failure: Callable[[str], None]) -> Job:
        """Queue a job; one of the same name that has not ended is superseded (cancelled). Raises ServiceError when closed."""
        job = Job(name, work, on_failure)
        with self._lock:
            if self._closed:
                raise ServiceError("The model service is closed: make a new one")
            self._open = [other for other in self._open if not other.done]
            for other in self._open:
                if other.name == name:
                    other.cancel()
            self._open.append(job)
            self._queue.put(job)
            if self._thread is None:
                self._thread = Thread(target=_serve, args=(self._queue,), name=self._name, daemon=True)
                self._thread.start()
        return job

    def close(self) -> None:
        """Cancel everything, and wait for the running job to notice."""
        with self._lock:
            self._closed = True
            for job in self._open:
                job.cancel()
            self._queue.put(None)
            thread = self._thread
        if thread is not None and thread is not current_thread():
            thread.join()


def _close(worker: ref[Worker]) -> None:
    alive = worker()
    if alive is not None:
        alive.close()


def _serve(queue: SimpleQueue[Job | None]) -> None:
    # Holds the queue only, not the Worker: a forgotten service can be collected while its thread waits.
    while (job := queue.get()) is not None:
        job.run()
