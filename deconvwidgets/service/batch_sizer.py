"""How large a long job's batches may be, from what the last ones took."""

from __future__ import annotations

from collections.abc import Callable

BRISK = 0.03  # seconds a batch while somebody uses a widget: the most that a request then waits
RELAXED = 0.25  # otherwise: large enough to be efficient, short enough not to be felt by the first click


class AdaptivePace:
    """Batches of at most 30 ms while `busy()`, of 250 ms otherwise."""

    def __init__(self, busy: Callable[[], bool], largest: int = 64) -> None:
        self._busy = busy
        self._largest = largest
        self._seconds_per_item: float | None = None

    def size(self) -> int:
        """Items in the next batch, at least one."""
        if self._seconds_per_item is None:
            return 1  # nothing is known yet
        seconds = BRISK if self._busy() else RELAXED
        return max(1, min(self._largest, int(seconds / max(self._seconds_per_item, 1e-6))))

    def took(self, views: int, seconds: float) -> None:
        """Learn from a batch, the newest counting half."""
        now = seconds / max(views, 1)
        self._seconds_per_item = now if self._seconds_per_item is None else (self._seconds_per_item + now) / 2
