"""Labels of an image set, and checks whether a classifier can be trained on them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.records.images import SkippedImage

_MAX_NAME = 48
_MAX_LISTED = 5  # classes or files in one message


def labels_of(images: ImageSet) -> NDArray[np.int64]:
    """Return the class of each photograph, int64 (photographs,); -1 if it has no label."""
    labels = (images.label(source) for source in range(images.source_count))
    return np.fromiter((-1 if label is None else label for label in labels), np.int64, images.source_count)


def class_sizes(images: ImageSet) -> tuple[int, ...]:
    """Return the number of photographs of each class, by class index. Raises HeadError if no photograph has a label."""
    labels = labels_of(images)
    if not np.any(labels >= 0):
        raise HeadError(
            f"{images.name} has no labels, so no classifier can be trained. Put the images of each class in a folder of its own, and give "
            "the folder that contains these folders; or give a data set of (image, class) pairs."
        )
    classes = max(len(images.categories or ()), int(labels.max()) + 1)
    return tuple(int(size) for size in np.bincount(labels[labels >= 0], minlength=classes))


def class_names(images: ImageSet) -> tuple[str, ...]:
    """Return a printable, unique name for each class.

    Names are not empty, have 48 characters at most (plus a number if needed), and differ in more than case. The class number
    (from 1) is added to names that would be empty or equal.

    Raises
    ------
    HeadError
        If no photograph has a label.
    """
    return printable_names(images.categories or (), len(class_sizes(images)))


def printable_names(names: Sequence[str], classes: int) -> tuple[str, ...]:
    """Return the names of `classes` classes as `class_names` does, given those of the first ones."""
    plain = [_on_one_line(name) for name in names]
    plain += [""] * (classes - len(plain))
    short = [name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1].rstrip() + "…" for name in plain]
    counts = Counter(name.casefold() for name in short)
    return tuple(_unique_name(name, number, counts[name.casefold()]) for number, name in enumerate(short, start=1))


def class_notes(images: ImageSet) -> tuple[str, ...]:
    """Return a sentence for each of these, if there are any: unreadable files, photographs without labels, renamed classes."""
    notes, unlabelled = [], int((labels_of(images) < 0).sum())
    if images.skipped:
        files = listed([_describe_skipped(skipped) for skipped in images.skipped])
        notes.append(f"{count(len(images.skipped), 'file')} could not be read and will not be used: {files}")
    if unlabelled:
        notes.append(f"{count(unlabelled, 'photograph')} without a label will not be used.")
    changed = [(_quoted(old), f"'{new}'") for old, new in zip(images.categories or (), class_names(images), strict=False) if old != new]
    renamed = [f"{old} is shown as {new}" for old, new in changed if old != new]  # a name that was only cut reads the same
    if renamed:
        notes.append(f"{count(len(renamed), 'class was', 'classes were')} renamed: {listed(renamed)}.")
    return tuple(notes)


def require_classes(images: ImageSet, images_per_class: int) -> tuple[int, ...]:
    """Return the number of photographs of each class if all are large enough for training and testing.

    Parameters
    ----------
    images : ImageSet
        The labelled photographs.
    images_per_class : int
        The number of training images per class. At least one more is needed for testing.

    Returns
    -------
    tuple of int
        The number of photographs of each class.

    Raises
    ------
    HeadError
        If there are no labels, only one class, or too few photographs in a class. The message contains the classes and the largest
        `images_per_class` that works.
    """
    if images_per_class < 1:
        raise HeadError(f"Training needs 1 or more images per class, not {images_per_class}.")
    sizes, names = class_sizes(images), class_names(images)
    if len(sizes) < 2:
        raise HeadError(f"{images.name} has only one class, {_quoted(names[0])}. A classifier needs at least two: add another folder.")
    few = sorted((size, name) for name, size in zip(names, sizes, strict=True) if size <= images_per_class)
    if few:
        raise HeadError(_too_few(few, len(sizes), images_per_class))
    return sizes


def _too_few(few: Sequence[tuple[int, str]], classes: int, images_per_class: int) -> str:
    largest = few[0][0] - 1
    problem = f"{count(len(few), 'class', 'classes')} of {classes} with fewer than {images_per_class + 1} images"
    classes_with_sizes = listed([f"{_quoted(name)} ({size})" for size, name in few])
    advice = f"Use at most {largest} per class" if largest > 0 else "A class of one image cannot be trained and tested: add images"
    return f"{problem} ({images_per_class} to train, 1 or more to test): {classes_with_sizes}. {advice}, or remove these classes."


def _on_one_line(name: str) -> str:
    """Return a name without control characters and surrounding whitespace, and with "?" for undecodable bytes."""
    return " ".join("".join(map(_printable, name)).split())


def _printable(character: str) -> str:
    category = unicodedata.category(character)
    return " " if category in ("Cc", "Zs", "Zl", "Zp") else "?" if category == "Cs" else character


def _describe_skipped(skipped: SkippedImage) -> str:
    """Return the reason, which often starts with the name of the file, or else the name and the reason."""
    return skipped.reason if skipped.reason.startswith(skipped.name) else f"{skipped.name} ({skipped.reason})"


def _unique_name(name: str, number: int, count: int) -> str:
    if not name:
        return f"class {number}"
    return name if count == 1 else f"{name} (class {number})"


def _quoted(name: str) -> str:
    shown = name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"
    return f"'{shown}'" if shown.isprintable() else repr(shown)


def listed(items: Sequence[str]) -> str:
    """Return the first five items, and the number of the others."""
    more = f" and {len(items) - _MAX_LISTED:,} more" if len(items) > _MAX_LISTED else ""
    return ", ".join(items[:_MAX_LISTED]) + more


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as "2 classes"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
