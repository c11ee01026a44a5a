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
        values, positions = _extremes(maps, "max", self.all_positions)
        start, stop = self.slices[layer]
        candidates = values >= self.thresholds.strongest[start:stop]
        if self.thresholds.per_class is not None and self.labels is not None:
            of_class = self.thresholds.per_class[start:stop, self.labels.clamp(min=0)].T
            candidates |= (values >= of_class) & (self.labels >= 0)[:, None]
        # A maximum of 0 after a rectifier means that the unit is inactive. Negative maxima occur only without a rectifier, and are ranked.
        candidates = self._of_crops(candidates & (values != 0))
        wanted = candidates.index_fill(0, self.sampled, True) if len(self.sampled) else candidates
        self._maxima[layer] = Reduced(values, candidates, _positions(maps, "max", wanted) if positions is None else positions)

    def visit_before(self, layer: str, maps: Tensor) -> None:
        """Reduce what a layer's rectifier reads."""
        assert self.thresholds.negative is not None
        values, positions = _extremes(maps, "min", self.all_positions)
        start, stop = self.slices[layer]
        candidates = self._of_crops((values < 0) & (-values >= self.thresholds.negative[start:stop]))
        self._minima[layer] = Reduced(values, candidates, _positions(maps, "min", candidates) if positions is None else positions)

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


def _extremes(maps: Tensor, extreme: Extreme, with_positions: bool) -> tuple[Tensor, Tensor | None]:
    """Return the extremes of maps (N, units), float32, and perhaps their positions: of equal ones the first in reading order."""
    if maps.dim() == 2:
        return maps.float().clone(), torch.zeros_like(maps, dtype=torch.int32)
    if with_positions:
        found = maps.flatten(2).max(dim=2) if extreme == "max" else maps.flatten(2).min(dim=2)  # torch documents the first index
        return found.values.float(), found.indices.int()
    return (maps.amax((2, 3)) if extreme == "max" else maps.amin((2, 3))).float(), None


def _positions(maps: Tensor, extreme: Extreme, wanted: Tensor) -> Tensor:
    """Return the positions of the extremes of the wanted maps, and 0 for others (N, units), int32."""
    rows, units = torch.nonzero(wanted, as_tuple=True)
    if len(rows) > _MAX_SHARE * wanted.numel():
        found = _extremes(maps, extreme, with_positions=True)[1]
        assert found is not None
        return found
    chosen = maps[rows, units].flatten(1)
    positions = torch.zeros(wanted.shape, dtype=torch.int32, device=maps.device)
    if len(rows):
        positions[rows, units] = (chosen.argmax(dim=1) if extreme == "max" else chosen.argmin(dim=1)).int()
    return positions
