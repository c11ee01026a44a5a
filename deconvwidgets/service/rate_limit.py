"""Telling the widgets of a long job's news, not more often than they can draw, and never leaving out the last."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Timer, main_thread
from time import monotonic

INTERVAL = 0.1  # seconds


class Bell:
    """Rings `tell` at most every `interval` seconds; what falls in between is told at the interval's end, by a timer's thread."""

    def __init__(self, tell: Callable[[], None], interval: float = INTERVAL) -> None:
        self._tell = tell
        self._interval = interval
        self._lock = Lock()
        self._last = -interval
        self._timer: Timer | None = None

    def ring(self, at_once: bool = False) -> None:
        """There is news; `at_once` for what somebody waits for."""
        with self._lock:
            wait = 0.0 if at_once else self._last + self._interval - monotonic()
            if wait > 0:
                # While the interpreter ends no thread can be started, and nobody is left to be told.
                if self._timer is None and main_thread().is_alive():
                    self._timer = Timer(wait, self._ring_late)
                    self._timer.daemon = True
                    self._timer.start()
                return
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._last = monotonic()
        self._tell()

    def _ring_late(self) -> None:
        with self._lock:
            if self._timer is None:  # told meanwhile
                return
            self._timer = None
            self._last = monotonic()
        self._tell()
