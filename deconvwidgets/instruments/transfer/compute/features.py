"""Features of layers over an image set, computed in one pass and reused by every fold and run.

Source: Zeiler & Fergus 2014, sections 5.2 and 5.3 (the trained layers as a fixed feature extractor).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import one_of, texts
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine import Network
from deconvwidgets.errors import AssetError, LayerError, ModelError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.identity import transform_digest
from deconvwidgets.instruments.transfer.compute.feature_crops import CropMaker, Crops, PreparedSource, prepared_sources
from deconvwidgets.instruments.transfer.compute.feature_store import FeatureIdentity, LayerFeatures
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.paths import as_path
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.progress import Progress

Store = Literal["disk", "memory"]
MAX_FEATURES = 10_000  # the feature maps conv1 to conv5 of AlexNet would take 8.9 GB for one crop of each image of Caltech-101
_CHUNK = 512  # photographs between two commits, which an interruption may lose


def extract_features(
    bundle: ModelBundle,
    images: ImageSet,
    layers: Sequence[str] | str | None = None,
    views: Crops = "one",
    store: Store = "disk",
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = True,
    *,
    job: JobContext | None = None,
) -> dict[str, LayerFeatures]:
    """Compute the features of layers for every photograph of an image set.

    Layers with more than 10,000 values are average-pooled to the largest square grid with at most 10,000.

    Parameters
    ----------
    bundle : ModelBundle
        The model.
    images : ImageSet
        The photographs. Those that cannot be read are listed in `LayerFeatures.skipped`.
    layers : str or sequence of str, optional
        Names or aliases; by default the deepest layer with feature maps.
    views : {"one", "flips", "ten"}
        "one": the crop of the model's transform. "flips": this crop and its mirror image, as two orientations. "ten": the mean over five
        crops (corners and centre) and the mean over their mirror images, as two orientations.
    store : {"disk", "memory"}
        "disk": a memory map, which later calls resume and reuse.
    folder : str or Path, optional
        The parent folder of the memory map; by default in the cache.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show a progress bar.
    job : JobContext, optional
        Progress, cancellation and batch sizes.

    Returns
    -------
    dict of str to LayerFeatures
        The features (photographs, orientations, features) float16 of each layer, by the names in `layers`.

    Raises
    ------
    LayerError
        For an unknown layer.
    ModelError
        For values that float16 cannot represent.
    AssetError
        If the folder cannot be written to.
    JobCancelledError
        If the job is cancelled. Features on disk are kept.
    """
    require_images(images)
    one_of(store, "store", get_args(Store), AssetError)
    folder = None if folder is None else as_path(folder, "path", AssetError)
    bundle, job = on_device(bundle, device), as_job(job)
    network = bundle.network
    names = [default_layer(network).name] if layers is None else texts(layers, "layers", "the names of one or more layers", LayerError)
    infos = {name: network.layer(name) for name in names}
    maker = CropMaker.of(bundle, views)
    tables: dict[str, LayerTable] = {}
    for info in infos.values():
        shape = FeatureShape.of(info)
        size = (images.source_count, maker.orientations, shape.count)
        if store == "memory":
            features = LayerFeatures.in_memory(size)
        else:
            identity = FeatureIdentity(
                network.digest(info.name), images.digest, transform_digest(bundle), bundle.input_size, views, shape.pool
            )
            features = LayerFeatures.on_disk(identity, size, folder)
        tables.setdefault(info.name, LayerTable(shape, features))
    missing = np.flatnonzero(~np.all([table.features.known for table in tables.values()], axis=0))
    with job.progress_bar("features", "photograph", images.source_count, progress, images.source_count - len(missing)) as context:
        prepared = prepared_sources(images, maker, map(int, missing), job.decode_threads)
        FeaturePass(network, maker, tables).run(prepared, images.source_count, context)
    return {name: tables[info.name].features for name, info in infos.items()}


@dataclass(frozen=True, slots=True)
class FeatureShape:
    """The shape of a layer's features: its feature maps (channels, height, width), average-pooled to `pool` (rows, columns) if set."""

    channels: int
    height: int
    width: int
    pool: tuple[int, int] | None

    @classmethod
    def of(cls, info: LayerInfo, max_features: int = MAX_FEATURES) -> FeatureShape:
        """Return the shape with at most `max_features` features: pooled, if necessary, to the largest square grid (at least 1 x 1)."""
        if info.channels * info.height * info.width <= max_features:
            return cls(info.channels, info.height, info.width, None)
        side = max(1, isqrt(max_features // info.channels))
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
        """Return features (N, count), in the order (channel, row, column), of maps (N, C, H, W) or (N, C)."""
        if maps.dim() == 4 and self.pool is not None:
            maps = F.adaptive_avg_pool2d(maps, self.pool)
        features = maps.flatten(1)
        if features.shape[1] != self.count:
            raise LayerError(f"The layer returned {features.shape[1]} values instead of {self.count}: trace the model again")
        return features

    def describe(self, layer: str) -> str:
        """Return a description, such as "256 x 6 x 6 = 9,216 of conv5, average-pooled from 13 x 13"."""
        if self.grid == (1, 1) and self.pool is None:
            return f"{self.count:,} of {layer}"
        pooled = f", average-pooled from {self.height} x {self.width}" if self.pool is not None else ""
        return f"{self.channels} x {self.grid[0]} x {self.grid[1]} = {self.count:,} of {layer}{pooled}"


def default_layer(network: Network) -> LayerInfo:
    """Return the deepest layer with feature maps.

    It is the pooled map of the last convolution if there is one (pool5 of AlexNet), else the last layer below the fully connected ones.

    Raises
    ------
    LayerError
        If the model has no feature maps.
    """
    maps = network.feature_map_layers
    if not maps:
        raise LayerError(
            "The model has no layer of feature maps to train a head on: pass a layer, one of those that dw.engine.describe_layers lists"
        )
    pooled = (maps[-1].alias or "").replace("conv", "pool")
    for info in network.layers:
        if info.alias == pooled and pooled.startswith("pool"):
            return info
    later = network.layers[network.layers.index(maps[-1]) :]
    return [maps[-1], *(info for info in later if info.receptive_field is not None)][-1]


@dataclass(frozen=True, slots=True)
class LayerTable:
    """The features of a layer and their shape."""

    shape: FeatureShape
    features: LayerFeatures


@dataclass(frozen=True, slots=True)
class FeaturePass:
    """One pass over photographs that computes the features of several layers, where they are not known."""

    network: Network
    maker: CropMaker
    tables: Mapping[str, LayerTable]

    def run(self, prepared: Iterable[PreparedSource], total: int, job: JobContext) -> None:
        """Process the photographs batch by batch. Computed features are committed also if the pass ends with an exception.

        Parameters
        ----------
        prepared : iterable of PreparedSource
            All photographs of which some layer lacks the features.
        total : int
            The number of photographs of the image set.
        job : JobContext

        Raises
        ------
        JobCancelledError
            If the job is cancelled between two batches.
        ModelError
            For values that float16 cannot represent.
        """
        first = done = int(np.all([table.features.known for table in self.tables.values()], axis=0).sum())
        committed, started, batch = done, time.monotonic(), list[PreparedSource]()
        try:
            for item in prepared:
                batch.append(item)
                if len(batch) * self.maker.inputs < job.batch_size.size() and done + len(batch) < total:
                    continue
                job.check_cancelled(f"Computing features was stopped after {done} of {total} photographs; those on disk are kept")
                self._add_batch(batch, job)
                done, batch = done + len(batch), []
                if done - committed >= _CHUNK:
                    self._commit()
                    committed = done
                job.report(Progress("features", done, total, (done - first) / max(time.monotonic() - started, 1e-9)))
        finally:
            if done > committed:
                self._commit()

    def _commit(self) -> None:
        for table in self.tables.values():
            table.features.commit()

    def _add_batch(self, batch: Sequence[PreparedSource], job: JobContext) -> None:
        sources = [item.source for item in batch]
        tables = {name: table for name, table in self.tables.items() if not table.features.known[sources].all()}
        readable = [item.source for item in batch if item.pixels is not None]
        computed: dict[str, NDArray[np.float16]] = {}

        def compute(layer: str, maps: Tensor) -> None:
            features = self.maker.average(tables[layer].shape.flatten(maps.detach()).float())
            computed[layer] = _as_float16(features, layer, readable)

        if readable:
            pixels = torch.cat([item.pixels for item in batch if item.pixels is not None])
            with job.device_lease(), torch.no_grad():
                started = time.monotonic()
                self.network.visit(to_model(pixels, self.network.model), list(tables), compute)
                job.batch_size.record(len(pixels), time.monotonic() - started)
        for name, table in tables.items():
            for item in batch:
                if item.skipped is not None and not table.features.known[item.source]:
                    table.features.skip(item.source, item.skipped)
            for source, features in zip(readable, computed.get(name, ()), strict=True):
                if not table.features.known[source]:
                    table.features.write(source, features)


def _as_float16(features: Tensor, layer: str, sources: Sequence[int]) -> NDArray[np.float16]:
    halves = features.half().cpu()
    finite = halves.isfinite().flatten(1).all(1)
    if not finite.all():
        source = sources[int((~finite).nonzero()[0])]
        raise ModelError(
            f"Layer {layer} contains NaN, infinity, or values above 65,504, the maximum of float16, for photograph {source}: "
            "check the weights and the input transform, or choose another layer"
        )
    values: NDArray[np.float16] = halves.numpy()
    return values
