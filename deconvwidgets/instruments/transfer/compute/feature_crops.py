"""The crops of a photograph that features are computed from: one crop, one and its mirror image, or ten; decoded ahead in threads.

The features of crops and of mirrored crops are not averaged with each other, but kept as two orientations. Most objects of a class in
Caltech-101 face the same way, and a classifier that is trained on one orientation loses 17 points of accuracy on the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import torch
from PIL import Image
from torch import Tensor

from deconvwidgets.arguments import describe
from deconvwidgets.compute.stream import decoded_ahead
from deconvwidgets.errors import ModelError, PictureError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.records.images import SkippedImage

Crops = Literal["one", "flips", "ten"]
_MARGIN = 256 / 224  # Zeiler & Fergus 2014, section 3: crops of 224 pixels from 256
DESCRIPTIONS: dict[Crops, str] = {
    "one": "one crop",
    "flips": "one crop and its mirror image, side by side",
    "ten": "mean of five crops (corners, centre), and of their mirror images, side by side",
}


@dataclass(frozen=True, slots=True)
class CropMaker:
    """Makes the model inputs (inputs, C, H, W) of a photograph: first the crops as they are, then the mirrored ones.

    The features of each orientation are averaged.
    """

    bundle: ModelBundle
    crops: Crops
    inputs: int  # number of inputs per photograph
    orientations: int  # 1, or 2 with mirror images
    square: Preprocess | None  # the transform to the square that ten crops are cut from

    @classmethod
    def of(cls, bundle: ModelBundle, crops: Crops) -> CropMaker:
        """Return the maker of the crops "one", "flips" or "ten".

        Raises
        ------
        ModelError
            For other crops, and for "ten" if the geometry of the bundle's transform is not known.
        """
        if not isinstance(crops, str) or crops not in get_args(Crops):
            raise ModelError(f"There are no crops {describe(crops)} (views): choose {', '.join(map(repr, get_args(Crops)))}")
        if crops != "ten":
            count = 1 if crops == "one" else 2
            return cls(bundle, crops, count, count, None)
        if not isinstance(bundle.transform, Preprocess):
            raise ModelError(f"Ten crops need a transform of known geometry, which that of {bundle.name} is not: choose 'flips'")
        return cls(bundle, crops, 10, 2, _square(bundle.transform))

    def __call__(self, photograph: Image.Image) -> Tensor:
        """Return the inputs (inputs, C, H, W) float32 on the CPU."""
        if self.square is not None:
            five = _five_crops(self.square(photograph), self.bundle.input_size[1:])
            return torch.cat([five, five.flip(-1)])
        pixels = self.bundle.prepare(photograph)
        return pixels[None] if self.crops == "one" else torch.stack([pixels, pixels.flip(-1)])

    def average(self, features: Tensor) -> Tensor:
        """Return the features (N, orientations, F) of N photographs, given those of their inputs (N * inputs, F)."""
        return features.reshape(-1, self.orientations, self.inputs // self.orientations, features.shape[1]).mean(2)


def _square(transform: Preprocess) -> Preprocess:
    side = max(transform.resize or 0, round(max(transform.crop) * _MARGIN))
    return replace(transform, resize=side, crop=(side, side))


def _five_crops(square: Tensor, size: tuple[int, ...]) -> Tensor:
    height, width = size
    bottom, right = square.shape[1] - height, square.shape[2] - width
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    return torch.stack([square[:, top : top + height, left : left + width] for top, left in corners])


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """A photograph and its inputs (inputs, C, H, W); `pixels` is None and `skipped` is set if it cannot be read."""

    source: int
    pixels: Tensor | None
    skipped: SkippedImage | None = None


def prepared_sources(
    images: ImageSet, maker: CropMaker, sources: Iterable[int], threads: int = 2, ahead: int = 64
) -> Iterator[PreparedSource]:
    """Iterate over photographs in the given order, with about `ahead` inputs decoded ahead by `threads` threads."""
    return decoded_ahead(((maker.inputs, partial(_prepare, images, maker, source)) for source in sources), threads, ahead)


def _prepare(images: ImageSet, maker: CropMaker, source: int) -> PreparedSource:
    try:
        photograph = images.open_source(source)
    except PictureError as error:
        return PreparedSource(source, None, SkippedImage(images.source_name(source), str(error)))
    return PreparedSource(source, maker(photograph))
