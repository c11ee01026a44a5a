"""Long jobs, run one after the other in a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, RLock, Thread, current_thread, main_thread
from typing import Any, Protocol
from weakref import finalize, ref

from deconvwidgets.arguments import describe
from deconvwidgets.errors import DeconvWidgetsError, JobCancelledError, ServiceError
from deconvwidgets.service.memory import release_free_memory

_log = logging.getLogger(__name__)

Work = Callable[["Job"], Any]


class Job:
    """A long job: its cancellation, and its result or error."""

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
        """Whether the job was cancelled. The work checks it between its steps and raises JobCancelledError."""
        return self._cancel.is_set()

    @property
    def done(self) -> bool:
        """Whether the job has ended, with a result or an error."""
        return self._done.is_set()

    @property
    def error(self) -> BaseException | None:
        """The exception that the job ended with, if any."""
        return self._error

    def cancel(self) -> None:
        """Cancel the job at its next step."""
        self._cancel.set()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end of the job and return its result.

        Raises
        ------
        ServiceError
            If the job is still running after `timeout` seconds. Otherwise the exception that the job ended with is raised.
        """
        if not self._done.wait(timeout):
            raise ServiceError(f"The job {self.name!r} is still running after {timeout:g} s: wait longer, or watch its progress")
        if self._error is not None:
            raise self._error
        return self._result

    def run(self) -> None:
        """Do the work. Executors call it, once."""
        # The work is released when it is done: it may hold large objects, and the worker's thread must not keep them alive.
        work, self._work = self._work, None
        on_failure, self._on_failure = self._on_failure, None
        if work is None or on_failure is None:
            raise ServiceError(f"The job {self.name!r} has run already: submit it again")
        try:
            if self.cancelled:
                raise JobCancelledError(f"The job {self.name!r} was cancelled before it began")
            self._result = work(self)
        except BaseException as error:  # noqa: BLE001 - outermost handler of the thread: stored, reported, and raised by result()
            self._error = error
        finally:
            self._done.set()
        # Executors refuse work while the interpreter shuts down: that is no failure to report.
        if self._error is not None and not isinstance(self._error, JobCancelledError) and main_thread().is_alive():
            try:
                on_failure(error_message(self._error))
            except Exception:  # noqa: BLE001 - the worker's thread must go on with the next job
                _log.exception("The failure of the job %r could not be reported", self.name)


def error_message(error: BaseException) -> str:
    """Return the message of a DeconvWidgetsError. The message of any other exception starts with its type, and its traceback is logged."""
    if isinstance(error, DeconvWidgetsError):
        return str(error)
    _log.error("Unexpected failure", exc_info=error)
    return f"{type(error).__name__}: {error}"


class Executor(Protocol):
    """Runs long jobs."""

    def submit(self, name: str, work: Work, on_failure: Callable[[str], None]) -> Job:
        """Submit a job. An earlier job of the same name is cancelled."""
        ...

    def cancel(self) -> None:
        """Cancel all jobs and accept no more, without waiting."""
        ...

    def close(self) -> None:
        """Cancel all jobs, accept no more, and wait for the running job to end."""
        ...


def checked_executor(value: object, name: str = "worker") -> Executor | None:
    """Return an executor, or None. Raises ServiceError for anything else."""
    if value is not None and (isinstance(value, type) or not callable(getattr(value, "submit", None))):
        raise ServiceError(f"{name} must be an Executor, with a method submit, or None, not {describe(value)}.")
    return value  # type: ignore[return-value]


class SynchronousExecutor:
    """Runs each job immediately, in the caller's thread. For tests and scripts."""

    def submit(self, name: str, work: Work, on_failure: Callable[[str], None]) -> Job:
        """Run the job before returning it."""
        job = Job(name, work, on_failure)
        job.run()
        return job

    def cancel(self) -> None:
        """Do nothing: no job is running."""

    def close(self) -> None:
        """Do nothing: no job is running."""


@dataclass
class _Jobs:
    """The state that a worker shares with its thread, which must not keep the worker itself alive."""

    name: str
    lock: Any = field(default_factory=RLock)  # re-entrant: garbage may be collected, and finalizers run, while it is held
    waiting: list[Job] = field(default_factory=list)
    running: Job | None = None
    thread: Thread | None = None
    closed: bool = False

    def unfinished(self) -> list[Job]:
        return [*([self.running] if self.running is not None else []), *self.waiting]

    def serve(self) -> None:
        """Run jobs until none waits."""
        while job := self._next():
            job.run()
            del job
        release_free_memory()

    def _next(self) -> Job | None:
        with self.lock:
            self.running = self.waiting.pop(0) if self.waiting else None
            if self.running is None:
                self.thread = None
            return self.running


class Worker:
    """Runs jobs one after the other in a daemon thread that exists only while there are jobs."""

    def __init__(self, name: str = "deconvwidgets worker") -> None:
        self._jobs = _Jobs(name)
        finalize(self, _close, ref(self))  # also at the end of the interpreter: torch aborts if a thread still computes then

    def submit(self, name: str, work: Work, on_failure: Callable[[str], None]) -> Job:
        """Submit a job. An earlier unfinished job of the same name is cancelled.

        Raises
        ------
        ServiceError
            If the worker is closed.
        """
        job, jobs = Job(name, work, on_failure), self._jobs
        with jobs.lock:
            if jobs.closed:
                raise ServiceError("The model service is closed: make a new one")
            for other in jobs.unfinished():
                if other.name == name:
                    other.cancel()
            jobs.waiting.append(job)
            if jobs.thread is None:
                jobs.thread = Thread(target=jobs.serve, name=jobs.name, daemon=True)
                jobs.thread.start()
        return job

    def cancel(self) -> None:
        """Cancel all jobs and accept no more, without waiting."""
        with self._jobs.lock:
            self._jobs.closed = True
            for job in self._jobs.unfinished():
                job.cancel()

    def close(self) -> None:
        """Cancel all jobs, accept no more, and wait for the running job to end."""
        self.cancel()
        thread = self._jobs.thread
        if thread is not None and thread is not current_thread():
            thread.join()


def _close(worker: ref[Worker]) -> None:
    alive = worker()
    if alive is not None:
        alive.close()
