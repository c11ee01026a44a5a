"""Image sets without the classes that have no photograph, for training classifiers: such a class could be neither trained nor tested."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import Crop, ImageSet, OpenedPhotograph
from deconvwidgets.images.labels import class_names, class_sizes, count, listed


class NonEmptyClasses(ImageSet):
    """An image set whose classes are those with photographs. Photographs, crops and the digest are those of the original set.

    Parameters
    ----------
    images : ImageSet
        The original set.

    Attributes
    ----------
    left_out : tuple of str
        The names of the classes without photographs.

    Raises
    ------
    HeadError
        If no photograph has a label.
    """

    def __init__(self, images: ImageSet) -> None:
        sizes, names = class_sizes(images), class_names(images)
        kept = [label for label, size in enumerate(sizes) if size]
        self._images = images
        self._labels = {label: position for position, label in enumerate(kept)}
        self.left_out = tuple(name for name, size in zip(names, sizes, strict=True) if not size)
        original = (*(images.categories or ()), *names[len(images.categories or ()) :])
        super().__init__(images.name, images.digest, [original[label] for label in kept], images.skipped)

    @property
    def source_count(self) -> int:
        """The number of photographs."""
        return self._images.source_count

    def source_name(self, source: int) -> str:
        return self._images.source_name(source)

    def label(self, source: int) -> int | None:
        label = self._images.label(source)
        return None if label is None else self._labels[label]

    def open_source(self, source: int) -> Image.Image:
        return self._images.open_source(source)

    def read_source(self, source: int, side: int | None = None) -> OpenedPhotograph:
        return replace(self._images.read_source(source, side), label=self.label(source))

    def open_thumbnail(self, source: int, side: int) -> Image.Image:
        return self._images.open_thumbnail(source, side)

    def __len__(self) -> int:
        return len(self._images)

    def crop(self, index: int) -> Crop:
        return self._images.crop(index)

    def crops_of(self, source: int) -> range:
        return self._images.crops_of(source)


def without_empty_classes(images: ImageSet) -> ImageSet:
    """Return the set without its empty classes; the set itself if it has none, or no labels."""
    try:
        complete = all(class_sizes(images))
    except HeadError:
        return images
    return images if complete else NonEmptyClasses(images)


def left_out_note(images: ImageSet) -> str | None:
    """Return a sentence about the classes that `without_empty_classes` left out; None if there are none."""
    if not isinstance(images, NonEmptyClasses) or not images.left_out:
        return None
    number = len(images.left_out)
    verb, pronoun = ("has", "is") if number == 1 else ("have", "are")
    return (
        f"{count(number, 'class', 'classes')} of {number + len(images.categories or ())} {verb} no readable image and {pronoun} left out: "
        f"{listed([repr(name) for name in images.left_out])}."
    )
