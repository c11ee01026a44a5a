"""What an OcclusionExplorer's front end may ask, one message each way (`exchange` says how).

`request` is {"image", "layer", "unit", "target", "fill"}, None or left out where the default is meant; the target is a class's number or
name. Boxes are [left, top, right, bottom] in pixels of the model's input. Arrays are little-endian buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import OcclusionError, ServiceError
from deconvwidgets.instruments.layers.widget.state import layer_id
from deconvwidgets.instruments.occlusion.records import ClassShare, MapsSettings, OcclusionMaps, OcclusionWanted
from deconvwidgets.instruments.occlusion.widget.state import MAPS, class_of
from deconvwidgets.records.layers import Box, Overview
from deconvwidgets.service.protocol import OccludingService
from deconvwidgets.widgets.charts import figure_answer, plotly_answer
from deconvwidgets.widgets.messages import Answer, Content, answered, finite, number_of, overview_facts, picture_facts, text_of
from deconvwidgets.widgets.state_trait import whole
from deconvwidgets.widgets.uploads import take_upload

Request = Mapping[str, Any]
Buffers = Sequence[Any]  # bytes or memoryviews

_MIMES = {"png": "image/png", "svg": "image/svg+xml", "html": "text/html"}
ASIDE = ("images", "projections", "file", "plotly", "chart")  # nobody's hand waits for them: they may be answered beside everything else


def answer(service: OccludingService, request: Request, buffers: Buffers = ()) -> Answer:
    """The one answer to a request. Never raises."""
    return answered(request, _HANDLERS, lambda handler: handler(service, request, buffers))


def _hello(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    """It greets each view that renders, too: ipykernel then answers that view while a cell is running."""
    overview, choices = service.overview(), service.occlusion.choices()
    return {
        "overview": overview_facts(overview),
        "layers": layer_facts(overview),
        "classes": None if choices.classes is None else list(choices.classes),
        "shipped_head": choices.shipped_head,
        "colours": choices.colours,
    }, []


def layer_facts(overview: Overview) -> list[Content]:
    """The layers whose maps can be watched."""
    infos = [summary.info for summary in overview.layers]
    return [{"id": layer_id(info), "channels": info.channels, "height": info.height, "width": info.width} for info in infos]


def _scene(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    """Buffers: the picture, what patches show, float32 (h, w) the chosen feature map."""
    scene = service.occlusion.scene(_wanted(service, request))
    facts = {
        "request": asdict(scene.wanted),
        "caption": scene.caption,
        "label": scene.label,
        "classes": _shares(scene.classes),
        "activity": finite(scene.activity),
        "map_shape": list(scene.map.shape),
        "strongest": list(scene.strongest),
        "note": scene.note,
        "pictures": [picture_facts(scene.picture), picture_facts(scene.fill)],
    }
    return {"scene": facts}, [scene.picture.data, scene.fill.data, _floats(scene.map)]


def _patch(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    """Buffer: float32 (h, w), the chosen feature map."""
    given = service.occlusion.answer(_wanted(service, request), _boxes(request))
    content = {"classes": _shares(given.classes), "activity": finite(given.activity), "map_shape": list(given.map.shape)}
    return content, [_floats(given.map)]


def _start_maps(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    return {"run": service.occlusion.start_maps(_wanted(service, request), _settings(request), str(request.get("view")))}, []


def _maps(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    """Buffers: activity and probability float32, label int32, label_probability float32, all (rows, cols); the last three are empty
    without a classifier. NaN and -1 where a position has not been computed."""
    run = number_of(request, "run")
    maps = service.occlusion.maps(run)
    colours = {str(label): colour for label, colour in service.occlusion.colours(maps).items()}
    return {"run": run, **grid_facts(maps), "colours": colours}, [
        _floats(maps.activity),
        _floats(maps.probability),
        b"" if maps.label is None else np.ascontiguousarray(maps.label, "<i4").tobytes(),
        _floats(maps.label_probability),
    ]


def grid_facts(maps: OcclusionMaps) -> Content:
    """Everything of the maps but their values."""
    rows, cols = maps.activity.shape
    labels = () if maps.label is None else np.unique(maps.label[maps.label >= 0]).tolist()
    known = [label for label in (maps.target, maps.unoccluded.label) if label is not None]
    return {
        "done": maps.done,
        "total": rows * cols,
        "complete": maps.complete,
        "rows": rows,
        "cols": cols,
        "target": maps.target,
        "layer": maps.layer,
        "unit": maps.unit,
        "unoccluded": finite(asdict(maps.unoccluded)),
        "window": list(maps.window),
        "stride": list(maps.stride),
        "border": maps.border,
        "method": maps.method,
        "origin": maps.centres[0, 0].tolist(),
        "names": {str(label): maps.name(label) for label in (*labels, *known)},
        "has_classes": maps.probability is not None,
    }


def _chart(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    """Buffer: the chart of one map of a run, as JSON."""
    from deconvwidgets.instruments.occlusion.widget.chart import map_chart  # importing plotly takes a second

    run, name = number_of(request, "run"), text_of(request, "map")
    if name not in MAPS:
        raise ServiceError(f"There is no map {name!r}: they are {', '.join(MAPS)}.")
    maps = service.occlusion.maps(run)
    if not maps.done:
        raise ServiceError("There is nothing to chart yet: no position of the map is computed.")
    figure = map_chart(maps, name, service.occlusion.colours(maps))
    figure.layout.uirevision = f"{run} {name}"  # what the reader zoomed to stays while the map grows
    return figure_answer(figure)


def _plotly(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    return plotly_answer()


def _stop_maps(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    service.occlusion.stop_maps(number_of(request, "run"))
    return {}, []


def _projections(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    """Buffers: for each entry its projection, then the patch."""
    entries = service.occlusion.projections(_wanted(service, request), number_of(request, "size"))
    facts = [
        {
            "caption": one.caption,
            "own": one.own,
            "value": finite(one.value),
            "box": list(one.box),
            "pictures": [picture_facts(one.projection), picture_facts(one.patch)],
        }
        for one in entries
    ]
    return {"entries": facts}, [picture.data for one in entries for picture in (one.projection, one.patch)]


def _images(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    """Buffers: a picture for each image."""
    query = request.get("query") or ""
    if not isinstance(query, str):
        raise ServiceError(f"Images are looked for by a string 'query', not by {query!r}.")
    page = service.occlusion.images(number_of(request, "start"), number_of(request, "count"), query, number_of(request, "size"))
    images = [{"image": one.image, "caption": one.caption, "label": one.label, "picture": picture_facts(one.picture)} for one in page.tiles]
    return {"total": page.total, "start": page.start, "images": images}, [one.picture.data for one in page.tiles]


def _use_shipped_head(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    return {"message": service.occlusion.use_shipped_head()}, []


def _upload(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    """A picture in chunks."""
    return take_upload(service.occlusion, request, buffers, "image")


def _file(service: OccludingService, request: Request, buffers: Buffers) -> Answer:
    """Buffer: the file."""
    figure: Any = text_of(request, "figure")  # the desk says which there are
    run = None if request.get("run") is None else number_of(request, "run")
    state = request.get("state")
    if not isinstance(state, Mapping):
        raise ServiceError("A figure is drawn from a state: a dict that says where the patches lie.")
    data = service.occlusion.file(figure, _wanted(service, request), run, state)
    return {"mime": _MIMES.get(figure.rpartition(".")[2], "application/octet-stream")}, [data]


def _wanted(service: OccludingService, request: Request) -> OcclusionWanted:
    given = request.get("request")
    if not isinstance(given, Mapping) or not isinstance(given.get("image"), str):
        raise ServiceError(f"The request {request.get('kind')!r} needs 'request' as a dict with at least an 'image', not {given!r}.")
    layer, unit, target, fill = (given.get(key) for key in ("layer", "unit", "target", "fill"))
    if layer is not None and not isinstance(layer, str):
        raise ServiceError(f"A layer is asked for by its name, not {layer!r}.")
    if isinstance(target, str):
        target = class_of(target, service.occlusion.choices().classes, service.overview().model)
    unit, target = (None if number is None else whole(number, what) for number, what in ((unit, "unit"), (target, "class")))
    return OcclusionWanted(given["image"], layer, unit, target, "gray" if fill is None else fill)


def _settings(request: Request) -> MapsSettings:
    given = request.get("settings")
    if not isinstance(given, Mapping):
        raise ServiceError(f"The request 'start_maps' needs 'settings' as a dict, not {given!r}.")
    standard = MapsSettings()
    window, stride = (_pair(given.get(key, getattr(standard, key)), key) for key in ("window", "stride"))
    border: Any = given.get("border", standard.border)  # the desk says which there are
    return MapsSettings(window, stride, border)


def _pair(value: object, what: str) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise OcclusionError(f"A {what} is written [rows, columns], in pixels, not {value!r}.")
    rows, columns = (whole(side, f"{what}'s side") for side in value)
    return rows, columns


def _boxes(request: Request) -> list[Box]:
    given = request.get("boxes")
    if not isinstance(given, list | tuple):
        raise ServiceError(f"The request 'patch' needs 'boxes' as a list, not {given!r}.")
    boxes: list[Box] = []
    for box in given:
        if not isinstance(box, list | tuple) or len(box) != 4:
            raise OcclusionError(f"A box is [left, top, right, bottom] in whole pixels, not {box!r}.")
        left, top, right, bottom = (whole(edge, "box's edge") for edge in box)
        boxes.append((left, top, right, bottom))
    return boxes


def _shares(classes: Sequence[ClassShare]) -> list[Content]:
    return [{"label": one.label, "name": one.name, "before": one.before, "now": one.now} for one in classes]


def _floats(values: NDArray[np.floating] | None) -> bytes:
    return b"" if values is None else np.ascontiguousarray(values, "<f4").tobytes()


_HANDLERS: dict[str, Callable[[OccludingService, Request, Buffers], Answer]] = {
    "hello": _hello,
    "scene": _scene,
    "patch": _patch,
    "start_maps": _start_maps,
    "maps": _maps,
    "stop_maps": _stop_maps,
    "chart": _chart,
    "plotly": _plotly,
    "projections": _projections,
    "images": _images,
    "use_shipped_head": _use_shipped_head,
    "upload": _upload,
    "file": _file,
}
