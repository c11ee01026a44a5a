"""Whatever a caller has of an image, as the model's input."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import open_image
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle

ImageInput = Image.Image | str | Path | NDArray[np.uint8]
ImageInputs = ImageInput | Tensor | Sequence[ImageInput | Tensor]


def as_pil_image(picture: ImageInput) -> Image.Image:
    """A PIL picture, the file of a path, or an array (H, W, 3) or (H, W) uint8, as a picture. Raises PictureError."""
    if isinstance(picture, Image.Image):
        return picture
    if isinstance(picture, str | Path):
        return open_image(picture)
    array = np.asarray(picture)
    if array.ndim == 0 or array.dtype == object:
        raise PictureError(
            f"An image is a PIL picture, a path, or an array (H, W, 3) or (H, W) uint8, not {reprlib.repr(picture)}; "
            "images.open_source(5) opens one of an image set."
        )
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise PictureError(f"An array must be (H, W, 3) or (H, W) uint8, not {array.shape} {array.dtype}: pass a PIL picture instead")
    return Image.fromarray(array)


def as_input(bundle: ModelBundle, image: ImageInput | Tensor) -> Tensor:
    """The model's input (C, H, W) for a picture, or for a tensor that is one already, (C, H, W) or (1, C, H, W), normalised.

    Raises PictureError for a tensor of another size or type, and for what is no picture.
    """
    if not isinstance(image, Tensor):
        return bundle.prepare(as_pil_image(image))
    wanted = tuple(bundle.input_size)
    pixels = image.detach()
    if pixels.dim() == 4 and len(pixels) == 1:
        pixels = pixels[0]
    if tuple(pixels.shape) != wanted:
        raise PictureError(
            f"A tensor must be one normalised input {wanted} of {bundle.name}, not {tuple(image.shape)}: pass the picture itself, "
            "and the bundle's transform makes it fit."
        )
    if not pixels.is_floating_point():
        raise PictureError(f"A tensor must be a normalised input in floating point, not {image.dtype}: pass a PIL picture instead.")
    if not bool(torch.isfinite(pixels).all()):
        raise PictureError("The input holds nan or infinite values; look at the transform that made it.")
    return pixels


def inputs_of(bundle: ModelBundle, images: ImageSet | ImageInputs) -> Iterator[Tensor]:
    """The inputs (C, H, W) of pictures or tensors, one after the other; of an image set each photograph once, as its first crop."""
    if isinstance(images, ImageSet):
        for source in range(images.source_count):
            yield bundle.prepare(images.open_crop(images.crops_of(source)[0]))
        return
    for one in listed(images):
        yield as_input(bundle, one)


def listed(images: ImageInputs) -> Sequence[ImageInput | Tensor]:
    """ImageInputs pictures as they are, one picture as a list of one."""
    if isinstance(images, Tensor) and images.dim() == 4:
        return list(images)
    return images if isinstance(images, Sequence) and not isinstance(images, str) else [images]


def count_of(images: ImageSet | ImageInputs) -> int:
    """How many inputs `inputs_of` gives. Raises PictureError where there is none."""
    count = images.source_count if isinstance(images, ImageSet) else len(listed(images))
    if not count:
        raise PictureError("There is no picture: give at least one")
    return count
