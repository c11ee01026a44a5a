"""The whole range of a unit's activations, by quantile bins."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.records.activations import Activation
from deconvwidgets.records.repr import compact_repr


@dataclass(frozen=True, slots=True)
class RangeBin:
    """The sampled crops whose activations lie between two quantiles, and some of them, drawn at random."""

    low: float  # the weakest and the strongest activation of the bin's crops
    high: float
    crops: int  # sampled crops in the bin
    share: float  # of all sampled crops
    examples: tuple[Activation, ...]  # strongest first


@dataclass(frozen=True, slots=True)
class UnitRange:
    """A unit's activations over the sampled crops, in quantile bins, strongest first.

    Equal activations are never separated: if a unit is inactive in 60% of the crops, these are one bin. Bins without crops are left out.
    """

    layer: str  # the layer's alias, or its dotted name if it has none
    unit: int
    bins: tuple[RangeBin, ...]
    samples: int  # sampled crops
    seed: int

    __repr__ = compact_repr
