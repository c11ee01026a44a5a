"""One pass over the views for all layers: each unit's spatial maximum and where it is, ranked and summed up as it streams by."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.stream import PreparedView
from deconvwidgets.engine import Network
from deconvwidgets.errors import JobCancelledError, ModelError
from deconvwidgets.index.statistics import RunningStats
from deconvwidgets.index.top_k import EMPTY, RunningTopK
from deconvwidgets.records.layers import Progress, SkippedPicture

Turn = Callable[[], AbstractContextManager[None]]


class Pace(Protocol):
    """How many views a batch on the device may hold; told what each took."""

    def size(self) -> int:
        """Views in the next batch."""
        ...

    def took(self, views: int, seconds: float) -> None:
        """A batch of so many views took so long."""
        ...


@dataclass(frozen=True, slots=True)
class FixedPace:
    """Always the same batch."""

    views: int = 32

    def size(self) -> int:
        """Views in the next batch."""
        return self.views

    def took(self, views: int, seconds: float) -> None:
        """Nothing to learn."""


@dataclass
class LayerTally:
    """What a layer's units did in the views so far."""

    ranking: RunningTopK
    stats: RunningStats

    @classmethod
    def empty(cls, units: int, k: int, per_source: int | None) -> LayerTally:
        """Before the first view."""
        return cls(RunningTopK(units, k, per_source), RunningStats(units))

    def update(
        self, maxima: NDArray[np.float64], positions: NDArray[np.int64], width: int, sources: Sequence[int], views: Sequence[int]
    ) -> None:
        """Take in the maxima (N, units) and their flat positions in the map, for N views."""
        self.stats.update(maxima)
        # After a rectifier zero is silence: no activation to show. A negative maximum occurs only without one, and counts.
        self.ranking.update(np.where(maxima == 0, EMPTY, maxima), sources, views, positions // width, positions % width)

    def merge(self, other: LayerTally) -> LayerTally:
        """A new tally of what both have seen."""
        return LayerTally(self.ranking.merge(other.ranking), self.stats.merge(other.stats))


@dataclass
class IndexPass:
    """The pass: `tallies` by layer name and `skipped` pictures grow as it runs."""

    network: Network
    tallies: Mapping[str, LayerTally]
    skipped: list[SkippedPicture] = field(default_factory=list)

    def run(
        self,
        prepared: Iterable[PreparedView],
        total: int,
        pace: Pace,
        turn: Turn,
        on_progress: Callable[[Progress], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Consume the views batch by batch, entering `turn()` around each use of the device.

        Raises JobCancelledError when `cancelled()` says so between batches; ModelError where the model answers NaN or infinity.
        """
        started, done, batch = time.monotonic(), 0, list[PreparedView]()
        for number, item in enumerate(prepared, start=1):
            if item.skipped is not None:
                self._skip(item.skipped)
            else:
                batch.append(item)
            if len(batch) < pace.size() and number < total:
                continue
            if cancelled():
                raise JobCancelledError(f"Building the index was cancelled after {done} of {total} views")
            if batch:
                self._take(batch, pace, turn)
            done, batch = number, []
            on_progress(Progress("index", done, total, done / max(time.monotonic() - started, 1e-9)))

    def _skip(self, picture: SkippedPicture) -> None:
        if picture.name not in {other.name for other in self.skipped}:  # several crops of one photograph
            self.skipped.append(picture)

    def _take(self, batch: Sequence[PreparedView], pace: Pace, turn: Turn) -> None:
        pixels = torch.stack([item.pixels for item in batch if item.pixels is not None])
        found: dict[str, tuple[NDArray[np.float64], NDArray[np.int64], int]] = {}

        def reduce(layer: str, maps: Tensor) -> None:
            found[layer] = strongest_positions(maps)

        with turn(), torch.no_grad():
            begun = time.monotonic()
            self.network.visit(to_model(pixels, self.network.model), list(self.tallies), reduce)
            pace.took(len(batch), time.monotonic() - begun)
        sources, views = [item.source for item in batch], [item.view for item in batch]
        for layer, (maxima, positions, width) in found.items():
            if not np.isfinite(maxima).all():
                view = views[int(np.argwhere(~np.isfinite(maxima))[0][0])]
                raise ModelError(f"Layer {layer} answers NaN or infinity for view {view}: check the weights and the input transform")
            self.tallies[layer].update(maxima, positions, width, sources, views)


def strongest_positions(maps: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Spatial maxima (N, units) of maps (N, units, H, W) or (N, units), their flat positions, and the maps' width.

    Of equal maxima the first in reading order counts (row, then column).
    """
    maps = maps if maps.dim() == 4 else maps[:, :, None, None]
    values, positions = maps.detach().flatten(2).max(dim=2)  # torch documents the first index of equal maxima
    return values.cpu().double().numpy(), positions.cpu().numpy(), maps.shape[3]
