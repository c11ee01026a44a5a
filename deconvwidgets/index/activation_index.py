"""The strongest activations of every unit over an image set.

Source: Zeiler & Fergus 2014, figure 2 (the top 9 activations, each from a different image). The statistics are our extension.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, flag, integer, texts
from deconvwidgets.compute.devices import with_deprecated_network
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.compute.stream import prepared_crops
from deconvwidgets.engine import Network
from deconvwidgets.errors import ActivationIndexError, LayerError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.builder import IndexPass, LayerTally
from deconvwidgets.index.crop_ranges import CropRanges, checked_crops, crop_count, joined, overlap, ranges_of
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.queries.methods import IndexQueries
from deconvwidgets.index.queries.places import checked_unit
from deconvwidgets.index.so_far import OnSoFar, reporting
from deconvwidgets.index.storage import IndexParts, read_index, require_writable_index, write_index
from deconvwidgets.index.top_k import RunningTopK
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.paths import as_path
from deconvwidgets.records.activations import LayerStats
from deconvwidgets.records.images import SkippedImage, without_repeats
from deconvwidgets.records.layers import LayerInfo

_MAX_K = 1 << 20  # activations per unit


@dataclass(frozen=True)
class ActivationIndex(IndexQueries):
    """The k strongest activations, the statistics and the labels of each unit of some layers; immutable.

    Create one with `build` or `load`. The activation of a unit in a crop is the maximum over its feature map; of equal maxima the first
    in reading order gives the position. Equal activations are ordered by source photograph, crop, row and column. An activation of
    exactly 0 is not listed, so a dead unit has no strongest activations.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> images = dw.open_images("photos", limit=2)
    >>> index = dw.ActivationIndex.build(dw.load_model("alexnet"), images, layers=["conv1", "conv2"], k=3, progress=False)
    >>> index.values("conv2").shape
    (192, 3)
    >>> len(index.top("conv2", unit=5))  # one from each photograph
    2
    """

    identity: IndexIdentity
    layers: tuple[LayerInfo, ...]
    tallies: dict[str, LayerTally]  # by dotted name
    crop_ranges: CropRanges  # the crops that the index covers
    source_labels: dict[int, int]  # dataset labels of the photographs among the strongest activations
    categories: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]

    @classmethod
    def build(
        cls,
        bundle: ModelBundle,
        images: ImageSet,
        layers: Sequence[str] | None = None,
        k: int = 9,
        per_source: int | None = 1,
        path: str | Path | None = None,
        resume: bool = True,
        device: str = "auto",
        progress: bool = True,
        *,
        crops: range | None = None,
        job: JobContext | None = None,
        network: Network | None = None,
        on_so_far: OnSoFar | None = None,
    ) -> ActivationIndex:
        """Build an index in one pass over the crops of an image set. Memory does not depend on the number of crops.

        Parameters
        ----------
        bundle : ModelBundle
            The model.
        images : ImageSet
            The photographs. Those that cannot be read are left out and listed in `skipped`.
        layers : str or sequence of str, optional
            Names or aliases; by default the convN feature maps.
        k : int
            Number of activations kept per unit.
        per_source : int, optional
            Number of activations kept per unit and photograph; None for no limit.
        path : str or Path, optional
            A folder for the index.
        resume : bool
            Load the index at `path` if it fits. One that is damaged or does not fit is replaced, with a warning.
        device : str
            "auto", "cpu", "cuda:1", ...
        progress : bool
            Show a progress bar.
        crops : range, optional
            Numbers of the crops, for an index that is to be merged with others; by default all crops.
        job : JobContext, optional
            Progress, cancellation and batch sizes.
        network : Network, optional
            Deprecated.
        on_so_far : callable, optional
            Called after each batch with an `IndexSoFar`, which copies the index of the crops so far.

        Raises
        ------
        LayerError
            For an unknown layer.
        ModelError
            If a feature map contains NaN or infinity.
        ActivationIndexError
            If `path` cannot be written to, and for an invalid number, flag or range.
        JobCancelledError
            If the job is cancelled.
        """
        require_images(images)
        k = integer(k, "k", 1, _MAX_K, ActivationIndexError)
        per_source = None if per_source is None else integer(per_source, "per_source", 1, error=ActivationIndexError)
        resume, progress = flag(resume, "resume", ActivationIndexError), flag(progress, "progress", ActivationIndexError)
        path = None if path is None else as_path(path, "path", ActivationIndexError)
        bundle = on_device(bundle, device) if network is None else with_deprecated_network(bundle, network)
        network, job = bundle.network, as_job(job)
        names = () if layers is None else texts(layers, "layers", "the names of one or more layers", LayerError)
        infos = tuple(dict.fromkeys(map(network.layer, names)) or network.feature_map_layers)
        crops = checked_crops(crops, len(images))
        index = cls._empty(IndexIdentity.of(bundle, images, infos, k, per_source), infos, crops, images)
        if path is not None and resume and (stored := stored_index(path, index.identity, crops)) is not None:
            return stored
        require_writable_index(path)
        index_pass = IndexPass(network, index.tallies)
        with job.progress_bar("index", "crop", len(crops), progress) as context:
            context = reporting(context, on_so_far, index, images, crops)
            index_pass.run(prepared_crops(bundle, images, crops, job.decode_threads), len(crops), context)
        index = replace(index, skipped=without_repeats((*images.skipped, *index_pass.skipped))).with_labels(images)
        if path is not None:
            index.save(path)
        return index

    @classmethod
    def _empty(cls, identity: IndexIdentity, layers: tuple[LayerInfo, ...], crops: range, images: ImageSet) -> Self:
        tallies = {info.name: LayerTally.empty(info.channels, identity.k, identity.per_source) for info in layers}
        return cls(identity, layers, tallies, ranges_of(crops), {}, tuple(images.categories or ()), images.skipped)

    def check(self, identity: IndexIdentity, crops: range | None = None) -> None:
        """Raise ActivationIndexError unless the index has this identity and, if `crops` is given, covers exactly these crops."""
        mismatch = self.identity.mismatch(identity)
        if mismatch is None and crops is not None and self.crop_ranges != ranges_of(crops):
            mismatch = f"it covers the crops {list(self.crop_ranges)}, not {list(ranges_of(crops))}"
        if mismatch is not None:
            raise ActivationIndexError(f"The activation index does not fit: {mismatch}. Build one for this model and these images")

    @property
    def k(self) -> int:
        """Number of activations kept per unit."""
        return self.identity.k

    @property
    def crops(self) -> int:
        """Number of crops that the index covers."""
        return crop_count(self.crop_ranges)

    def layer(self, name: str) -> LayerInfo:
        """Return a layer by name or alias. Raises LayerError if the index does not contain it."""
        for info in self.layers:
            if isinstance(name, str) and name in (info.name, info.alias):
                return info
        known = ", ".join(info.short_name for info in self.layers)
        raise LayerError(
            f"The index has no layer {name!r}. It contains {known}; ActivationIndex.build(..., layers=[...]) builds one of other layers"
        )

    def values(self, layer: str) -> NDArray[np.float32]:
        """Return the activations (units, k), strongest first; -inf for missing ones."""
        return self._ranking(layer).values.astype(np.float32)

    def image_ids(self, layer: str) -> NDArray[np.int64]:
        """Return the crop numbers (units, k) of the strongest activations; -1 for missing ones."""
        return self._ranking(layer).crops.copy()

    def positions(self, layer: str) -> NDArray[np.int64]:
        """Return the positions (units, k, 2) of the strongest activations, as (row, column) in the feature map; -1 for missing ones."""
        ranking = self._ranking(layer)
        return np.stack([ranking.rows, ranking.columns], axis=2)

    def labels(self, layer: str) -> NDArray[np.int64]:
        """Return the dataset labels (units, k) of the photographs of the strongest activations; -1 for unknown or missing ones."""
        sources = self._ranking(layer).sources
        unique, inverse = np.unique(sources, return_inverse=True)
        labels = np.array([self.source_labels.get(int(source), -1) for source in unique], np.int64)
        return labels[inverse].reshape(sources.shape)

    def stats(self, layer: str) -> LayerStats:
        """Return the statistics of each unit's maxima over all crops."""
        return self.tallies[self.layer(layer).name].stats.summary()

    def class_counts(self, layer: str, unit: int) -> dict[str, int]:
        """Return how often each class occurs among a unit's strongest activations, most frequent first; unlabelled ones are left out."""
        unit = checked_unit(self.layer(layer), unit)
        counter = Counter(int(label) for label in self.labels(layer)[unit] if label >= 0)
        ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
        return {self.categories[label] if label < len(self.categories) else str(label): count for label, count in ranked}

    def merge(self, other: ActivationIndex) -> ActivationIndex:
        """Return the index of the crops of both indexes. It is the same as one that is built over all of them.

        Raises
        ------
        ActivationIndexError
            If the indexes differ in model, images or settings, or if they have crops in common.
        """
        if not isinstance(other, ActivationIndex):
            raise ActivationIndexError(f"other must be an ActivationIndex, not {describe(other)}.")
        self.check(other.identity)
        other.check(self.identity)
        common = overlap(self.crop_ranges, other.crop_ranges)
        if common is not None:
            raise ActivationIndexError(f"Both indexes contain crops from {common[0]} to {common[1]}: merge indexes of different crops")
        return replace(
            self,
            tallies={name: tally.merge(other.tallies[name]) for name, tally in self.tallies.items()},
            crop_ranges=joined(self.crop_ranges, other.crop_ranges),
            source_labels={**self.source_labels, **other.source_labels},
            skipped=without_repeats((*self.skipped, *other.skipped)),
        )

    def save(self, path: str | Path) -> None:
        """Write the index to the folder `path`, as a whole or not at all. Raises ActivationIndexError if that is not possible."""
        write_index(as_path(path, "path", ActivationIndexError), IndexParts(**vars(self)))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the index in the folder `path`. Raises ActivationIndexError if there is none, or if it is damaged or of another format."""
        return cls(**vars(read_index(as_path(path, "path", ActivationIndexError))))

    def _ranking(self, layer: str) -> RunningTopK:
        return self.tallies[self.layer(layer).name].ranking

    def with_labels(self, images: ImageSet) -> Self:
        """Return the index with the labels of the photographs among the strongest activations."""
        sources = {int(source) for tally in self.tallies.values() for source in np.unique(tally.ranking.sources) if source >= 0}
        labels = {source: images.label(source) for source in sources}
        return replace(self, source_labels={source: label for source, label in labels.items() if label is not None})


def stored_index(path: Path, identity: IndexIdentity, crops: range) -> ActivationIndex | None:
    """Return the index in the folder `path` if it fits `identity` and `crops`; else None, with a warning if there is another one."""
    if not os.path.exists(path):  # Path.exists raises for a folder that cannot be read
        return None
    try:
        stored = ActivationIndex.load(path)
        stored.check(identity, crops)
    except ActivationIndexError as error:
        warnings.warn(f"{error}. Building the index in {path} again.", stacklevel=3)
        return None
    return stored
