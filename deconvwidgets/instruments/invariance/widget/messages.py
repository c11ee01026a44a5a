"""The requests of an InvarianceExplorer's front end: values as JSON, images and arrays as buffers (little-endian)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from deconvwidgets.arguments import finite_number, integer
from deconvwidgets.errors import InvarianceError
from deconvwidgets.instruments.invariance.records import InvarianceRequest, InvarianceView, PhotographCurves
from deconvwidgets.instruments.invariance.service.protocol import SupportsInvariance
from deconvwidgets.instruments.invariance.transforms import TRANSFORMS, kind_of
from deconvwidgets.instruments.occlusion.widget.messages import HANDLERS as OCCLUSION
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request, image_content, overview_content, quantity_content


def _hello(service: SupportsInvariance, request: Request) -> Reply:
    choices = service.invariance.choices()
    return {
        "overview": overview_content(service.overview()),
        "layers": list(choices.layers),
        "transforms": [_transform(name, choices.side) for name in TRANSFORMS],
        "fill": choices.fill,
        "predicts": choices.predicts,
    }, []


def _transform(name: str, side: int) -> Content:
    kind = kind_of(name)
    amounts = kind.amounts(side)
    neutral = kind.last if kind.neutral is None else kind.neutral
    names = {"name": kind.name, "label": kind.label, "unit": kind.unit}
    return {**names, "amounts": list(amounts), "neutral": neutral, "whole": kind.whole, "low": kind.low, "high": kind.high}


def _view(service: SupportsInvariance, request: Request) -> Reply:
    """Buffers: the photograph as it is, and the transformed one."""
    view = service.invariance.view(_request(request))
    return {"view": _view_content(view)}, [view.original.data, view.picture.data]


def _view_content(view: InvarianceView) -> Content:
    return {
        "caption": view.caption,
        "images": [image_content(view.original), image_content(view.picture)],
        "distances": list(view.distances),
        "relative": list(view.relative),
        "layer": view.layer,
        "units": [asdict(one) for one in view.units],
        "kept": view.kept,
        "classes": [asdict(one) for one in view.classes],
        "quantity": quantity_content(view.quantity),
        "labelled": view.labelled,
        "note": view.note,
    }


def _units(service: SupportsInvariance, request: Request) -> Reply:
    """Buffers: for each unit the projection, which is empty without one, and the patch."""
    units, size = list(request.sequence("units")), request.integer("size")
    pictures = service.invariance.unit_pictures(_request(request), units, size)
    content = [
        {
            "unit": one.unit,
            "projection": None if one.projection is None else image_content(one.projection),
            "patch": image_content(one.patch),
            "reason": one.reason,
        }
        for one in pictures
    ]
    buffers = [data for one in pictures for data in (b"" if one.projection is None else one.projection.data, one.patch.data)]
    return {"units": content}, buffers


def _curves(service: SupportsInvariance, request: Request) -> Reply:
    """The curves of one photograph. Buffers: distances float32 (layers, amounts), scores float32 (amounts,), and its picture, uint8."""
    layers, transform = list(request.sequence("layers")), request.text("transform")
    curves = service.invariance.curves([request.text("image")], transform, layers)  # type: ignore[arg-type] # the service checks it
    one = curves.photographs[0]
    content = {**_curves_content(one), "amounts": curves.amounts.tolist(), "layers": list(curves.layers)}
    scores = b"" if one.scores is None else np.ascontiguousarray(one.scores, "<f4").tobytes()
    return {"curves": content}, [np.ascontiguousarray(one.distances, "<f4").tobytes(), scores, np.ascontiguousarray(one.picture).tobytes()]


def _curves_content(one: PhotographCurves) -> Content:
    height, width, _ = one.picture.shape
    named = {"name": one.name, "target": one.target, "labelled": one.labelled, "unchanged": one.unchanged}
    return {**named, "norms": one.norms.tolist(), "picture": [height, width]}


def _file(service: SupportsInvariance, request: Request) -> Reply:
    """Buffer: the file."""
    kind, state = request.text("figure"), Request(request.mapping("state"))
    images, layers = list(state.sequence("images")), list(state.sequence("layers"))
    measure: Any = state.text("measure")
    transform: Any = state.text("transform")
    data = service.invariance.file(kind.removeprefix("curves."), images, transform, layers, measure)
    return {"mime": mime_type(kind)}, [data]


def _request(request: Request) -> InvarianceRequest:
    values = Request(request.mapping("request"))
    layers, layer = values.get("layers"), values.get("layer")
    amount = finite_number(values.get("amount"))
    if amount is None:
        raise InvarianceError(f"The request {request.kind!r} needs an amount, as a number, not {values.get('amount')!r}.")
    if not isinstance(layers, list | tuple) or not all(isinstance(name, str) for name in layers):
        raise values.invalid("layers", "a list of names")
    if layer is not None and not isinstance(layer, str):
        raise values.invalid("layer", "a name")
    top = integer(values.get("top"), "top") if values.get("top") is not None else 9
    transform: Any = values.text("transform")
    return InvarianceRequest(values.text("image"), transform, amount, tuple(layers), layer, top)


HANDLERS: Handlers = {
    "hello": Handler(_hello),
    "view": Handler(_view),
    "unit_pictures": Handler(_units, "background"),
    "curves": Handler(_curves, "worker"),
    "file": Handler(_file, "worker"),
    **{kind: OCCLUSION[kind] for kind in ("images", "upload")},
}
