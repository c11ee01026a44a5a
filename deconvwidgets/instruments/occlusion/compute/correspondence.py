"""Does the network know that one image's nose is another's? Occlude the same part in several images and compare what changes.

(Zeiler & Fergus 2014, section 4.3, table 1.)
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from deconvwidgets.compute.devices import to_model, with_deprecated_network
from deconvwidgets.compute.inputs import ImageInput, ImageInputs, as_input, as_pil_image, as_sequence, input_count
from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.patches import patched
from deconvwidgets.errors import LayerError, OcclusionError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.occlusion.compute.checks import layer_or_last
from deconvwidgets.instruments.occlusion.compute.fill import Fill, fill_of
from deconvwidgets.instruments.occlusion.records import Correspondence
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.geometry import Box, Geometry
from deconvwidgets.records.progress import Progress

Pixels = Literal["input", "source"]

_ROUNDING = 16  # units in the last place of a layer's largest value: so little is no change


def correspondence(
    bundle: ModelBundle,
    images: ImageSet | ImageInputs,
    parts: Mapping[str, Sequence[Box]],
    layers: Sequence[str] | str | None = None,
    *,
    pixels: Pixels = "input",
    fill: Fill = "gray",
    progress: bool = False,
    job: JobContext | None = None,
    network: Network | None = None,
) -> Correspondence:
    """How alike the features of several images change when the same part is occluded in each (Zeiler & Fergus 2014, section 4.3).

    For each image i and layer, eps_i = x_i - x~_i, the features of the image less those of the occluded image. Delta is the mean over
    ordered pairs i != j of the share of components in which sign(eps_i) and sign(eps_j) differ. Zero is a sign of its own, and common
    after a rectifier; differences within rounding (16 units in the last place of the layer's largest value) are zero. So a part that
    changes little has a low Delta for that reason alone: compare parts of one size that lie on the same thing (`random_parts`, `within`).

    Args:
        images: two or more: pictures or inputs as `occlude` takes them, or an image set (each photograph once, as its first view).
        parts: for each part one box (left, top, right, bottom) for each image, in the images' order. `random_parts` makes the paper's
            control.
        layers: names or aliases; None is the last of the explorers' layers.
        pixels: of what the boxes count pixels: the model's "input", or the "source", the picture as it is given, which the bundle's
            transform then maps to the input.
        fill, progress, job, network: as in `occlude`.

    Raises OcclusionError for parts that do not fit the images and for other `pixels`, LayerError, PictureError.
    """
    count = input_count(images)
    _check_parts(parts, count)
    if pixels not in get_args(Pixels):
        raise OcclusionError(f"pixels says of what the boxes count pixels, 'input' or 'source', not {pixels!r}.")
    bundle, job = with_deprecated_network(bundle, network), job or JobContext()
    traced = bundle.network
    names = _layers(traced, layers)
    changes: dict[str, dict[str, list[Tensor]]] = {layer: {part: [] for part in parts} for layer in names}
    with job.progress_bar("correspondence", "image", count, progress) as shown:
        for number in range(count):
            picture = images.open_crop(images.crops_of(number)[0]) if isinstance(images, ImageSet) else as_sequence(images)[number]
            image = as_input(bundle, picture)
            geometry = _geometry(bundle, picture) if pixels == "source" else None
            boxes = {part: _on_input(parts[part][number], geometry, image, part, number) for part in parts}
            for layer, signs in _changes(traced, bundle, image, fill, boxes, names).items():
                for part, sign in zip(parts, signs, strict=True):
                    changes[layer][part].append(sign)
            shown.report(Progress("correspondence", number + 1, count))
    distances = {layer: {part: _mean_distance(signs) for part, signs in of_layer.items()} for layer, of_layer in changes.items()}
    return Correspondence(layers=tuple(names), parts=tuple(parts), distances=distances, images=count)


def random_parts(
    parts: Mapping[str, Sequence[Box]],
    size: tuple[int, int],
    count: int = 1,
    *,
    within: Sequence[Box] | None = None,
    seed: int = 0,
) -> dict[str, list[Box]]:
    """The paper's control: "random 1", "random 2", ...: in each image a box as large as one of its parts, at a random place.

    parts: as `correspondence` takes them; each random part has the size of the given ones in turn. size: (height, width) of the images,
    in the same pixels. within: for each image the box that it shall lie in (the head of a dog, say); None is the whole image.

    Raises OcclusionError for parts or boxes that do not fit each other.
    """
    _require_parts(parts)
    images = len(next(iter(parts.values()), ()))
    _check_parts(parts, images)
    whole = (0, 0, size[1], size[0])
    rooms = [whole] * images if within is None else list(within)
    _check_parts({"within": rooms}, images)
    draw = np.random.default_rng(seed)
    models = list(parts.values())
    return {
        f"random {number + 1}": [_moved(box, room, draw) for box, room in zip(models[number % len(models)], rooms, strict=True)]
        for number in range(count)
    }


def _moved(box: Box, room: Box, draw: np.random.Generator) -> Box:
    """A box of the same size somewhere in `room`; of the room's size where it is larger."""
    width, height = min(box[2] - box[0], room[2] - room[0]), min(box[3] - box[1], room[3] - room[1])
    left = int(draw.integers(room[0], room[2] - width + 1))
    top = int(draw.integers(room[1], room[3] - height + 1))
    return (left, top, left + width, top + height)


def _require_parts(parts: object) -> None:
    """Raises OcclusionError for what has no boxes to look at."""
    if not isinstance(parts, Mapping) or not all(
        hasattr(boxes, "__len__") and all(hasattr(box, "__len__") for box in boxes) for boxes in parts.values()
    ):
        raise OcclusionError(
            'Parts are lists of boxes by name, one box for each image, {"nose": [(left, top, right, bottom), ...], ...}, '
            f"not {reprlib.repr(parts)}."
        )


def _check_parts(parts: Mapping[str, Sequence[Box]], images: int) -> None:
    _require_parts(parts)
    if images < 2:
        raise OcclusionError("Correspondence compares images with each other: give two at least, with one box a part for each.")
    if not parts:
        raise OcclusionError(
            'There is no part to occlude: give boxes, {"nose": [(left, top, right, bottom), ...], ...}, one for each image.'
        )
    for part, boxes in parts.items():
        if len(boxes) != images:
            raise OcclusionError(f"The part '{part}' has {len(boxes)} boxes for {images} images: give one for each.")
        for number, box in enumerate(boxes):
            if len(box) != 4 or not all(math.isfinite(edge) for edge in box) or box[2] <= box[0] or box[3] <= box[1]:
                raise OcclusionError(
                    f"The box of '{part}' in image {number} is (left, top, right, bottom) with left < right and top < bottom, "
                    f"not {tuple(box)}."
                )


def _layers(network: Network, layers: Sequence[str] | str | None) -> list[str]:
    if layers is None:
        return [layer_or_last(network, None, "layers")]
    names = [layers] if isinstance(layers, str) else list(layers)
    if not names:
        raise LayerError("There is no layer to compare features in: name one at least.")
    for name in names:
        network.layer(name)
    return names


def _geometry(bundle: ModelBundle, picture: ImageInput | Tensor) -> Geometry:
    geometry = None if isinstance(picture, Tensor) else bundle.geometry(as_pil_image(picture).size)
    if geometry is None:
        raise OcclusionError(
            f"Where a source pixel lies in the input is not known of a tensor, or after the transform of {bundle.name}: "
            "give boxes in input pixels (pixels='input')."
        )
    return geometry


def _on_input(box: Box, geometry: Geometry | None, image: Tensor, part: str, number: int) -> Box:
    """The box in whole input pixels, one at least. Raises OcclusionError where it lies beside the image."""
    (sx, sy), (tx, ty) = ((1.0, 1.0), (0.0, 0.0)) if geometry is None else (geometry.scale, geometry.shift)
    left, right = (round(edge * sx + tx) for edge in (box[0], box[2]))
    top, bottom = (round(edge * sy + ty) for edge in (box[1], box[3]))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    height, width = image.shape[1:]
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise OcclusionError(
            f"The box of '{part}' in image {number} lies outside the model's input of {height} x {width}: "
            f"there it would be {(left, top, right, bottom)}."
        )
    return (left, top, right, bottom)


@torch.no_grad()
def _changes(
    network: Network, bundle: ModelBundle, image: Tensor, fill: Fill, boxes: Mapping[str, Box], layers: Sequence[str]
) -> dict[str, Tensor]:
    """sign(x - x~) for each layer: int8 (parts, features)."""
    laid = fill_of(bundle, image, fill)
    batch = torch.stack([image, *(patched(image, laid, [box]) for box in boxes.values())])
    signs: dict[str, Tensor] = {}

    def compare(layer: str, features: Tensor) -> None:
        flat = features.flatten(1)
        change = flat[:1] - flat[1:]
        least = _ROUNDING * torch.finfo(flat.dtype).eps * flat.abs().max()
        signs[layer] = torch.where(change.abs() > least, change.sign(), 0).to(torch.int8).cpu()

    network.visit(to_model(batch, bundle.model), layers, compare)
    return signs


def _mean_distance(signs: Sequence[Tensor]) -> float:
    """Delta: the mean over ordered pairs of the share of components that differ (each pair counts alike in both orders)."""
    pairs = [(signs[i] != signs[j]).double().mean() for i in range(len(signs)) for j in range(i)]
    return float(torch.stack(pairs).mean())
