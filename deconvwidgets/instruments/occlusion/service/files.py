"""The files of an OcclusionExplorer: the maps as arrays, and figures."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from typing import Any

import numpy as np

from deconvwidgets.errors import PictureError, RuleError, ServiceError
from deconvwidgets.instruments.occlusion.figures.files import occlusion_file
from deconvwidgets.instruments.occlusion.figures.sheet import OcclusionSheet
from deconvwidgets.instruments.occlusion.patch_boxes import patch_boxes
from deconvwidgets.instruments.occlusion.records import OcclusionFile, OcclusionMaps, OcclusionProjection, OcclusionRequest, TopClasses
from deconvwidgets.instruments.occlusion.service.protocol import OcclusionService
from deconvwidgets.records.overview import Overview

_ARRAYS = "maps.npz"
_MAPS = ("probability", "value", "label", "label_probability", "activity", "centres", "logits", "against_scores")
_TILE = 160


def make_file(
    kind: OcclusionFile,
    service: OcclusionService,
    overview: Overview,
    request: OcclusionRequest,
    maps: OcclusionMaps | None,
    state: Mapping[str, Any],
    top_classes: TopClasses | None = None,
) -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    state : mapping
        The positions of the patches: "patches" (centers as [row, column]) and "window" ([rows, columns]).
    top_classes : TopClasses, optional
        The most probable classes at the positions of the maps, for an HTML page.

    Raises
    ------
    ServiceError
        For an unknown kind, an invalid state, and for arrays without maps.
    """
    if kind == _ARRAYS:
        if maps is None:
            raise ServiceError("There are no maps to save as arrays: start them first.")
        return maps_as_arrays(maps, overview, request.image, _caption(service, request))
    boxes = patch_boxes(state)
    projections: Sequence[OcclusionProjection] = ()
    refusal = ""
    try:
        projections = service.projections(request, _TILE)
    except RuleError as error:
        refusal = str(error)
    colours = {} if maps is None else service.colours(maps)
    scene, result = service.scene(request), service.answer(request, boxes)
    sheet = OcclusionSheet(overview, scene, boxes, result, maps, colours, tuple(projections), refusal, top_classes)
    return occlusion_file(kind, sheet)


def maps_as_arrays(maps: OcclusionMaps, overview: Overview, image: str, caption: str) -> bytes:
    """As NumPy's .npz: the maps by their names in `OcclusionMaps`, and everything else as JSON in "about".

    "about" also says of what they are: the `model`'s name, its `units` that are switched off or scaled as [layer, unit, factor], the
    `image` as an explorer's state has it ("crop:17"), and its `caption`, as people call it; and what the model predicts: `quantity`, with the unit of a regression's `value`.
    """
    named = {name: getattr(maps, name) for name in _MAPS}
    about = {name: getattr(maps, name) for name in maps.__dataclass_fields__ if name not in (*named, "unoccluded", "quantity")}
    records = {"unoccluded": asdict(maps.unoccluded), "quantity": asdict(maps.quantity)}
    units = [astuple(unit) for unit in overview.units]
    about_json = json.dumps({"model": overview.model, "units": units, "image": image, "caption": caption, **about, **records})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, about=np.array(about_json), **{name: array for name, array in named.items() if array is not None})
    return buffer.getvalue()


def _caption(service: OcclusionService, request: OcclusionRequest) -> str:
    """Return the caption of the image; "" for an upload that is no longer kept, whose maps can still be saved."""
    try:
        return service.scene(request).caption
    except PictureError:
        return ""
