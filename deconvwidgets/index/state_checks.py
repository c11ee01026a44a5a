"""Whether the values in an index's arrays are possible. A file with the right checksum may come from anybody, or from a faulty program.

An impossible value would be shown as an activation or end in an error far from its cause, so the whole index is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.index.crop_ranges import CropRanges
from deconvwidgets.index.exact_sums import integers_of
from deconvwidgets.index.sample import LayerSample, Sample
from deconvwidgets.index.statistics import EXPONENTS, RunningStats
from deconvwidgets.index.tally import UnitTally
from deconvwidgets.index.top_k import EMPTY, RunningTopK
from deconvwidgets.records.layers import LayerInfo

_LIMB = 1 << 16


@dataclass(frozen=True)
class StateChecks:
    """Checks of what an index has of its layers, against its crops and photographs. Each raises ValueError.

    Parameters
    ----------
    crop_ranges : tuple of (int, int)
    contents : array (photographs,), uint64
        The content id of each photograph; 0 for those that were not seen.
    samples : int
        The largest number of crops in the sample.
    """

    crop_ranges: CropRanges
    contents: NDArray[np.uint64]
    samples: int

    def check_sample(self, sample: Sample) -> None:
        """Check that the sampled crops are of the index, and in the order of their hashes."""
        if len(sample) > self.samples:
            raise ValueError(f"the sample has {len(sample)} crops, more than {self.samples}")
        self._check_crops("sample", sample.crops, sample.sources, sample.numbers, sample.contents)
        if sample.smallest(self.samples).tolist() != list(range(len(sample))):
            raise ValueError("the crops of the sample are not in order")

    def check_labels(self, labels: NDArray[np.int64]) -> None:
        """Check the table (n, 2) of photographs and their classes."""
        sources = labels[:, 0]
        if (labels < 0).any() or (sources >= len(self.contents)).any() or (sources[1:] <= sources[:-1]).any():
            raise ValueError("the labels are not those of photographs")

    def check_tally(self, tally: UnitTally, info: LayerInfo) -> None:
        """Check what was found of the units of a layer."""
        for name in ("ranking", "negative", "per_class"):
            ranking = getattr(tally, name)
            if ranking is not None:
                self._check_ranking(f"{info.name} ({name})", ranking, info)
        if tally.negative is not None and (tally.negative.values[tally.negative.crops >= 0] <= 0).any():
            raise ValueError(f"{info.name} has most negative activations that are not negative")
        check_stats(info.name, tally.stats)
        _check_layer_sample(info, tally.sample)

    def _check_ranking(self, name: str, ranking: RunningTopK, info: LayerInfo) -> None:
        values, crops = ranking.values, ranking.crops
        present = crops >= 0
        if not np.where(present, np.isfinite(values) & (values != 0), values == EMPTY).all():
            raise ValueError(f"{name} has activations that are not finite numbers")
        after, tied = values[:, 1:] > values[:, :-1], (values[:, 1:] == values[:, :-1]) & present[:, 1:]
        if after.any() or (tied & (crops[:, 1:] <= crops[:, :-1])).any():
            raise ValueError(f"{name} has activations that are not in order")
        if (ranking.rows >= info.height).any() or (ranking.columns >= info.width).any():
            raise ValueError(f"{name} has positions outside the map")
        entries = ranking.entries()
        self._check_crops(name, entries.crop, entries.source, entries.number, entries.content.view(np.uint64))

    def _check_crops(self, name: str, crops: Any, sources: Any, numbers: Any, contents: NDArray[np.uint64]) -> None:
        starts = np.array([start for start, _ in self.crop_ranges], np.int64)
        stops = np.array([stop for _, stop in self.crop_ranges], np.int64)
        if not len(crops):
            return
        at = np.searchsorted(starts, crops, side="right") - 1
        if (at < 0).any() or (crops >= stops[at]).any():
            raise ValueError(f"{name} has crops that the index does not cover")
        if (numbers < 0).any() or (sources < 0).any() or (sources >= len(self.contents)).any():
            raise ValueError(f"{name} has photographs that are not in the image set")
        if not contents.all() or (self.contents[sources] != contents).any():
            raise ValueError(f"{name} has photographs with other contents")


def check_stats(name: str, stats: RunningStats) -> None:
    """Check the statistics of a layer. Raises ValueError."""
    low, high = stats.minimum, stats.maximum
    finite = torch.isfinite(low) & torch.isfinite(high) & (low <= high)
    possible = {
        "extremes": finite if stats.count else (low == torch.inf) & (high == -torch.inf),
        "numbers of active crops": (stats.fired >= 0) & (stats.fired <= stats.count),
        "histograms": (stats.histogram.counts >= 0).all(dim=1),
        "ranges of histograms": (stats.histogram.exponents >= EXPONENTS[0]) & (stats.histogram.exponents <= EXPONENTS[1]),
        "sums": _are_canonical(stats.sums),
        "sums of squares": _are_canonical(stats.squares),
    }
    wrong = next((kind for kind, are in possible.items() if not bool(are.all())), None)
    if wrong is not None:
        raise ValueError(f"{name} has impossible {wrong}")
    for total, square in zip(integers_of(stats.sums), integers_of(stats.squares), strict=True):
        if total * total > stats.count * square:
            raise ValueError(f"{name} has impossible sums of squares")


def _are_canonical(limbs: Tensor) -> Tensor:
    return ((limbs[:, :-1] >= 0) & (limbs[:, :-1] < _LIMB)).all(dim=1) & (limbs[:, -1].abs() < 1 << 32)


def _check_layer_sample(info: LayerInfo, sample: LayerSample) -> None:
    if not np.isfinite(sample.values).all():
        raise ValueError(f"the sample of {info.name} has values that are not finite")
    if (sample.positions < 0).any() or (sample.positions >= info.height * info.width).any():
        raise ValueError(f"the sample of {info.name} has positions outside the map")
