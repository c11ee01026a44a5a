"""Features of any layers over an image set: one forward pass, computed once, reused by every fold and run.

Source: Zeiler & Fergus 2014, sections 5.2 and 5.3 (the trained layers as a fixed feature extractor).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.devices import on_device, to_model
from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine import Network
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.identity import transform_digest
from deconvwidgets.instruments.transfer.compute.feature_crops import PreparedSource, ViewMaker, Views, prepared_sources
from deconvwidgets.instruments.transfer.compute.feature_store import FeatureIdentity, LayerFeatures
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.progress import Progress

Store = Literal["disk", "memory"]
MOST_FEATURES = 10_000  # AlexNet's conv1 to conv5 as they are would be 8.9 GB for one view of Caltech-101
_CHUNK = 512  # photographs between two records: what an interruption may cost


def extract_features(
    bundle: ModelBundle,
    images: ImageSet,
    layers: Sequence[str] | str | None = None,
    views: Views = "one",
    store: Store = "disk",
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = True,
    *,
    job: JobContext | None = None,
) -> dict[str, LayerFeatures]:
    """The features of `layers` (default: the deepest that has maps) of every photograph, whole, as (photographs, rows, features) float16.

    Args:
        views: "one", the model's own transform; "flips", that and its mirror image, two rows; "ten", the mean over five crops (corners and
            centre), and the mean over their mirror images, two rows.
        store: "disk", a memory map in the cache (or below `folder`) which later calls continue and reuse, or "memory".
        job: progress, cancellation and batch sizes.

    Layers with over 10,000 values are average-pooled to the largest square grid that gives at most that. Photographs that cannot be
    read are listed in `skipped`. Returns them by the names given.
    Raises LayerError, JobCancelledError (what is on disk stays), ModelError for values that float16 cannot hold, AssetError for the disk.
    """
    require_images(images)
    bundle, job = on_device(bundle, device), job or JobContext()
    network = bundle.network
    wanted = [layers] if isinstance(layers, str) else list(layers if layers is not None else [default_layer(network).name])
    infos = {name: network.layer(name) for name in wanted}
    maker = ViewMaker.of(bundle, views)
    tables: dict[str, LayerTable] = {}
    for info in infos.values():
        shape = FeatureShape.of(info)
        size = (images.source_count, maker.rows, shape.count)
        if store == "memory":
            features = LayerFeatures.in_memory(size)
        else:
            identity = FeatureIdentity(
                network.digest(info.name), images.digest, transform_digest(bundle), bundle.input_size, views, shape.pool
            )
            features = LayerFeatures.on_disk(identity, size, Path(folder) if folder is not None else None)
        tables.setdefault(info.name, LayerTable(shape, features))
    start = min(table.features.done for table in tables.values())
    with job.progress_bar("features", "photograph", images.source_count, progress, start) as shown:
        prepared = prepared_sources(images, maker, range(start, images.source_count), job.decode_threads)
        FeaturePass(network, maker, tables).run(prepared, images.source_count, shown)
    return {name: tables[info.name].features for name, info in infos.items()}


@dataclass(frozen=True, slots=True)
class FeatureShape:
    """The features of a layer: its map (channels, height, width), averaged down to `pool` (rows, columns; None: as it is)."""

    channels: int
    height: int
    width: int
    pool: tuple[int, int] | None

    @classmethod
    def of(cls, info: LayerInfo, most: int = MOST_FEATURES) -> FeatureShape:
        """The layer's own map where it has at most `most` values, else the largest square grid that keeps to it (at least 1 x 1)."""
        if info.channels * info.height * info.width <= most:
            return cls(info.channels, info.height, info.width, None)
        side = max(1, isqrt(most // info.channels))
        return cls(info.channels, info.height, info.width, (min(side, info.height), min(side, info.width)))

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the features."""
        return self.pool or (self.height, self.width)

    @property
    def count(self) -> int:
        """Number of features."""
        return self.channels * self.grid[0] * self.grid[1]

    def flatten(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W), or (N, C) of a fully connected layer, to features (N, count) in the order (channel, row, column)."""
        if maps.dim() == 4 and self.pool is not None:
            maps = F.adaptive_avg_pool2d(maps, self.pool)
        features = maps.flatten(1)
        if features.shape[1] != self.count:
            raise LayerError(f"The layer gave {features.shape[1]} values where {self.count} were expected: follow the model again")
        return features

    def in_words(self, layer: str) -> str:
        """ "256 x 6 x 6 = 9,216 of conv5, average-pooled from 13 x 13"."""
        if self.grid == (1, 1) and self.pool is None:
            return f"{self.count:,} of {layer}"
        pooled = f", average-pooled from {self.height} x {self.width}" if self.pool is not None else ""
        return f"{self.channels} x {self.grid[0]} x {self.grid[1]} = {self.count:,} of {layer}{pooled}"


def default_layer(network: Network) -> LayerInfo:
    """The deepest layer that still has maps: the pooled map of the last convolution where that is a layer (AlexNet: pool5), else the
    last layer below the fully connected ones. Raises LayerError for a model without maps."""
    maps = network.explorer_layers
    if not maps:
        raise LayerError("The model has no layer of feature maps to train a head on: name a layer, dw.engine.describe_layers lists them")
    pooled = (maps[-1].alias or "").replace("conv", "pool")
    for info in network.layers:
        if info.alias == pooled and pooled.startswith("pool"):
            return info
    followed = [info for info in network.layers if info.receptive_field is not None]
    return followed[-1] if followed else maps[-1]


@dataclass(frozen=True, slots=True)
class LayerTable:
    """Where a layer's features go, and how they are made of its map."""

    shape: FeatureShape
    features: LayerFeatures


@dataclass(frozen=True, slots=True)
class FeaturePass:
    """One pass over photographs, in their order, that fills the tables of several layers."""

    network: Network
    maker: ViewMaker
    tables: Mapping[str, LayerTable]

    def run(
        self,
        prepared: Iterable[PreparedSource],
        total: int,
        job: JobContext,
    ) -> None:
        """Consume the photographs batch by batch. What was computed is recorded, however the pass ends.

        Raises JobCancelledError if the job is cancelled between two batches, ModelError for values that float16 cannot hold.
        """
        began = done = min(table.features.done for table in self.tables.values())
        recorded, started, batch = done, time.monotonic(), list[PreparedSource]()
        try:
            for item in prepared:
                batch.append(item)
                if len(batch) * self.maker.inputs < job.batch_size.size() and item.source + 1 < total:
                    continue
                job.check_cancelled(f"Computing features was stopped after {done} of {total} photographs; those on disk are kept")
                self._add_batch(batch, job)
                done, batch = item.source + 1, []
                if done - recorded >= _CHUNK:
                    self._record(done)
                    recorded = done
                job.report(Progress("features", done, total, (done - began) / max(time.monotonic() - started, 1e-9)))
        finally:
            if done > recorded:
                self._record(done)

    def _record(self, done: int) -> None:
        for table in self.tables.values():
            if table.features.done < done:
                table.features.reached(done)

    def _add_batch(self, batch: Sequence[PreparedSource], job: JobContext) -> None:
        wanted = {name: table for name, table in self.tables.items() if table.features.done <= batch[-1].source}
        readable = [item.source for item in batch if item.pixels is not None]
        found: dict[str, NDArray[np.float16]] = {}

        def keep(layer: str, maps: Tensor) -> None:
            kept = self.maker.keep(wanted[layer].shape.flatten(maps.detach()).float())
            found[layer] = _as_float16(kept, layer, readable)

        if readable:
            pixels = torch.cat([item.pixels for item in batch if item.pixels is not None])
            with job.device_lease(), torch.no_grad():
                begun = time.monotonic()
                self.network.visit(to_model(pixels, self.network.model), list(wanted), keep)
                job.batch_size.record(len(pixels), time.monotonic() - begun)
        for name, table in wanted.items():
            for item in batch:
                if item.skipped is not None:
                    table.features.skip(item.source, item.skipped)
            for source, row in zip(readable, found.get(name, ()), strict=True):
                table.features.put(source, row)


def _as_float16(features: Tensor, layer: str, sources: Sequence[int]) -> NDArray[np.float16]:
    halves = features.half().cpu()
    sound = halves.isfinite().flatten(1).all(1)
    if not sound.all():
        source = sources[int((~sound).nonzero()[0])]
        raise ModelError(
            f"Layer {layer} answers NaN, infinity, or more than the 65,504 that float16 holds for photograph {source}: "
            "check the weights and the input transform, or choose another layer"
        )
    values: NDArray[np.float16] = halves.numpy()
    return values
