"""The requests of two models' layers side by side: values as JSON, images and arrays as buffers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.comparison.pair_records import SIDES
from deconvwidgets.instruments.comparison.service.protocol import SideBySideService
from deconvwidgets.instruments.comparison.widget.sides import by_side
from deconvwidgets.instruments.comparison.widget.state import STATUSES
from deconvwidgets.instruments.layers.service.protocol import SupportsLayers
from deconvwidgets.instruments.layers.widget.messages import HANDLERS as LAYERS
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Handler, Handlers, Reply, Request, image_content
from deconvwidgets.widgets.unit_switches import UNIT_HANDLERS

MEANINGS = {
    "kept": "the same in B, under its own number",
    "moved": "the same in B, under another number",
    "changed": "related to its match in B, and not the same",
    "split": "of B: one unit of A is the same as several of B",
    "merged": "of A: several units of A are the same as one of B",
    "died": "of A: it responds to the images, its match in B is dead or constant",
    "lost": "of A: no unit of B corresponds to it",
    "new": "of B: it corresponds to no unit of A",
    "dead": "inactive in every image",
    "constant": "the same activation in every image",
}


def _hello(service: SideBySideService, request: Request) -> Reply:
    """Return the names of the models, and the statuses with their meanings."""
    return {"names": list(service.names()), "statuses": [[name, MEANINGS[name]] for name in STATUSES]}, []


def _pairs(service: SideBySideService, request: Request) -> Reply:
    """Buffers: int32 (2, pairs), the units of A and of B, -1 for none; float32 (pairs,), their correlations, NaN for none."""
    paired_by: Any = request.text("paired_by")  # the service checks it
    pairs = service.pairs(request.text("layer_a"), request.text("layer_b"), paired_by)
    content = {name: getattr(pairs, name) for name in ("layer_a", "layer_b", "crops")}
    content["status"] = [[a, b] for a, b in zip(pairs.status_a, pairs.status_b, strict=True)]
    content["elsewhere"] = [[pairs.elsewhere(side, pair) for side in SIDES] for pair in range(len(pairs.status_a))]
    return content, [np.stack([pairs.unit_a, pairs.unit_b]).astype("<i4").tobytes(), pairs.correlation.astype("<f4").tobytes()]


def _similarity(service: SideBySideService, request: Request) -> Reply:
    """Buffer: float32 (layers of A, layers of B), linear CKA."""
    found = service.similarity()
    content = {"layers_a": list(found.layers_a), "layers_b": list(found.layers_b), "crops": found.crops, "notes": list(found.notes)}
    return {**content, "matches": [asdict(match) for match in found.matches]}, [found.cka.astype("<f4").tobytes()]


def _file(service: SideBySideService, request: Request) -> Reply:
    """Buffer: the file."""
    kind, state = request.text("figure"), request.get("state")
    if not isinstance(state, dict):
        raise ServiceError("A figure is drawn from a state: a dict with at least two layers.")
    return {"mime": mime_type(kind)}, [service.figure(kind, state)]


def _on_crop(service: SupportsLayers, request: Request) -> Reply:
    """Buffers: the photograph, and the unit's feature map as float32 (h, w)."""
    unit, crop, size = (request.integer(key) for key in ("unit", "crop", "size"))
    found = service.layers.on_crop(request.text("layer"), unit, crop, size)
    source, values = found.source, found.feature_map
    content = {"images": [image_content(source.image)], "box": source.box, "crop": source.crop, "caption": source.caption}
    place = {"extent": list(found.extent), "value": found.value, "row": found.row, "column": found.column}
    return {**content, **place, "map_shape": list(values.shape)}, [source.image.data, np.ascontiguousarray(values, "<f4").tobytes()]


OWN: Handlers = {
    "hello": Handler(_hello),
    "pairs": Handler(_pairs, "worker"),
    "similarity": Handler(_similarity, "worker"),
    "figure": Handler(_file, "worker"),
}
HANDLERS: Handlers = by_side(OWN, {**LAYERS, **UNIT_HANDLERS, "on_crop": Handler(_on_crop)})
