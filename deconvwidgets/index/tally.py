"""What a pass over crops finds of some units: rankings, statistics and samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from deconvwidgets.index.options import IndexOptions
from deconvwidgets.index.sample import Integers, LayerSample
from deconvwidgets.index.statistics import RunningStats
from deconvwidgets.index.top_k import RunningTopK


@dataclass(eq=False)
class UnitTally:
    """What was found of some units (usually those of a layer) over the crops so far.

    Attributes
    ----------
    ranking : RunningTopK
        The strongest activations.
    stats : RunningStats
        The statistics of the maxima.
    negative : RunningTopK or None
        The most negative activations before the rectifier, as a ranking of their magnitudes; None if they were not collected.
    per_class : RunningTopK or None
        The strongest activations per class: row `unit * classes + label`; None if they were not collected.
    sample : LayerSample
        The maxima in the crops of the index's sample.
    """

    ranking: RunningTopK
    stats: RunningStats
    negative: RunningTopK | None
    per_class: RunningTopK | None
    sample: LayerSample

    @classmethod
    def empty(cls, units: int, options: IndexOptions, negative: bool, classes: int) -> UnitTally:
        """Return a tally of no crops.

        Parameters
        ----------
        negative : bool
            Whether to collect the most negative activations.
        classes : int
            The number of classes.
        """
        k, per_source = options.k, options.per_source
        return cls(
            RunningTopK(units, k, per_source),
            RunningStats.empty(units),
            RunningTopK(units, k, per_source) if negative else None,
            RunningTopK(units * classes, options.per_class, per_source) if options.per_class and classes else None,
            LayerSample.empty(units),
        )

    @property
    def units(self) -> int:
        """The number of units."""
        return self.ranking.units

    @property
    def rankings(self) -> tuple[RunningTopK, ...]:
        """All rankings that there are."""
        return tuple(ranking for ranking in (self.ranking, self.negative, self.per_class) if ranking is not None)

    def sources(self) -> Integers:
        """Return the photographs in the rankings, ascending."""
        found = np.unique(np.concatenate([np.unique(ranking.sources) for ranking in self.rankings]))
        return found[found >= 0]

    def merge(self, other: UnitTally, sampled: Integers) -> UnitTally:
        """Return a tally of the crops of both. `sampled` are the rows of the new sample in the samples of both, one after the other."""
        return UnitTally(
            self.ranking.merge(other.ranking),
            self.stats.merge(other.stats),
            None if self.negative is None or other.negative is None else self.negative.merge(other.negative),
            None if self.per_class is None or other.per_class is None else self.per_class.merge(other.per_class),
            self.sample.joined(other.sample).take(sampled),
        )

    def take(self, start: int, stop: int) -> UnitTally:
        """Return an independent tally of the units from `start` to `stop`, on the CPU."""
        classes = 0 if self.per_class is None else self.per_class.units // max(self.units, 1)
        return UnitTally(
            self.ranking.take(start, stop),
            self.stats.take(start, stop),
            None if self.negative is None else self.negative.take(start, stop),
            None if self.per_class is None else self.per_class.take(start * classes, stop * classes),
            LayerSample(self.sample.values[:, start:stop].copy(), self.sample.positions[:, start:stop].copy()),
        )

    @classmethod
    def joined(cls, parts: Sequence[UnitTally], device: torch.device | str = "cpu") -> UnitTally:
        """Return the tally of the units of several layers over the same crops, one after the other."""
        negative = [part.negative for part in parts if part.negative is not None]
        per_class = [part.per_class for part in parts if part.per_class is not None]
        return cls(
            RunningTopK.joined([part.ranking for part in parts]),
            RunningStats.joined([part.stats for part in parts], device),
            RunningTopK.joined(negative) if negative else None,
            RunningTopK.joined(per_class) if per_class else None,
            LayerSample(
                np.concatenate([part.sample.values for part in parts], axis=1),
                np.concatenate([part.sample.positions for part in parts], axis=1),
            ),
        )
