"""The whole range of a unit's activations: the sampled crops in quantile bins, and examples of each bin.

The strongest activations show what a unit answers to most, and hide what it does elsewhere. Dashboards of features of sparse autoencoders
therefore show examples from intervals of the activation as well (Bricken et al. 2023, "Towards Monosemanticity").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import integer
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.queries.places import activations
from deconvwidgets.index.queries.sampled import SampledLayer
from deconvwidgets.records.unit_range import RangeBin, UnitRange

_MAX_BINS = 100
_MAX_PER_BIN = 1000


def whole_range(sampled: SampledLayer, unit: int, bins: int, per_bin: int, seed: int) -> UnitRange:
    """Return examples of a unit's activations from quantile bins, strongest first.

    Parameters
    ----------
    sampled : SampledLayer
        What the layer's units do in the sampled crops.
    unit, bins, per_bin, seed : int
        The unit, the number of bins, of examples from each, and the seed of the choice of examples.
    """
    error = ActivationIndexError
    bins, per_bin = integer(bins, "bins", 1, _MAX_BINS, error), integer(per_bin, "per_bin", 1, _MAX_PER_BIN, error)
    seed = integer(seed, "seed", 0, error=error)
    values = sampled.values[:, unit]
    numbers = quantile_bins(values, bins)
    generator = np.random.default_rng([seed, unit])
    parts = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    drawn = [_bin(sampled, unit, rows, per_bin, generator) for rows in parts]
    return UnitRange(sampled.info.short_name, unit, tuple(reversed(drawn)), len(values), seed)


def quantile_bins(values: NDArray[np.float32], bins: int) -> NDArray[np.int64]:
    """Return the bin of each value (N,), 0 for the weakest: by the share of values that are smaller, so that equal values stay together."""
    smaller = np.searchsorted(np.sort(values), values, side="left")
    return np.asarray(smaller * bins // max(len(values), 1), np.int64)


def _bin(sampled: SampledLayer, unit: int, rows: NDArray[np.int64], per_bin: int, generator: np.random.Generator) -> RangeBin:
    """Return a bin of the sampled crops `rows`, with examples drawn from them without replacement."""
    values = sampled.values[:, unit]
    chosen = generator.choice(rows, min(per_bin, len(rows)), replace=False)
    chosen = chosen[np.lexsort((sampled.crops[chosen], -values[chosen]))]
    row, column = np.divmod(sampled.positions[chosen, unit], sampled.info.width)
    return RangeBin(
        low=float(values[rows].min()),
        high=float(values[rows].max()),
        crops=len(rows),
        share=len(rows) / len(values),
        examples=tuple(activations(sampled.input_size, sampled.info, sampled.crops[chosen], values[chosen], row, column)),
    )
