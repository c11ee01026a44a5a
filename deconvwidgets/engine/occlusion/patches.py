"""Patches on images, and on parts of them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from deconvwidgets.records.geometry import Box


def patched(pixels: Tensor, fill: Tensor, boxes: Iterable[Box]) -> Tensor:
    """The image (C, H, W) with patches of `fill` (C, H, W) or (C, 1, 1) on it. Parts of a box beyond the image do nothing."""
    filled, occluded = fill.to(pixels).expand(pixels.shape), pixels.clone()
    for box in boxes:
        lay_patch(occluded, filled, box)
    return occluded


def lay_patch(tile: Tensor, fill: Tensor, box: Box, top: int = 0, left: int = 0) -> None:
    """Lay a patch of `fill` (C, H, W), which is as large as the image, on a tile (C, h, w) of it that begins at (top, left)."""
    rows = slice(max(box[1], top), min(box[3], top + tile.shape[1]))
    columns = slice(max(box[0], left), min(box[2], left + tile.shape[2]))
    if rows.start < rows.stop and columns.start < columns.stop:
        tile[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = fill[:, rows, columns]
