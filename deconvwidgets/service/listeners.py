"""Who is told of the service's events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock

from deconvwidgets.service.protocol import ServiceEvent

Listener = Callable[[ServiceEvent], None]

_log = logging.getLogger(__name__)


class Listeners:
    """Subscriptions; thread-safe. One listener's failure reaches neither the others nor the job that reports."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listeners: dict[int, Listener] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._listeners)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told of events, from any thread. Returns the function that ends the subscription."""
        with self._lock:
            number = self._next
            self._next += 1
            self._listeners[number] = listener

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.pop(number, None)

        return unsubscribe

    def tell(self, event: ServiceEvent) -> None:
        """Tell everybody. A listener that raises is logged and told no more: it would fail again at every step of a job."""
        with self._lock:
            listeners = list(self._listeners.items())
        for number, listener in listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - the border to foreign code: a widget's page may be gone
                _log.exception("A listener of the model service failed and is unsubscribed")
                with self._lock:
                    self._listeners.pop(number, None)
