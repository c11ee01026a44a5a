"""Records of two models side by side: pairs of units, and how similar their layers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.repr import compact_repr

Side = Literal["a", "b"]
SIDES: tuple[Side, ...] = get_args(Side)
# How units are paired: with the unit that they match, by the correlation of their activations, or with the one of the same number.
PairedBy = Literal["match", "number"]
_WITHOUT_MATCH = ("lost", "new", "dead", "constant")  # statuses that are about no other unit


@dataclass(frozen=True, slots=True)
class LayerPairs:
    """The units of a layer of A beside those of a layer of B: each unit of either once.

    Attributes
    ----------
    layer_a, layer_b : str
        The layers.
    paired_by : {"match", "number"}
        How the units are paired.
    unit_a, unit_b : ndarray of shape (pairs,), int64
        The units; -1 where a unit has no partner.
    correlation : ndarray of shape (pairs,), float64
        Pearson's correlation of their activations over the sampled crops. NaN without a partner, and for a unit that is constant in them.
    status_a, status_b : tuple of (str or None)
        What became of the unit of A, and where the unit of B comes from: "kept", "moved", "changed", ... as in `Comparison`. None without
        the unit.
    match_a, match_b : ndarray of shape (pairs,), int64
        The unit of B that the unit of A is matched to, which its status is about, and the reverse; -1 without one. By "number" it is
        often not the partner.
    crops : int
        The number of sampled crops.
    """

    layer_a: str
    layer_b: str
    paired_by: PairedBy
    unit_a: NDArray[np.int64]
    unit_b: NDArray[np.int64]
    correlation: NDArray[np.float64]
    status_a: tuple[str | None, ...]
    status_b: tuple[str | None, ...]
    match_a: NDArray[np.int64]
    match_b: NDArray[np.int64]
    crops: int

    __repr__ = compact_repr

    def partner(self, side: Side, unit: int) -> int | None:
        """Return the unit that a unit of one side is paired with; None if it has no partner."""
        own, other = (self.unit_a, self.unit_b) if side == "a" else (self.unit_b, self.unit_a)
        found = np.flatnonzero(own == unit)
        return int(other[found[0]]) if found.size and other[found[0]] >= 0 else None

    def words(self, pair: int) -> str:
        """Return what became of the units of a pair, such as "kept", or "lost, new" if it differs.

        If one of them is matched to another unit, that is named, too: "A moved (B 7), B new".
        """
        matches = [self.elsewhere(side, pair) for side in SIDES]
        if any(match is not None for match in matches):
            parts = zip("AB", "BA", (self.status_a[pair], self.status_b[pair]), matches, strict=True)
            return ", ".join(
                f"{own} {status}" + ("" if match is None else f" ({other} {match})") for own, other, status, match in parts if status
            )
        found = dict.fromkeys(status for status in (self.status_a[pair], self.status_b[pair]) if status)
        return ", ".join(found)

    def elsewhere(self, side: Side, pair: int) -> int | None:
        """Return the unit that the status of a unit of a pair is about, its match, if that is not its partner, or None."""
        match, partner, status = (self.match_a, self.unit_b, self.status_a) if side == "a" else (self.match_b, self.unit_a, self.status_b)
        is_elsewhere = match[pair] >= 0 and match[pair] != partner[pair] and status[pair] not in _WITHOUT_MATCH
        return int(match[pair]) if is_elsewhere else None

    def row(self, unit_a: int | None, unit_b: int | None) -> int | None:
        """Return the number of the pair with these units; None if they are not a pair."""
        found = np.flatnonzero((self.unit_a == (-1 if unit_a is None else unit_a)) & (self.unit_b == (-1 if unit_b is None else unit_b)))
        return int(found[0]) if found.size else None


@dataclass(frozen=True, slots=True)
class LayerMatch:
    """A layer of A and the layer of B that is shown beside it: the one of the same name, or else the one with the highest CKA."""

    layer_a: str
    layer_b: str
    cka: float  # linear CKA of all units
    median: float  # median correlation of the matched units; NaN if none are
    kept: int  # units of A that are the same in B, under their own number or another one
    units: int  # of the layer of A


@dataclass(frozen=True, slots=True)
class LayerSimilarity:
    """How similar the layers of two models are.

    Attributes
    ----------
    layers_a, layers_b : tuple of str
        The layers that have an index.
    cka : ndarray of shape (layers of A, layers of B), float64
        Linear centred kernel alignment (Kornblith et al. 2019).
    matches : tuple of LayerMatch
        One for each layer of A.
    crops : int
        The number of sampled crops.
    notes : tuple of str
        Sentences about what limits the comparison.
    """

    layers_a: tuple[str, ...]
    layers_b: tuple[str, ...]
    cka: NDArray[np.float64]
    matches: tuple[LayerMatch, ...]
    crops: int
    notes: tuple[str, ...] = ()

    __repr__ = compact_repr
