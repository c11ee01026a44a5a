"""The turnstile at the device: requests first, long jobs in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from threading import Condition
from time import monotonic

DRAWING = 0.12  # seconds


class DeviceGate:
    """One user of the device at a time; a batch of a long job never starts while a request waits.

    A bare Lock is unfair: the job that gives it up takes it again before a waiting thread wakes. Hence the count of
    waiting requests: a request waits for one batch at the most. Not re-entrant.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._busy = False
        self._waiting = 0
        self._drawn_at = -inf

    @contextmanager
    def interactive(self) -> Iterator[None]:
        """For a request that somebody looks at."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not self._busy)
            finally:
                self._waiting -= 1
            self._busy = True
        yield from self._held()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """For all of a request that somebody waits for, what it does beside the device included: no batch starts meanwhile, nor
        in the moment after, when a browser on the same machine draws the answer."""
        with self._changed:
            self._waiting += 1
        try:
            yield
        finally:
            with self._changed:
                self._waiting -= 1
                self._drawn_at = monotonic() + DRAWING
                self._changed.notify_all()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """For one batch of a long job."""
        with self._changed:
            while self._busy or self._waiting or monotonic() < self._drawn_at:
                # Whoever leaves tells; that a moment has passed, nobody does.
                self._changed.wait(None if self._busy or self._waiting else self._drawn_at - monotonic())
            self._busy = True
        yield from self._held()

    def _held(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
