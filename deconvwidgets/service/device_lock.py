"""The lock on the device, in which requests have priority over batches of long jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from threading import Condition
from time import monotonic

DRAW_SECONDS = 0.12  # a browser on the same machine draws a reply within this time


class DeviceLock:
    """A lock that a long job takes for each batch and a request takes for each use of the device.

    A batch does not start while a request waits, so a request waits for one batch at most. (A plain `threading.Lock` is unfair: a job that
    releases it acquires it again before a waiting thread wakes up.) Requests take it in the order in which they came. It is not re-entrant.

    Parameters
    ----------
    patience : callable
        Returns the seconds after which a batch takes the device before requests that wait, which must not wait for jobs without end: with
        many users there may always be a request. With one user the batch waits as long as it takes.
    """

    def __init__(self, patience: Callable[[], float] = lambda: inf) -> None:
        self._changed = Condition()
        self._held = False
        self._patience = patience
        self._queue: deque[object] = deque()  # the requests that wait for the device
        self._starved = 0  # batches whose patience has ended
        self._requests = 0
        self._foreground_jobs = 0
        self._drawn_at = -inf

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold the device for a request."""
        ticket = object()
        with self._changed:
            self._requests += 1
            self._queue.append(ticket)
            try:
                self._changed.wait_for(lambda: not self._held and not self._starved and self._queue[0] is ticket)
                self._held = True
            finally:
                self._requests -= 1
                self._queue.remove(ticket)
                self._changed.notify_all()
        yield from self._hold()

    @contextmanager
    def pause_batches(self) -> Iterator[None]:
        """Start no batch while a request is answered, including its work outside the device, nor while the browser draws the reply."""
        with self._changed:
            self._requests += 1
        try:
            yield
        finally:
            with self._changed:
                self._requests -= 1
                self._drawn_at = monotonic() + DRAW_SECONDS
                self._changed.notify_all()

    @contextmanager
    def foreground_job(self) -> Iterator[None]:
        """Start no background batch during a job that a user is waiting for. A batch that has started is completed."""
        with self._changed:
            self._foreground_jobs += 1
        try:
            yield
        finally:
            with self._changed:
                self._foreground_jobs -= 1
                self._changed.notify_all()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Hold the device for one batch of a long job."""
        yield from self._batch(lambda: self._held or self._requests > 0)

    @contextmanager
    def background_batch(self) -> Iterator[None]:
        """Hold the device for one batch of a job that waits for foreground jobs."""
        yield from self._batch(lambda: self._held or self._requests > 0 or self._foreground_jobs > 0)

    def _batch(self, busy: Callable[[], bool]) -> Iterator[None]:
        with self._changed:
            until = monotonic() + self._patience()
            while busy() or monotonic() < self._drawn_at:
                now = monotonic()
                if now >= until:
                    self._wait_first()
                    break
                # A release notifies; the end of the drawing time and of the patience do not, hence the time-out.
                ends = [until - now] if busy() else [until - now, self._drawn_at - now]
                self._changed.wait(None if min(ends) == inf else max(0.0, min(ends)))
            self._held = True
        yield from self._hold()

    def _wait_first(self) -> None:
        """Wait for the device before all requests."""
        self._starved += 1
        try:
            self._changed.wait_for(lambda: not self._held)
        finally:
            self._starved -= 1

    def _hold(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._held = False
                self._changed.notify_all()
