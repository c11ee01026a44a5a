"""The feature maps of the unoccluded image: the input and the background of the regions that are recomputed.

Occlusion maps, and those of stopped runs, are in `instruments/occlusion/`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from deconvwidgets.engine.occlusion.affected_region import Ints, Pair
from deconvwidgets.engine.occlusion.tiles import Layout, TileGroup

Margins = tuple[int, int, int, int]  # above, below, left, right

_MAX_SINGLE_CROPS = 8  # fewer crops are cut faster one by one than by one gather


class SavedMap:
    """One map with a margin of a pad value around it.

    Its memory layout is (row, column, channel), so that n crops are cut by one gather of whole rows, and tiles are pasted by a few copies
    of slices.

    Parameters
    ----------
    value : Tensor (1, C, H, W)
    fill : float
        The value in the margin.
    margins : (int, int, int, int)
        Rows above and below, columns to the left and right.
    """

    def __init__(self, value: Tensor, fill: float, margins: Margins) -> None:
        above, below, left, right = margins
        _, channels, rows, columns = value.shape
        self._corner = (above, left)
        self._extent = (rows, columns)
        self._held = value.new_full((rows + above + below, columns + left + right, channels), fill)
        self._held[above : above + rows, left : left + columns] = value[0].permute(1, 2, 0)

    def channel(self, number: int, count: int) -> Tensor:
        """Return `count` copies (count, H, W) of one channel."""
        return self._without_margin()[:, :, number].expand(count, -1, -1).clone()

    def cut(self, starts: Ints, size: Pair) -> Tensor:
        """Return crops (n, C, h, w) from `starts` (n, 2) on, which are relative to the map and may lie in the margin."""
        return self._cut(starts, size).permute(0, 3, 1, 2)

    def cut_with_tiles(self, starts: Ints, size: Pair, tiles: Sequence[Tensor], layout: Layout, members: Ints) -> Tensor:
        """Return crops of the maps of some patch sets.

        Parameters
        ----------
        starts : array (n, 2) of int64
            First row and column of each crop, relative to the map.
        size : (int, int)
            Rows and columns of the crops.
        tiles : sequence of Tensor
            The tiles of each group of the layout.
        layout : Layout
        members : array (n,) of int64
            The patch set of each crop, whose tile is pasted onto the crop.

        Returns
        -------
        Tensor (n, C, h, w)
        """
        crops = self._cut(starts, size)
        _paste(crops, starts, tiles, layout, members)
        return crops.permute(0, 3, 1, 2)

    def whole_with_tiles(self, tiles: Sequence[Tensor], layout: Layout) -> Tensor:
        """Return the whole map (N, C, H, W) of every patch set."""
        wholes = self._without_margin().expand(layout.count, -1, -1, -1).clone()
        _paste(wholes, np.zeros((layout.count, 2), np.int64), tiles, layout, np.arange(layout.count))
        return wholes.permute(0, 3, 1, 2)

    def _without_margin(self) -> Tensor:
        (above, left), (rows, columns) = self._corner, self._extent
        return self._held[above : above + rows, left : left + columns]

    def _cut(self, starts: Ints, size: Pair) -> Tensor:
        rows, columns, channels = self._held.shape
        firsts = starts + np.array(self._corner)
        if len(starts) < _MAX_SINGLE_CROPS:
            pieces = [self._held[top : top + size[0], left : left + size[1]] for top, left in firsts.tolist()]
            return torch.stack(pieces)
        strips = self._held.as_strided((rows, columns - size[1] + 1, size[1] * channels), (columns * channels, channels, 1))
        at = torch.from_numpy(firsts).to(self._held.device)
        picked = strips[at[:, :1] + torch.arange(size[0], device=at.device), at[:, 1:]]
        return picked.view(len(starts), size[0], size[1], channels)


def _paste(crops: Tensor, starts: Ints, tiles: Sequence[Tensor], layout: Layout, members: Ints) -> None:
    """Write the tiles of `members` onto their crops (n, h, w, C), as far as they overlap."""
    groups, indices = layout.places
    offsets = np.empty_like(starts)
    for number, group in enumerate(layout.groups):
        in_group = groups[members] == number
        offsets[in_group] = group.starts[indices[members[in_group]]] - starts[in_group]
    keys = np.column_stack([groups[members], indices[members] - np.arange(len(members)), offsets])
    breaks = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1  # between them, tiles have the same place and are copied together
    for first, last in zip([0, *breaks], [*breaks, len(members)], strict=True):
        number, index = int(groups[members[first]]), int(indices[members[first]])
        tile = tiles[number][index : index + last - first].permute(0, 2, 3, 1)
        (top, bottom, left, right), (row, column) = _overlap(offsets[first], layout.groups[number], crops.shape[1:3])
        if top < bottom and left < right:
            crops[first:last, row + top : row + bottom, column + left : column + right] = tile[:, top:bottom, left:right]


def _overlap(offset: Ints, group: TileGroup, size: Sequence[int]) -> tuple[Margins, Pair]:
    """Return the part (top, bottom, left, right) of a tile that lies on a crop, and where the tile begins relative to the crop."""
    row, column = int(offset[0]), int(offset[1])
    (height, width) = group.size
    return (max(-row, 0), min(height, size[0] - row), max(-column, 0), min(width, size[1] - column)), (row, column)
