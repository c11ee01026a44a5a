"""What a LayerExplorer's front end may ask of a service, one message each way (`exchange` says how): words and numbers as JSON,
pictures and arrays as buffers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.layers.records import MosaicRequest
from deconvwidgets.instruments.layers.service.protocol import SupportsLayers
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.layers import LayerSummary
from deconvwidgets.widgets.messages import (
    Answer,
    Content,
    answered,
    finite,
    number_of,
    overview_facts,
    picture_facts,
    text_of,
)


def answer(service: SupportsLayers, request: Mapping[str, Any]) -> Answer:
    """The one answer to a request. Never raises."""
    return answered(request, _HANDLERS, lambda handler: handler(service, request))


def _hello(service: SupportsLayers, request: Mapping[str, Any]) -> Answer:
    """The overview. It greets each view that renders, too: ipykernel then answers that view while a cell is running."""
    overview = service.overview()
    return {"overview": {**overview_facts(overview), "layers": [_layer(summary) for summary in overview.layers]}}, []


def _layer(summary: LayerSummary) -> Content:
    info = summary.info
    return {
        "id": info.short_name,
        "name": info.name,
        "kind": info.kind,
        "channels": info.channels,
        "height": info.height,
        "width": info.width,
        "sees": None if info.receptive_field is None else list(info.receptive_field),
        "dead": summary.dead,
    }


def _table(service: SupportsLayers, request: Mapping[str, Any]) -> Answer:
    """Buffers: float32 (5, units), the statistics in the order of `columns`; int32 (units, k), the labels."""
    table = service.layers.unit_table(text_of(request, "layer"))
    columns = ("maximum", "mean", "std", "fires", "selectivity")
    numbers = np.stack([getattr(table, name) for name in columns]).astype("<f4")
    labels = np.ascontiguousarray(table.labels, dtype="<i4")
    # Only the classes that occur are named: ImageNet has a thousand.
    names = {int(label): table.categories[label] for label in np.unique(labels) if 0 <= label < len(table.categories)}
    units, k = labels.shape
    content = {"layer": table.layer, "units": units, "k": k, "columns": list(columns), "categories": names}
    return content, [numbers.tobytes(), labels.tobytes()]


def _nine(service: SupportsLayers, request: Mapping[str, Any]) -> Answer:
    """Buffers: the pictures of the asked `parts`, in that order; without `parts`, projections and patches."""
    return _pictures(service.layers.mosaics(_wanted(request), background=bool(request.get("later"))))


def _wanted(request: Mapping[str, Any]) -> MosaicRequest:
    layer, unit, tile = text_of(request, "layer"), number_of(request, "unit"), number_of(request, "tile")
    named = {key: request[key] for key in ("rule", "contrast") if key in request}  # the service says which there are
    if "parts" in request:
        if not isinstance(request["parts"], list | tuple):
            raise ServiceError(f"The request 'nine' needs 'parts' as a list, not {request['parts']!r}.")
        named["parts"] = tuple(request["parts"])
    return MosaicRequest(layer, unit, tile=tile, **named)


def _pictures(pictures: Sequence[EncodedImage]) -> Answer:
    return {"pictures": [picture_facts(picture) for picture in pictures]}, [picture.data for picture in pictures]


def _unit(service: SupportsLayers, request: Mapping[str, Any]) -> Answer:
    detail = service.layers.unit_detail(text_of(request, "layer"), number_of(request, "unit"))
    return {"detail": finite(asdict(detail))}, []


def _source(service: SupportsLayers, request: Mapping[str, Any]) -> Answer:
    """Buffer: the photograph."""
    unit, rank, size = number_of(request, "unit"), number_of(request, "rank"), number_of(request, "size")
    source = service.layers.source(text_of(request, "layer"), unit, rank, size)
    content = {"pictures": [picture_facts(source.picture)], "box": source.box, "shown": source.view, "caption": source.caption}
    return content, [source.picture.data]


_MIMES = {"png": "image/png", "svg": "image/svg+xml", "html": "text/html"}


def _figure(service: SupportsLayers, request: Mapping[str, Any]) -> Answer:
    """Buffer: the file."""
    figure: Any = text_of(request, "figure")  # the service says which kinds there are
    state = request.get("state")
    if not isinstance(state, Mapping):
        raise ServiceError("A figure is drawn from a state: a dict with at least a layer.")
    data = service.layers.figure(figure, state)
    return {"mime": _MIMES.get(figure.rpartition(".")[2], "application/octet-stream")}, [data]


_HANDLERS: dict[str, Callable[[SupportsLayers, Mapping[str, Any]], Answer]] = {
    "hello": _hello,
    "table": _table,
    "nine": _nine,
    "unit": _unit,
    "source": _source,
    "figure": _figure,
}
