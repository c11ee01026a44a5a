"""The requests of a LayerExplorer's front end that ask the index: columns, conditions, the map, the lists of the tabs, and its progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.arguments import integer
from deconvwidgets.instruments.layers.records import PlacePicturesRequest
from deconvwidgets.instruments.layers.service.protocol import SupportsLayers
from deconvwidgets.widgets.charts import figure_reply, plotly_reply
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request, image_content

# The columns that the page shows, by the names of the index.
_SHOWN = {"peaks": "peaks", "purity": "class_purity", "nearest": "nearest_unit", "correlation": "nearest_correlation"}
_MEANINGS: Mapping[str, str] = {
    "unit": "number of the unit",
    "max": "largest activation",
    "mean": "mean of the activations, each the maximum in an image",
    "std": "their standard deviation",
    "selectivity": "(max - mean) / std",
    "share_active": "share of the images with an activation above 0, from 0 to 1",
    "dead": "0 in every image",
    "top_class": 'most frequent class of the nine strongest: top_class == "bee"',
    "class_count": "how many of the nine are of that class",
    "class_purity": "share of the nine that are of that class, from 0 to 1",
    "peaks": "peaks of the histogram",
    "nearest_unit": "unit whose activations correlate most",
    "nearest_correlation": "correlation with that unit",
    "most_negative": "lowest value before the rectifier",
}


def _unit_columns(service: SupportsLayers, request: Request) -> Reply:
    """Buffer: float32 (columns, units), in the order of `numbers`."""
    table = service.layers.unit_columns(request.text("layer"))
    known = {name: table.columns[column] for name, column in _SHOWN.items() if column in table.columns}
    units = len(next(iter(table.columns.values()), ()))
    numbers = np.stack(list(known.values())).astype("<f4") if known else np.zeros((0, units), "<f4")
    columns = [(name, _MEANINGS.get(name, "")) for name in table.columns]
    return {"numbers": list(known), "units": units, "columns": columns, "samples": table.samples}, [numbers.tobytes()]


def _matching_units(service: SupportsLayers, request: Request) -> Reply:
    """Buffer: int32 (matches,), the units."""
    units = service.layers.matching_units(request.text("layer"), request.text("where"))
    return {"count": len(units)}, [np.asarray(units, "<i4").tobytes()]


def _places(service: SupportsLayers, request: Request) -> Reply:
    tab: Any = request.text("tab")  # the service checks it
    return {"places": asdict(service.layers.places(request.text("layer"), request.integer("unit"), tab, partial=True))}, []


def _place_pictures(service: SupportsLayers, request: Request) -> Reply:
    """Buffers: the patch of each number, followed by its projection if it has one."""
    options: dict[str, Any] = {key: request.text(key) for key in ("tab", "rule")}
    numbers, tile = tuple(request.sequence("numbers")), request.integer("tile")
    pictures = PlacePicturesRequest(request.text("layer"), request.integer("unit"), numbers=numbers, tile=tile, partial=True, **options)
    contents: list[Content] = []
    buffers: list[bytes] = []
    for picture in service.layers.place_pictures(pictures):
        images = [image for image in (picture.patch, picture.projection) if image is not None]
        contents.append({"images": [image_content(image) for image in images], "reason": picture.reason})
        buffers += [image.data for image in images]
    return {"pictures": contents}, buffers


def _place_source(service: SupportsLayers, request: Request) -> Reply:
    """Buffer: the photograph."""
    tab: Any = request.text("tab")
    unit, number, size = request.integer("unit"), request.integer("number"), request.integer("size")
    source = service.layers.place_source(request.text("layer"), unit, tab, number, size, partial=True)
    content = {"images": [image_content(source.image)], "box": source.box, "crop": source.crop, "caption": source.caption}
    return content, [source.image.data]


def _chart(service: SupportsLayers, request: Request) -> Reply:
    """Buffer: the map of the units, as JSON."""
    from deconvwidgets.instruments.layers.widget.map_chart import map_chart  # importing plotly takes a second

    layer, method, colour = request.text("layer"), request.text("method"), request.text("colour")
    selected = None if request.get("selected") is None else [integer(unit, "selected") for unit in request.sequence("selected")]
    api: Any = service.layers  # it checks the method
    found = api.unit_map(layer, method)
    return figure_reply(map_chart(found, service.layers.unit_table(layer), service.layers.unit_columns(layer), colour, selected))


def index_content(service: SupportsLayers) -> Content:
    """Return what is built of the index, for a message."""
    state = service.layers.index_state()
    return {
        "building": list(state.building),
        "cancelled": list(state.cancelled),
        "progress": None if state.progress is None else asdict(state.progress),
    }


def _cancel_index(service: SupportsLayers, request: Request) -> Reply:
    service.layers.cancel_index()
    return {"index": index_content(service)}, []


def _resume_index(service: SupportsLayers, request: Request) -> Reply:
    service.layers.resume_index()
    return {"index": index_content(service)}, []


QUERY_HANDLERS: Handlers = {
    "unit_columns": Handler(_unit_columns, "worker"),
    "matching_units": Handler(_matching_units, "worker"),
    "places": Handler(_places),
    "place_pictures": Handler(_place_pictures, "background"),
    "place_source": Handler(_place_source),
    "chart": Handler(_chart, "worker"),
    "plotly": Handler(plotly_reply, "worker"),
    "cancel_index": Handler(_cancel_index),
    "resume_index": Handler(_resume_index),
}
