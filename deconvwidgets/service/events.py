"""Subscriptions to the events of a model service."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from inspect import ismethod
from itertools import count
from threading import Lock
from weakref import WeakMethod

from deconvwidgets.service.protocol import ServiceEvent

Listener = Callable[[ServiceEvent], None]

_log = logging.getLogger(__name__)


@dataclass
class _Subscription:
    resolve: Callable[[], Listener | None]
    kinds: frozenset[str] | None
    failing: bool = field(default=False)


class Events:
    """Publishes events to subscribers. Thread-safe.

    Bound methods are held weakly, so that a service does not keep its widgets alive. A listener that raises stays subscribed; the first
    of consecutive failures is logged.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._subscriptions: dict[int, _Subscription] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._live())

    def subscribe(self, listener: Listener, kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with each event of the given kinds, from any thread. Return the function that ends the subscription.

        Parameters
        ----------
        listener : callable
            A bound method is held weakly.
        kinds : collection of str, optional
            Kinds of events; None for all.
        """
        resolve: Callable[[], Listener | None] = WeakMethod(listener) if ismethod(listener) else lambda: listener
        with self._lock:
            number = next(self._numbers)
            self._subscriptions[number] = _Subscription(resolve, None if kinds is None else frozenset(kinds))

        def unsubscribe() -> None:
            with self._lock:
                self._subscriptions.pop(number, None)

        return unsubscribe

    def publish(self, event: ServiceEvent) -> None:
        """Call every listener that subscribed to the event's kind."""
        for subscription, listener in self._live():
            if subscription.kinds is not None and event.kind not in subscription.kinds:
                continue
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - code of users: an exception must stop neither the other listeners nor the job
                if not subscription.failing:
                    _log.exception("A listener failed on the event %r; its next failures are not logged until it succeeds", event.kind)
                subscription.failing = True
            else:
                subscription.failing = False

    def _live(self) -> list[tuple[_Subscription, Listener]]:
        """Return the subscriptions whose listeners exist, and drop the others."""
        with self._lock:
            resolved = {number: (subscription, subscription.resolve()) for number, subscription in self._subscriptions.items()}
            for number, (_, listener) in resolved.items():
                if listener is None:
                    del self._subscriptions[number]
        return [(subscription, listener) for subscription, listener in resolved.values() if listener is not None]
