"""The base class of image sets. Sources are photographs; crops are the parts of them that a model receives as input."""

from __future__ import annotations

import hashlib
import reprlib
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import Any

from PIL import Image

from deconvwidgets.arguments import describe, integer, texts
from deconvwidgets.errors import PictureError
from deconvwidgets.images.content import content_of_image
from deconvwidgets.records.geometry import Box, Geometry
from deconvwidgets.records.images import SkippedImage


@dataclass(frozen=True, slots=True)
class Crop:
    """Crop `number` of photograph `source`. `box` is in pixels of the image that `open_source` returns; None for the whole photograph."""

    source: int
    number: int
    box: Box | None

    @property
    def geometry(self) -> Geometry:
        """The transformation from source pixels to crop pixels."""
        left, top = self.box[:2] if self.box else (0, 0)
        return Geometry((1.0, 1.0), (float(-left), float(-top)))


@dataclass(frozen=True, slots=True)
class OpenedPhotograph:
    """A photograph in RGB with its content id (see `ImageSet.read_source`) and its class, None if it has no label."""

    image: Image.Image
    content: int
    label: int | None


class ImageSet(ABC):
    """A set of photographs and their crops. Crops are numbered in the order (source, crop).

    Attributes
    ----------
    name : str
        The name of the set.
    digest : str
        Identifies the set: it changes if a photograph or a crop changes.
    categories : tuple of str or None
        The names of the classes; labels are indices into them.
    skipped : tuple of SkippedImage
        The files that could not be opened. Decoding may fail for other files later and raise a PictureError.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let a class that opens its photographs in a way of its own not inherit a `read_source` that opens them in another way."""
        super().__init_subclass__(**arguments)
        if "open_source" in vars(cls) and "read_source" not in vars(cls):
            cls.read_source = ImageSet.read_source  # type: ignore[method-assign]

    def __init__(self, name: str, digest: str, categories: Sequence[str] | None = None, skipped: Sequence[SkippedImage] = ()) -> None:
        self.name = name
        self.digest = digest
        self.categories = tuple(categories) if categories is not None else None
        self.skipped = tuple(skipped)

    @property
    @abstractmethod
    def source_count(self) -> int:
        """The number of photographs."""

    @abstractmethod
    def source_name(self, source: int) -> str:
        """Return a short name of a photograph."""

    @abstractmethod
    def label(self, source: int) -> int | None:
        """Return the class of a photograph, an index into `categories`; None if it has no label."""

    def target(self, source: int) -> object:
        """Return what a photograph is labelled with, as the data set has it: by default its class, as `label`.

        Data sets with several labels or with values per photograph return these: class numbers or names, 0 and 1 for every class, numbers.
        """
        return self.label(source)

    @abstractmethod
    def open_source(self, source: int) -> Image.Image:
        """Return a photograph in RGB, rotated by its EXIF orientation. Raises PictureError if it cannot be decoded."""

    def read_source(self, source: int, side: int | None = None) -> OpenedPhotograph:
        """Return a photograph with its content id and its class, read once.

        Parameters
        ----------
        source : int
            The number of the photograph.
        side : int, optional
            The shorter side that is needed, in pixels: a JPEG file may then be decoded at a half, a quarter or an eighth of its size, as
            long as its shorter side has at least as many.

        Returns
        -------
        OpenedPhotograph
            The content id is equal for photographs with equal content: the first 8 bytes of the SHA-256 of the file, or of size, mode
            and pixels where a photograph is no file. It is never 0.

        Raises
        ------
        PictureError
            If the photograph cannot be decoded.
        """
        image = self.open_source(source)
        return OpenedPhotograph(image, content_of_image(image), self.label(source))

    def open_thumbnail(self, source: int, side: int) -> Image.Image:
        """Return a photograph for a thumbnail. A subclass may return a smaller image, of at least `side` pixels on the shorter side."""
        return self.open_source(source)

    def __len__(self) -> int:
        return self.source_count

    def crop(self, index: int) -> Crop:
        """Return the crop of an index; by default the whole photograph of that number. Raises IndexError if there is none."""
        return Crop(_in_range(index, len(self)), 0, None)

    def crops_of(self, source: int) -> range:
        """Return the indices of the crops of a photograph."""
        return range(source, source + 1)

    def open_crop(self, index: int) -> Image.Image:
        """Return a crop in RGB. Raises PictureError if its photograph cannot be decoded."""
        crop = self.crop(index)
        image = self.open_source(crop.source)
        return image if crop.box is None else image.crop(crop.box)

    def subset(self, sources: Iterable[int]) -> ImageSet:
        """Return an image set of these photographs only, in the given order."""
        return SubsetImages(self, sources)

    def only_classes(self, names: Sequence[str]) -> ImageSet:
        """Return an image set of the photographs of these classes only. They are its classes, in this order.

        Raises
        ------
        PictureError
            If a class does not exist or has no photograph.
        """
        return ClassImages(self, names)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.source_count} photographs, {len(self)} crops>"


class SubsetImages(ImageSet):
    """Some photographs of an image set, with all their crops."""

    def __init__(self, images: ImageSet, sources: Iterable[int]) -> None:
        self._images = images
        self._sources = array("q", (_in_range(source, images.source_count) for source in _numbers(sources)))
        self._starts = array("q", accumulate((len(images.crops_of(source)) for source in self._sources), initial=0))
        digest = digest_of(chain([images.digest], map(str, self._sources)))
        super().__init__(f"{images.name} ({len(self._sources)} of {images.source_count})", digest, images.categories, images.skipped)
        require_not_empty(self)

    @property
    def source_count(self) -> int:
        """The number of photographs."""
        return len(self._sources)

    def source_name(self, source: int) -> str:
        return self._images.source_name(self._sources[source])

    def label(self, source: int) -> int | None:
        return self._images.label(self._sources[source])

    def target(self, source: int) -> object:
        return self._images.target(self._sources[source])

    def open_source(self, source: int) -> Image.Image:
        return self._images.open_source(self._sources[source])

    def read_source(self, source: int, side: int | None = None) -> OpenedPhotograph:
        return self._images.read_source(self._sources[source], side)

    def open_thumbnail(self, source: int, side: int) -> Image.Image:
        return self._images.open_thumbnail(self._sources[source], side)

    def __len__(self) -> int:
        return self._starts[-1]

    def crop(self, index: int) -> Crop:
        source = bisect_right(self._starts, _in_range(index, len(self))) - 1
        crop = self._images.crop(self._images.crops_of(self._sources[source])[index - self._starts[source]])
        return Crop(source, crop.number, crop.box)

    def crops_of(self, source: int) -> range:
        return range(self._starts[source], self._starts[source + 1])


class ClassImages(SubsetImages):
    """The photographs of some classes of an image set, labelled by them."""

    def __init__(self, images: ImageSet, names: Sequence[str]) -> None:
        known, chosen = images.categories or (), tuple(texts(names, "names", "the names of one or more classes", PictureError))
        unknown = next((name for name in chosen if name not in known), None)
        if len(set(chosen)) < len(chosen):
            raise PictureError(f"names has {max(chosen, key=chosen.count)!r} twice: give each class once.")
        if unknown is not None:
            raise PictureError(
                f"{images.name} has no class {unknown!r}. It has {reprlib.repr(', '.join(known)) if known else 'no classes'}."
            )
        self._new_labels = {known.index(name): number for number, name in enumerate(chosen)}
        super().__init__(images, (source for source in range(images.source_count) if images.label(source) in self._new_labels))
        empty = set(range(len(chosen))) - {self.label(source) for source in range(self.source_count)}
        if empty:
            raise PictureError(f"{images.name} has no photograph of the class {chosen[min(empty)]!r}: leave it out.")
        self.categories = chosen
        self.name = f"{images.name} ({len(chosen)} of {len(known)} classes)"
        self.digest = digest_of([self.digest, *chosen])

    def label(self, source: int) -> int | None:
        label = super().label(source)
        return None if label is None else self._new_labels[label]

    def target(self, source: int) -> object:
        return self.label(source)

    def read_source(self, source: int, side: int | None = None) -> OpenedPhotograph:
        return replace(super().read_source(source, side), label=self.label(source))


def label_name(images: ImageSet, source: int) -> str | None:
    """Return the name of a photograph's class, or its number if it has no name; None if the photograph has no label."""
    number, names = images.label(source), images.categories or ()
    if number is None:
        return None
    return names[number] if number < len(names) else str(number)


def digest_of(parts: Iterable[str]) -> str:
    """Return the SHA-256 of a sequence of strings. They are separated, so that different sequences have different digests."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def require_images(value: object) -> ImageSet:
    """Return `value` if it is an ImageSet, and raise PictureError otherwise."""
    if isinstance(value, ImageSet):
        return value
    got = f"{value!r}" if isinstance(value, str) else f"a {type(value).__name__}"
    raise PictureError(f"An image set is expected, not {got}: create one with dw.open_images(...).")


def require_not_empty(images: ImageSet) -> None:
    """Raise PictureError if a set has no photograph. The message contains the reasons of up to three skipped files."""
    if images.source_count:
        return
    reasons = "".join(f" {skipped.reason}" for skipped in images.skipped[:3])
    raise PictureError(f"{images.name} contains no readable photograph.{reasons} Give a folder of images: open_images('path/to/folder').")


def _numbers(sources: object) -> Iterable[int]:
    """Yield the numbers of photographs, as integers. Raises PictureError for anything else."""
    if isinstance(sources, str | bytes | Mapping) or not isinstance(sources, Iterable) or getattr(sources, "shape", None) == ():
        raise PictureError(f"sources must be the numbers of photographs, such as range(100), not {describe(sources)}.")
    for source in sources:
        yield source if type(source) is int else integer(source, "each of sources", error=PictureError)  # there may be millions


def _in_range(index: int, count: int) -> int:
    if not 0 <= index < count:
        raise IndexError(f"index {index} is out of range: there are {count} items")
    return index
