"""Doing something as often as it is asked for, but no more than a few times a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Throttle:
    """Runs an action soon after each `ask`, on a thread of its own, with `seconds` at least between two beginnings.

    However often it is asked meanwhile, the action runs once more at the end: what was newest then is never missed.
    """

    def __init__(self, action: Callable[[], None], seconds: float) -> None:
        self._action = action
        self._seconds = seconds
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._asked = False  # while the action runs
        self._began = 0.0
        self._closed = False

    def ask(self) -> None:
        """Run the action soon; called from any thread, and returns at once."""
        with self._lock:
            self._asked = True
            if self._timer is None and not self._closed:
                self._plan()

    def close(self) -> None:
        """Nothing begins any more."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()

    def _plan(self) -> None:
        self._timer = threading.Timer(max(0.0, self._began + self._seconds - time.monotonic()), self._run)
        self._timer.daemon = True
        self._timer.start()

    def _run(self) -> None:
        with self._lock:
            self._asked = False
            self._began = time.monotonic()
        try:
            self._action()
        except Exception:  # noqa: BLE001 - nobody waits for this thread
            _log.exception("%s failed", self._action)
        with self._lock:
            self._timer = None
            if self._asked and not self._closed:
                self._plan()
