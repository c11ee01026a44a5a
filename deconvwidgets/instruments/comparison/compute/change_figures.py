"""Pictures of changed units: the strongest activations before and after, as patches of the photographs and as projections."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from deconvwidgets.compute.job import JobContext
from deconvwidgets.display import Rgb, crop_patch, resize_image
from deconvwidgets.errors import RuleError
from deconvwidgets.index.queries.places import boxes
from deconvwidgets.instruments.comparison.check_records import CHANGED, ChangeFigure, LayerCheck, UnitCheck
from deconvwidgets.instruments.comparison.compute.checked import Checked
from deconvwidgets.instruments.comparison.compute.descriptors import PICTURE_SIDE, Place, counted, describe_units, picture
from deconvwidgets.instruments.comparison.frozen_records import FrozenLayer
from deconvwidgets.records.layers import LayerInfo

SHOWN = 3  # activations of a unit
_ORDER = ("died", "lost", "changed", "merged")  # the worst first


def with_figures(checked: Checked, result: UnitCheck, count: int, show: bool, job: JobContext) -> UnitCheck:
    """Return the result with figures of the units that changed most."""
    chosen = changed_most(result.layers, count)
    figures = []
    with job.progress_bar("Figures", "unit", len(chosen), show and bool(chosen)) as reporting:
        done = counted(reporting, "Figures", len(chosen))
        for number, unit in chosen:
            (layer, info), found = checked.pairs[number], result.layers[number]
            figures.append(_figure(checked, layer, info, found, unit, reporting))
            done()
    return replace(result, figures=tuple(figures))


def changed_most(layers: Sequence[LayerCheck], count: int) -> list[tuple[int, int]]:
    """Return the layers and units that changed, those that died first, then by ascending correlation, in the order of the layers."""
    found = [
        (_ORDER.index(str(layer.status[unit])), float(np.nan_to_num(layer.correlation[unit], nan=-1.0)), number, unit)
        for number, layer in enumerate(layers)
        for unit in layer.units("died", *CHANGED)
    ]
    return sorted((number, unit) for _, _, number, unit in sorted(found)[:count])


def _figure(checked: Checked, layer: FrozenLayer, info: LayerInfo, found: LayerCheck, unit: int, job: JobContext) -> ChangeFigure:
    top, images = layer.top, checked.images
    crops = checked.photographs.crops(images, top.sources[unit, :SHOWN], top.numbers[unit, :SHOWN]).tolist()
    before = [Place(unit, crop, int(top.rows[unit, rank]), int(top.columns[unit, rank])) for rank, crop in enumerate(crops) if crop >= 0]
    match = int(found.match[unit])
    strongest = checked.index.top(info.name, match)[:SHOWN] if match >= 0 else []
    after = [Place(match, one.image, one.row, one.column) for one in strongest]
    return ChangeFigure(
        layer=layer.info.name,
        unit=unit,
        before_patches=_patches(checked, layer.info, before),
        before_projections=layer.pictures[unit] if layer.pictures else b"",
        after_patches=_patches(checked, info, after),
        after_projections=_projections(checked, layer, info, after, job),
        before_names=_names(checked, before),
        after_names=_names(checked, after),
    )


def _patches(checked: Checked, info: LayerInfo, places: Sequence[Place]) -> bytes:
    if not places:
        return b""
    positions = np.array([(place.row, place.column) for place in places], np.int64)
    cut: list[Rgb] = []
    for place, box in zip(places, boxes(checked.bundle.input_size, info, *positions.T).tolist(), strict=True):
        shown = checked.bundle.to_picture(checked.inputs.get(place.crop))
        cut.append(resize_image(crop_patch(shown, tuple(box)), PICTURE_SIDE))
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(cut, axis=1)).save(buffer, "WEBP", quality=70, method=4)
    return buffer.getvalue()


def _projections(checked: Checked, layer: FrozenLayer, info: LayerInfo, places: Sequence[Place], job: JobContext) -> bytes:
    if not places or layer.rule is None:
        return b""
    try:
        found = describe_units(checked.inputs, info, layer.info, layer.rule, [places], len(places), job, lambda: None)
    except RuleError:  # the check has a note on it
        return b""
    return picture(found.tiles[0])


def _names(checked: Checked, places: Sequence[Place]) -> tuple[str, ...]:
    return tuple(checked.images.source_name(checked.images.crop(place.crop).source) for place in places)
