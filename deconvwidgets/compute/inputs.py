"""Conversion of images (PIL, path, array, tensor) to model inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import as_rgb
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle

ImageInput = Image.Image | str | Path | NDArray[np.generic]  # arrays as in `deconvwidgets.rgb.array_to_rgb`
ImageInputs = ImageInput | Tensor | Sequence[ImageInput | Tensor]


def as_pil_image(image: ImageInput) -> Image.Image:
    """Return a PIL image, a path, or an array (H, W, 3) or (H, W) as a PIL image in RGB.

    Raises
    ------
    PictureError
        For anything else, and for a file that cannot be read.
    """
    if isinstance(image, Tensor):
        raise PictureError(
            "A tensor is a normalised input, and an image is expected: pass a PIL image, a path or an array. "
            "dw.engine.project(bundle.network, batch, ...) projects normalised inputs."
        )
    return as_rgb(image)


def as_input(bundle: ModelBundle, image: ImageInput | Tensor) -> Tensor:
    """Return the model input (C, H, W) for an image.

    Parameters
    ----------
    bundle : ModelBundle
        Its transform is applied to images.
    image : PIL image, path, array or Tensor
        A tensor must be a normalised input, (C, H, W) or (1, C, H, W); it is returned without its batch dimension.

    Raises
    ------
    PictureError
        For a tensor of another size or type, and for anything that is not an image.
    """
    if not isinstance(image, Tensor):
        return bundle.prepare(as_pil_image(image))
    expected = tuple(bundle.input_size)
    pixels = image.detach()
    if pixels.dim() == 4 and len(pixels) == 1:
        pixels = pixels[0]
    if tuple(pixels.shape) != expected:
        raise PictureError(
            f"A tensor must be one normalised input {expected} of {bundle.name}, not {tuple(image.shape)}: pass the image itself, "
            "so that the bundle's transform is applied."
        )
    if not pixels.is_floating_point():
        raise PictureError(f"A tensor must be a normalised input in floating point, not {image.dtype}: pass a PIL image instead.")
    if not bool(torch.isfinite(pixels).all()):
        raise PictureError("The input contains NaN or infinite values: check the transform that returned it.")
    return pixels


def iter_inputs(bundle: ModelBundle, images: ImageSet | ImageInputs) -> Iterator[Tensor]:
    """Iterate over the model inputs (C, H, W) of images. Each photograph of an image set is represented by its first crop."""
    if isinstance(images, ImageSet):
        for source in range(images.source_count):
            yield bundle.prepare(images.open_crop(images.crops_of(source)[0]))
        return
    for image in as_sequence(images):
        yield as_input(bundle, image)


def as_sequence(images: ImageInputs) -> Sequence[ImageInput | Tensor]:
    """Return a sequence of images as it is, a batch (N, C, H, W) as a list of inputs, and one image as a list of one."""
    if isinstance(images, Tensor) and images.dim() == 4:
        return list(images)
    return images if isinstance(images, Sequence) and not isinstance(images, str) else [images]


def input_count(images: ImageSet | ImageInputs) -> int:
    """Return the number of inputs that `iter_inputs` yields.

    Raises
    ------
    PictureError
        If there is none.
    """
    count = images.source_count if isinstance(images, ImageSet) else len(as_sequence(images))
    if not count:
        raise PictureError("There is no image: pass at least one.")
    return count
