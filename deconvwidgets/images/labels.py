"""Whether labelled photographs can be trained on, said before training and in words."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.records.images import SkippedImage

_LONGEST_NAME = 48
_NAMED = 5  # how many classes or files a sentence lists


def labels_of(images: ImageSet) -> NDArray[np.int64]:
    """Each photograph's class, int64 (photographs,); -1 where it has none."""
    found = (images.label(source) for source in range(images.source_count))
    return np.fromiter((-1 if label is None else label for label in found), np.int64, images.source_count)


def class_sizes(images: ImageSet) -> tuple[int, ...]:
    """The number of photographs of each class, in the classes' order. Raises HeadError where nothing is labelled."""
    labels = labels_of(images)
    if not np.any(labels >= 0):
        raise HeadError(
            f"{images.name} has no labels, so there are no classes to learn. Put each class's pictures in a folder of its own, and give "
            "the folder that holds these; or give a data set of (picture, class) pairs."
        )
    classes = max(len(images.categories or ()), int(labels.max()) + 1)
    return tuple(int(size) for size in np.bincount(labels[labels >= 0], minlength=classes))


def class_names(images: ImageSet) -> tuple[str, ...]:
    """What to call each class: never blank, never longer than 48 characters, no two alike even where case does not count. Where a name had
    to change, the class's number (from 1) is in it. Raises HeadError where nothing is labelled."""
    own = [_on_one_line(name) for name in images.categories or ()]
    own += [""] * (len(class_sizes(images)) - len(own))
    short = [name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1].rstrip() + "…" for name in own]
    shared = Counter(name.casefold() for name in short)
    return tuple(_told_apart(name, number, shared[name.casefold()]) for number, name in enumerate(short, start=1))


def class_notes(images: ImageSet) -> tuple[str, ...]:
    """What is odd but no hindrance, a sentence each: unreadable files (counted and listed), unlabelled photographs, renamed classes."""
    notes, unlabelled = [], int((labels_of(images) < 0).sum())
    if images.skipped:
        files = _listed([_skipped(skipped) for skipped in images.skipped])
        notes.append(f"{_count(len(images.skipped), 'file')} could not be read and took no part: {files}")
    if unlabelled:
        notes.append(f"{_count(unlabelled, 'photograph')} without a class took no part.")
    names, own = class_names(images), images.categories or ()
    called = [(_quoted(old), f"'{new}'") for old, new in zip(own, names, strict=False) if old != new]
    renamed = [f"{old} is called {new}" for old, new in called if old != new]  # a name that was merely cut reads the same
    if renamed:
        notes.append(f"{_count(len(renamed), 'class', 'classes')} with odd names: {_listed(renamed)}.")
    return tuple(notes)


def require_classes(images: ImageSet, images_per_class: int) -> tuple[int, ...]:
    """The class sizes, if every class has `images_per_class` photographs to train with and one more to test.

    Raises HeadError for photographs without labels, a single class, empty classes, and too few photographs, naming the classes and the
    largest `images_per_class` that works.
    """
    if images_per_class < 1:
        raise HeadError(f"{images_per_class} images a class cannot train anything: take 1 or more.")
    sizes, names = class_sizes(images), class_names(images)
    if len(sizes) < 2:
        raise HeadError(
            f"{images.name} has one class only, {_quoted(names[0])}: a classifier tells at least two apart. Add another folder."
        )
    empty = [_quoted(name) for name, size in zip(names, sizes, strict=True) if not size]
    if empty:
        skipped = f" {_count(len(images.skipped), 'file')} could not be read." if images.skipped else ""
        raise HeadError(
            f"{_count(len(empty), 'class', 'classes')} of {len(sizes)} without a readable picture: {_listed(empty)}.{skipped} Put pictures "
            "into these folders, or remove them."
        )
    few = sorted((size, name) for name, size in zip(names, sizes, strict=True) if size <= images_per_class)
    if few:
        raise HeadError(_too_few(few, len(sizes), images_per_class))
    return sizes


def _too_few(few: Sequence[tuple[int, str]], classes: int, images_per_class: int) -> str:
    most = few[0][0] - 1
    what = f"{_count(len(few), 'class', 'classes')} of {classes} with fewer than {images_per_class + 1} images"
    named = _listed([f"{_quoted(name)} ({size})" for size, name in few])
    way = f"Take at most {most} a class, or leave" if most else "Even 1 a class is too many for a class of one image: add images, or leave"
    return f"{what} ({images_per_class} to train, 1 or more to test): {named}. {way} these classes out."


def _on_one_line(name: str) -> str:
    """The name without control characters, without blanks at its ends, and with "?" for bytes that are no text."""
    return " ".join("".join(_mark(mark) for mark in name).split())


def _mark(mark: str) -> str:
    kind = unicodedata.category(mark)
    return " " if kind in ("Cc", "Zs", "Zl", "Zp") else "?" if kind == "Cs" else mark


def _skipped(skipped: SkippedImage) -> str:
    """A reason often names its file itself."""
    return skipped.reason if skipped.reason.startswith(skipped.name) else f"{skipped.name} ({skipped.reason})"


def _told_apart(name: str, number: int, alike: int) -> str:
    if not name:
        return f"class {number}"
    return name if alike == 1 else f"{name} (class {number})"


def _quoted(name: str) -> str:
    shown = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    return f"'{shown}'" if shown.isprintable() else repr(shown)


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED:,} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
