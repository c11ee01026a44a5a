"""The size of a long job's batches, from how long the last ones took."""

from __future__ import annotations

from collections.abc import Callable

BUSY_SECONDS = 0.03  # per batch while somebody uses a widget: the longest that a request then waits
IDLE_SECONDS = 0.25  # per batch otherwise: large enough to be efficient, short enough not to be noticed by the first click


class BatchSizer:
    """Chooses batches that take 30 ms while `busy()` returns True, and 250 ms otherwise.

    Parameters
    ----------
    busy : callable
        Returns whether somebody uses a widget.
    largest : int
        Upper limit of the size.
    """

    def __init__(self, busy: Callable[[], bool], largest: int = 64) -> None:
        self._busy = busy
        self._largest = largest
        self._seconds_per_item: float | None = None

    def size(self) -> int:
        """Return the number of items in the next batch: 1 before anything was recorded."""
        if self._seconds_per_item is None:
            return 1
        seconds = BUSY_SECONDS if self._busy() else IDLE_SECONDS
        return max(1, min(self._largest, int(seconds / max(self._seconds_per_item, 1e-6))))

    def record(self, items: int, seconds: float) -> None:
        """Record how long a batch took; the newest batch counts one half of the running average."""
        latest = seconds / max(items, 1)
        self._seconds_per_item = latest if self._seconds_per_item is None else (self._seconds_per_item + latest) / 2
