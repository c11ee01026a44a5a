"""Fetching the events of a session, in a thread that ends with the service."""

from __future__ import annotations

from threading import Thread
from weakref import ref

from deconvwidgets.errors import ServiceError
from deconvwidgets.remote.link import Link
from deconvwidgets.service.events import Events
from deconvwidgets.service.protocol import ServiceEvent


def start_event_loop(link: Link, events: Events) -> Thread:
    """Start the thread that publishes what the link fetches. It holds `events` weakly, and ends when nothing refers to it any more."""
    thread = Thread(target=_fetch, args=(link, ref(events)), name="deconvwidgets events", daemon=True)
    thread.start()
    return thread


def _fetch(link: Link, weak: ref[Events]) -> None:
    after = 0
    while weak() is not None:
        try:
            fetched = link.events(after)
        except ServiceError as error:
            events = weak()
            if events is not None and not link.closed:
                events.publish(ServiceEvent("failed", message=str(error)))
            return
        for number, event in fetched:
            after = number
            events = weak()
            if events is None:
                return
            events.publish(event)
            del events  # the next request takes seconds, in which it must not be kept alive
