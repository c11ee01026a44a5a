"""The requests of a DiagnosisPanel's front end: values as JSON, images and arrays as buffers (little-endian)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.diagnosis.panel_records import ShiftedLayer, ShiftRequest
from deconvwidgets.instruments.diagnosis.records import SuggestedSurgery
from deconvwidgets.instruments.diagnosis.service.protocol import SupportsDiagnosis
from deconvwidgets.instruments.diagnosis.widget.content import diagnosis_content, status_content
from deconvwidgets.instruments.layers.widget.messages import HANDLERS as LAYERS
from deconvwidgets.instruments.occlusion.widget.messages import HANDLERS as OCCLUSION
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request, image_content, overview_content


def _hello(service: SupportsDiagnosis, request: Request) -> Reply:
    """Return the overview and the status. The first view starts the diagnosis."""
    if service.diagnosis.status().phase == "none":
        service.diagnosis.start()
    overview = service.overview()
    content = {**overview_content(overview), "layers": [summary.info.short_name for summary in overview.layers]}
    return {"overview": content, "status": status_content(service.diagnosis.status())}, []


def _status(service: SupportsDiagnosis, request: Request) -> Reply:
    return {"status": status_content(service.diagnosis.status())}, []


def _start(service: SupportsDiagnosis, request: Request) -> Reply:
    service.diagnosis.start()
    return {}, []


def _stop(service: SupportsDiagnosis, request: Request) -> Reply:
    service.diagnosis.stop()
    return {}, []


def _diagnosis(service: SupportsDiagnosis, request: Request) -> Reply:
    return {"diagnosis": diagnosis_content(service.diagnosis.diagnosis())}, []


def _filters(service: SupportsDiagnosis, request: Request) -> Reply:
    """Buffer: the filters below each other."""
    found = service.diagnosis.filters(request.integer("tile"))
    return {"images": [image_content(found.sprite)], "tile": found.tile, "count": found.count}, [found.sprite.data]


def _spectrum(service: SupportsDiagnosis, request: Request) -> Reply:
    """Buffer: float32 (n, n)."""
    found = service.diagnosis.spectrum(request.integer("unit"))
    return {"side": len(found.values), "carried": found.carried}, [np.ascontiguousarray(found.values, "<f4").tobytes()]


def _photograph(service: SupportsDiagnosis, request: Request) -> Reply:
    """Buffer: the photograph with its margin."""
    found = service.diagnosis.photograph(request.text("image"))
    content = {name: getattr(found, name) for name in ("image", "caption", "label", "width", "height", "margin")}
    return {**content, "filled": list(found.filled), "images": [image_content(found.picture)]}, [found.picture.data]


def _neighbour(service: SupportsDiagnosis, request: Request) -> Reply:
    return {"image": service.diagnosis.neighbour(request.text("image"), request.integer("step"))}, []


def _shifted(service: SupportsDiagnosis, request: Request) -> Reply:
    """Buffers: the maps of each layer before and after, float32 (2, h, w)."""
    choice: Any = request.text("layers")  # the service checks it
    asked = ShiftRequest(request.text("image"), request.integer("right"), request.integer("down"), request.integer("arm"), choice)
    found = service.diagnosis.shifted(asked)
    content = {
        "request": asdict(found.request),
        "layers": [_layer(layer) for layer in found.layers],
        "predicted": None if found.predicted is None else asdict(found.predicted),
        "few": found.few,
        "total": found.total,
    }
    return content, [np.ascontiguousarray(layer.maps, "<f4").tobytes() for layer in found.layers]


def _layer(layer: ShiftedLayer) -> Content:
    plain = {name: getattr(layer, name) for name in ("layer", "unit", "stride", "before", "after", "change")}
    return {**plain, "map_shape": list(layer.maps.shape[1:])}


def _add_arm(service: SupportsDiagnosis, request: Request) -> Reply:
    values = request.mapping("surgery")
    label, function, arguments = (values.get(key) for key in ("label", "function", "arguments"))
    if not isinstance(label, str) or not isinstance(function, str) or not isinstance(arguments, dict):
        raise ServiceError("A surgery has a 'label' and a 'function', as texts, and 'arguments', as a dict.")
    return {"arm": service.diagnosis.add_arm(SuggestedSurgery(label, function, arguments), request.integer("parent"))}, []


def _remove_arm(service: SupportsDiagnosis, request: Request) -> Reply:
    return {"arm": service.diagnosis.remove_arm(request.integer("arm"))}, []


def _file(service: SupportsDiagnosis, request: Request) -> Reply:
    """Buffer: the file."""
    name = request.text("file")
    kind: Any = name  # the service checks it
    return {"mime": mime_type(name), "name": name}, [service.diagnosis.file(kind)]


HANDLERS: Handlers = {
    "hello": Handler(_hello),
    "status": Handler(_status),
    "start": Handler(_start),
    "stop": Handler(_stop),
    "diagnosis": Handler(_diagnosis),
    "filters": Handler(_filters),
    "spectrum": Handler(_spectrum),
    "photograph": Handler(_photograph, "background"),
    "neighbour": Handler(_neighbour),
    "shifted": Handler(_shifted),
    "add_arm": Handler(_add_arm, "worker"),
    "remove_arm": Handler(_remove_arm),
    "file": Handler(_file, "worker"),
    "mosaics": LAYERS["mosaics"],  # of the units that a finding names
    "upload": OCCLUSION["upload"],  # a photograph for the shift microscope
}
