"""Correspondence: whether occluding the same part of an object in several images changes their features in the same way.

Source: Zeiler & Fergus 2014, section 4.3, table 1.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from deconvwidgets.arguments import as_integer, describe, finite_number, flag, integer, integer_array, texts
from deconvwidgets.compute.devices import to_model, with_deprecated_network
from deconvwidgets.compute.inputs import ImageInput, ImageInputs, as_input, as_pil_image, as_sequence, input_count
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.patches import patched
from deconvwidgets.errors import LayerError, OcclusionError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.occlusion.compute.checks import resolve_layer
from deconvwidgets.instruments.occlusion.compute.fill import Fill, fill_of
from deconvwidgets.instruments.occlusion.part_records import Correspondence
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.geometry import Box, Geometry
from deconvwidgets.records.progress import Progress

Pixels = Literal["input", "source"]

_MAX_RANDOM_PARTS = 100_000
_ROUNDING = 16  # changes up to this many units in the last place of a layer's largest value count as zero


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
    """Compare how the features of several images change when the same part is occluded in each.

    For image i and a layer, eps_i = x_i - x~_i is the difference between the features of the image and of the occluded image. Delta is
    the mean over ordered pairs i != j of the share of components in which sign(eps_i) and sign(eps_j) differ. The sign of zero is a value
    of its own, and frequent after a rectifier; differences within rounding (16 units in the last place of the layer's largest value) are
    zero. A part that changes few features therefore has a low Delta. Compare parts of the same size on the same object, with
    `random_parts` and its `within` (Zeiler & Fergus 2014, section 4.3, table 1).

    Parameters
    ----------
    bundle : ModelBundle
        The model.
    images : ImageSet, or a sequence of images
        At least two images, as in `occlude`. Each photograph of an image set is represented by its first crop.
    parts : mapping of str to a sequence of boxes
        For each part one box (left, top, right, bottom) per image. `random_parts` returns the control of the paper.
    layers : str or sequence of str, optional
        Names or aliases; by default the last of the explorers' layers.
    pixels : {"input", "source"}
        The pixels of the boxes: of the model's input, in whole pixels, or of the image before the bundle's transform.
    fill, job, network
        As in `occlude`.
    progress : bool
        Show a progress bar.

    Raises
    ------
    OcclusionError
        For parts that do not fit the images, and for an invalid `pixels` or fill.
    LayerError
        For an unknown layer.
    PictureError
        If an image cannot be read or used.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> photographs = dw.open_images("photos", limit=3)
    >>> parts = {"centre": [(80, 80, 144, 144)] * 3}
    >>> result = dw.correspondence(dw.load_model("alexnet"), photographs, parts, ["conv3", "conv5"])
    >>> result.layers, result.parts, result.images
    (('conv3', 'conv5'), ('centre',), 3)
    >>> 0 < result.distances["conv5"]["centre"] < 1
    True
    """
    count = input_count(images)
    if not isinstance(pixels, str) or pixels not in get_args(Pixels):
        raise OcclusionError(f"pixels must be 'input' or 'source', not {describe(pixels)}.")
    _check_parts(parts, count, whole=pixels == "input")
    progress = flag(progress, "progress", OcclusionError)
    bundle, job = with_deprecated_network(bundle, network), as_job(job)
    names = _layers(bundle.network, layers)
    changes: dict[str, dict[str, list[Tensor]]] = {layer: {part: [] for part in parts} for layer in names}
    with job.progress_bar("correspondence", "image", count, progress) as context:
        for number in range(count):
            image = images.open_crop(images.crops_of(number)[0]) if isinstance(images, ImageSet) else as_sequence(images)[number]
            image_input = as_input(bundle, image)
            geometry = _geometry(bundle, image) if pixels == "source" else None
            boxes = {part: _on_input(parts[part][number], geometry, image_input, part, number) for part in parts}
            for layer, signs in _sign_changes(bundle, image_input, fill, boxes, names).items():
                for part, sign in zip(parts, signs, strict=True):
                    changes[layer][part].append(sign)
            context.report(Progress("correspondence", number + 1, count))
    distances = {layer: {part: _mean_distance(signs) for part, signs in by_part.items()} for layer, by_part in changes.items()}
    return Correspondence(layers=tuple(names), parts=tuple(parts), distances=distances, images=count)


def random_parts(
    parts: Mapping[str, Sequence[Box]],
    size: tuple[int, int],
    count: int = 1,
    *,
    within: Sequence[Box] | None = None,
    seed: int = 0,
) -> dict[str, list[Box]]:
    """Return random boxes of the sizes of given parts, as a control (Zeiler & Fergus 2014, section 4.3, table 1).

    Parameters
    ----------
    parts : mapping of str to a sequence of boxes
        As in `correspondence`. The random parts have the sizes of these parts in turn.
    size : (height, width)
        The size of the images, in the pixels of the boxes.
    count : int
        Number of random parts.
    within : sequence of boxes, optional
        For each image the box that its random boxes must lie in (such as the head of a dog); by default the whole image.
    seed : int
        The random seed.

    Returns
    -------
    dict of str to a list of boxes
        The parts "random 1", "random 2", ...

    Raises
    ------
    OcclusionError
        For parts or boxes that do not fit the images.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> list(dw.random_parts({"eye": [(0, 0, 16, 16), (8, 8, 24, 24)]}, size=(224, 224), count=2))
    ['random 1', 'random 2']
    """
    _require_parts(parts)
    images = len(next(iter(parts.values()), ()))
    _check_parts(parts, images)
    height, width = integer_array(size, "size", ((2,),), "two integers (height, width)", OcclusionError).tolist()
    if min(height, width) < 1:
        raise OcclusionError(f"size must be (height, width) of at least 1 pixel, not {(height, width)}.")
    regions: Sequence[Box] = [(0, 0, width, height)] * images if within is None else within
    _check_parts({"within": regions}, images)
    count = integer(count, "count", 1, _MAX_RANDOM_PARTS, OcclusionError)
    generator = np.random.default_rng(integer(seed, "seed", 0, error=OcclusionError))
    templates = list(parts.values())
    return {
        f"random {number + 1}": [
            _random_box(box, region, generator) for box, region in zip(templates[number % len(templates)], regions, strict=True)
        ]
        for number in range(count)
    }


def _random_box(box: Box, region: Box, generator: np.random.Generator) -> Box:
    """Return a random box in `region`, of the size of `box` but no larger than the region."""
    width, height = min(box[2] - box[0], region[2] - region[0]), min(box[3] - box[1], region[3] - region[1])
    left = int(generator.integers(region[0], region[2] - width + 1))
    top = int(generator.integers(region[1], region[3] - height + 1))
    return (left, top, left + width, top + height)


def _require_parts(parts: object) -> None:
    """Raise OcclusionError unless `parts` maps names to sequences of boxes."""
    if not isinstance(parts, Mapping) or not all(_is_sequence(boxes) and all(map(_is_sequence, boxes)) for boxes in parts.values()):
        raise OcclusionError(
            'parts must map names to lists of boxes, one box per image, {"nose": [(left, top, right, bottom), ...], ...}, '
            f"not {reprlib.repr(parts)}."
        )


def _is_sequence(value: object) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray | Tensor) and value.ndim > 0)


def _check_parts(parts: Mapping[str, Sequence[Box]], images: int, whole: bool = True) -> None:
    """Raise OcclusionError unless there is a box for each part and image, in whole pixels if `whole`."""
    _require_parts(parts)
    if images < 2:
        raise OcclusionError("Correspondence compares images with each other: pass at least two, and one box per part for each.")
    if not parts:
        raise OcclusionError('There is no part to occlude: pass boxes, {"nose": [(left, top, right, bottom), ...], ...}, one per image.')
    for part, boxes in parts.items():
        if len(boxes) != images:
            raise OcclusionError(f"The part '{part}' has {len(boxes)} boxes for {images} images: pass one per image.")
        for number, box in enumerate(boxes):
            edges = [as_integer(edge) if whole else finite_number(edge) for edge in box]
            left, top, right, bottom = edges if len(edges) == 4 else (None,) * 4
            if left is None or top is None or right is None or bottom is None or right <= left or bottom <= top:
                kind = "integers" if whole else "finite numbers"
                raise OcclusionError(
                    f"The box of '{part}' in image {number} must be {kind} (left, top, right, bottom) with left < right and top < bottom, "
                    f"not {tuple(box)}."
                )


def _layers(network: Network, layers: Sequence[str] | str | None) -> list[str]:
    if layers is None:
        return [resolve_layer(network, None, "layers")]
    names = texts(layers, "layers", "the names of one or more layers", LayerError)
    for name in names:
        network.layer(name)
    return names


def _geometry(bundle: ModelBundle, image: ImageInput | Tensor) -> Geometry:
    geometry = None if isinstance(image, Tensor) else bundle.geometry(as_pil_image(image).size)
    if geometry is None:
        raise OcclusionError(
            f"The geometry of the transform is not known for a tensor, or for the transform of {bundle.name}: "
            "pass boxes in input pixels (pixels='input')."
        )
    return geometry


def _on_input(box: Box, geometry: Geometry | None, image: Tensor, part: str, number: int) -> Box:
    """Return the box in whole input pixels, at least one. Raises OcclusionError if it lies outside the image."""
    (sx, sy), (tx, ty) = ((1.0, 1.0), (0.0, 0.0)) if geometry is None else (geometry.scale, geometry.shift)
    left, right = (round(edge * sx + tx) for edge in (box[0], box[2]))
    top, bottom = (round(edge * sy + ty) for edge in (box[1], box[3]))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    height, width = image.shape[1:]
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise OcclusionError(
            f"The box of '{part}' in image {number} lies outside the model's input of {height} x {width}: "
            f"in input pixels it is {(left, top, right, bottom)}."
        )
    return (left, top, right, bottom)


@torch.no_grad()
def _sign_changes(bundle: ModelBundle, image: Tensor, fill: Fill, boxes: Mapping[str, Box], layers: Sequence[str]) -> dict[str, Tensor]:
    """Return sign(x - x~) (parts, features) int8 for each layer."""
    fill_pixels = fill_of(bundle, image, fill)
    batch = torch.stack([image, *(patched(image, fill_pixels, [box]) for box in boxes.values())])
    signs: dict[str, Tensor] = {}

    def compare(layer: str, features: Tensor) -> None:
        flat = features.flatten(1)
        change = flat[:1] - flat[1:]
        rounding = _ROUNDING * torch.finfo(flat.dtype).eps * flat.abs().max()
        signs[layer] = torch.where(change.abs() > rounding, change.sign(), 0).to(torch.int8).cpu()

    bundle.network.visit(to_model(batch, bundle.model), layers, compare)
    return signs


def _mean_distance(signs: Sequence[Tensor]) -> float:
    """Return Delta. It is the same for ordered and unordered pairs, since the distance is symmetric."""
    pairs = [(signs[i] != signs[j]).cpu().double().mean() for i in range(len(signs)) for j in range(i)]
    return float(torch.stack(pairs).mean())
