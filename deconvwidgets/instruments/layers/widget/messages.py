"""What a LayerExplorer's front end may ask of a service, one message each way (`exchange` says how): words and numbers as JSON,
pictures and arrays as buffers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.errors import DeconvWidgetsError, ServiceError
from deconvwidgets.instruments.layers.widget.state import layer_id
from deconvwidgets.records.layers import LayerSummary, Picture
from deconvwidgets.service.protocol import ModelService, NineWanted
from deconvwidgets.widgets.messages import (
    Answer,
    Content,
    answered,
    echo,
    finite,
    number_of,
    overview_facts,
    picture_facts,
    refusal,
    text_of,
)


def answer(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """The one answer to a request. Never raises."""
    return answered(request, _HANDLERS, lambda handler: handler(service, request))


def respond(service: ModelService, request: Mapping[str, Any], send: Callable[[Content, list[bytes]], None]) -> None:
    """Send the one answer to a request: now, or for mosaics with {"background": True}, when no other request waits."""
    if not (request.get("background") and request.get("kind") == "mosaics"):
        send(*answer(service, request))
        return

    def done(pictures: Sequence[Picture]) -> None:
        content, buffers = _pictures(pictures)
        send({**echo(request), "ok": True, **content}, buffers)

    def failed(error: Exception) -> None:
        send(*refusal(request, error))

    try:
        service.mosaics_later(_wanted(request), done, failed)
    except DeconvWidgetsError as error:  # no such request at all
        failed(error)


def _hello(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """The overview. It greets each view that renders, too: ipykernel then answers that view while a cell is running."""
    overview = service.overview()
    return {"overview": {**overview_facts(overview), "layers": [_layer(summary) for summary in overview.layers]}}, []


def _layer(summary: LayerSummary) -> Content:
    info = summary.info
    return {
        "id": layer_id(info),
        "name": info.name,
        "kind": info.kind,
        "channels": info.channels,
        "height": info.height,
        "width": info.width,
        "receptive_field": None if info.receptive_field is None else list(info.receptive_field),
        "dead": summary.dead,
    }


def _unit_table(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """Buffers: float32 (5, units), the statistics in the order of `columns`; int32 (units, k), the labels."""
    table = service.unit_table(text_of(request, "layer"))
    columns = ("maximum", "mean", "std", "fires", "selectivity")
    numbers = np.stack([getattr(table, name) for name in columns]).astype("<f4")
    labels = np.ascontiguousarray(table.labels, dtype="<i4")
    # Only the classes that occur are named: ImageNet has a thousand.
    names = {int(label): table.categories[label] for label in np.unique(labels) if 0 <= label < len(table.categories)}
    units, k = labels.shape
    content = {"layer": table.layer, "units": units, "k": k, "columns": list(columns), "categories": names}
    return content, [numbers.tobytes(), labels.tobytes()]


def _mosaics(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """Buffers: the pictures of the asked `parts`, in that order; without `parts`, projections and patches."""
    return _pictures(service.mosaics(_wanted(request)))


def _wanted(request: Mapping[str, Any]) -> NineWanted:
    layer, unit, tile = text_of(request, "layer"), number_of(request, "unit"), number_of(request, "tile")
    named = {key: request[key] for key in ("rule", "contrast") if key in request}  # the service says which there are
    if "parts" in request:
        if not isinstance(request["parts"], list | tuple):
            raise ServiceError(f"The request 'mosaics' needs 'parts' as a list, not {request['parts']!r}.")
        named["parts"] = tuple(request["parts"])
    return NineWanted(layer, unit, tile=tile, **named)


def _pictures(pictures: Sequence[Picture]) -> Answer:
    return {"pictures": [picture_facts(picture) for picture in pictures]}, [picture.data for picture in pictures]


def _unit_detail(service: ModelService, request: Mapping[str, Any]) -> Answer:
    detail = service.unit_detail(text_of(request, "layer"), number_of(request, "unit"))
    return {"detail": finite(asdict(detail))}, []


def _source_picture(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """Buffer: the photograph."""
    unit, rank, size = number_of(request, "unit"), number_of(request, "rank"), number_of(request, "size")
    source = service.source(text_of(request, "layer"), unit, rank, size)
    content = {"pictures": [picture_facts(source.picture)], "box": source.box, "crop": source.view, "caption": source.caption}
    return content, [source.picture.data]


_MIMES = {"png": "image/png", "svg": "image/svg+xml", "html": "text/html"}


def _figure(service: ModelService, request: Mapping[str, Any]) -> Answer:
    """Buffer: the file."""
    figure: Any = text_of(request, "figure")  # the service says which kinds there are
    state = request.get("state")
    if not isinstance(state, Mapping):
        raise ServiceError("A figure is drawn from a state: a dict with at least a layer.")
    data = service.figure(figure, state)
    return {"mime": _MIMES.get(figure.rpartition(".")[2], "application/octet-stream")}, [data]


_HANDLERS: dict[str, Callable[[ModelService, Mapping[str, Any]], Answer]] = {
    "hello": _hello,
    "unit_table": _unit_table,
    "mosaics": _mosaics,
    "unit_detail": _unit_detail,
    "source_picture": _source_picture,
    "figure": _figure,
}
