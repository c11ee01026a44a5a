"""Doing something as often as it is asked for, but no more than a few times a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Throttle:
    """Runs an action soon after each `ask`, on a thread of its own, with `seconds` at least between an end and the next beginning: what
    takes longer than that leaves room for others all the same.

    However often it is asked meanwhile, the action runs once more at the end: what was newest then is never missed.
    """

    def __init__(self, action: Callable[[], None], seconds: float) -> None:
        self._action = action
        self._seconds = seconds
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._asked = False  # while the action runs
        self._ended = -seconds
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
        if not threading.main_thread().is_alive():  # while the interpreter ends no thread can be started, and nobody looks any more
            return
        self._timer = threading.Timer(max(0.0, self._ended + self._seconds - time.monotonic()), self._run)
        self._timer.daemon = True
        self._timer.start()

    def _run(self) -> None:
        with self._lock:
            if self._closed:  # too late for its timer to be cancelled
                return
            self._asked = False
        try:
            self._action()
        except Exception:  # noqa: BLE001 - nobody waits for this thread
            _log.exception("%s failed", self._action)
        with self._lock:
            self._timer = None
            self._ended = time.monotonic()
            if self._asked and not self._closed:
                self._plan()
