"""The messages between a widget and its front end: one reply to each request, refusals as text, and values that JSON can hold.

A request is {"seq", "client", "kind", ...}: `client` is the id of a page's client, `seq` the number of its request. A reply repeats both,
with {"ok": True, ...} and buffers, or with {"ok": False, "error": "..."}, and {"refused": True} if a projection rule cannot be applied to
a layer. For a request that is answered on a worker, {"accepted": True} is sent first: the client then waits without a time-out.
"""

from __future__ import annotations

import logging
import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from deconvwidgets.arguments import is_integer
from deconvwidgets.errors import DeconvWidgetsError, RuleError, ServiceError
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.overview import Overview
from deconvwidgets.records.quantity import Quantity
from deconvwidgets.service.protocol import ServiceEvent

Content = dict[str, Any]
Buffers = Sequence[Any]  # bytes or memoryviews
Reply = tuple[Content, list[bytes]]
Where = Literal["now", "background", "worker"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a front end. A browser may send anything, so values are checked when they are read."""

    content: Mapping[str, Any]
    buffers: Buffers = ()

    @classmethod
    def of(cls, content: object, buffers: object) -> Request:
        """Return the request in a message, which is empty if the message is malformed."""
        return cls(content if isinstance(content, Mapping) else {}, buffers if isinstance(buffers, list | tuple) else ())

    @property
    def kind(self) -> Any:
        """The kind of the request."""
        return self.content.get("kind")

    def get(self, key: str) -> Any:
        """Return an unchecked value; None if it is missing."""
        return self.content.get(key)

    def text(self, key: str) -> str:
        """Return a string. Raises ServiceError if it is missing, empty, or anything else."""
        value = self.content.get(key)
        if not isinstance(value, str) or not value:
            raise self.invalid(key, "a string")
        return value

    def integer(self, key: str) -> int:
        """Return an integer. Raises ServiceError if it is missing or anything else."""
        value = self.content.get(key)
        if not is_integer(value):
            raise self.invalid(key, "an integer")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Return a dict. Raises ServiceError if it is missing or anything else."""
        value = self.content.get(key)
        if not isinstance(value, Mapping):
            raise self.invalid(key, "a dict")
        return value

    def sequence(self, key: str) -> Sequence[Any]:
        """Return a list. Raises ServiceError if it is missing or anything else."""
        value = self.content.get(key)
        if not isinstance(value, list | tuple):
            raise self.invalid(key, "a list")
        return value

    def invalid(self, key: str, expected: str) -> ServiceError:
        """Return the error for a value of the wrong type."""
        return ServiceError(f"The request {self.kind!r} needs {key!r} as {expected}, not {reprlib.repr(self.content.get(key))}.")


@dataclass(frozen=True, slots=True)
class Handler:
    """Answers one kind of request.

    Parameters
    ----------
    answer : callable
        Takes the service and the request, and returns the content and the buffers of the reply.
    where : {"now", "background", "worker"} or callable
        "now": in the message callback, for replies that take milliseconds. "background": like "now", but requests with
        {"background": True} are answered one after the other in a thread, which yields to other requests. "worker": in another
        thread, for everything that reads folders, unpacks or draws files. A callable returns one of them for a request.
    """

    answer: Callable[[Any, Request], Reply]
    where: Where | Callable[[Request], Where] = "now"

    def place(self, request: Request) -> Where:
        """Return where to answer a request."""
        return self.where(request) if callable(self.where) else self.where


Handlers = Mapping[str, Handler]


def dispatch(handlers: Handlers, service: Any, request: Request) -> Reply:
    """Return the reply to a request. Never raises: an exception in a comm callback would vanish, and the page would wait in vain."""
    try:
        handler = handlers.get(request.kind) if isinstance(request.kind, str) else None
        if handler is None:
            raise ServiceError(f"There is no request {reprlib.repr(request.kind)}: reload the page, so that the front end fits the kernel.")
        content, buffers = handler.answer(service, request)
    except Exception as error:  # noqa: BLE001 - outermost handler of the message: the page must get a reply
        return refusal(request, error)
    return sendable({**reply_header(request), "ok": True, **content}), buffers


def reply_header(request: Request) -> Content:
    """Return what assigns a reply to its request."""
    return {"seq": request.get("seq"), "client": request.get("client")}


def refusal(request: Request, error: Exception) -> Reply:
    """Return the reply for an error. The message and the traceback of an unexpected one go to the log, not to the page."""
    if isinstance(error, DeconvWidgetsError):
        refused = {"refused": True} if isinstance(error, RuleError) else {}
        return sendable({**reply_header(request), "ok": False, "error": str(error), **refused}), []
    _log.error("The request %s failed", dict(request.content), exc_info=error)
    message = f"The request {request.kind!r} failed with an unexpected {type(error).__name__}; the kernel's log has the traceback."
    return sendable({**reply_header(request), "ok": False, "error": message}), []


def event_message(event: ServiceEvent) -> Content:
    """Return the message for an event of the service."""
    progress = None if event.progress is None else asdict(event.progress)
    layers = {"layers": list(event.layers)} if event.layers else {}
    side = {"side": event.side} if event.side else {}
    content: Content = sendable({"event": event.kind, "progress": progress, "message": event.message, **layers, **side})
    return content


def overview_content(overview: Overview) -> Content:
    """Return an overview for a message, without its layers."""
    apart = ("layers", "opened", "skipped", "notes", "quantity", "units")
    plain = {name: getattr(overview, name) for name in overview.__dataclass_fields__ if name not in apart}
    quantity = quantity_content(overview.quantity)
    skipped, units = ([asdict(record) for record in records] for records in (overview.skipped, overview.units))
    return {**plain, "quantity": quantity, "skipped": skipped, "notes": list(overview.notes), "units": units}


def quantity_content(quantity: Quantity | None) -> Content | None:
    """Return what a model predicts, for a message."""
    return None if quantity is None else {**asdict(quantity), "kind": quantity.kind}


def image_content(image: EncodedImage) -> Content:
    """Return the description of an image that is sent as a buffer."""
    return {"mime": image.mime, "width": image.width, "height": image.height}


def sendable(value: Any) -> Any:
    """Return a value that can be packed as UTF-8 JSON: NaN and infinities become None, lone surrogates the replacement character."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {sendable(key): sendable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [sendable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
