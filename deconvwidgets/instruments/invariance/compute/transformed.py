"""Photographs that are transformed before the model's crop is taken, so that real content moves in where there is some."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter
from torch import Tensor

from deconvwidgets.instruments.invariance.transforms import TransformKind, is_neutral
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import IMAGENET_MEAN, Preprocess
from deconvwidgets.rgb import to_rgb

Colour = tuple[int, int, int]

_NOISE_SEED = 0


class TransformedPhotograph:
    """A photograph at the size from which the model's crop is taken, and the inputs of the model for transformations of it.

    Parameters
    ----------
    bundle : ModelBundle
    photograph : PIL image
        The photograph, or the crop of an image set.
    """

    def __init__(self, bundle: ModelBundle, photograph: Image.Image) -> None:
        self._bundle = bundle
        self._image = _at_least_the_crop(bundle, bundle.resized(to_rgb(photograph)))
        self._fill = fill_colour(bundle)
        self._noise: NDArray[np.float32] | None = None

    @property
    def image(self) -> Image.Image:
        """The photograph, resized as the model's transform does, before the crop, and padded as it does if it is smaller."""
        return self._image

    def input(self, kind: TransformKind, amount: float) -> Tensor:
        """Return the model's input (C, H, W) for a transformation; for a neutral amount exactly `bundle.prepare(photograph)`."""
        return self._bundle.prepare_resized(self.transformed(kind, amount))

    def unchanged(self) -> Tensor:
        """Return the model's input (C, H, W) for the photograph as it is."""
        return self._bundle.prepare_resized(self._image)

    def transformed(self, kind: TransformKind, amount: float) -> Image.Image:
        """Return the transformed photograph, of the size of `image`."""
        if is_neutral(kind, amount):
            return self._image
        if kind.name == "noise":
            return self._noisy(amount)
        pixels = amount * self._pixels_per_input_pixel() if kind.in_pixels else amount
        return _FUNCTIONS[kind.name](self._image, pixels, self._fill)

    def _pixels_per_input_pixel(self) -> float:
        """Return how many pixels of `image` one pixel of the model's input has: 1 if the transform's geometry is known."""
        if isinstance(self._bundle.transform, Preprocess):
            return 1.0
        return min(self._image.size) / min(self._bundle.input_size[1:])

    def _noisy(self, deviation: float) -> Image.Image:
        if self._noise is None:  # the same noise for every amount, so that a curve is smooth
            # Gray models get the same noise in all channels: different noise would be averaged away.
            channels = 1 if self._bundle.input_size[0] == 1 else 3
            shape = (self._image.height, self._image.width, channels)
            self._noise = np.random.default_rng(_NOISE_SEED).standard_normal(shape, np.float32)
        values = np.asarray(self._image, np.float32) + deviation * self._noise
        return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _at_least_the_crop(bundle: ModelBundle, image: Image.Image) -> Image.Image:
    """Return a resized image with the black that the crop of a `Preprocess` adds to a smaller one: content must not end before it."""
    if not isinstance(bundle.transform, Preprocess):
        return image
    height, width = bundle.transform.crop
    size = max(image.width, width), max(image.height, height)
    if size == image.size:
        return image
    left, top = bundle.transform.without_resize().geometry(*image.size).shift
    padded = Image.new(image.mode, size)
    padded.paste(image, (max(0, int(left)), max(0, int(top))))
    return padded


def fill_colour(bundle: ModelBundle) -> Colour:
    """Return the colour for places without content: the mean colour of the training images, 0 after normalisation."""
    transform = bundle.transform
    mean = transform.mean if isinstance(transform, Preprocess) else IMAGENET_MEAN
    red, green, blue = (min(255, max(0, round(255 * value))) for value in (mean if len(mean) == 3 else mean * 3))
    return red, green, blue


def describe_fill(bundle: ModelBundle) -> str:
    """Return the fill in words."""
    colour = "#{:02x}{:02x}{:02x}".format(*fill_colour(bundle))
    known = isinstance(bundle.transform, Preprocess)
    return f"{colour}, {'the mean that the transform subtracts' if known else 'the mean colour of ImageNet'}"


def geometry_note(bundle: ModelBundle, kind: TransformKind) -> str:
    """Return a sentence if amounts in pixels of the input are approximate; empty if they are exact."""
    if isinstance(bundle.transform, Preprocess) or not kind.in_pixels:
        return ""
    return (
        f"The geometry of {bundle.name}'s transform is unknown: an amount is in pixels of a photograph whose shorter side has "
        f"{min(bundle.input_size[1:])} pixels."
    )


def _translated_down(image: Image.Image, pixels: float, fill: Colour) -> Image.Image:
    return _translated(image, 0, round(pixels), fill)


def _translated_right(image: Image.Image, pixels: float, fill: Colour) -> Image.Image:
    return _translated(image, round(pixels), 0, fill)


def _translated(image: Image.Image, right: int, down: int, fill: Colour) -> Image.Image:
    moved = Image.new("RGB", image.size, fill)
    moved.paste(image, (right, down))
    return moved


def _scaled(image: Image.Image, factor: float, fill: Colour) -> Image.Image:
    """Scale about the centre. It is reduced without aliasing."""
    width, height = image.width / factor, image.height / factor
    margin_x, margin_y = (max(0, math.ceil((new - old) / 2)) for new, old in ((width, image.width), (height, image.height)))
    padded = ImageOps.expand(image, (margin_x, margin_y), fill) if margin_x or margin_y else image
    left, top = (padded.width - width) / 2, (padded.height - height) / 2
    return padded.resize(image.size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))


def _rotated(image: Image.Image, degrees: float, fill: Colour) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=fill)


def _blurred(image: Image.Image, deviation: float, _fill: Colour) -> Image.Image:
    """Blur by a Gaussian that is cut off at four standard deviations. Pixels beyond the edge repeat those at the edge."""
    blurred = gaussian_filter(np.asarray(image, np.float32), (deviation, deviation, 0), mode="nearest", truncate=4.0)
    return Image.fromarray(np.rint(blurred).astype(np.uint8))


def _brightened(image: Image.Image, factor: float, _fill: Colour) -> Image.Image:
    return image.point([min(255, math.floor(factor * value + 0.5)) for value in range(256)] * 3)


def _compressed(image: Image.Image, quality: float, _fill: Colour) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=round(quality))
    return Image.open(file).convert("RGB")


_FUNCTIONS: dict[str, Callable[[Image.Image, float, Colour], Image.Image]] = {
    "translate": _translated_down,
    "translate_x": _translated_right,
    "scale": _scaled,
    "rotate": _rotated,
    "blur": _blurred,
    "brightness": _brightened,
    "jpeg": _compressed,
}
