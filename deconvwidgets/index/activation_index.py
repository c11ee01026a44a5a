"""The strongest activations of every unit over an image set: what the explorers, figures and later experiments start from.

Source: Zeiler & Fergus 2014, figure 2 (top 9, each from a different image); the statistics are our extension.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.assets.cache import cache_dir
from deconvwidgets.compute.devices import on_device, with_deprecated_network
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.stream import prepared_crops
from deconvwidgets.engine import Network
from deconvwidgets.errors import ActivationIndexError, LayerError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.builder import IndexPass, LayerTally
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.storage import IndexParts, read_index, write_index
from deconvwidgets.index.top_k import RunningTopK
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.activations import Activation, LayerStats
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True)
class ActivationIndex:
    """Top-k activations, statistics and labels per unit; immutable. Make one with `build` or `load`.

    Layers answer to their names and aliases. A unit's activation in a crop is the maximum over its map; of equal maxima the
    first in reading order gives the position. Ties between crops go to the smaller source, then crop, row and column.
    An activation of exactly 0 (silence, after a rectifier) takes no place: a dead unit has an empty top.
    """

    identity: IndexIdentity
    layers: tuple[LayerInfo, ...]
    tallies: dict[str, LayerTally]
    crop_ranges: tuple[tuple[int, int], ...]  # half-open ranges of crop ids that have been seen
    source_labels: dict[int, int]  # dataset label of the photographs in the top k
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
    ) -> ActivationIndex:
        """One pass over the crops of `images` for all `layers` (default: the convN maps), in memory that does not depend on their number.

        Args:
            k: places per unit. per_source: places that one photograph may hold (None: no limit).
            path: a folder for the index. With `resume`, an index there that fits is loaded instead, and one that does not, or
                is damaged, is replaced with a warning that says why.
            progress: show a bar.
            crops: only these crop ids, for a part to be merged.
            job: progress, cancellation and batch sizes. network: deprecated.

        Pictures that cannot be read are left out and listed in `skipped`.
        Raises LayerError for an unknown layer, JobCancelledError, ModelError for NaN, ActivationIndexError where `path` cannot be
        written or `k` is not positive.
        """
        require_images(images)
        _require_places(k, per_source)
        bundle = on_device(bundle, device) if network is None else with_deprecated_network(bundle, network)
        network, job = bundle.network, job or JobContext()
        wanted = [layers] if isinstance(layers, str) else layers
        infos = tuple(network.explorer_layers if wanted is None else dict.fromkeys(map(network.layer, wanted)))
        identity = IndexIdentity.of(bundle, images, infos, k, per_source)
        span = crops if crops is not None else range(len(images))
        if path is not None and resume:
            stored = stored_index(Path(path), identity, span)
            if stored is not None:
                return stored
        tallies = {info.name: LayerTally.empty(info.channels, k, per_source) for info in infos}
        run = IndexPass(network, tallies)
        with job.progress_bar("index", "crop", len(span), progress) as shown:
            run.run(prepared_crops(bundle, images, span, job.decode_threads), len(span), shown)
        skipped = _without_repeats((*images.skipped, *run.skipped))
        index = cls(identity, infos, tallies, _spans(span), {}, tuple(images.categories or ()), skipped)._labelled(images)
        if path is not None:
            index.save(path)
        return index

    def check(self, identity: IndexIdentity, span: range | None = None) -> None:
        """Raises ActivationIndexError unless it was made of that model, image set and settings (and, given a span, of those crops)."""
        misfit = self.identity.misfit(identity)
        if misfit is None and span is not None and self.crop_ranges != _spans(span):
            misfit = f"it covers the crops {list(self.crop_ranges)}, not {list(_spans(span))}"
        if misfit is not None:
            raise ActivationIndexError(f"The activation index does not fit: {misfit}. Build one for this model and these images")

    @property
    def k(self) -> int:
        """Places per unit."""
        return self.identity.k

    @property
    def crops(self) -> int:
        """How many crops have been seen."""
        return sum(stop - start for start, stop in self.crop_ranges)

    def layer(self, name: str) -> LayerInfo:
        """The layer by name or alias. Raises LayerError."""
        for info in self.layers:
            if name in (info.name, info.alias):
                return info
        known = ", ".join(info.short_name for info in self.layers)
        raise LayerError(
            f"The index has no layer {name!r}. It holds {known}; ActivationIndex.build(..., layers=[...]) makes one of other layers"
        )

    def values(self, layer: str) -> NDArray[np.float32]:
        """(units, k) activations, strongest first; -inf where a place is not filled."""
        return self._ranking(layer).values.astype(np.float32)

    def image_ids(self, layer: str) -> NDArray[np.int64]:
        """(units, k) crop ids of the image set; -1 where a place is not filled."""
        return self._ranking(layer).crops.copy()

    def positions(self, layer: str) -> NDArray[np.int64]:
        """(units, k, 2) row and column in the map; -1 where a place is not filled."""
        ranking = self._ranking(layer)
        return np.stack([ranking.rows, ranking.columns], axis=2)

    def labels(self, layer: str) -> NDArray[np.int64]:
        """(units, k) dataset labels of the photographs; -1 where unknown or not filled."""
        sources = self._ranking(layer).sources
        known, place = np.unique(sources, return_inverse=True)
        labels = np.array([self.source_labels.get(int(source), -1) for source in known], np.int64)
        return labels[place].reshape(sources.shape)

    def top(self, layer: str, unit: int) -> list[Activation]:
        """The unit's strongest activations, at most k, strongest first; none for a dead unit. Raises LayerError."""
        info, ranking = self.layer(layer), self._ranking(layer)
        self._check_unit(info, unit)
        places = range(int(ranking.counts[unit]))
        rows, columns = ranking.rows[unit], ranking.columns[unit]
        return [
            Activation(
                image=int(ranking.crops[unit, place]),
                row=int(rows[place]),
                column=int(columns[place]),
                value=float(ranking.values[unit, place]),
                box=self._box(info, int(rows[place]), int(columns[place])),
            )
            for place in places
        ]

    def stats(self, layer: str) -> LayerStats:
        """Statistics over each unit's maxima in all crops."""
        return self.tallies[self.layer(layer).name].stats.summary()

    def class_counts(self, layer: str, unit: int) -> dict[str, int]:
        """How often each dataset label occurs among the unit's top k, the commonest first; photographs without one are left out."""
        self._check_unit(self.layer(layer), unit)
        counted = Counter(int(label) for label in self.labels(layer)[unit] if label >= 0)
        ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        return {self.categories[label] if label < len(self.categories) else str(label): count for label, count in ranked}

    def merge(self, other: ActivationIndex) -> ActivationIndex:
        """The index of the crops of both. Raises ActivationIndexError where they do not belong together or share crops."""
        self.check(other.identity)
        other.check(self.identity)
        overlap = [span for span in self.crop_ranges for part in other.crop_ranges if max(span[0], part[0]) < min(span[1], part[1])]
        if overlap:
            raise ActivationIndexError(f"Both indexes hold crops from {overlap[0][0]} to {overlap[0][1]}: merge parts that share none")
        return replace(
            self,
            tallies={name: tally.merge(other.tallies[name]) for name, tally in self.tallies.items()},
            crop_ranges=_joined((*self.crop_ranges, *other.crop_ranges)),
            source_labels={**self.source_labels, **other.source_labels},
            skipped=_without_repeats((*self.skipped, *other.skipped)),
        )

    def save(self, path: str | Path) -> None:
        """Write the index to the folder `path`, atomically. Raises ActivationIndexError where that is not possible."""
        parts = IndexParts(self.identity, self.layers, self.tallies, self.crop_ranges, self.source_labels, self.categories, self.skipped)
        write_index(Path(path), parts)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an index. Raises ActivationIndexError: none there, damaged, or of another format."""
        return cls(**vars(read_index(Path(path))))

    def _ranking(self, layer: str) -> RunningTopK:
        return self.tallies[self.layer(layer).name].ranking

    def _check_unit(self, info: LayerInfo, unit: int) -> None:
        if not 0 <= unit < info.channels:
            raise LayerError(f"{info.short_name} has the units 0 to {info.channels - 1}, not {unit}")

    def _box(self, info: LayerInfo, row: int, column: int) -> Box:
        """As Network.box, for an index that was loaded without its network: the whole input where there is no smaller field."""
        _, height, width = self.identity.input_size
        field, stride, offset = info.receptive_field, info.stride, info.offset
        if field is None or stride is None or offset is None or field[0] >= height or field[1] >= width:
            return (0, 0, width, height)
        top, left = offset[0] + row * stride[0], offset[1] + column * stride[1]
        return (left, top, left + field[1], top + field[0])

    def _labelled(self, images: ImageSet) -> Self:
        """With the labels of the photographs that hold a place."""
        held = {int(source) for tally in self.tallies.values() for source in np.unique(tally.ranking.sources) if source >= 0}
        labels = {source: images.label(source) for source in held}
        return replace(self, source_labels={source: label for source, label in labels.items() if label is not None})


def stored_index(path: Path, wanted: IndexIdentity, span: range) -> ActivationIndex | None:
    """The index in the folder `path` if it can stand for the one wanted; else None, with a warning where something else is there."""
    if not path.exists():
        return None
    try:
        stored = ActivationIndex.load(path)
        stored.check(wanted, span)
    except ActivationIndexError as error:
        warnings.warn(f"{error}. Building the index in {path} again.", stacklevel=3)
        return None
    return stored


def _require_places(k: int, per_source: int | None) -> None:
    if k < 1 or (per_source is not None and per_source < 1):
        raise ActivationIndexError(
            f"A unit keeps its k={k} strongest activations, at most per_source={per_source} of one photograph: give 1 or more for each."
        )


def default_path(bundle: ModelBundle, images: ImageSet, k: int = 9, per_source: int | None = 1) -> Path:
    """The cache folder of the index of the explorers' layers: what `LocalModelService` looks for and writes."""
    return cache_dir() / "indexes" / IndexIdentity.of(bundle, images, bundle.network.explorer_layers, k, per_source).key()


def _spans(crops: range) -> tuple[tuple[int, int], ...]:
    if crops.step != 1:
        raise ActivationIndexError("An index is built over neighbouring crops: give crops=range(start, stop)")
    return ((crops.start, crops.stop),) if len(crops) else ()


def _joined(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans in order, neighbours made one."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


def _without_repeats(pictures: Sequence[SkippedImage]) -> tuple[SkippedImage, ...]:
    return tuple({picture.name: picture for picture in reversed(pictures)}.values())[::-1]
