"""Conversion between images and a model's inputs, by its transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.arguments import describe
from deconvwidgets.errors import PictureError
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.transforms import Transform, displayed_channels, transformed
from deconvwidgets.records.geometry import Geometry


class ImageConversion:
    """The part of a `ModelBundle` that converts images to inputs, and inputs to images."""

    name: str
    transform: Transform
    input_size: tuple[int, int, int]
    display_channels: tuple[int, int, int] | tuple[int] | None

    def prepare(self, image: Image.Image) -> Tensor:
        """Return the model's input for an image: float32, shape `input_size`, on the CPU.

        A transform that is no `Preprocess` is given the image as it is; all experiments and services convert images to RGB before.

        Raises
        ------
        ModelError
            If the transform returns anything else.
        PictureError
            For anything but a PIL image.
        """
        return transformed(self.transform, image, self.input_size, self.name)

    def resized(self, image: Image.Image) -> Image.Image:
        """Return the whole photograph at the size from which the transform takes its crop, in RGB; unchanged if that is unknown.

        `prepare_resized` returns the model's input for it. Raises PictureError for anything but a PIL image.
        """
        if not isinstance(image, Image.Image):
            raise PictureError(f"image must be a PIL image, not {describe(image)}: open_images(path).open_source(0) opens a file.")
        transform = self.transform
        return transform.resized(image).convert("RGB") if isinstance(transform, Preprocess) else image

    def prepare_resized(self, image: Image.Image) -> Tensor:
        """Return the model's input for an image of the size that `resized` returns: for that image itself, what `prepare` returns.

        Raises what `prepare` raises.
        """
        transform = self.transform
        plain = transform.without_resize() if isinstance(transform, Preprocess) else transform
        return transformed(plain, image, self.input_size, self.name)

    def geometry(self, size: tuple[int, int]) -> Geometry | None:
        """Return the map from pixels of an image of `size` (width, height) to input pixels; None if the transform's geometry is unknown."""
        return self.transform.geometry(*size) if isinstance(self.transform, Preprocess) else None

    def to_picture(self, pixels: Tensor) -> NDArray[np.uint8]:
        """Return the displayed channels of an input (channels, height, width) as an image, uint8 (height, width, 3).

        If the normalisation of the transform is unknown, the values are scaled from minimum to maximum.
        """
        return displayed_channels(self.transform, pixels, self.channels_to_display)

    @property
    def channels_to_display(self) -> list[int]:
        """`display_channels` as an index of an array (channels, ...) of inputs or projections."""
        return list(self.display_channels or (0,))
