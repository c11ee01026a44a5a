"""The views of a photograph that its features come from: one, with its mirror image, or ten crops; decoded ahead in threads.

Views as the photograph stands and mirrored ones are never averaged with each other: each kind is a row of its own. In Caltech-101
most objects of a class face the same way, and a head trained on one kind of view loses 17 points on the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import torch
from PIL import Image
from torch import Tensor

from deconvwidgets.compute.stream import decoded_ahead
from deconvwidgets.errors import ModelError, PictureError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.records.images import SkippedImage

Views = Literal["one", "flips", "ten"]
_MARGIN = 256 / 224  # Zeiler & Fergus 2014, section 3: crops of 224 out of 256
WORDS: dict[Views, str] = {
    "one": "one view",
    "flips": "of a view and of its mirror image side by side",
    "ten": "mean of five views (corners, centre), and of their mirror images side by side",
}


@dataclass(frozen=True, slots=True)
class ViewMaker:
    """From a photograph to the model's inputs (`inputs`, C, H, W), those as it stands before the mirrored ones; the features of each
    kind are averaged to one of `rows`."""

    bundle: ModelBundle
    views: Views
    inputs: int
    rows: int
    square: Preprocess | None  # makes the square that ten crops are cut from

    @classmethod
    def of(cls, bundle: ModelBundle, views: Views) -> ViewMaker:
        """Raises ModelError for views that do not exist, or ten crops where the transform's geometry is not known."""
        if views not in get_args(Views):
            raise ModelError(f"There are no views {views!r}: choose {', '.join(map(repr, get_args(Views)))}")
        if views != "ten":
            count = 1 if views == "one" else 2
            return cls(bundle, views, count, count, None)
        if not isinstance(bundle.transform, Preprocess):
            raise ModelError(f"Ten crops need a transform whose geometry is known, which that of {bundle.name} is not: choose 'flips'")
        return cls(bundle, views, 10, 2, _square(bundle.transform))

    def __call__(self, picture: Image.Image) -> Tensor:
        """The inputs, float32, on the CPU."""
        if self.square is not None:
            crops = _five_crops(self.square(picture), self.bundle.input_size[1:])
            return torch.cat([crops, crops.flip(-1)])
        pixels = self.bundle.prepare(picture)
        return pixels[None] if self.views == "one" else torch.stack([pixels, pixels.flip(-1)])

    def keep(self, features: Tensor) -> Tensor:
        """Features (N * inputs, F) of N photographs to what is kept of them (N, rows, F)."""
        return features.reshape(-1, self.rows, self.inputs // self.rows, features.shape[1]).mean(2)


def _square(transform: Preprocess) -> Preprocess:
    side = max(transform.resize or 0, round(max(transform.crop) * _MARGIN))
    return replace(transform, resize=side, crop=(side, side))


def _five_crops(square: Tensor, size: tuple[int, ...]) -> Tensor:
    height, width = size
    down, right = square.shape[1] - height, square.shape[2] - width
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return torch.stack([square[:, top : top + height, left : left + width] for top, left in corners])


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """One photograph: its inputs (views, C, H, W), or why it could not be read."""

    source: int
    pixels: Tensor | None
    skipped: SkippedImage | None = None


def prepared_sources(
    images: ImageSet, maker: ViewMaker, sources: Iterable[int], threads: int = 2, ahead: int = 64
) -> Iterator[PreparedSource]:
    """The photographs in their order, as many waiting in memory as make about `ahead` inputs. One that cannot be read is recorded."""
    return decoded_ahead(((maker.inputs, partial(_prepare, images, maker, source)) for source in sources), threads, ahead)


def _prepare(images: ImageSet, maker: ViewMaker, source: int) -> PreparedSource:
    try:
        photograph = images.open_source(source)
    except PictureError as error:
        return PreparedSource(source, None, SkippedImage(images.source_name(source), str(error)))
    return PreparedSource(source, maker(photograph))
