"""The requests of an OcclusionExplorer's front end: values as JSON, images and arrays as buffers (little-endian).

`request` is {"image", "layer", "unit", "target", "fill", "against"}, with None or nothing for defaults; the target and what it is compared
with are the number or the name of a class, or "auto" for the latter. Boxes are [left, top, right, bottom] in pixels of the model's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import integer, one_of
from deconvwidgets.errors import OcclusionError, ServiceError
from deconvwidgets.instruments.contributions.widget.messages import HANDLERS as CONTRIBUTIONS
from deconvwidgets.instruments.layers.widget.messages import HANDLERS as LAYERS
from deconvwidgets.instruments.occlusion.records import ClassShare, MapsSettings, OcclusionMaps, OcclusionProjection, OcclusionRequest
from deconvwidgets.instruments.occlusion.service.protocol import SupportsOcclusion
from deconvwidgets.instruments.occlusion.widget.state import MAPS, class_number
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.overview import Overview
from deconvwidgets.widgets.charts import figure_reply, plotly_reply
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request, image_content, overview_content, quantity_content
from deconvwidgets.widgets.uploads import upload_step, upload_where


def _hello(service: SupportsOcclusion, request: Request) -> Reply:
    overview, choices = service.overview(), service.occlusion.choices()
    return {
        "overview": overview_content(overview),
        "layers": layers_content(overview),
        "classes": None if choices.classes is None else list(choices.classes),
        "bundled_head": choices.bundled_head,
        "colours": choices.colours,
    }, []


def layers_content(overview: Overview) -> list[Content]:
    """Return the layers whose feature maps can be watched."""
    infos = [summary.info for summary in (*overview.layers, *overview.opened)]
    return [{"id": info.short_name, "channels": info.channels, "height": info.height, "width": info.width} for info in infos]


def _scene(service: SupportsOcclusion, request: Request) -> Reply:
    """Buffers: the image, what patches show, and the feature map, float32 (h, w)."""
    scene = service.occlusion.scene(_occlusion_request(service, request))
    content = {
        "request": asdict(scene.request),
        "caption": scene.caption,
        "label": scene.label,
        "classes": _shares(scene.classes),
        "activity": scene.activity,
        "map_shape": list(scene.map.shape),
        "strongest": list(scene.strongest),
        "note": scene.note,
        "truth": scene.truth,
        "images": [image_content(scene.image), image_content(scene.fill)],
    }
    return {"scene": content}, [scene.image.data, scene.fill.data, _float_bytes(scene.map)]


def _patch(service: SupportsOcclusion, request: Request) -> Reply:
    """Buffer: the feature map, float32 (h, w)."""
    answer = service.occlusion.answer(_occlusion_request(service, request), _boxes(request))
    content = {"classes": _shares(answer.classes), "activity": answer.activity, "map_shape": list(answer.map.shape)}
    return content, [_float_bytes(answer.map)]


def _unit_maps(service: SupportsOcclusion, request: Request) -> Reply:
    """Buffer: the feature maps of the units, float32 (units, h, w)."""
    maps = service.occlusion.unit_maps(_occlusion_request(service, request), list(request.sequence("units")))
    content = {"units": list(maps.units), "map_shape": list(maps.values.shape[1:]), "extent": list(maps.extent)}
    return content, [_float_bytes(maps.values)]


def _start_maps(service: SupportsOcclusion, request: Request) -> Reply:
    view = str(request.get("view"))
    unchanged = request.get("unchanged") is True
    return {
        "run": service.occlusion.start_maps(_occlusion_request(service, request), _maps_settings(request), view, unchanged=unchanged)
    }, []


def _maps(service: SupportsOcclusion, request: Request) -> Reply:
    """Buffers: activity and scores float32, label int32, label_probability and scores of `against` float32, all (rows, columns).

    Scores are probabilities, or values of a regression. Labels and their probabilities are empty for a regression, the last without
    `against`, and all but activity if the model predicts nothing. Positions that have not been computed are NaN and -1.
    """
    run = request.integer("run")
    maps = service.occlusion.maps(run)
    colours = {str(label): colour for label, colour in service.occlusion.colours(maps).items()}
    return {"run": run, **maps_content(maps), "colours": colours}, [
        _float_bytes(maps.activity),
        _float_bytes(maps.scores),
        b"" if maps.label is None else np.ascontiguousarray(maps.label, "<i4").tobytes(),
        _float_bytes(maps.label_probability),
        _float_bytes(maps.against_scores),
    ]


def maps_content(maps: OcclusionMaps) -> Content:
    """Return everything of the maps but their values."""
    rows, columns = maps.activity.shape
    labels = () if maps.label is None else np.unique(maps.label[maps.label >= 0]).tolist()
    named = [label for label in (maps.target, maps.against, maps.unoccluded.label) if label is not None]
    return {
        "done": maps.done,
        "total": rows * columns,
        "complete": maps.complete,
        "rows": rows,
        "cols": columns,
        "target": maps.target,
        "against": maps.against,
        "layer": maps.layer,
        "unit": maps.unit,
        "unoccluded": asdict(maps.unoccluded),
        "window": list(maps.window),
        "stride": list(maps.stride),
        "border": maps.border,
        "method": maps.method,
        "origin": maps.centres[0, 0].tolist(),
        "names": {str(label): maps.name(label) for label in (*labels, *named)},
        "has_classes": maps.probability is not None,
        "quantity": None if maps.scores is None else quantity_content(maps.quantity),
    }


def _chart(service: SupportsOcclusion, request: Request) -> Reply:
    """Buffer: the chart of one map of a run, as JSON."""
    from deconvwidgets.instruments.occlusion.widget.chart import map_chart  # importing plotly takes a second

    run, name = request.integer("run"), request.text("map")
    one_of(name, "map", MAPS)
    maps = service.occlusion.maps(run)
    if not maps.done:
        raise ServiceError("There is nothing to chart yet: no position of the map has been computed.")
    figure = map_chart(maps, name, service.occlusion.colours(maps))
    figure.layout.uirevision = f"{run} {name}"  # plotly keeps the zoom while it is the same
    return figure_reply(figure)


def _stop_maps(service: SupportsOcclusion, request: Request) -> Reply:
    service.occlusion.stop_maps(request.integer("run"))
    return {}, []


def _projections(service: SupportsOcclusion, request: Request) -> Reply:
    """Buffers: for each entry its projection, the patch, the model's input, and the feature map as float32 (h, w)."""
    entries = service.occlusion.projections(_occlusion_request(service, request), request.integer("size"))
    content = [
        {
            "caption": entry.caption,
            "own": entry.own,
            "value": entry.value,
            "box": list(entry.box),
            "images": [image_content(image) for image in (entry.projection, entry.patch, entry.image)],
            "map_shape": list(entry.feature_map.shape),
            "extent": list(entry.extent),
        }
        for entry in entries
    ]
    return {"entries": content}, [buffer for entry in entries for buffer in _projection_buffers(entry)]


def _projection_buffers(entry: OcclusionProjection) -> list[bytes]:
    values = np.ascontiguousarray(entry.feature_map, "<f4").tobytes()
    return [entry.projection.data, entry.patch.data, entry.image.data, values]


def _images(service: SupportsOcclusion, request: Request) -> Reply:
    """Buffers: a thumbnail for each image."""
    query = request.get("query") or ""
    if not isinstance(query, str):
        raise request.invalid("query", "a string")
    page = service.occlusion.images(request.integer("start"), request.integer("count"), query, request.integer("size"))
    images = [
        {"image": tile.image, "caption": tile.caption, "label": tile.label, "thumbnail": image_content(tile.thumbnail)}
        for tile in page.tiles
    ]
    return {"total": page.total, "start": page.start, "images": images}, [tile.thumbnail.data for tile in page.tiles]


def _use_bundled_head(service: SupportsOcclusion, request: Request) -> Reply:
    return {"message": service.occlusion.use_bundled_head()}, []


def _upload(service: SupportsOcclusion, request: Request) -> Reply:
    return upload_step(service.occlusion, request, "image")


def _file(service: SupportsOcclusion, request: Request) -> Reply:
    """Buffer: the file."""
    kind: Any = request.text("figure")  # the service checks it
    run = None if request.get("run") is None else request.integer("run")
    data = service.occlusion.file(kind, _occlusion_request(service, request), run, request.mapping("state"))
    return {"mime": mime_type(kind)}, [data]


def _occlusion_request(service: SupportsOcclusion, request: Request) -> OcclusionRequest:
    values = request.mapping("request")
    if not isinstance(values.get("image"), str):
        raise ServiceError(f"The request {request.kind!r} needs an 'image' in 'request', as a string, not {values.get('image')!r}.")
    layer, unit, fill = (values.get(key) for key in ("layer", "unit", "fill"))
    if layer is not None and not isinstance(layer, str):
        raise ServiceError(f"A layer is requested by its name, not {layer!r}.")
    unit = None if unit is None else integer(unit, "unit")
    target, against = _class(service, values.get("target")), values.get("against")
    compared: int | Literal["auto"] | None = "auto" if against == "auto" else _class(service, against)
    return OcclusionRequest(values["image"], layer, unit, target, "gray" if fill is None else fill, compared)


def _class(service: SupportsOcclusion, label: object) -> int | None:
    """Return the number of a class that is requested by its number or its name."""
    if isinstance(label, str):
        return class_number(label, service.occlusion.choices().classes, service.overview().model)
    return None if label is None else integer(label, "class")


def _maps_settings(request: Request) -> MapsSettings:
    values, default = request.mapping("settings"), MapsSettings()
    window, stride = (_pair(values.get(key, getattr(default, key)), key) for key in ("window", "stride"))
    border: Any = values.get("border", default.border)  # the service checks it
    return MapsSettings(window, stride, border)


def _pair(value: object, name: str) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise OcclusionError(f"A {name} is written [rows, columns], in pixels, not {value!r}.")
    rows, columns = (integer(side, f"side of a {name}") for side in value)
    return rows, columns


def _boxes(request: Request) -> list[Box]:
    boxes: list[Box] = []
    for box in request.sequence("boxes"):
        if not isinstance(box, list | tuple) or len(box) != 4:
            raise OcclusionError(f"A box is [left, top, right, bottom] in whole pixels, not {box!r}.")
        left, top, right, bottom = (integer(edge, "edge of a box") for edge in box)
        boxes.append((left, top, right, bottom))
    return boxes


def _shares(classes: Sequence[ClassShare]) -> list[Content]:
    return [
        {"label": share.label, "name": share.name, "before": share.before, "now": share.now, "unchanged": share.unchanged}
        for share in classes
    ]


def _float_bytes(values: NDArray[np.floating] | None) -> bytes:
    return b"" if values is None else np.ascontiguousarray(values, "<f4").tobytes()


HANDLERS: Handlers = {
    "hello": Handler(_hello),
    "scene": Handler(_scene),
    "patch": Handler(_patch),
    "unit_maps": Handler(_unit_maps),
    "start_maps": Handler(_start_maps),
    "maps": Handler(_maps),
    "stop_maps": Handler(_stop_maps),
    "chart": Handler(_chart, "worker"),
    "plotly": Handler(plotly_reply, "worker"),
    "projections": Handler(_projections, "background"),
    "images": Handler(_images, "background"),
    "use_bundled_head": Handler(_use_bundled_head, "worker"),
    "upload": Handler(_upload, upload_where),
    "file": Handler(_file, "worker"),
    **{kind: LAYERS[kind] for kind in ("mosaics", "unit_table")},  # of the units behind an answer
    **CONTRIBUTIONS,
}
