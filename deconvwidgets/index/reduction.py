"""Reduces the maps of a block, where they are, to what the index needs: maxima, minima, and the positions of candidates.

Positions are computed only for activations that may be ranked, and in sampled crops. On a GPU, where asking which these are would make
the host wait for every layer, they are computed for all, in the same pass over the map as the maxima.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

_MAX_SHARE = 0.25  # of the maps, of which single positions are computed; beyond it, computing all is faster

Extreme = Literal["max", "min"]


@dataclass
class Thresholds:
    """What an activation must reach to be ranked, on the model's device.

    Parameters
    ----------
    strongest : Tensor (units,)
    negative : Tensor (units,) or None
        Of magnitudes; None if minima are not wanted.
    per_class : Tensor (units, classes) or None
    """

    strongest: Tensor
    negative: Tensor | None
    per_class: Tensor | None


@dataclass
class Reduced:
    """N maps of some units, reduced.

    Parameters
    ----------
    values : Tensor (N, units), float32
        The maxima, or the minima.
    candidates : Tensor (N, units), bool
        Whether the activation reaches a threshold.
    positions : Tensor (N, units), int32
        The position in reading order, for candidates and sampled crops.
    """

    values: Tensor
    candidates: Tensor
    positions: Tensor


@dataclass
class BlockReduction:
    """Visits the maps of one block.

    Parameters
    ----------
    slices : dict of str to (int, int)
        The first unit of each layer and the one after its last, in the numbering of the thresholds.
    thresholds : Thresholds
    rows : Tensor (n,), int64
        The rows of the block that are crops.
    sampled : Tensor (m,), int64
        Those that may enter the sample.
    labels : Tensor (N,), int64, optional
        The classes of the crops, -1 for none, for thresholds per class.
    all_positions : bool
        Compute the positions in all maps.
    """

    slices: dict[str, tuple[int, int]]
    thresholds: Thresholds
    rows: Tensor
    sampled: Tensor
    labels: Tensor | None = None
    all_positions: bool = False
    _maxima: dict[str, Reduced] = field(default_factory=dict)
    _minima: dict[str, Reduced] = field(default_factory=dict)

    def visit(self, layer: str, maps: Tensor) -> None:
        """Reduce a layer's maps (N, units, H, W) or (N, units)."""
        reduced = _MapExtremes.of(maps, "max", self.all_positions)
        values = reduced.values
        start, stop = self.slices[layer]
        candidates = values >= self.thresholds.strongest[start:stop]
        if self.thresholds.per_class is not None and self.labels is not None:
            of_class = self.thresholds.per_class[start:stop, self.labels.clamp(min=0)].T
            candidates |= (values >= of_class) & (self.labels >= 0)[:, None]
        # A maximum of 0 after a rectifier means that the unit is inactive. Negative maxima occur only without a rectifier, and are ranked.
        candidates = self._of_crops(candidates & (values != 0))
        wanted = candidates.index_fill(0, self.sampled, True) if len(self.sampled) else candidates
        self._maxima[layer] = Reduced(values, candidates, reduced.positions(wanted))

    def visit_before(self, layer: str, maps: Tensor) -> None:
        """Reduce what a layer's rectifier reads."""
        assert self.thresholds.negative is not None
        reduced = _MapExtremes.of(maps, "min", self.all_positions)
        values = reduced.values
        start, stop = self.slices[layer]
        candidates = self._of_crops((values < 0) & (-values >= self.thresholds.negative[start:stop]))
        self._minima[layer] = Reduced(values, candidates, reduced.positions(candidates))

    def maxima_of(self, layers: Iterable[str]) -> Reduced:
        """Return the maxima of the crops, of the layers side by side."""
        return self._joined(self._maxima, layers)

    def minima_of(self, layers: Iterable[str]) -> Reduced:
        """Return the minima of the crops, before the rectifiers, of the layers side by side."""
        return self._joined(self._minima, layers)

    def _joined(self, parts: dict[str, Reduced], layers: Iterable[str]) -> Reduced:
        ordered = [parts[layer] for layer in layers]
        tables = [[part.values for part in ordered], [part.candidates for part in ordered], [part.positions for part in ordered]]
        values, candidates, positions = (torch.cat(table, dim=1) for table in tables)
        if len(self.rows) == len(values):
            return Reduced(values, candidates, positions)
        return Reduced(values[self.rows], candidates[self.rows], positions[self.rows])

    def _of_crops(self, candidates: Tensor) -> Tensor:
        """Return the candidates that are not in rows without a crop."""
        if len(self.rows) == len(candidates):
            return candidates
        present = torch.zeros(len(candidates), dtype=torch.bool, device=candidates.device)
        present[self.rows] = True
        return candidates & present[:, None]


@dataclass
class _MapExtremes:
    """The extremes of maps (N, units), float32, and what their positions are found from: of equal extremes the first in reading order.

    Parameters
    ----------
    maps : Tensor (N, units, H, W) or (N, units)
    extreme : {"max", "min"}
    values : Tensor (N, units)
    known : Tensor (N, units), optional
        The positions, if they are computed for all maps.
    of_rows : Tensor (N, H, units), optional
        The extremes of the rows of each map. In channels_last they cost no more than those of the maps, and a position is then looked for
        in two lines and not in a whole map.
    """

    maps: Tensor
    extreme: Extreme
    values: Tensor
    known: Tensor | None = None
    of_rows: Tensor | None = None

    @classmethod
    def of(cls, maps: Tensor, extreme: Extreme, with_positions: bool) -> _MapExtremes:
        """Return the extremes of maps."""
        if maps.dim() == 2:
            return cls(maps, extreme, maps.float().clone(), torch.zeros_like(maps, dtype=torch.int32))
        if with_positions:
            values, positions = _with_positions(maps, extreme)
            return cls(maps, extreme, values, positions)
        reduce = torch.amax if extreme == "max" else torch.amin
        if not maps.is_contiguous() and maps.is_contiguous(memory_format=torch.channels_last):
            count, units, height, width = maps.shape
            # torch reduces the middle one of three dimensions ten times faster than the third of four.
            of_rows = reduce(maps.permute(0, 2, 3, 1).reshape(count * height, width, units), 1).view(count, height, units)
            return cls(maps, extreme, reduce(of_rows, 1).float(), of_rows=of_rows)
        return cls(maps, extreme, reduce(maps, (2, 3)).float())

    def positions(self, wanted: Tensor) -> Tensor:
        """Return the positions of the extremes of the wanted maps, and any for others (N, units), int32."""
        if self.known is not None:
            return self.known
        rows, units = torch.nonzero(wanted, as_tuple=True)
        if self.of_rows is None and len(rows) > _MAX_SHARE * wanted.numel():
            return _with_positions(self.maps, self.extreme)[1]
        positions = torch.zeros(wanted.shape, dtype=torch.int32, device=wanted.device)
        if len(rows):
            positions[rows, units] = self._chosen(rows, units).int()
        return positions

    def _chosen(self, rows: Tensor, units: Tensor) -> Tensor:
        first = torch.argmax if self.extreme == "max" else torch.argmin
        if self.of_rows is None:
            return first(self.maps[rows, units].flatten(1), dim=1)
        row = first(self.of_rows[rows, :, units], dim=1)
        return row * self.maps.shape[3] + first(self.maps[rows, units, row], dim=1)


def _with_positions(maps: Tensor, extreme: Extreme) -> tuple[Tensor, Tensor]:
    """Return the extremes of maps (N, units), float32, and the positions of all, int32."""
    found = maps.flatten(2).max(dim=2) if extreme == "max" else maps.flatten(2).min(dim=2)  # torch documents the first index
    return found.values.float(), found.indices.int()
