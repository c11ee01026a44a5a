"""Functions for jobs, which must not keep the service alive that started them."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakMethod, ref

from deconvwidgets.service.events import Events
from deconvwidgets.service.protocol import ServiceEvent


def publisher(events: Events) -> Callable[[ServiceEvent], None]:
    """Return a function that publishes events as long as anything else refers to `events`."""
    reference = ref(events)

    def publish(event: ServiceEvent) -> None:
        found = reference()
        if found is not None:
            found.publish(event)

    return publish


def weakly(method: Callable[[], bool], otherwise: bool) -> Callable[[], bool]:
    """Return a function that calls a bound method, and returns `otherwise` when its object is gone."""
    reference = WeakMethod(method)

    def call() -> bool:
        found = reference()
        return otherwise if found is None else found()

    return call
