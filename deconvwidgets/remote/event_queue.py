"""The events of a session until its notebook has fetched them."""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from threading import Condition
from time import monotonic

from deconvwidgets.service.protocol import ServiceEvent

_LIMIT = 256  # events; those that only say that something changed take one place a kind

Numbered = tuple[int, ServiceEvent]


class EventQueue:
    """Keeps events in order, with numbers from 1. Thread-safe.

    An event without words says that something changed, so the newest of a kind (and of the same layers) takes the place of an earlier
    one that was not fetched. Those with a message are all kept, up to a limit.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._numbers = count(1)
        self._events: OrderedDict[object, Numbered] = OrderedDict()
        self._closed = False

    def put(self, event: ServiceEvent) -> None:
        """Add an event."""
        with self._changed:
            number = next(self._numbers)
            key: object = (event.kind, event.layers) if not event.message else number
            self._events.pop(key, None)
            self._events[key] = (number, event)
            while len(self._events) > _LIMIT:
                self._events.popitem(last=False)
            self._changed.notify_all()

    def take(self, after: int, timeout: float) -> list[Numbered]:
        """Forget the events up to number `after`, and return the others. If there is none, wait for one for `timeout` seconds."""
        end = monotonic() + timeout
        with self._changed:
            for key in [key for key, (number, _) in self._events.items() if number <= after]:
                del self._events[key]
            while not self._events and not self._closed and (left := end - monotonic()) > 0:
                self._changed.wait(left)
            return list(self._events.values())

    def close(self) -> None:
        """Wake whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
