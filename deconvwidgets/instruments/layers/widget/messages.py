"""The requests of a LayerExplorer's front end: values as JSON, images and arrays as buffers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.contributions.widget.messages import HANDLERS as CONTRIBUTIONS
from deconvwidgets.instruments.layers.records import EnlargeRequest
from deconvwidgets.instruments.layers.service.protocol import SupportsLayers
from deconvwidgets.instruments.layers.widget.contribution_order import with_ordered_units
from deconvwidgets.instruments.layers.widget.query_messages import QUERY_HANDLERS, index_content
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.layers import LayerSummary
from deconvwidgets.records.mosaics import MosaicRequest
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request, image_content, overview_content


def _hello(service: SupportsLayers, request: Request) -> Reply:
    """Return the overview."""
    overview = service.overview()
    layers = {"layers": [_layer(summary) for summary in overview.layers], "opened": [_layer(summary) for summary in overview.opened]}
    return {"overview": {**overview_content(overview), **layers}, "index": index_content(service)}, []


def _all_layers(service: SupportsLayers, request: Request) -> Reply:
    """Return every layer that can be opened."""
    return {"layers": [_layer(summary) for summary in service.layers.all_layers()]}, []


def _layer(summary: LayerSummary) -> Content:
    info = summary.info
    return {
        "id": summary.short_name,
        "name": info.name,
        "names": list(summary.names or (info.name,)),
        "convolution": summary.convolution,
        "kind": info.kind,
        "channels": info.channels,
        "height": info.height,
        "width": info.width,
        "receptive_field": None if info.receptive_field is None else list(info.receptive_field),
        "dead": summary.dead,
        "changed": summary.changed,
    }


def _unit_table(service: SupportsLayers, request: Request) -> Reply:
    """Buffers: float32 (5, units), the statistics in the order of `columns`; int32 (units, k), the labels; uint32 (units,), fingerprints.

    `crops` is the number of crops so far while the index is built, else None.
    """
    table = service.layers.unit_table(request.text("layer"), partial=True, refresh=request.get("refresh") is True)
    columns = ("maximum", "mean", "std", "activation_rate", "selectivity")
    numbers = np.stack([getattr(table, name) for name in columns]).astype("<f4")
    labels = np.ascontiguousarray(table.labels, dtype="<i4")
    # Only the classes that occur are named: ImageNet has a thousand.
    names = {int(label): table.categories[label] for label in np.unique(labels) if 0 <= label < len(table.categories)}
    units, k = labels.shape
    content = {"layer": table.layer, "units": units, "k": k, "columns": list(columns), "categories": names, "crops": table.crops}
    content["stored"] = table.stored
    content["start"] = [{"unit": start.unit, "reason": start.reason} for start in table.start]
    fingerprints = np.zeros(units, "<u4") if table.fingerprints is None else table.fingerprints.astype("<u4")
    return content, [numbers.tobytes(), labels.tobytes(), fingerprints.tobytes()]


def _mosaics(service: SupportsLayers, request: Request) -> Reply:
    """Buffers: the mosaics of the requested `parts`, in that order; without `parts`, projections and patches."""
    return _images(service.layers.mosaics(_mosaic_request(request), background=request.get("background") is True))


def _mosaic_request(request: Request) -> MosaicRequest:
    layer, unit, tile = request.text("layer"), request.integer("unit"), request.integer("tile")
    options: dict[str, Any] = {key: request.text(key) for key in ("rule", "contrast") if key in request.content}
    if "parts" in request.content:
        options["parts"] = tuple(request.sequence("parts"))
    return MosaicRequest(layer, unit, tile=tile, partial=True, refresh=request.get("refresh") is True, **options)


def _images(images: Sequence[EncodedImage]) -> Reply:
    return {"images": [image_content(image) for image in images]}, [image.data for image in images]


def _unit_detail(service: SupportsLayers, request: Request) -> Reply:
    """With `predictions` False the model is not run, which takes most of the time."""
    layer, unit, refresh = request.text("layer"), request.integer("unit"), request.get("refresh") is True
    predictions = request.get("predictions") is not False
    return {"detail": asdict(service.layers.unit_detail(layer, unit, predictions, partial=True, refresh=refresh))}, []


def _source_image(service: SupportsLayers, request: Request) -> Reply:
    """Buffer: the photograph."""
    unit, rank, size = request.integer("unit"), request.integer("rank"), request.integer("size")
    source = service.layers.source(request.text("layer"), unit, rank, size, partial=True)
    content = {"images": [image_content(source.image)], "box": source.box, "crop": source.crop, "caption": source.caption}
    return content, [source.image.data]


def _enlarged(service: SupportsLayers, request: Request) -> Reply:
    """Buffers: the patch, the feature map as float32 (h, w), and the projection, unless the rule cannot be applied."""
    options: dict[str, Any] = {key: request.text(key) for key in ("rule", "contrast") if key in request.content}
    unit, rank, size = request.integer("unit"), request.integer("rank"), request.integer("size")
    enlarged = service.layers.enlarged(EnlargeRequest(request.text("layer"), unit, rank, size=size, partial=True, **options))
    images = [image for image in (enlarged.patch, enlarged.projection) if image is not None]
    content = {
        "images": [image_content(image) for image in images],
        "rejection_reason": enlarged.rejection_reason,
        "map_shape": list(enlarged.feature_map.shape),
        "extent": list(enlarged.extent),
        "value": enlarged.value,
    }
    values = np.ascontiguousarray(enlarged.feature_map, "<f4").tobytes()
    return content, [enlarged.patch.data, values, *(image.data for image in images[1:])]


def _figure(service: SupportsLayers, request: Request) -> Reply:
    """Buffer: the file."""
    kind: Any = request.text("figure")  # the service checks it
    state = request.get("state")
    if not isinstance(state, dict):
        raise ServiceError("A figure is drawn from a state: a dict with at least a layer.")
    data = service.layers.figure(kind, with_ordered_units(service, state))
    return {"mime": mime_type(kind)}, [data]


HANDLERS: Handlers = {
    "hello": Handler(_hello),
    "all_layers": Handler(_all_layers),
    "unit_table": Handler(_unit_table),
    "mosaics": Handler(_mosaics, "background"),
    "unit_detail": Handler(_unit_detail),
    "source_image": Handler(_source_image),
    "enlarged": Handler(_enlarged, "background"),
    "figure": Handler(_figure, "worker"),
    **QUERY_HANDLERS,
    **CONTRIBUTIONS,
}
