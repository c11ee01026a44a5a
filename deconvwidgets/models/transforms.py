"""How a bundle prepares images for its model, and shows inputs as images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.arguments import describe
from deconvwidgets.engine.input_kind import checked_size
from deconvwidgets.errors import ModelError, PictureError
from deconvwidgets.models.preprocess import Preprocess, as_preprocess, default_preprocess, stretched_to_rgb

Size = tuple[int, int, int]
Transform = Callable[[Image.Image], Tensor]

_DEFAULT_TRANSFORM = "No transform was given: images are resized and cropped to {} x {} and normalised as for ImageNet."


def transform_and_size(transform: Transform | None, input_size: Size | None) -> tuple[Transform, Size, tuple[str, ...]]:
    """Return the transform and the input size of a model of which one or both may not be given, and notes on what was chosen.

    Raises
    ------
    ModelError
        If the transform is not callable, or does not fit the size, or if there is no default for the size.
    """
    known = as_preprocess(checked_transform(transform))
    default_size = known.input_size if known else (3, 224, 224)
    size = default_size if input_size is None else checked_size(input_size)
    if known is not None and known.input_size != size:
        raise ModelError(f"The transform returns inputs of {known.input_size}, but input_size is {size}. Pass only one of them.")
    if transform is None and size[0] not in (1, 3):
        raise ModelError(f"There is no default transform for {size[0]} input channels: pass transform=...")
    notes = () if transform is not None else (_DEFAULT_TRANSFORM.format(*size[1:]),)
    return known or transform or default_preprocess(size), size, notes


def checked_transform(transform: object) -> Callable[..., Any] | None:
    """Return a callable or None. Raises ModelError for anything else."""
    if transform is not None and not callable(transform):
        raise ModelError(f"transform must be a callable that maps a PIL image to a tensor, or None, not {describe(transform)}.")
    return transform


def transformed(transform: Transform, image: Image.Image, size: Size, name: str) -> Tensor:
    """Return the input (C, H, W) of the model `name` for an image: float32, on the CPU.

    Raises
    ------
    ModelError
        If the transform returns anything but a tensor of that size.
    PictureError
        For anything but a PIL image.
    """
    if not isinstance(image, Image.Image):
        raise PictureError(f"image must be a PIL image, not {describe(image)}: open_images(path).open_source(0) opens a file.")
    pixels = transform(image)
    if not isinstance(pixels, Tensor) or tuple(pixels.shape) != tuple(size):
        got = f"a tensor of {tuple(pixels.shape)}" if isinstance(pixels, Tensor) else f"a {type(pixels).__name__}"
        raise ModelError(f"The transform of {name} returned {got}, not a tensor of {tuple(size)}. Pass input_size=...")
    return pixels.to(torch.float32)


def displayed_channels(transform: Transform, pixels: Tensor, channels: Sequence[int]) -> NDArray[np.uint8]:
    """Return one or three channels of an input (C, height, width) as an image, uint8 (height, width, 3).

    If the normalisation of the transform is unknown, the values are scaled from minimum to maximum.
    """
    if isinstance(transform, Preprocess):
        chosen = transform.unnormalise(pixels)[..., list(channels)]
        return np.ascontiguousarray(np.broadcast_to(chosen, (*chosen.shape[:2], 3)))
    return stretched_to_rgb(pixels[list(channels)])
