"""The maps of the image as it is, kept so that tiles can be cut out of them and laid on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from deconvwidgets.engine.occlusion.affected_region import Ints, Layout, Pair, TileGroup

Margins = tuple[int, int, int, int]  # above, below, left, right

_FEW = 8  # crops: one by one they are cut faster than by one gather


class SavedMap:
    """One map (1, C, H, W), with a margin of one pad value around it, in the memory layout (row, column, channel).

    Cutting n crops is one gather of whole rows, and laying tiles on them a few copies of slices.
    """

    def __init__(self, value: Tensor, fill: float, margins: Margins) -> None:
        above, below, left, right = margins
        _, channels, rows, columns = value.shape
        self._corner = (above, left)
        self._extent = (rows, columns)
        self._held = value.new_full((rows + above + below, columns + left + right, channels), fill)
        self._held[above : above + rows, left : left + columns] = value[0].permute(1, 2, 0)

    def channel(self, number: int, count: int) -> Tensor:
        """One channel of the map `count` times: (count, H, W), to be written on."""
        return self._inner()[:, :, number].expand(count, -1, -1).clone()

    def cut(self, starts: Ints, size: Pair) -> Tensor:
        """Crops (n, C, h, w) from `starts` (n, 2) on, which count from the map's first position and may lie in the margin."""
        return self._cut(starts, size).permute(0, 3, 1, 2)

    def crops(self, starts: Ints, size: Pair, tiles: Sequence[Tensor], layout: Layout, members: Ints) -> Tensor:
        """The same with the tiles of the placings `members` (n,) on them. `tiles` are those of `layout`, a tensor a group."""
        crops = self._cut(starts, size)
        _lay(crops, starts, tiles, layout, members)
        return crops.permute(0, 3, 1, 2)

    def whole(self, tiles: Sequence[Tensor], layout: Layout) -> Tensor:
        """The whole map of every placing: (N, C, H, W)."""
        wholes = self._inner().expand(layout.count, -1, -1, -1).clone()
        _lay(wholes, np.zeros((layout.count, 2), np.int64), tiles, layout, np.arange(layout.count))
        return wholes.permute(0, 3, 1, 2)

    def _inner(self) -> Tensor:
        (above, left), (rows, columns) = self._corner, self._extent
        return self._held[above : above + rows, left : left + columns]

    def _cut(self, starts: Ints, size: Pair) -> Tensor:
        rows, columns, channels = self._held.shape
        firsts = starts + np.array(self._corner)
        if len(starts) < _FEW:
            pieces = [self._held[top : top + size[0], left : left + size[1]] for top, left in firsts.tolist()]
            return torch.stack(pieces)
        strips = self._held.as_strided((rows, columns - size[1] + 1, size[1] * channels), (columns * channels, channels, 1))
        at = torch.from_numpy(firsts).to(self._held.device)
        picked = strips[at[:, :1] + torch.arange(size[0], device=at.device), at[:, 1:]]
        return picked.view(len(starts), size[0], size[1], channels)


def _lay(crops: Tensor, starts: Ints, tiles: Sequence[Tensor], layout: Layout, members: Ints) -> None:
    """Write the tiles of `members` over their crops (n, h, w, C), as far as they lie on them."""
    groups, slots = layout.places
    offsets = np.empty_like(starts)
    for number, group in enumerate(layout.groups):
        mine = groups[members] == number
        offsets[mine] = group.starts[slots[members[mine]]] - starts[mine]
    keys = np.column_stack([groups[members], slots[members] - np.arange(len(members)), offsets])
    breaks = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1  # runs of placings whose tiles lie alike, one after the other
    for first, last in zip([0, *breaks], [*breaks, len(members)], strict=True):
        number, slot = int(groups[members[first]]), int(slots[members[first]])
        tile = tiles[number][slot : slot + last - first].permute(0, 2, 3, 1)
        (top, bottom, left, right), (row, column) = _overlap(offsets[first], layout.groups[number], crops.shape[1:3])
        if top < bottom and left < right:
            crops[first:last, row + top : row + bottom, column + left : column + right] = tile[:, top:bottom, left:right]


def _overlap(offset: Ints, group: TileGroup, size: Sequence[int]) -> tuple[Margins, Pair]:
    """The part of a tile that lies on a crop, and where the tile begins on it."""
    row, column = int(offset[0]), int(offset[1])
    (height, width) = group.size
    return (max(-row, 0), min(height, size[0] - row), max(-column, 0), min(width, size[1] - column)), (row, column)
