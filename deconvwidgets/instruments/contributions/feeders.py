"""Records of the units that feed a unit: frozen, of NumPy arrays and plain Python values only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True, eq=False)
class FeederBranch:
    """The terms of a unit's sum that come from another layer, past the layer beneath: by a skip branch, or by concatenation.

    `terms` are (photographs, units of `below`), as in `Feeders`.
    """

    below: str
    terms: NDArray[np.float64]

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True, eq=False)
class Feeders:
    """The units of the layer beneath that feed a unit at its strongest positions: the terms of its sum.

    For photograph i: terms[i].sum() + constants[i] = pre_activations[i], exactly (checked), with the terms of `skip` if there are some.

    Attributes
    ----------
    layer, unit : str, int
        The unit that is fed.
    below : str
        The layer whose units feed it: alias, or dotted name.
    terms : ndarray of shape (photographs, units of `below`), float64
        The part of the sum that comes through each unit, before the bias and the rectifier; 0 for units of other groups.
    constants : ndarray of shape (photographs,), float64
        The bias (with batch norm folded in).
    pre_activations, activations : ndarray of shape (photographs,), float64
        The unit's value before and after the rectifier.
    images : tuple of int
        The crops of the image set, the strongest activation first; empty for images that were passed.
    positions : ndarray of shape (photographs, 2), int64
        (row, column) in the unit's map.
    note : str
        What is exact and what is held constant ("the factor of local response normalisation is that at the position").
    skip : tuple of FeederBranch
        Further layers that feed the unit: by a skip branch, or by concatenation.
    """

    layer: str
    unit: int
    below: str
    terms: NDArray[np.float64]
    constants: NDArray[np.float64]
    pre_activations: NDArray[np.float64]
    activations: NDArray[np.float64]
    images: tuple[int, ...]
    positions: NDArray[np.int64]
    note: str = ""
    skip: tuple[FeederBranch, ...] = ()

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean term of each unit of `below` over the photographs, (units,)."""
        return np.asarray(self.terms.mean(axis=0))

    @property
    def positive(self) -> float:
        """The sum of all positive mean terms, those of `skip` included: what shares are shares of."""
        means = [self.mean, *(branch.terms.mean(axis=0) for branch in self.skip)]
        return float(sum(mean[mean > 0].sum() for mean in means))

    @property
    def shares(self) -> NDArray[np.float64]:
        """`mean` divided by `positive`, (units,): all positive shares, those of `skip` included, sum to 1; 0 if no term is positive."""
        total = self.positive
        return np.asarray(self.mean / total) if total > 0 else np.zeros_like(self.mean)

    @property
    def ranking(self) -> NDArray[np.int64]:
        """The units of `below` in order of their mean term, the largest first, (units,)."""
        return np.argsort(-self.mean, kind="stable")

    def strongest(self, count: int = 3) -> tuple[FeederTerm, ...]:
        """Return the feeders with the largest positive mean terms, of all layers that feed the unit."""
        total, found = self.positive, list[FeederTerm]()
        for below, terms in ((self.below, self.terms), *((branch.below, branch.terms) for branch in self.skip)):
            mean = terms.mean(axis=0)
            for unit in np.argsort(-mean, kind="stable")[:count].tolist():
                if mean[unit] > 0:
                    found.append(FeederTerm(below, unit, float(mean[unit]), float(mean[unit] / total)))
        return tuple(sorted(found, key=lambda term: -term.value)[:count])

    def __repr__(self) -> str:
        best = ", ".join(f"{term.layer} {term.unit} {100 * term.share:.0f}%" for term in self.strongest())
        return f"Feeders({self.layer} unit {self.unit} from {self.below}, {len(self.terms)} photographs; most: {best})"


@dataclass(frozen=True, slots=True)
class FeederTerm:
    """One feeder of a unit: its mean term, and its share of all positive mean terms."""

    layer: str
    unit: int
    value: float
    share: float


@dataclass(frozen=True, slots=True)
class FeederNode:
    """A unit in a tree of feeders. Its position in `FeederTree.nodes` is its number."""

    layer: str
    unit: int
    depth: int  # 0: the unit (or units) that the tree starts from


@dataclass(frozen=True, slots=True)
class FeederEdge:
    """One unit feeds another."""

    source: int  # node that feeds; one level deeper
    to: int  # node that is fed; -1: the class, of which `value` is the contribution
    value: float  # mean term of the sum (or contribution), in the unit of the fed unit's value before its rectifier (or of the logit)
    share: float  # of all positive terms (or contributions)


@dataclass(frozen=True, slots=True)
class FeederTree:
    """What feeds a class or a unit, layer by layer down to the edges. A unit that feeds several others is one node.

    Attributes
    ----------
    root : str
        The class ("cougar face against beaver"), or "" if the tree starts from a unit.
    layers : tuple of str
        The layer beneath each other, from the top down, by depth; a node that feeds past a layer (by a skip branch) is of another one.
    nodes : tuple of FeederNode
        By depth, then by their largest share.
    edges : tuple of FeederEdge
    notes : tuple of str
        What is exact and what is not, and why the tree ends where it does.
    """

    root: str
    layers: tuple[str, ...]
    nodes: tuple[FeederNode, ...]
    edges: tuple[FeederEdge, ...]
    notes: tuple[str, ...] = ()

    __repr__ = compact_repr
