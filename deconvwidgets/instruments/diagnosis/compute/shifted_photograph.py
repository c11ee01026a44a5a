"""A photograph that is shifted by whole pixels of the model's input, with the real content that lies beside the crop.

Zeiler & Fergus 2014, figure 5, translates photographs in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess

Sides = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True, eq=False)
class ShiftedPhotograph:
    """The model's input for a photograph, with `margin` pixels more on each side.

    Attributes
    ----------
    pixels : Tensor (C, height + 2 margin, width + 2 margin), float32
    margin : int
        The largest shift, in input pixels.
    filled : (left, top, right, bottom)
        The numbers of rows and columns of the margin that the photograph does not have; its edge pixels are repeated there.

    Examples
    --------
    >>> from deconvwidgets import load_model, open_images
    >>> bundle, images = load_model("alexnet"), open_images("photos")
    >>> shifted = ShiftedPhotograph.of(bundle, images.open_crop(0), margin=8)
    >>> bool((shifted.input(right=0, down=0) == bundle.prepare(images.open_crop(0))).all())
    True
    """

    pixels: Tensor
    margin: int
    filled: Sides

    @classmethod
    def of(cls, bundle: ModelBundle, image: Image.Image, margin: int) -> ShiftedPhotograph:
        """Prepare an image with a margin. Unless the transform's geometry is known, the input itself is extended by its edge pixels."""
        wide = _with_surroundings(bundle.transform, image, margin) if isinstance(bundle.transform, Preprocess) else None
        if wide is not None:
            return cls(*wide)
        pixels = bundle.prepare(image).numpy()
        extended = np.pad(pixels, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
        return cls(torch.from_numpy(extended), margin, (margin,) * 4)

    @property
    def size(self) -> tuple[int, int]:
        """The height and width of the model's input."""
        return self.pixels.shape[1] - 2 * self.margin, self.pixels.shape[2] - 2 * self.margin

    def input(self, right: int, down: int) -> Tensor:
        """Return the model's input (C, height, width) with the content moved; negative numbers move it to the left, or up."""
        height, width = self.size
        top, left = self.margin - down, self.margin - right
        return self.pixels[:, top : top + height, left : left + width]


def _with_surroundings(transform: Preprocess, image: Image.Image, margin: int) -> tuple[Tensor, int, Sides] | None:
    """Return the pixels, the margin, and what is filled; None for an image that the transform itself pads."""
    geometry, (height, width) = transform.geometry(*image.size), transform.crop
    new_width, new_height = (round(side * scale) for side, scale in zip(image.size, geometry.scale, strict=True))
    left, top = (round(-shift) for shift in geometry.shift)
    if min(left, top) < 0 or left + width > new_width or top + height > new_height:
        return None
    whole: NDArray[np.uint8] = replace(transform, crop=(new_height, new_width)).pixels(image)
    beside = (left, top, new_width - left - width, new_height - top - height)
    filled = tuple(max(0, margin - pixels) for pixels in beside)
    first, last = ([side + wide for side, wide in zip(beside[at : at + 2], filled[at : at + 2], strict=True)] for at in (0, 2))
    padded = np.pad(whole, ((0, 0), (filled[1], filled[3]), (filled[0], filled[2])), mode="edge")
    rows = slice(first[1] - margin, padded.shape[1] - (last[1] - margin))
    columns = slice(first[0] - margin, padded.shape[2] - (last[0] - margin))
    return transform.normalise(torch.from_numpy(np.ascontiguousarray(padded[:, rows, columns]))), margin, filled  # type: ignore[return-value]
