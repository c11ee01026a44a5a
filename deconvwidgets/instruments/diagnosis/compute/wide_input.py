"""Model inputs that show more of a photograph than the model sees, so that real content moves in when the crop is shifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from deconvwidgets.compute.inputs import as_pil_image
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.rgb import to_rgb


@dataclass(frozen=True, slots=True)
class WideInput:
    """A normalised input with a margin.

    Attributes
    ----------
    pixels : Tensor (C, H + 2 margin, W + 2 margin), float32
        In the middle what `bundle.prepare` returns, bit for bit.
    margin : int
        Pixels on each side.
    real : tuple of (int, int, int, int)
        How many of them show the photograph, on the left, at the top, on the right and at the bottom; beyond, its edge is repeated.
    """

    pixels: Tensor
    margin: int
    real: tuple[int, int, int, int]

    def shifted(self, right: int, down: int = 0) -> Tensor:
        """Return the input (C, H, W) whose content is moved to the right and down by pixels, negative for left and up."""
        top, left = self.margin - down, self.margin - right
        height, width = (size - 2 * self.margin for size in self.pixels.shape[1:])
        return self.pixels[:, top : top + height, left : left + width]

    def is_real(self, right: int, down: int = 0) -> bool:
        """Return whether all that is moved in by a shift shows the photograph."""
        left, top, other_right, bottom = self.real
        return -other_right <= right <= left and -bottom <= down <= top


def wide_input(bundle: ModelBundle, image: Image.Image, margin: int) -> WideInput:
    """Return the model's input for a photograph, with a margin.

    A `Preprocess` crops the resized photograph: the margin is what it cut off, as far as it reaches. Of other transforms only the input
    is known, whose edge is repeated.

    Parameters
    ----------
    bundle : ModelBundle
    image : PIL image
    margin : int
        Pixels on each side.
    """
    image, transform = as_pil_image(image), bundle.transform
    if not isinstance(transform, Preprocess):
        pixels = bundle.prepare(image)
        return WideInput(_repeat_edges(pixels, (margin,) * 4), margin, (0, 0, 0, 0))
    resized = _resized(transform, image)
    left, top = (-int(offset) for offset in transform.geometry(*image.size).shift)
    height, width = transform.crop
    cut_off = (left, top, resized.width - left - width, resized.height - top - height)
    real = tuple(min(max(pixels, 0), margin) for pixels in cut_off)
    shown = resized.crop((left - real[0], top - real[1], left + width + real[2], top + height + real[3]))
    array = np.array(shown, np.uint8).reshape(shown.height, shown.width, len(transform.mean)).transpose(2, 0, 1)
    pixels = transform.normalise(torch.from_numpy(np.ascontiguousarray(array)))
    missing = tuple(margin - pixels for pixels in real)
    return WideInput(_repeat_edges(pixels, (missing[0], missing[2], missing[1], missing[3])), margin, (real[0], real[1], real[2], real[3]))


def _resized(transform: Preprocess, image: Image.Image) -> Image.Image:
    """Return the photograph as a `Preprocess` resizes it, before it is cropped."""
    image = to_rgb(image)
    image = image.convert("L") if len(transform.mean) == 1 else image
    horizontal, vertical = transform.geometry(*image.size).scale
    size = round(image.width * horizontal), round(image.height * vertical)
    return image if size == image.size else image.resize(size, transform.interpolation)


def _repeat_edges(pixels: Tensor, widths: tuple[int, ...]) -> Tensor:
    """Return an input with its edge pixels repeated on the left, on the right, at the top and at the bottom."""
    return torch.nn.functional.pad(pixels[None], widths, mode="replicate")[0]
