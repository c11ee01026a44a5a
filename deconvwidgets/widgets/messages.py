"""What the front end may ask of a service, one message each way: words and numbers as JSON, pictures and arrays as buffers.

A request is {"seq", "view", "kind", ...}; `view` names one view of a widget, `seq` one request of it. The answer repeats
both, with {"ok": True, ...} and buffers, or with {"ok": False, "error": "words"}, which says {"refused": True} where the rule does not
lead down from that layer. There is exactly one for each request.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.errors import DeconvWidgetsError, RuleError, ServiceError
from deconvwidgets.records import LayerSummary, Picture
from deconvwidgets.service.protocol import ModelService, NineWanted, ServiceEvent
from deconvwidgets.widgets.state import layer_id

Content = dict[str, Any]
Answer = tuple[Content, list[bytes]]

_log = logging.getLogger(__name__)


def answer(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """The one answer to a request. Never raises: an exception in a comm callback would vanish, and the view would wait in vain."""
    try:
        handler = _HANDLERS.get(str(request.get("kind")))
        if handler is None:
            raise ServiceError(f"There is no request {request.get('kind')!r}: reload the page, so that the front end fits the kernel.")
        content, buffers = handler(service, request)
    except Exception as error:  # noqa: BLE001 - the border to the browser: what is not answered here is never seen by anyone
        return _refusal(request, error)
    return {**_echo(request), "ok": True, **content}, buffers


def respond(service: ModelService, request: Mapping[str, Any], send: Callable[[Content, list[bytes]], None]) -> None:
    """Send the one answer to a request: now, or for a nine that says {"later": True}, when nobody waits for anything else."""
    if not (request.get("later") and request.get("kind") == "nine"):
        send(*answer(service, request))
        return

    def done(pictures: Sequence[Picture]) -> None:
        content, buffers = _pictures(pictures)
        send({**_echo(request), "ok": True, **content}, buffers)

    def failed(error: Exception) -> None:
        send(*_refusal(request, error))

    try:
        service.mosaics_later(_wanted(request), done, failed)
    except DeconvWidgetsError as error:  # no such request at all
        failed(error)


def _echo(request: Mapping[str, Any]) -> Content:
    return {"seq": request.get("seq"), "view": request.get("view")}


def _refusal(request: Mapping[str, Any], error: Exception) -> Answer:
    """What went wrong, in words; a bug also goes to the log, with its traceback."""
    if isinstance(error, DeconvWidgetsError):
        refused = {"refused": True} if isinstance(error, RuleError) else {}
        return {**_echo(request), "ok": False, "error": str(error), **refused}, []
    _log.error("The request %s failed", dict(request), exc_info=error)
    return {**_echo(request), "ok": False, "error": f"{type(error).__name__}: {error}"}, []


def event_message(event: ServiceEvent) -> Content:
    """A service's event as every view is told of it."""
    progress = None if event.progress is None else asdict(event.progress)
    return {"event": event.kind, "progress": progress, "message": event.message}


def _hello(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """The overview. It greets each view that renders, too: ipykernel then answers that view while a cell is running."""
    overview = service.overview()
    plain = {name: getattr(overview, name) for name in overview.__dataclass_fields__ if name not in ("layers", "skipped", "notes")}
    plain["layers"] = [_layer(summary) for summary in overview.layers]
    plain["skipped"] = [asdict(skipped) for skipped in overview.skipped]
    plain["notes"] = list(overview.notes)
    return {"overview": plain}, []


def _layer(summary: LayerSummary) -> Content:
    info = summary.info
    return {
        "id": layer_id(info),
        "name": info.name,
        "kind": info.kind,
        "channels": info.channels,
        "height": info.height,
        "width": info.width,
        "sees": None if info.receptive_field is None else list(info.receptive_field),
        "dead": summary.dead,
    }


def _table(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """Buffers: float32 (5, units), the statistics in the order of `columns`; int32 (units, k), the labels."""
    table = service.unit_table(_text(request, "layer"))
    columns = ("maximum", "mean", "std", "fires", "selectivity")
    numbers = np.stack([getattr(table, name) for name in columns]).astype("<f4")
    labels = np.ascontiguousarray(table.labels, dtype="<i4")
    # Only the classes that occur are named: ImageNet has a thousand.
    names = {int(label): table.categories[label] for label in np.unique(labels) if 0 <= label < len(table.categories)}
    units, k = labels.shape
    content = {"layer": table.layer, "units": units, "k": k, "columns": list(columns), "categories": names}
    return content, [numbers.tobytes(), labels.tobytes()]


def _nine(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """Buffers: the pictures of the asked `parts`, in that order; without `parts`, projections and patches."""
    return _pictures(service.mosaics(_wanted(request)))


def _wanted(request: Mapping[str, Any]) -> NineWanted:
    layer, unit, tile = _text(request, "layer"), _number(request, "unit"), _number(request, "tile")
    named = {key: request[key] for key in ("rule", "contrast") if key in request}  # the service says which there are
    if "parts" in request:
        if not isinstance(request["parts"], list | tuple):
            raise ServiceError(f"The request 'nine' needs 'parts' as a list, not {request['parts']!r}.")
        named["parts"] = tuple(request["parts"])
    return NineWanted(layer, unit, tile=tile, **named)


def _pictures(pictures: Sequence[Picture]) -> Answer:
    return {"pictures": [_picture(picture) for picture in pictures]}, [picture.data for picture in pictures]


def _unit(service: ModelService, request: Mapping[str, Any]) -> Answer:
    detail = service.unit_detail(_text(request, "layer"), _number(request, "unit"))
    return {"detail": _finite(asdict(detail))}, []


def _source(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """Buffer: the photograph."""
    unit, rank, size = _number(request, "unit"), _number(request, "rank"), _number(request, "size")
    source = service.source(_text(request, "layer"), unit, rank, size)
    content = {"pictures": [_picture(source.picture)], "box": source.box, "shown": source.view, "caption": source.caption}
    return content, [source.picture.data]


_MIMES = {"png": "image/png", "svg": "image/svg+xml", "html": "text/html"}


def _figure(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """Buffer: the file."""
    figure: Any = _text(request, "figure")  # the service says which kinds there are
    state = request.get("state")
    if not isinstance(state, Mapping):
        raise ServiceError("A figure is drawn from a state: a dict with at least a layer.")
    data = service.figure(figure, state)
    return {"mime": _MIMES.get(figure.rpartition(".")[2], "application/octet-stream")}, [data]


_HANDLERS: dict[str, Callable[[ModelService, Mapping[str, Any]], Answer]] = {
    "hello": _hello,
    "table": _table,
    "nine": _nine,
    "unit": _unit,
    "source": _source,
    "figure": _figure,
}


def _picture(picture: Picture) -> Content:
    return {"mime": picture.mime, "width": picture.width, "height": picture.height}


def _text(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise ServiceError(f"The request {request.get('kind')!r} needs {key!r} as a string, not {value!r}.")
    return value


def _number(request: Mapping[str, Any], key: str) -> int:
    value = request.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ServiceError(f"The request {request.get('kind')!r} needs {key!r} as a whole number, not {value!r}.")
    return value


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
