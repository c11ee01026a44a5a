"""One pass over crops that ranks, for each layer, every unit's spatial maximum and its position, and accumulates statistics."""

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
    """The ranking and the statistics of a layer's units over the crops so far."""

    ranking: RunningTopK
    stats: RunningStats

    @classmethod
    def empty(cls, units: int, k: int, per_source: int | None) -> LayerTally:
        """Return a tally of no crops."""
        return cls(RunningTopK(units, k, per_source), RunningStats(units))

    def update(
        self, maxima: NDArray[np.float64], positions: NDArray[np.int64], width: int, sources: Sequence[int], crops: Sequence[int]
    ) -> None:
        """Add N crops.

        Parameters
        ----------
        maxima : array (N, units)
            The spatial maxima.
        positions : array (N, units)
            Their flat positions in feature maps that are `width` wide.
        sources, crops : sequence of N int
            The photograph and the number of each crop.
        """
        self.stats.update(maxima)
        # A maximum of 0 after a rectifier means that the unit is inactive. Negative maxima occur only without a rectifier, and are ranked.
        self.ranking.update(np.where(maxima == 0, EMPTY, maxima), sources, crops, positions // width, positions % width)

    def copy(self) -> LayerTally:
        """Return an independent copy."""
        return LayerTally(self.ranking.copy(), self.stats.copy())

    def merge(self, other: LayerTally) -> LayerTally:
        """Return a tally of the crops of both."""
        return LayerTally(self.ranking.merge(other.ranking), self.stats.merge(other.stats))


@dataclass
class IndexPass:
    """A pass over crops, which updates `tallies` (by layer name) and `skipped`."""

    network: Network
    tallies: Mapping[str, LayerTally]
    skipped: list[SkippedImage] = field(default_factory=list)

    def run(self, prepared: Iterable[PreparedCrop], total: int, job: JobContext) -> None:
        """Add the crops, of which there are `total`, batch by batch.

        Raises
        ------
        JobCancelledError
            If the job is cancelled between two batches.
        ModelError
            If a feature map contains NaN or infinity.
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

    def _skip(self, image: SkippedImage) -> None:
        if image.name not in {skipped.name for skipped in self.skipped}:  # a photograph may have several crops
            self.skipped.append(image)

    def _add_batch(self, batch: Sequence[PreparedCrop], job: JobContext) -> None:
        pixels = torch.stack([item.pixels for item in batch if item.pixels is not None])
        reduced: dict[str, tuple[NDArray[np.float64], NDArray[np.int64], int]] = {}

        def reduce(layer: str, maps: Tensor) -> None:
            reduced[layer] = strongest_positions(maps)

        with job.device_lease(), torch.no_grad():
            started = time.monotonic()
            self.network.visit(to_model(pixels, self.network.model), list(self.tallies), reduce)
            job.batch_size.record(len(batch), time.monotonic() - started)
        sources, crops = [item.source for item in batch], [item.crop for item in batch]
        for layer, (maxima, positions, width) in reduced.items():
            if not np.isfinite(maxima).all():
                crop = crops[int(np.argwhere(~np.isfinite(maxima))[0][0])]
                raise ModelError(f"Layer {layer} contains NaN or infinity for crop {crop}: check the weights and the input transform")
            self.tallies[layer].update(maxima, positions, width, sources, crops)


def strongest_positions(maps: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Return the spatial maxima (N, units) of feature maps, their flat positions (N, units), and the width of the maps.

    Parameters
    ----------
    maps : Tensor (N, units, H, W) or (N, units)
        Of equal maxima the first in reading order (row, then column) is returned.
    """
    maps = maps if maps.dim() == 4 else maps[:, :, None, None]
    values, positions = maps.detach().flatten(2).max(dim=2)  # torch documents the first index of equal maxima
    return values.cpu().double().numpy(), positions.cpu().numpy(), maps.shape[3]
