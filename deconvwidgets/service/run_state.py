"""What the runs of all instruments share that a worker computes: waiting, stopping, and the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Literal

from deconvwidgets.errors import DeconvWidgetsError, JobCancelledError, ServiceError
from deconvwidgets.service.worker import error_message

Outcome = Literal["done", "stopped", "failed"]


class RunState:
    """The state of a run: written by its job, read from any thread. A run that has ended can neither be resumed nor end again.

    Parameters
    ----------
    number : int
        The number that requests name it by, from 1.
    error : type
        The class of the error that `wait` raises for a run that failed.
    """

    def __init__(self, number: int, error: type[DeconvWidgetsError]) -> None:
        self.number = number
        self._error = error
        self._lock = Lock()  # of subclasses, too
        self._stop, self._over = Event(), Event()
        self._outcome: Outcome | None = None
        self._problem: str | None = None
        self._begun = False
        self._started = time.monotonic()
        self._ended: float | None = None

    @property
    def active(self) -> bool:
        """Whether it is waiting or running."""
        return self._outcome is None

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Stop at the next step. A waiting run ends at once: its job may never be run."""
        self._stop.set()
        with self._lock:
            if not self._begun:
                self._end("stopped")

    def end(self, outcome: Outcome, problem: str | None = None) -> None:
        """End the run as "done", "stopped", or "failed" with a message. Do nothing if it has ended."""
        with self._lock:
            self._end(outcome, problem)

    def wait(self, timeout: float | None) -> None:
        """Wait for the end. Raises an error if the run failed, ServiceError after `timeout` seconds."""
        if not self._over.wait(timeout):
            raise ServiceError(f"Run {self.number} is still running after {timeout:g} s: wait longer, or stop it.")
        if self._problem is not None:
            raise self._error(self._problem)

    @contextmanager
    def ending(self, publish: Callable[[bool], None]) -> Iterator[None]:
        """End the run with the block, whatever happens in it, and publish that. An error ends it as "failed", with the error's message."""
        try:
            yield
        except JobCancelledError:
            self.end("stopped")
        except Exception as error:  # noqa: BLE001 - outermost handler of the thread: the message is kept, and logged if it is not ours
            self.end("failed", error_message(error))
        finally:
            self.end("failed", "It was interrupted: start it again.")  # no effect on a run that has ended
            publish(True)

    def _begin(self) -> bool:
        """Begin; the lock must be held. Return False if the run was stopped while it waited."""
        if self._begun or self._outcome is not None:
            return False
        self._begun, self._started = True, time.monotonic()
        return True

    def _end(self, outcome: Outcome, problem: str | None = None) -> None:
        if self._outcome is None:
            self._outcome, self._problem, self._ended = outcome, problem, time.monotonic()
            self._over.set()

    def _seconds(self) -> float:
        """Return the duration so far, or until the end."""
        return (time.monotonic() if self._ended is None else self._ended) - self._started
