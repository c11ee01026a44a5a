"""Photographs of an image set that have the same content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhotographCopies:
    """Photographs with the same content, such as copies of a file.

    Attributes
    ----------
    content : int
        The content id that they share.
    sources : tuple of int
        Their numbers in the image set, ascending; two or more.
    """

    content: int
    sources: tuple[int, ...]
