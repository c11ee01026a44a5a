"""The record of a deletion curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DeletionOrder = Literal["contribution", "activation", "random"]


@dataclass(frozen=True, slots=True, eq=False)
class DeletionCurve:
    """The output as units are switched off one after another: in order of contribution, of activation, and at random.

    Attributes
    ----------
    layer : str
    target, against : int, int or None
    counts : ndarray of shape (steps,), int64
        The numbers of units that are off; the first is 0.
    outputs : mapping from {"contribution", "activation", "random"} to ndarray of shape (steps,), float64
        The logit of the target (or its difference to that of `against`), mean over the photographs; of "random" also over the orders.
    scores : mapping to ndarray of shape (steps,), float64
        The probability of the target, minus that of `against` if there is one; the value for a regression. Means likewise.
    turns : mapping to tuple of (int or None)
        For each photograph the number of units that are off when the answer is no longer the one without changes (with `against`: when
        `against` is above the target); None: not within `counts`. Of "random": the median over the orders.
    areas : mapping to float
        The area under `scores`, divided by that of a score that stays as it was: 1 if nothing changes, lower if the order finds what the
        answer depends on. NaN if the score without changes is not above 0.
    seed, orders : int, int
        Of the random orders.
    """

    layer: str
    target: int
    against: int | None
    counts: NDArray[np.int64]
    outputs: Mapping[DeletionOrder, NDArray[np.float64]]
    scores: Mapping[DeletionOrder, NDArray[np.float64]]
    turns: Mapping[DeletionOrder, tuple[int | None, ...]]
    areas: Mapping[DeletionOrder, float]
    seed: int
    orders: int

    @property
    def faithfulness(self) -> float:
        """The area of the random orders minus that of the order of contribution: above 0 if the ranking finds what matters."""
        return self.areas["random"] - self.areas["contribution"]

    def __repr__(self) -> str:
        areas = ", ".join(f"{name} {area:.3g}" for name, area in self.areas.items())
        return f"DeletionCurve({self.layer}, {int(self.counts[-1])} units off; areas: {areas}; faithfulness {self.faithfulness:.3g})"
