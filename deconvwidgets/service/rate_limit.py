"""Limiting how often an action runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock, Timer, main_thread
from time import monotonic

INTERVAL = 0.1  # seconds

_log = logging.getLogger(__name__)


class RateLimiter:
    """Runs an action at most once per interval. The last trigger is never lost: the action runs after it.

    Thread-safe. The action runs in the thread of the trigger if the interval has passed, else in a timer's thread at the end of the
    interval. It never runs twice at the same time, and a failure of it is logged.

    Parameters
    ----------
    action : callable
    interval : float
        Seconds between the end of one run and the start of the next.
    """

    def __init__(self, action: Callable[[], None], interval: float = INTERVAL) -> None:
        self._action = action
        self._interval = interval
        self._lock = Lock()
        self._timer: Timer | None = None
        self._running = False
        self._pending = False
        self._urgent = False
        self._ended = -interval
        self._closed = False

    def trigger(self, at_once: bool = False) -> None:
        """Run the action soon, or without waiting for the end of the interval if `at_once`."""
        with self._lock:
            if self._closed:
                return
            self._pending, self._urgent = True, self._urgent or at_once
            if self._running:
                return  # it is scheduled again at the end of the run
            if self._delay() > 0:
                self._schedule()
                return
            self._start()
        self._run()

    def close(self) -> None:
        """Start no further run."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()

    def _delay(self) -> float:
        return 0.0 if self._urgent else max(0.0, self._ended + self._interval - monotonic())

    def _schedule(self) -> None:
        if self._timer is not None:
            if not self._urgent:
                return
            self._timer.cancel()
        if main_thread().is_alive():  # no thread can be started while the interpreter shuts down
            self._timer = Timer(self._delay(), self._run_by_timer)
            self._timer.daemon = True
            self._timer.start()

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._running, self._pending, self._urgent = None, True, False, False

    def _run_by_timer(self) -> None:
        with self._lock:
            if self._closed or self._running or not self._pending:
                return
            self._start()
        self._run()

    def _run(self) -> None:
        try:
            self._action()
        except Exception:  # noqa: BLE001 - outermost handler of the thread
            _log.exception("%r failed", self._action)
        with self._lock:
            self._running, self._ended = False, monotonic()
            if self._pending and not self._closed:
                self._schedule()
