"""Turns of the long jobs of several sessions: a few run at a time, the others wait in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from deconvwidgets.errors import JobCancelledError

_CHECK_SECONDS = 0.1  # between two looks at `cancelled`


class Turns:
    """Lets a few long jobs of all sessions run at a time, first come, first served. Thread-safe.

    Parameters
    ----------
    limit : int
        The number of jobs that run at a time.

    Examples
    --------
    >>> with Turns(1).take(lambda: False):
    ...     print("running")
    running
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = Condition()
        self._running = 0
        self._waiting: list[object] = []

    @contextmanager
    def take(self, cancelled: Callable[[], bool], on_wait: Callable[[str], None] = lambda words: None) -> Iterator[None]:
        """Wait for a turn, and hold it for the block.

        Parameters
        ----------
        cancelled : callable
            Returns True if the job shall wait no longer.
        on_wait : callable
            Called with a sentence while the job waits, each time when it changes.

        Raises
        ------
        JobCancelledError
            If the job is cancelled while it waits.
        """
        ticket, told = object(), -1
        with self._changed:
            self._waiting.append(ticket)
        try:
            while (ahead := self._try(ticket)) is not None:
                if cancelled():
                    raise JobCancelledError("The job was cancelled before its turn came")
                if ahead != told:
                    told = ahead
                    on_wait(_words(ahead))  # without the lock: it may publish an event
                with self._changed:
                    self._changed.wait(_CHECK_SECONDS)
        except BaseException:
            self._withdraw(ticket)
            raise
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _try(self, ticket: object) -> int | None:
        """Take the turn and return None if it has come; else return the number of jobs ahead."""
        with self._changed:
            place = self._waiting.index(ticket)
            if place or self._running >= self._limit:
                return place + self._running
            del self._waiting[0]
            self._running += 1
            self._changed.notify_all()
            return None

    def _withdraw(self, ticket: object) -> None:
        with self._changed:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            self._changed.notify_all()


def _words(ahead: int) -> str:
    runs = "a run of another notebook" if ahead == 1 else f"{ahead} runs of other notebooks"
    return f"Waiting for {runs} on this service."
