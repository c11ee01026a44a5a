"""Projections of units at given places, and small descriptors of them that can be compared on another machine.

Every unit is projected with the signal 1, so that one that is silent at a place has a projection there, too; that of an active unit is the
same up to a factor. A descriptor is the signed projection at 8 x 8 pixels in 8 bits.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count as numbers_from

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.job import JobContext
from deconvwidgets.display import GREY, Rgb, contrast, resample_signed
from deconvwidgets.engine import project
from deconvwidgets.errors import RuleError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.queries.places import boxes
from deconvwidgets.index.similarity import DECIMALS
from deconvwidgets.instruments.comparison.frozen_records import DESCRIPTOR_SIDE
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.progress import Progress

PICTURE_SIDE = 48  # pixels of the longer side
PICTURE_QUALITY = 40  # of WebP
_BATCH = 16
_KEPT_INPUTS = 512  # prepared crops in memory: 300 MB at 224 x 224

Pixels = NDArray[np.float32]  # (channels, height, width), signed


@dataclass(frozen=True, slots=True)
class Place:
    """A unit's position in the feature map of a crop."""

    unit: int
    crop: int
    row: int
    column: int


@dataclass
class InputCache:
    """Prepared crops, of which the last ones are kept: the strongest activations of many units are in the same photographs."""

    bundle: ModelBundle
    images: ImageSet
    _inputs: dict[int, Tensor] = field(default_factory=dict)

    def get(self, crop: int) -> Tensor:
        """Return the model's input for a crop. Raises PictureError if its photograph cannot be read."""
        found = self._inputs.pop(crop, None)
        if found is None:
            found = self.bundle.prepare(self.images.open_crop(crop))
            while len(self._inputs) >= _KEPT_INPUTS:
                del self._inputs[next(iter(self._inputs))]
        self._inputs[crop] = found  # the last one is used most recently
        return found


def projections(
    inputs: InputCache, info: LayerInfo, frame: LayerInfo, places: Sequence[Place], rule: str, job: JobContext
) -> Iterator[tuple[int, Pixels]]:
    """Iterate over the projections of places, as (number of the place, signed pixels of the displayed channels).

    Parameters
    ----------
    info : LayerInfo
        The layer of the model.
    frame : LayerInfo
        The layer whose receptive field the projections are cut to. It differs from `info` where one of the models cannot be traced.
    rule : {"deconvnet", "extended"}

    Raises
    ------
    RuleError
        If an operation below the layer has no such rule.
    """
    bundle = inputs.bundle
    order = sorted(range(len(places)), key=lambda number: (places[number].crop, places[number].unit))
    for start in range(0, len(order), _BATCH):
        job.check_cancelled("The projections were cancelled")
        numbers = order[start : start + _BATCH]
        chosen = [places[number] for number in numbers]
        batch = to_model(torch.stack([inputs.get(place.crop) for place in chosen]), bundle.model)
        with job.device_lease():
            projected = project(
                bundle.network,
                batch,
                info.name,
                unit=[place.unit for place in chosen],
                at=[(place.row, place.column) for place in chosen],
                seed=1.0,
                beyond_paper=rule == "extended",
            )
        patch_boxes = boxes(bundle.input_size, frame, *np.array([(place.row, place.column) for place in chosen], np.int64).T)
        pixels = projected.pixels.detach().float().cpu().numpy()
        for number, one, own, box in zip(numbers, pixels, projected.boxes.tolist(), patch_boxes.tolist(), strict=True):
            yield number, recut(one[bundle.channels_to_display], own, box)


def recut(pixels: Pixels, own: Sequence[int], box: Sequence[int]) -> Pixels:
    """Return the pixels (C, h, w) of the box `own` in another box; zero outside. Boxes are (left, top, right, bottom)."""
    if list(own) == list(box):
        return pixels
    left, top, right, bottom = box
    result = np.zeros((len(pixels), bottom - top, right - left), pixels.dtype)
    low, high = (max(left, own[0]), max(top, own[1])), (min(right, own[2]), min(bottom, own[3]))
    if low[0] < high[0] and low[1] < high[1]:
        part = pixels[:, low[1] - own[1] : high[1] - own[1], low[0] - own[0] : high[0] - own[0]]
        result[:, low[1] - top : high[1] - top, low[0] - left : high[0] - left] = part
    return result


def descriptor(pixels: Pixels) -> NDArray[np.int8]:
    """Return a projection (C, h, w) at 8 x 8 pixels, scaled so that the largest value is 127 or -127; zeros for a projection of zeros.

    Examples
    --------
    >>> descriptor(np.full((1, 16, 16), -0.5, np.float32))[0, 0, :3]
    array([-127, -127, -127], dtype=int8)
    """
    small = resample_signed(pixels, (DESCRIPTOR_SIDE, DESCRIPTOR_SIDE)).astype(np.float64)
    largest = float(np.abs(small).max(initial=0))
    return np.rint(small * (127 / largest if largest > 0 else 0)).astype(np.int8)


def likeness(before: NDArray[np.int8], after: NDArray[np.int8]) -> float:
    """Return the mean over projections of the correlation of their descriptors (projections, C, 8, 8); NaN if there is none to compare.

    The correlation is about zero, because zero is "no contribution". A projection of zeros that was something else before counts as 0.
    """
    flat = [array.reshape(len(array), -1).astype(np.float64) for array in (before, after)]
    norms = [np.linalg.norm(array, axis=1) for array in flat]
    products = (flat[0] * flat[1]).sum(axis=1) / np.maximum(norms[0] * norms[1], 1.0)
    present = norms[0] > 0
    return round(float(products[present].mean()), DECIMALS) if present.any() else float("nan")


def picture(tiles: Mapping[int, Rgb]) -> bytes:
    """Return projections side by side, by their numbers, as a WebP image; nothing if there are none."""
    if not tiles:
        return b""
    height, buffer = max(tile.shape[0] for tile in tiles.values()), io.BytesIO()
    padded = [np.pad(tiles[rank], ((0, height - tiles[rank].shape[0]), (0, 0), (0, 0)), constant_values=GREY) for rank in sorted(tiles)]
    Image.fromarray(np.concatenate(padded, axis=1)).save(buffer, "WEBP", quality=PICTURE_QUALITY, method=4)
    return buffer.getvalue()


def usable_rule(inputs: InputCache, info: LayerInfo, place: Place) -> str | None:
    """Return "deconvnet", or "extended" where the layer needs our extension of it; None if it has neither."""
    for rule in ("deconvnet", "extended"):
        try:
            next(projections(inputs, info, info, [place], rule, JobContext()))
        except RuleError:
            continue
        return rule
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """The projections of the units of a layer.

    Attributes
    ----------
    descriptors : array (units, projections, channels, 8, 8), int8
        Zeros if missing.
    tiles : list of dict of int to array (h, w, 3) uint8
        Of each unit, the projections by their number, as pictures of 48 pixels.
    """

    descriptors: NDArray[np.int8]
    tiles: list[dict[int, Rgb]]


def describe_units(
    inputs: InputCache,
    info: LayerInfo,
    frame: LayerInfo,
    rule: str,
    places: Sequence[Sequence[Place]],
    count: int,
    job: JobContext,
    done: Callable[[], None],
) -> Described:
    """Project units, each at up to `count` places; see `projections`. `done` is called after each projection."""
    listed = [(row, rank, place) for row, those in enumerate(places) for rank, place in enumerate(those)]
    shape = (len(places), count, len(inputs.bundle.channels_to_display), DESCRIPTOR_SIDE, DESCRIPTOR_SIDE)
    descriptors, tiles = np.zeros(shape, np.int8), [dict[int, Rgb]() for _ in places]
    for number, pixels in projections(inputs, info, frame, [place for _, _, place in listed], rule, job):
        row, rank, _ = listed[number]
        descriptors[row, rank], tiles[row][rank] = descriptor(pixels), contrast(resample_signed(pixels, PICTURE_SIDE))
        done()
    return Described(descriptors, tiles)


def counted(job: JobContext, title: str, total: int) -> Callable[[], None]:
    """Return a function that reports one more projection."""
    numbers = numbers_from(1)
    return lambda: job.report(Progress(title, next(numbers), total))
