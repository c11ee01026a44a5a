"""One pass over the crops for all layers: each unit's spatial maximum and where it is, ranked and summed up as it streams by."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.stream import PreparedCrop
from deconvwidgets.engine import Network
from deconvwidgets.errors import ModelError
from deconvwidgets.index.statistics import RunningStats
from deconvwidgets.index.top_k import EMPTY, RunningTopK
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.progress import Progress


@dataclass
class LayerTally:
    """What a layer's units did in the crops so far."""

    ranking: RunningTopK
    stats: RunningStats

    @classmethod
    def empty(cls, units: int, k: int, per_source: int | None) -> LayerTally:
        """Before the first crop."""
        return cls(RunningTopK(units, k, per_source), RunningStats(units))

    def update(
        self, maxima: NDArray[np.float64], positions: NDArray[np.int64], width: int, sources: Sequence[int], crops: Sequence[int]
    ) -> None:
        """Take in the maxima (N, units) and their flat positions in the map, for N crops."""
        self.stats.update(maxima)
        # After a rectifier zero is silence: no activation to show. A negative maximum occurs only without one, and counts.
        self.ranking.update(np.where(maxima == 0, EMPTY, maxima), sources, crops, positions // width, positions % width)

    def merge(self, other: LayerTally) -> LayerTally:
        """A new tally of what both have seen."""
        return LayerTally(self.ranking.merge(other.ranking), self.stats.merge(other.stats))


@dataclass
class IndexPass:
    """The pass: `tallies` by layer name and `skipped` pictures grow as it runs."""

    network: Network
    tallies: Mapping[str, LayerTally]
    skipped: list[SkippedImage] = field(default_factory=list)

    def run(
        self,
        prepared: Iterable[PreparedCrop],
        total: int,
        job: JobContext,
    ) -> None:
        """Add the crops batch by batch.

        Raises
        ------
        JobCancelledError
            If the job is cancelled between two batches.
        ModelError
            If the model's maps hold NaN or infinity.
        """
        started, done, batch = time.monotonic(), 0, list[PreparedCrop]()
        for number, item in enumerate(prepared, start=1):
            if item.skipped is not None:
                self._skip(item.skipped)
            else:
                batch.append(item)
            if len(batch) < job.batch_size.size() and number < total:
                continue
            job.check_cancelled(f"Building the index was cancelled after {done} of {total} crops")
            if batch:
                self._add_batch(batch, job)
            done, batch = number, []
            job.report(Progress("index", done, total, done / max(time.monotonic() - started, 1e-9)))

    def _skip(self, picture: SkippedImage) -> None:
        if picture.name not in {other.name for other in self.skipped}:  # several crops of one photograph
            self.skipped.append(picture)

    def _add_batch(self, batch: Sequence[PreparedCrop], job: JobContext) -> None:
        pixels = torch.stack([item.pixels for item in batch if item.pixels is not None])
        found: dict[str, tuple[NDArray[np.float64], NDArray[np.int64], int]] = {}

        def reduce(layer: str, maps: Tensor) -> None:
            found[layer] = strongest_positions(maps)

        with job.device_lease(), torch.no_grad():
            begun = time.monotonic()
            self.network.visit(to_model(pixels, self.network.model), list(self.tallies), reduce)
            job.batch_size.record(len(batch), time.monotonic() - begun)
        sources, crops = [item.source for item in batch], [item.crop for item in batch]
        for layer, (maxima, positions, width) in found.items():
            if not np.isfinite(maxima).all():
                crop = crops[int(np.argwhere(~np.isfinite(maxima))[0][0])]
                raise ModelError(f"Layer {layer} answers NaN or infinity for crop {crop}: check the weights and the input transform")
            self.tallies[layer].update(maxima, positions, width, sources, crops)


def strongest_positions(maps: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Spatial maxima (N, units) of maps (N, units, H, W) or (N, units), their flat positions, and the maps' width.

    Of equal maxima the first in reading order counts (row, then column).
    """
    maps = maps if maps.dim() == 4 else maps[:, :, None, None]
    values, positions = maps.detach().flatten(2).max(dim=2)  # torch documents the first index of equal maxima
    return values.cpu().double().numpy(), positions.cpu().numpy(), maps.shape[3]
