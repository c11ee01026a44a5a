"""Patches on images, and on the parts of images that are recomputed (tiles.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from deconvwidgets.records.geometry import Box

PatchSet = Sequence[Box]  # the patches that are on the image at the same time


def patched(pixels: Tensor, fill: Tensor, boxes: Iterable[Box]) -> Tensor:
    """Return an image with patches on it.

    Parameters
    ----------
    pixels : Tensor (C, H, W)
        The image, which is left unchanged.
    fill : Tensor (C, H, W) or (C, 1, 1)
        The content of the patches.
    boxes : iterable of (int, int, int, int)
        Left, top, right, bottom of each patch, half-open. Parts beyond the image have no effect.

    Returns
    -------
    Tensor (C, H, W)
    """
    filled, occluded = fill.to(pixels).expand(pixels.shape), pixels.clone()
    for box in boxes:
        draw_patch(occluded, filled, box)
    return occluded


def draw_patch(tile: Tensor, fill: Tensor, box: Box, top: int = 0, left: int = 0) -> None:
    """Write a patch onto a tile (C, h, w) of an image, which begins at (top, left). `fill` (C, H, W) has the size of the image."""
    rows = slice(max(box[1], top), min(box[3], top + tile.shape[1]))
    columns = slice(max(box[0], left), min(box[2], left + tile.shape[2]))
    if rows.start < rows.stop and columns.start < columns.stop:
        tile[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = fill[:, rows, columns]
