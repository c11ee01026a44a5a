"""The default photographs: real ones, pinned inside two wheels of the package index, shown in several crops and scales.

20 ImageNet photographs with their classes (foolbox), and 8 colour photographs without (scikit-image; a stereo pair counts
once, gray and drawn pictures are left out).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path, PurePosixPath

from PIL import Image

from deconvwidgets.assets.cache import cache_dir, sha256_of_file, write_cache_file
from deconvwidgets.assets.pins import FOOLBOX, FOOLBOX_PHOTOS, SCIKIT_IMAGE, SCIKIT_IMAGE_PHOTOS, Photo
from deconvwidgets.assets.pypi import Distribution, Member, fetch_members
from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import check_header, open_image
from deconvwidgets.images.image_set import Crop, ImageSet, digest_of, require_images
from deconvwidgets.models.architectures import imagenet_categories
from deconvwidgets.records.geometry import Box

# Squares as a share of the shorter side, and where they lie: (share, left, top), 0 at one end and 1 at the other
_SQUARES = (
    (0.75, 0.0, 0.0),
    (0.75, 1.0, 0.0),
    (0.75, 0.5, 0.5),
    (0.75, 0.0, 1.0),
    (0.75, 1.0, 1.0),
    (0.5, 0.25, 0.5),
    (0.5, 0.5, 0.5),
    (0.5, 0.75, 0.5),
)
CROPS_PER_PHOTO = 1 + len(_SQUARES)


class PhotoImages(ImageSet):
    """The default photographs, nine crops each: all of it, five squares of three quarters and three of half the shorter side."""

    def __init__(self, paths: list[Path], photos: list[Photo]) -> None:
        self._paths = paths
        self._photos = photos
        self._boxes = [_boxes(*check_header(path)) for path in paths]
        digest = digest_of([f"{photo.sha256} {boxes}" for photo, boxes in zip(photos, self._boxes, strict=True)])
        super().__init__("default photographs", digest, imagenet_categories())

    @property
    def source_count(self) -> int:
        """Number of photographs."""
        return len(self._paths)

    def source_name(self, source: int) -> str:
        return self._paths[source].name

    def label(self, source: int) -> int | None:
        """ImageNet's class, which foolbox writes into the file name."""
        found = re.fullmatch(r"imagenet_\d+_(\d+)\.jpg", self._photos[source].filename)
        return int(found.group(1)) if found else None

    def open_source(self, source: int) -> Image.Image:
        return open_image(self._paths[source])

    def __len__(self) -> int:
        return len(self._paths) * CROPS_PER_PHOTO

    def crop(self, index: int) -> Crop:
        if not 0 <= index < len(self):
            raise IndexError(f"there are {len(self)} crops, numbered from 0: no {index}")
        source, crop = divmod(index, CROPS_PER_PHOTO)
        return Crop(source, crop, self._boxes[source][crop])

    def crops_of(self, source: int) -> range:
        return range(source * CROPS_PER_PHOTO, (source + 1) * CROPS_PER_PHOTO)


def open_photos(progress: bool = True) -> PhotoImages:
    """The default photographs, fetched on first use (15 MB of wheels, of which 6 MB are kept).

    Raises AssetError where they cannot be fetched.
    """
    sets = ((FOOLBOX, "foolbox/data", FOOLBOX_PHOTOS), (SCIKIT_IMAGE, "skimage/data", SCIKIT_IMAGE_PHOTOS))
    paths = [path for distribution, inside, photos in sets for path in _ensure(distribution, inside, photos, progress)]
    return PhotoImages(paths, [photo for _, _, photos in sets for photo in photos])


def _ensure(distribution: Distribution, inside: str, photos: tuple[Photo, ...], progress: bool) -> list[Path]:
    """Paths of the unpacked photographs; those that are missing or damaged are fetched again."""
    folder = cache_dir() / "photographs" / f"{distribution.project}-{distribution.version}"
    lacking = [photo for photo in photos if not _is_whole(folder / photo.filename, photo)]
    if lacking:
        members = [Member(f"{inside}/{photo.filename}", photo.sha256) for photo in lacking]
        for photo, data in zip(lacking, fetch_members(distribution, members, progress), strict=True):
            write_cache_file(folder / photo.filename, data)
    return [folder / photo.filename for photo in photos]


def _is_whole(path: Path, photo: Photo) -> bool:
    return path.is_file() and sha256_of_file(path) == photo.sha256


def _boxes(width: int, height: int) -> tuple[Box | None, ...]:
    return (None, *(_square(width, height, *square) for square in _SQUARES))


def _square(width: int, height: int, share: float, left: float, top: float) -> Box:
    side = round(min(width, height) * share)
    x, y = round((width - side) * left), round((height - side) * top)
    return (x, y, x + side, y + side)


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
