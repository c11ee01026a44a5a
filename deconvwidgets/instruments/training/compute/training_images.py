"""The labelled photographs of a training: which train, which validate, and what is refused."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import HeadError, PictureError, TrainingError
from deconvwidgets.images.empty_classes import left_out_note, without_empty_classes
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import class_names, class_sizes, count, labels_of, listed
from deconvwidgets.images.open import open_images
from deconvwidgets.images.splits import hold_out


@dataclass(frozen=True)
class Examples:
    """Photographs of an image set with their classes.

    Attributes
    ----------
    images : ImageSet
        The image set.
    sources : array (N,), int64
        The photographs, ascending.
    labels : array (N,), int64
        Their classes, indices into the categories of the training.
    """

    images: ImageSet
    sources: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def crops(self) -> list[int]:
        """The first crop of each photograph, ascending."""
        return [self.images.crops_of(int(source))[0] for source in self.sources]


@dataclass(frozen=True)
class TrainingImages:
    """The examples of a training.

    Attributes
    ----------
    categories : tuple of str
        The names of the classes.
    train : Examples
        The examples to train on.
    validation : Examples or None
        Those to validate on.
    name, digest : str
        Those of the image set.
    validation_digest : str or None
        That of a validation set of its own.
    """

    categories: tuple[str, ...]
    train: Examples
    validation: Examples | None
    name: str
    digest: str
    validation_digest: str | None = None


def training_images(images: object, validation: object, share: float, seed: int) -> TrainingImages:
    """Return the examples of a training.

    Parameters
    ----------
    images : ImageSet, or any argument of `open_images`
        Labelled photographs. Those without a label and classes without photographs are left out, with a warning.
    validation : ImageSet, any argument of `open_images`, or None
        Photographs to validate on, of the same classes by name.
    share : float
        Without them, the share of each class that is held out; 0 for none.
    seed : int
        Decides which are held out.

    Raises
    ------
    TrainingError
        If there are no labels or only one class, or if the validation set has other classes.
    """
    labelled = _labelled(images, "images")
    names = class_names(labelled)
    if len(names) < 2:
        raise TrainingError(f"{labelled.name} has only one class, {names[0]!r}. A classifier needs at least two: add another folder.")
    train = _examples(labelled, {name: number for number, name in enumerate(names)})
    _warn_of_missing(labelled, train)
    if validation is not None:
        others = _labelled(validation, "validation")
        held = _examples(others, {name: number for number, name in enumerate(names)})
        return TrainingImages(names, train, held, labelled.name, labelled.digest, others.digest)
    if not share:
        return TrainingImages(names, train, None, labelled.name, labelled.digest)
    try:
        fold = hold_out(train.labels, share, seed)
    except HeadError as error:
        raise TrainingError("No class has two photographs, so none can be held out: add some, or pass validation_share=0.") from error
    parts = [Examples(labelled, train.sources[rows], train.labels[rows]) for rows in (fold.train, fold.test)]
    return TrainingImages(names, parts[0], parts[1], labelled.name, labelled.digest)


def _labelled(images: object, name: str) -> ImageSet:
    try:
        found = without_empty_classes(open_images(images))
        class_sizes(found)
    except PictureError as error:
        raise TrainingError(f"{name}: {error}") from error
    except HeadError as error:
        raise TrainingError(str(error)) from error
    return found


def _examples(images: ImageSet, numbers: dict[str, int]) -> Examples:
    names = class_names(images)
    unknown = [repr(name) for name in names if name not in numbers]
    if unknown:
        raise TrainingError(
            f"The validation set {images.name} has {count(len(unknown), 'class', 'classes')} that the training images do not have: "
            f"{listed(unknown)}. Leave these photographs out, or rename their folders."
        )
    labels = labels_of(images)
    sources = np.flatnonzero(labels >= 0).astype(np.int64)
    own = np.array([numbers[name] for name in names], np.int64)
    return Examples(images, sources, own[labels[sources]])


def _warn_of_missing(images: ImageSet, examples: Examples) -> None:
    note, unlabelled = left_out_note(images), images.source_count - len(examples)
    if note is not None:
        warnings.warn(note, stacklevel=4)
    if unlabelled:
        warnings.warn(f"{count(unlabelled, 'photograph')} of {images.name} without a label will not be used.", stacklevel=4)
