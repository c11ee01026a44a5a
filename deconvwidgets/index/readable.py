"""What an activation index contains, and how it is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import LayerError
from deconvwidgets.index.crop_ranges import CropRanges, crop_count
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.queries.places import checked_unit
from deconvwidgets.index.sample import Sample
from deconvwidgets.index.tally import UnitTally
from deconvwidgets.records.activations import LayerStats
from deconvwidgets.records.copies import PhotographCopies
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerInfo


@dataclass(frozen=True, eq=False, repr=False)
class ReadableIndex:
    """The content of an activation index, and the methods that read it.

    Attributes
    ----------
    identity : IndexIdentity
        The model, the images and the options that it was built from.
    layers : tuple of LayerInfo
    tallies : dict of str to UnitTally
        Rankings, statistics and samples of each layer, by its dotted name.
    crop_ranges : tuple of (int, int)
        The crops that the index covers, as half-open ranges.
    contents : array (photographs,), uint64
        The content id of each photograph; 0 for those that were not seen.
    sample : Sample
        The crops in which the maximum of every unit is kept.
    source_labels : dict of int to int
        The dataset labels of the photographs in the rankings and the sample.
    categories : tuple of str
        The names of the classes.
    skipped : tuple of SkippedImage
        The photographs that could not be read, by name.
    other_names : dict of str to tuple of str
        Other dotted names of each layer, by its dotted name: of modules that return the same maps, such as "layer4".
    """

    identity: IndexIdentity
    layers: tuple[LayerInfo, ...]
    tallies: dict[str, UnitTally]
    crop_ranges: CropRanges
    contents: NDArray[np.uint64]
    sample: Sample
    source_labels: dict[int, int]
    categories: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]
    other_names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __repr__(self) -> str:
        names, images = ", ".join(info.short_name for info in self.layers), self.identity.image_set
        return f"<{type(self).__name__} of {self.identity.model} on {images}: {names}; {self.crops:,} crops, k={self.k}>"

    @property
    def k(self) -> int:
        """Number of activations kept per unit."""
        return self.identity.k

    @property
    def crops(self) -> int:
        """Number of crops that the index covers."""
        return crop_count(self.crop_ranges)

    @property
    def copies(self) -> tuple[PhotographCopies, ...]:
        """The photographs that have the same content as another one, in groups, by their first photograph.

        `sum(len(group.sources) - 1 for group in index.copies)` is the number of photographs that repeat another one.
        """
        seen = np.flatnonzero(self.contents)
        order = seen[np.argsort(self.contents[seen], kind="stable")]
        starts = np.flatnonzero(np.diff(self.contents[order], prepend=np.uint64(0)))  # seen contents are not 0
        groups = [group for group in np.split(order, starts[1:]) if len(group) > 1]
        found = [PhotographCopies(int(self.contents[group[0]]), tuple(map(int, group))) for group in groups]
        return tuple(sorted(found, key=lambda copies: copies.sources))

    def layer(self, name: str) -> LayerInfo:
        """Return a layer by one of its names or its alias. Raises LayerError if the index does not contain it."""
        for info in self.layers:
            if isinstance(name, str) and name in (info.name, info.alias, *self.other_names.get(info.name, ())):
                return info
        known = ", ".join(info.short_name for info in self.layers)
        raise LayerError(
            f"The index has no layer {name!r}. It contains {known}; ActivationIndex.build(..., layers=[...]) builds one of other layers"
        )

    def values(self, layer: str) -> NDArray[np.float32]:
        """Return the activations (units, k), strongest first; -inf for missing ones."""
        return self._tally(layer).ranking.values.copy()

    def image_ids(self, layer: str) -> NDArray[np.int64]:
        """Return the crop numbers (units, k) of the strongest activations; -1 for missing ones."""
        return self._tally(layer).ranking.crops.copy()

    def positions(self, layer: str) -> NDArray[np.int64]:
        """Return the positions (units, k, 2) of the strongest activations, as (row, column) in the feature map; -1 for missing ones."""
        ranking = self._tally(layer).ranking
        return np.stack([ranking.rows, ranking.columns], axis=2)

    def labels(self, layer: str) -> NDArray[np.int64]:
        """Return the dataset labels (units, k) of the photographs of the strongest activations; -1 for unknown or missing ones."""
        return self.labels_of(self._tally(layer).ranking.sources)

    def labels_of(self, sources: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the dataset labels of photographs in the rankings or the sample; -1 for unknown ones."""
        unique, inverse = np.unique(sources, return_inverse=True)
        labels = np.array([self.source_labels.get(int(source), -1) for source in unique], np.int64)
        return labels[inverse].reshape(sources.shape)

    def sample_values(self, layer: str) -> NDArray[np.float32]:
        """Return the maximum of each unit's map in the crops of `sample` (units, samples)."""
        return self._tally(layer).sample.values.T.copy()

    def sample_positions(self, layer: str) -> NDArray[np.int64]:
        """Return the positions of these maxima (units, samples, 2), as (row, column) in the feature map."""
        flat = self._tally(layer).sample.positions.T.astype(np.int64)
        return np.stack(np.divmod(flat, self.layer(layer).width), axis=2)

    def stats(self, layer: str) -> LayerStats:
        """Return the statistics of each unit's maxima over all crops."""
        return self._tally(layer).stats.summary()

    def class_counts(self, layer: str, unit: int) -> dict[str, int]:
        """Return how often each class occurs among a unit's strongest activations, most frequent first; unlabelled ones are left out."""
        unit = checked_unit(self.layer(layer), unit)
        counter = Counter(int(label) for label in self.labels(layer)[unit] if label >= 0)
        ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
        return {self.categories[label] if label < len(self.categories) else str(label): count for label, count in ranked}

    def _tally(self, layer: str) -> UnitTally:
        return self.tallies[self.layer(layer).name]
