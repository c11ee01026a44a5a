"""The requests that panels of a long computation share: its status, starting and cancelling it, and its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deconvwidgets.service.protocol import RunService
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request


def run_handlers(status_content: Callable[[Any], Content], start: Callable[[Any, Request], Reply]) -> Handlers:
    """Return the handlers of "hello" and "status", "start", "cancel" and "file".

    Parameters
    ----------
    status_content : callable
        Returns the status of the service for a message.
    start : callable
        The handler of "start". It runs on a worker: starting reads the folder.
    """

    def status(service: RunService, request: Request) -> Reply:
        return {"status": status_content(service.status())}, []

    return {
        "hello": Handler(status),
        "status": Handler(status),
        "start": Handler(start, "worker"),
        "cancel": Handler(_cancel, "worker"),
        "file": Handler(_file, "worker"),
    }


def _cancel(service: RunService, request: Request) -> Reply:
    service.cancel()
    return {}, []


def _file(service: RunService, request: Request) -> Reply:
    """Buffer: the file."""
    name = request.text("file")
    return {"mime": mime_type(name), "name": name}, [service.file(name)]
