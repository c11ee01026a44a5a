"""The default photographs and their crops, from two wheels on the package index.

There are 20 ImageNet photographs with labels (from foolbox) and 8 colour photographs without labels (from scikit-image, without
its gray images, drawings, and the second image of a stereo pair). `crops_as_images` turns crops into photographs whose class is the
photograph they were cropped from. A classifier for these classes measures how well features remember an image; it does not measure
generalisation, because training and test crops of a class overlap.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path, PurePosixPath

from PIL import Image

from deconvwidgets.assets.cache import cache_dir, is_cached, require_writable, sha256_of_file, write_cache_file
from deconvwidgets.assets.pins import FOOLBOX, FOOLBOX_PHOTOS, SCIKIT_IMAGE, SCIKIT_IMAGE_PHOTOS, Photo
from deconvwidgets.assets.pip_download import Distribution
from deconvwidgets.assets.pypi import Member, fetch_members
from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import check_header, open_image, open_with_content
from deconvwidgets.images.image_set import Crop, ImageSet, OpenedPhotograph, digest_of, require_images
from deconvwidgets.models.architectures import imagenet_categories
from deconvwidgets.records.geometry import Box

# Square crops as (fraction of the shorter side, left, top), where left and top run from 0 to 1 over the possible positions
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
    """The default photographs, nine crops each: the whole, five squares of 3/4 and three of 1/2 of the shorter side."""

    def __init__(self, paths: list[Path], photos: list[Photo]) -> None:
        self._paths = paths
        self._photos = photos
        self._boxes = [_boxes(*check_header(path)) for path in paths]
        digest = digest_of([f"{photo.sha256} {boxes}" for photo, boxes in zip(photos, self._boxes, strict=True)])
        super().__init__("default photographs", digest, imagenet_categories())

    @property
    def source_count(self) -> int:
        """The number of photographs."""
        return len(self._paths)

    def source_name(self, source: int) -> str:
        return self._paths[source].name

    def label(self, source: int) -> int | None:
        """Return the ImageNet class, which is part of the file name in foolbox."""
        match = re.fullmatch(r"imagenet_\d+_(\d+)\.jpg", self._photos[source].filename)
        return int(match.group(1)) if match else None

    def open_source(self, source: int) -> Image.Image:
        return open_image(self._paths[source])

    def read_source(self, source: int, side: int | None = None) -> OpenedPhotograph:
        image, content = open_with_content(self._paths[source], side=side)
        return OpenedPhotograph(image, content, self.label(source))

    def __len__(self) -> int:
        return len(self._paths) * CROPS_PER_PHOTO

    def crop(self, index: int) -> Crop:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} is out of range: there are {len(self)} crops")
        source, crop = divmod(index, CROPS_PER_PHOTO)
        return Crop(source, crop, self._boxes[source][crop])

    def crops_of(self, source: int) -> range:
        return range(source * CROPS_PER_PHOTO, (source + 1) * CROPS_PER_PHOTO)


def open_photos(progress: bool = True) -> PhotoImages:
    """Open the default photographs. On first use, 15 MB are downloaded, of which 6 MB are cached.

    Raises
    ------
    AssetError
        If they cannot be downloaded, or the cache cannot be read or written to.
    """
    sets = ((FOOLBOX, "foolbox/data", FOOLBOX_PHOTOS), (SCIKIT_IMAGE, "skimage/data", SCIKIT_IMAGE_PHOTOS))
    paths = [path for distribution, folder, photos in sets for path in _ensure(distribution, folder, photos, progress)]
    return PhotoImages(paths, [photo for _, _, photos in sets for photo in photos])


def _ensure(distribution: Distribution, folder_in_wheel: str, photos: tuple[Photo, ...], progress: bool) -> list[Path]:
    """Return the paths of the cached photographs. Missing and damaged ones are downloaded again."""
    folder = cache_dir() / "photographs" / f"{distribution.project}-{distribution.version}"
    missing = [photo for photo in photos if not _is_intact(folder / photo.filename, photo)]
    if missing:
        require_writable(folder)
        members = [Member(f"{folder_in_wheel}/{photo.filename}", photo.sha256) for photo in missing]
        for photo, data in zip(missing, fetch_members(distribution, members, progress), strict=True):
            write_cache_file(folder / photo.filename, data)
    return [folder / photo.filename for photo in photos]


def _is_intact(path: Path, photo: Photo) -> bool:
    return is_cached(path) and sha256_of_file(path) == photo.sha256


def _boxes(width: int, height: int) -> tuple[Box | None, ...]:
    return (None, *(_square(width, height, *square) for square in _SQUARES))


def _square(width: int, height: int, fraction: float, left: float, top: float) -> Box:
    side = round(min(width, height) * fraction)
    x, y = round((width - side) * left), round((height - side) * top)
    return (x, y, x + side, y + side)


class CropImages(ImageSet):
    """Crops of `images` as photographs. The class of a crop is the photograph it was cropped from."""

    def __init__(self, images: ImageSet, crops: list[int], name: str) -> None:
        self._images = images
        self._crops = crops
        sources = sorted({images.crop(crop).source for crop in crops})
        self._labels = {source: label for label, source in enumerate(sources)}
        names = [_class_name(images, source) for source in sources]
        super().__init__(name, digest_of(["crops", images.digest, *map(str, crops)]), names, images.skipped)

    @property
    def source_count(self) -> int:
        """The number of crops."""
        return len(self._crops)

    def source_name(self, source: int) -> str:
        """Return the name of the photograph and the number of the crop in it."""
        crop = self._images.crop(self._crops[source])
        return f"{self._images.source_name(crop.source)}#{crop.number}"

    def label(self, source: int) -> int:
        """Return the class of a crop: its photograph, counted among those with crops."""
        return self._labels[self._images.crop(self._crops[source]).source]

    def open_source(self, source: int) -> Image.Image:
        return self._images.open_crop(self._crops[source])


def crops_as_images(images: ImageSet, name: str | None = None) -> CropImages:
    """Return an image set of crops, labelled by the photograph they were cropped from.

    Parameters
    ----------
    images : ImageSet
        The photographs. Crops that show a whole photograph are not included.
    name : str, optional
        The name of the new set.

    Returns
    -------
    CropImages
        One photograph per crop.

    Raises
    ------
    PictureError
        If fewer than two photographs have two crops.
    """
    require_images(images)
    crops = [crop for crop in range(len(images)) if images.crop(crop).box is not None]
    counts = Counter(images.crop(crop).source for crop in crops)
    if sum(count > 1 for count in counts.values()) < 2:
        raise PictureError(
            f"{images.name} has {len(images)} crops of {images.source_count} photographs. At least two photographs need two crops "
            "each that are not the whole photograph. Use the default photographs: open_images('photo-crops')."
        )
    return CropImages(images, crops, name or f"crops of {images.name}, labelled by photograph")


def open_photo_crops(progress: bool = True) -> CropImages:
    """Return eight crops of each default photograph. See `crops_as_images`. Raises AssetError if the photographs cannot be downloaded."""
    return crops_as_images(open_photos(progress), "photo crops, labelled by photograph")


def _class_name(images: ImageSet, source: int) -> str:
    """Return the name of a photograph without its extension, after the name of its class if it has one."""
    name, label, categories = images.source_name(source), images.label(source), images.categories or ()
    stem = PurePosixPath(name.replace(os.sep, "/")).stem or name
    return stem if label is None or label >= len(categories) else f"{categories[label]} ({stem})"
