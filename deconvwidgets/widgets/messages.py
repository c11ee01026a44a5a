"""How widgets answer their views: one answer for each request, refusals in words, and what may cross as JSON.

A request is {"seq", "client", "kind", ...}; `client` names a page's client of a widget, `seq` one request of it. The reply repeats both,
with {"ok": True, ...} and buffers, or with {"ok": False, "error": "words"}, and {"refused": True} where a projection rule cannot be
applied to a layer. For work on a worker, {"accepted": True} may be sent before: the client then waits without a time-out.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from deconvwidgets.errors import DeconvWidgetsError, RuleError, ServiceError
from deconvwidgets.records.layers import Overview, Picture
from deconvwidgets.service.protocol import ServiceEvent

Content = dict[str, Any]
Answer = tuple[Content, list[bytes]]

_log = logging.getLogger(__name__)


def answered(request: Mapping[str, Any], handlers: Mapping[str, Any], call: Callable[[Any], Answer]) -> Answer:
    """The one answer to a request: `call` is given its handler. Never raises: an exception in a comm callback would vanish, and the
    view would wait in vain."""
    try:
        handler = handlers.get(str(request.get("kind")))
        if handler is None:
            raise ServiceError(f"There is no request {request.get('kind')!r}: reload the page, so that the front end fits the kernel.")
        content, buffers = call(handler)
    except Exception as error:  # noqa: BLE001 - the border to the browser: what is not answered here is never seen by anyone
        return refusal(request, error)
    return {**echo(request), "ok": True, **content}, buffers


def echo(request: Mapping[str, Any]) -> Content:
    """What tells a client that an answer is its own."""
    return {"seq": request.get("seq"), "client": request.get("client")}


def refusal(request: Mapping[str, Any], error: Exception) -> Answer:
    """What went wrong, in words; of a bug only that there is one: its exception and traceback go to the log."""
    if isinstance(error, DeconvWidgetsError):
        refused = {"refused": True} if isinstance(error, RuleError) else {}
        return {**echo(request), "ok": False, "error": str(error), **refused}, []
    _log.error("The request %s failed", dict(request), exc_info=error)
    words = f"The kernel failed to answer {request.get('kind')!r}: a bug, which its log describes."
    return {**echo(request), "ok": False, "error": words}, []


def event_message(event: ServiceEvent) -> Content:
    """A service's event as every view is told of it."""
    progress = None if event.progress is None else asdict(event.progress)
    return {"event": event.kind, "progress": progress, "message": event.message}


def overview_facts(overview: Overview) -> Content:
    """An overview as JSON, without its layers."""
    plain = {name: getattr(overview, name) for name in overview.__dataclass_fields__ if name not in ("layers", "skipped", "notes")}
    return {**plain, "skipped": [asdict(skipped) for skipped in overview.skipped], "notes": list(overview.notes)}


def picture_facts(picture: Picture) -> Content:
    """What a view needs to know of a picture that comes as a buffer."""
    return {"mime": picture.mime, "width": picture.width, "height": picture.height}


def text_of(request: Mapping[str, Any], key: str) -> str:
    """The request's string `key`. Raises ServiceError where it is none, or empty."""
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise ServiceError(f"The request {request.get('kind')!r} needs {key!r} as a string, not {value!r}.")
    return value


def number_of(request: Mapping[str, Any], key: str) -> int:
    """The request's whole number `key`. Raises ServiceError where it is none."""
    value = request.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ServiceError(f"The request {request.get('kind')!r} needs {key!r} as a whole number, not {value!r}.")
    return value


def finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
