"""Crops as photographs of their own, each of the class "cut from photograph so-and-so": which photograph does a crop come from?

An honest toy: it needs no labels and no download beyond the photographs, and it measures how well features remember a picture. It says
nothing of how well they generalise, since training and test crops of a class overlap in the same photograph.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import PurePosixPath

from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import ImageSet, digest_of, require_images
from deconvwidgets.images.photos import open_photos


class CropImages(ImageSet):
    """The crops of `images` that are parts of a photograph, each as one photograph; its class is the photograph that it was cut from."""

    def __init__(self, images: ImageSet, crops: list[int], name: str) -> None:
        self._images = images
        self._crops = crops
        cut_from = sorted({images.crop(crop).source for crop in crops})
        self._classes = {source: number for number, source in enumerate(cut_from)}
        names = [_class_name(images, source) for source in cut_from]
        super().__init__(name, digest_of(["crops", images.digest, *map(str, crops)]), names, images.skipped)

    @property
    def source_count(self) -> int:
        """Number of crops."""
        return len(self._crops)

    def source_name(self, source: int) -> str:
        """The photograph, with the crop's number in it."""
        crop = self._images.crop(self._crops[source])
        return f"{self._images.source_name(crop.source)}#{crop.number}"

    def label(self, source: int) -> int:
        """The photograph that it was cut from, numbered among those that have crops."""
        return self._classes[self._images.crop(self._crops[source]).source]

    def open_source(self, source: int) -> Image.Image:
        return self._images.open_crop(self._crops[source])


def crops_as_images(images: ImageSet, name: str | None = None) -> CropImages:
    """An image set of the crops of `images`, each labelled with the photograph that it was cut from; whole photographs are left out.

    A classifier trained on it answers "which photograph is this a part of?": a test of memory for pictures, not of generalisation.
    Raises PictureError where fewer than two photographs have two crops.
    """
    require_images(images)
    crops = [crop for crop in range(len(images)) if images.crop(crop).box is not None]
    counts = Counter(images.crop(crop).source for crop in crops)
    if sum(count > 1 for count in counts.values()) < 2:
        raise PictureError(
            f"{images.name} shows {len(images)} crops of {images.source_count} photographs: crops to tell apart need two photographs with "
            "two crops each, as the default photographs have ('photo-crops')."
        )
    return CropImages(images, crops, name or f"crops of {images.name}, from which photograph?")


def open_photo_crops(progress: bool = True) -> CropImages:
    """Eight crops of each of the default photographs, as `crops_as_images` has them. Raises AssetError where these cannot be fetched."""
    return crops_as_images(open_photos(progress), "photo crops, from which photograph?")


def _class_name(images: ImageSet, source: int) -> str:
    """The photograph's name without its ending, what it shows before it where that is known."""
    name, label, shown = images.source_name(source), images.label(source), images.categories or ()
    stem = PurePosixPath(name.replace(os.sep, "/")).stem or name
    return stem if label is None or label >= len(shown) else f"{shown[label]} ({stem})"
