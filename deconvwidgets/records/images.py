"""Encoded images and images that could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that could not be read, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded image for the browser or a file."""

    data: bytes
    mime: str  # "image/jpeg", "image/png" or "image/webp"
    width: int
    height: int

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class SourcePhotograph:
    """A whole photograph of an image set."""

    image: EncodedImage
    name: str  # of its file
    label: str | None  # its true class, by the name of the model's class; None if it is unknown


def without_repeats(skipped: Sequence[SkippedImage]) -> tuple[SkippedImage, ...]:
    """Return the images in their order, each name once."""
    return tuple({image.name: image for image in reversed(skipped)}.values())[::-1]


def sorted_by_name(skipped: Iterable[SkippedImage]) -> tuple[SkippedImage, ...]:
    """Return the images by name, each name once, whatever their order."""
    first = sorted(skipped, key=lambda image: (image.name, image.reason), reverse=True)
    return tuple(sorted({image.name: image for image in first}.values(), key=lambda image: image.name))
