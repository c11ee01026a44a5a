"""The requests of a LayerExplorer's front end: values as JSON, images and arrays as buffers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.layers.records import MosaicRequest
from deconvwidgets.instruments.layers.service.protocol import SupportsLayers
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.layers import LayerSummary
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request, image_content, overview_content

_MIME_TYPES = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf", "html": "text/html"}


def _hello(service: SupportsLayers, request: Request) -> Reply:
    """Return the overview."""
    overview = service.overview()
    return {"overview": {**overview_content(overview), "layers": [_layer(summary) for summary in overview.layers]}}, []


def _layer(summary: LayerSummary) -> Content:
    info = summary.info
    return {
        "id": info.short_name,
        "name": info.name,
        "kind": info.kind,
        "channels": info.channels,
        "height": info.height,
        "width": info.width,
        "receptive_field": None if info.receptive_field is None else list(info.receptive_field),
        "dead": summary.dead,
    }


def _unit_table(service: SupportsLayers, request: Request) -> Reply:
    """Buffers: float32 (5, units), the statistics in the order of `columns`; int32 (units, k), the labels."""
    table = service.layers.unit_table(request.text("layer"))
    columns = ("maximum", "mean", "std", "activation_rate", "selectivity")
    numbers = np.stack([getattr(table, name) for name in columns]).astype("<f4")
    labels = np.ascontiguousarray(table.labels, dtype="<i4")
    # Only the classes that occur are named: ImageNet has a thousand.
    names = {int(label): table.categories[label] for label in np.unique(labels) if 0 <= label < len(table.categories)}
    units, k = labels.shape
    start = [{"unit": start.unit, "reason": start.reason} for start in table.start]
    content = {"layer": table.layer, "units": units, "k": k, "columns": list(columns), "categories": names, "start": start}
    return content, [numbers.tobytes(), labels.tobytes()]


def _mosaics(service: SupportsLayers, request: Request) -> Reply:
    """Buffers: the mosaics of the requested `parts`, in that order; without `parts`, projections and patches."""
    return _images(service.layers.mosaics(_mosaic_request(request), background=request.get("background") is True))


def _mosaic_request(request: Request) -> MosaicRequest:
    layer, unit, tile = request.text("layer"), request.integer("unit"), request.integer("tile")
    options: dict[str, Any] = {key: request.text(key) for key in ("rule", "contrast") if key in request.content}
    if "parts" in request.content:
        options["parts"] = tuple(request.sequence("parts"))
    return MosaicRequest(layer, unit, tile=tile, **options)


def _images(images: Sequence[EncodedImage]) -> Reply:
    return {"images": [image_content(image) for image in images]}, [image.data for image in images]


def _unit_detail(service: SupportsLayers, request: Request) -> Reply:
    return {"detail": asdict(service.layers.unit_detail(request.text("layer"), request.integer("unit")))}, []


def _source_image(service: SupportsLayers, request: Request) -> Reply:
    """Buffer: the photograph."""
    unit, rank, size = request.integer("unit"), request.integer("rank"), request.integer("size")
    source = service.layers.source(request.text("layer"), unit, rank, size)
    content = {"images": [image_content(source.image)], "box": source.box, "crop": source.crop, "caption": source.caption}
    return content, [source.image.data]


def _figure(service: SupportsLayers, request: Request) -> Reply:
    """Buffer: the file."""
    kind: Any = request.text("figure")  # the service checks it
    state = request.get("state")
    if not isinstance(state, dict):
        raise ServiceError("A figure is drawn from a state: a dict with at least a layer.")
    data = service.layers.figure(kind, state)
    return {"mime": _MIME_TYPES.get(kind.rpartition(".")[2], "application/octet-stream")}, [data]


HANDLERS: Handlers = {
    "hello": Handler(_hello),
    "unit_table": Handler(_unit_table),
    "mosaics": Handler(_mosaics, "background"),
    "unit_detail": Handler(_unit_detail),
    "source_image": Handler(_source_image),
    "figure": Handler(_figure, "worker"),
}
