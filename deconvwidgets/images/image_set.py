"""What every set of photographs offers: sources (photographs), and crops (the parts of them that a model is shown)."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.records.geometry import Box, Geometry
from deconvwidgets.records.images import SkippedImage


@dataclass(frozen=True, slots=True)
class Crop:
    """Crop `number` of photograph `source`; `box` in source pixels (upright, as `open_source` returns them), None for all of it."""

    source: int
    number: int
    box: Box | None

    @property
    def geometry(self) -> Geometry:
        """The map from source pixels to pixels of the crop."""
        left, top = self.box[:2] if self.box else (0, 0)
        return Geometry((1.0, 1.0), (float(-left), float(-top)))


class ImageSet(ABC):
    """A set of photographs. Crops are numbered in the order (source, crop).

    `digest` tells sets apart: it changes when a photograph or a crop does. `categories` names the labels. `skipped` are
    the files that could not be opened; a file may still fail later, when it is decoded, as a PictureError.
    """

    def __init__(self, name: str, digest: str, categories: Sequence[str] | None = None, skipped: Sequence[SkippedImage] = ()) -> None:
        self.name = name
        self.digest = digest
        self.categories = tuple(categories) if categories is not None else None
        self.skipped = tuple(skipped)

    @property
    @abstractmethod
    def source_count(self) -> int:
        """Number of photographs."""

    @abstractmethod
    def source_name(self, source: int) -> str:
        """A short name of a photograph, for people."""

    @abstractmethod
    def label(self, source: int) -> int | None:
        """The photograph's class, an index into `categories`; None where it has none."""

    @abstractmethod
    def open_source(self, source: int) -> Image.Image:
        """The photograph, RGB, upright.

        Raises PictureError where it cannot be decoded.
        """

    def open_thumbnail(self, source: int, side: int) -> Image.Image:
        """The photograph for a small picture: its shorter side need have `side` pixels only. Here it is as `open_source` gives it."""
        return self.open_source(source)

    def __len__(self) -> int:
        return self.source_count

    def crop(self, index: int) -> Crop:
        """Which part of which photograph a crop is. Here: all of it, one crop each."""
        return Crop(_in_range(index, len(self)), 0, None)

    def crops_of(self, source: int) -> range:
        """The crops of one photograph."""
        return range(source, source + 1)

    def open_crop(self, index: int) -> Image.Image:
        """The crop's pixels, RGB.

        Raises PictureError where the photograph cannot be decoded.
        """
        crop = self.crop(index)
        picture = self.open_source(crop.source)
        return picture if crop.box is None else picture.crop(crop.box)

    def subset(self, sources: Iterable[int]) -> ImageSet:
        """The same set with these photographs only, in the given order."""
        return SubsetImages(self, sources)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.source_count} photographs, {len(self)} crops>"


class SubsetImages(ImageSet):
    """Some photographs of another set, with all their crops."""

    def __init__(self, images: ImageSet, sources: Iterable[int]) -> None:
        self._images = images
        self._sources = [_in_range(source, images.source_count) for source in sources]
        self._crops: list[tuple[int, int]] = [(own, crop) for own, source in enumerate(self._sources) for crop in images.crops_of(source)]
        self._starts = [0]
        for source in self._sources:
            self._starts.append(self._starts[-1] + len(images.crops_of(source)))
        digest = digest_of([images.digest, *map(str, self._sources)])
        super().__init__(f"{images.name} ({len(self._sources)} of {images.source_count})", digest, images.categories, images.skipped)
        require_not_empty(self)

    @property
    def source_count(self) -> int:
        """Number of photographs."""
        return len(self._sources)

    def source_name(self, source: int) -> str:
        return self._images.source_name(self._sources[source])

    def label(self, source: int) -> int | None:
        return self._images.label(self._sources[source])

    def open_source(self, source: int) -> Image.Image:
        return self._images.open_source(self._sources[source])

    def open_thumbnail(self, source: int, side: int) -> Image.Image:
        return self._images.open_thumbnail(self._sources[source], side)

    def __len__(self) -> int:
        return len(self._crops)

    def crop(self, index: int) -> Crop:
        own, crop = self._crops[_in_range(index, len(self))]
        inner = self._images.crop(crop)
        return Crop(own, inner.number, inner.box)

    def crops_of(self, source: int) -> range:
        return range(self._starts[source], self._starts[source + 1])


def label_name(images: ImageSet, source: int) -> str | None:
    """The photograph's class in words; None where it has none."""
    number, names = images.label(source), images.categories or ()
    if number is None:
        return None
    return names[number] if number < len(names) else str(number)


def digest_of(parts: Iterable[str]) -> str:
    """SHA-256 over strings, each ended so that no two lists agree by accident."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def require_images(value: object) -> ImageSet:
    """`value`, if it is an ImageSet. Raises PictureError with the way to one."""
    if isinstance(value, ImageSet):
        return value
    what = f"{value!r}" if isinstance(value, str) else f"a {type(value).__name__}"
    raise PictureError(f"An image set is needed here, not {what}: make one with dw.open_images(...).")


def require_not_empty(images: ImageSet) -> None:
    """Raise PictureError for a set without a single photograph, with the first reasons where files were skipped."""
    if images.source_count:
        return
    reasons = "".join(f" {skipped.reason}" for skipped in images.skipped[:3])
    raise PictureError(f"{images.name} holds no readable photograph.{reasons} Bring a folder of pictures: open_images('path/to/folder').")


def _in_range(index: int, count: int) -> int:
    if not 0 <= index < count:
        raise IndexError(f"there are {count}, numbered from 0: no {index}")
    return index
