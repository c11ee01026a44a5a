"""The photographs that a measurement is made on: some of an image set, evenly spread over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from deconvwidgets.errors import DiagnosisError, PictureError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.records.images import SkippedImage


@dataclass(frozen=True, slots=True)
class OpenedCrop:
    """The first crop of a photograph; `image` is None and `skipped` is set if it cannot be read."""

    source: int
    image: Image.Image | None
    skipped: SkippedImage | None = None


def spread_sources(count: int, limit: int) -> list[int]:
    """Return the numbers of at most `limit` of `count` photographs, evenly spread, so that all classes of an ordered set take part.

    >>> spread_sources(9, 3)
    [0, 4, 8]
    """
    return [int(number) for number in np.unique(np.linspace(0, count - 1, min(limit, count)).round())]


def first_crops(images: ImageSet, sources: list[int]) -> Iterator[OpenedCrop]:
    """Iterate over the first crops of photographs."""
    for source in sources:
        try:
            yield OpenedCrop(source, images.open_crop(images.crops_of(source)[0]))
        except PictureError as error:
            yield OpenedCrop(source, None, SkippedImage(images.source_name(source), str(error)))


def require_readable(read: int, skipped: list[SkippedImage]) -> None:
    """Raise DiagnosisError, with the first reason, if no photograph could be read."""
    if not read:
        reason = skipped[0].reason if skipped else "there is none."
        raise DiagnosisError(f"No photograph can be read: {reason}")
