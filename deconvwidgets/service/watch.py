"""Calling a method about once a second, such as to look at a folder, in a thread that runs only while it is needed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, Thread
from weakref import WeakMethod

INTERVAL = 1.0  # seconds

_log = logging.getLogger(__name__)


class Watch:
    """Calls a method about once a second, in a thread of its own, until it returns False or its object is gone.

    Parameters
    ----------
    look : bound method
        Held weakly. It returns whether to go on.
    interval : float
        Seconds between two calls.
    """

    def __init__(self, look: Callable[[], bool], interval: float = INTERVAL) -> None:
        self._look = WeakMethod(look)
        self._interval = interval
        self._changed = Condition()
        self._running = False
        self._at_once = False
        self._stopped = False

    def begin(self) -> None:
        """Start the thread, unless it runs or `stop` was called, and call the method at once."""
        with self._changed:
            if self._stopped:
                return
            self._at_once = True
            self._changed.notify_all()
            if not self._running:
                self._running = True
                Thread(target=self._run, name="deconvwidgets watch", daemon=True).start()

    def stop(self) -> None:
        """End the thread for good, without waiting for it."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            with self._changed:
                self._at_once = False
            goes_on = self._call()
            with self._changed:
                goes_on = (goes_on or self._at_once) and not self._stopped
                if goes_on and not self._at_once:
                    self._changed.wait(self._interval)
                    goes_on = not self._stopped
                self._running = goes_on

    def _call(self) -> bool:
        look = self._look()
        if look is None:
            return False
        try:
            return look()
        except Exception:  # noqa: BLE001 - outermost handler of the thread
            _log.exception("What is watched could not be looked at")
            return True
