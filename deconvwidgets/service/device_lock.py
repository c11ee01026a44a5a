"""The lock on the device, in which requests have priority over batches of long jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from threading import Condition
from time import monotonic

DRAW_SECONDS = 0.12  # a browser on the same machine draws a reply within this time


class DeviceLock:
    """A lock that a long job takes for each batch and a request takes for each use of the device.

    A batch never starts while a request waits, so a request waits for one batch at most. (A plain `threading.Lock` is unfair: a job that
    releases it acquires it again before a waiting thread wakes up.) The lock is not re-entrant.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._held = False
        self._requests = 0
        self._foreground_jobs = 0
        self._drawn_at = -inf

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold the device for a request."""
        with self._changed:
            self._requests += 1
            try:
                self._changed.wait_for(lambda: not self._held)
            finally:
                self._requests -= 1
            self._held = True
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
            while busy() or monotonic() < self._drawn_at:
                # A release notifies; the end of the drawing time does not, hence the time-out.
                self._changed.wait(None if busy() else self._drawn_at - monotonic())
            self._held = True
        yield from self._hold()

    def _hold(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._held = False
                self._changed.notify_all()
