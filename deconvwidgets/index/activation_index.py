"""The strongest activations of every unit over an image set.

Source: Zeiler & Fergus 2014, figure 2 (the top 9 activations, each from a different image). The statistics, the most negative
activations and the samples are our extension.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self, Unpack

import numpy as np
import psutil
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, flag, one_of, texts
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine.weights_version import WeightsVersion
from deconvwidgets.errors import ActivationIndexError, LayerError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.building import BuildRequest, build_at, build_index
from deconvwidgets.index.crop_ranges import checked_crops, joined, overlap, ranges_of
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.index_file import damaged, decode_index, encode_index, read_index, write_index
from deconvwidgets.index.options import IndexOptions, IndexSettings
from deconvwidgets.index.queries.methods import IndexQueries
from deconvwidgets.index.readable import ReadableIndex
from deconvwidgets.index.sample import Sample
from deconvwidgets.index.so_far import OnSoFar, checked_on_so_far
from deconvwidgets.index.state import fields_of, state_of
from deconvwidgets.index.tally import UnitTally
from deconvwidgets.index.top_k import PLACE_BYTES
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.paths import as_path
from deconvwidgets.records.images import sorted_by_name
from deconvwidgets.records.layers import LayerInfo

_MEMORY_SHARE = 0.4  # of the free memory, for activations per class: they are copied when they are committed


class ActivationIndex(IndexQueries, ReadableIndex):
    """The strongest activations, the statistics and a sample of each unit of some layers; immutable.

    Create one with `build` or `load`. The activation of a unit in a crop is the maximum over its feature map; of equal maxima the first
    in reading order gives the position. Equal activations are ordered by crop. An activation of exactly 0 is not listed, so a dead unit
    has no strongest activations. Photographs with the same content count as one in the rankings and in the sample; `copies` lists them.
    The statistics count every crop.

    An index does not depend on the order of the crops, or on how they are cut into batches and parts. Indexes of different crops can be
    merged.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> images = dw.open_images("photos", limit=2)
    >>> index = dw.ActivationIndex.build(dw.load_model("alexnet"), images, layers=["conv1", "conv2"], k=3, progress=False)
    >>> index.values("conv2").shape
    (192, 3)
    >>> len(index.top("conv2", unit=5))  # one from each photograph
    2
    >>> index.most_negative("conv2", unit=5)[0].value < 0  # before the rectifier
    True
    """

    @classmethod
    def build(
        cls,
        bundle: ModelBundle,
        images: ImageSet,
        layers: Sequence[str] | None = None,
        options: IndexOptions | None = None,
        *,
        path: str | Path | None = None,
        resume: bool = True,
        overwrite: bool = False,
        device: str = "auto",
        progress: bool = True,
        crops: range | None = None,
        job: JobContext | None = None,
        on_so_far: OnSoFar | None = None,
        engine: Literal["local", "ray"] = "local",
        ray_address: str | None = None,
        **settings: Unpack[IndexSettings],
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
        options : IndexOptions, optional
            What the index keeps, and how it is built. Single options can be given as keywords: `k=36, workers=4`.
        path : str or Path, optional
            Where to keep the index.
        resume : bool
            Use the index at `path`, or the crops so far that an interrupted build left there, if they fit.
        overwrite : bool
            Replace what is at `path` and cannot be used.
        device : str
            "auto", "cpu", "cuda:1", ... Of a cluster's workers "auto", "cpu" or "cuda": "auto" takes its GPUs, if it has any.
        progress : bool
            Show a progress bar.
        crops : range, optional
            Numbers of the crops, for an index that is to be merged with others; by default all crops.
        job : JobContext, optional
            Progress, cancellation, the device lease, and the batch size while the options' is "auto".
        on_so_far : callable, optional
            Called after each batch with an `IndexSoFar`, which copies the index of the crops so far.
        engine : {"local", "ray"}
            Build in this process, or on a Ray cluster, all of whose nodes must find the image files under the same path. The index has the
            same bytes. With "ray", `on_so_far` is called after each part that is finished there.
        ray_address : str, optional
            The cluster: "auto", "HOST:6379" or "ray://HOST:10001"; None starts Ray on this machine only, and stops it afterwards. A process
            that is connected already uses its connection.
        **settings
            Fields of `IndexOptions`.

        Raises
        ------
        LayerError
            For an unknown layer.
        ModelError
            If a feature map contains NaN or infinity.
        ActivationIndexError
            If `path` cannot be written to, for an invalid number, flag or range, if the weights are changed meanwhile, and if a cluster
            cannot be reached or read the images.
        ImportError
            If `engine` is "ray", and Ray is not installed.
        JobCancelledError
            If the job is cancelled.
        """
        require_images(images)
        options = IndexOptions.of(options, **settings)
        resume, overwrite = flag(resume, "resume", ActivationIndexError), flag(overwrite, "overwrite", ActivationIndexError)
        progress = flag(progress, "progress", ActivationIndexError)
        path = None if path is None else as_path(path, "path", ActivationIndexError)
        one_of(engine, "engine", ("local", "ray"), ActivationIndexError)
        if ray_address is not None and engine != "ray":
            raise ActivationIndexError("ray_address is for engine='ray', which builds on a Ray cluster")
        on_so_far, job = checked_on_so_far(on_so_far), as_job(job)
        bundle = on_device(bundle, "cpu" if engine == "ray" else device)
        infos = layers_to_index(bundle, layers)
        crops = checked_crops(crops, len(images))
        weights = WeightsVersion(bundle.model)  # before the identity is made of them
        empty = cls.empty(bundle, images, infos, options)
        request = BuildRequest(bundle, images, options, crops, job, progress, on_so_far, engine, ray_address, device, weights)
        return build_index(request, empty) if path is None else build_at(path, request, empty, resume, overwrite)

    @classmethod
    def empty(cls, bundle: ModelBundle, images: ImageSet, layers: Sequence[LayerInfo], options: IndexOptions) -> Self:
        """Return the index of no crops, to which those of some crops can be merged.

        Raises
        ------
        ActivationIndexError
            If activations per class are asked for and the images have no classes, or if they would not fit into memory.
        """
        identity, categories = IndexIdentity.of(bundle, images, layers, options), tuple(images.categories or ())
        check_classes(options, categories, sum(info.channels for info in layers))
        negative = options.negative and bundle.network.traced
        tallies = {info.name: UnitTally.empty(info.channels, options, negative, len(categories)) for info in layers}
        contents = np.zeros(images.source_count, np.uint64)
        known = bundle.network.other_names()
        names = {info.name: tuple(known[info.name]) for info in layers if info.name in known}
        skipped = sorted_by_name(images.skipped)
        return cls(identity, tuple(layers), tallies, (), contents, Sample.empty(), {}, categories, skipped, names)

    def check(self, identity: IndexIdentity, crops: range | None = None) -> None:
        """Raise ActivationIndexError unless the index has this identity and, if `crops` is given, covers exactly these crops."""
        mismatch = self.identity.mismatch(identity)
        if mismatch is None and crops is not None and self.crop_ranges != ranges_of(crops):
            mismatch = f"it covers the crops {list(self.crop_ranges)}, not {list(ranges_of(crops))}"
        if mismatch is not None:
            raise ActivationIndexError(f"The activation index does not fit: {mismatch}. Build one for this model and these images")

    def merge(self, other: ActivationIndex) -> ActivationIndex:
        """Return the index of the crops of both indexes. It is the same, bit for bit, as one that is built over all of them.

        An index merged with itself is itself.

        Raises
        ------
        ActivationIndexError
            If the indexes differ in model, images or settings, or if they have crops in common.
        """
        if not isinstance(other, ActivationIndex):
            raise ActivationIndexError(f"other must be an ActivationIndex, not {describe(other)}.")
        self.check(other.identity)
        other.check(self.identity)
        if self.crop_ranges and self.crop_ranges == other.crop_ranges and equal_states(self, other):
            return self
        common = overlap(self.crop_ranges, other.crop_ranges)
        if common is not None:
            raise ActivationIndexError(f"Both indexes contain crops from {common[0]} to {common[1]}: merge indexes of different crops")
        sample = self.sample.joined(other.sample)
        sampled = sample.smallest(self.identity.options.samples)
        merged = replace(
            self,
            tallies={name: tally.merge(other.tallies[name], sampled) for name, tally in self.tallies.items()},
            crop_ranges=joined(self.crop_ranges, other.crop_ranges),
            contents=np.maximum(self.contents, other.contents),
            sample=sample.take(sampled),
            source_labels={**self.source_labels, **other.source_labels},
            skipped=sorted_by_name((*self.skipped, *other.skipped)),
        )
        return merged.with_needed_labels()

    def with_needed_labels(self) -> Self:
        """Return the index without the labels of photographs that are neither in its rankings nor in its sample."""
        needed = {int(source) for tally in self.tallies.values() for source in tally.sources()} | set(self.sample.sources.tolist())
        return replace(self, source_labels={source: label for source, label in self.source_labels.items() if source in needed})

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the complete content: a manifest of plain values, and arrays by name. Equal indexes have equal states, to the byte."""
        return state_of(self)

    @classmethod
    def from_state(cls, manifest: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Return the index that has a state. Raises ActivationIndexError if manifest and arrays do not fit together."""
        return cls(**fields_of(manifest, tensors))

    def to_bytes(self) -> bytes:
        """Return the bytes of the index's file."""
        return encode_index(*self.state())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the index of a file's bytes. Raises ActivationIndexError if they are damaged or something else."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise ActivationIndexError(f"data must be the bytes of an activation index, not {describe(data)}.")
        content = decode_index(data)
        return cls.from_state(content.manifest, content.tensors)

    def save(self, path: str | Path) -> None:
        """Write the index to the file `path`, as a whole or not at all. Raises ActivationIndexError if that is not possible."""
        write_index(as_path(path, "path", ActivationIndexError), *self.state())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the index in the file `path`. Raises ActivationIndexError if there is none, or if it is damaged or of another format."""
        path = as_path(path, "path", ActivationIndexError)
        content = read_index(path)
        try:
            return cls.from_state(content.manifest, content.tensors)
        except ActivationIndexError as error:
            raise damaged(path, str(error)) from error


def layers_to_index(bundle: ModelBundle, layers: Sequence[str] | None) -> tuple[LayerInfo, ...]:
    """Return the layers of these names or aliases, each once; by default the convN feature maps. Raises LayerError for an unknown one."""
    names = () if layers is None else texts(layers, "layers", "the names of one or more layers", LayerError)
    return tuple(dict.fromkeys(map(bundle.network.layer, names)) or bundle.network.feature_map_layers)


def check_classes(options: IndexOptions, categories: Sequence[str], units: int) -> None:
    """Raise ActivationIndexError if activations per class are asked for, and there are no classes or too many places for the memory."""
    if not options.per_class:
        return
    if not categories:
        raise ActivationIndexError("per_class needs an image set with classes, such as a folder with one folder per class")
    wanted, available = units * len(categories) * options.per_class * PLACE_BYTES, psutil.virtual_memory().available
    if wanted > _MEMORY_SHARE * available:
        raise ActivationIndexError(
            f"per_class={options.per_class} would take {wanted / 1e9:.1f} GB for {units:,} units and {len(categories):,} classes, and "
            f"{available / 1e9:.1f} GB of memory are free: choose fewer layers or a smaller per_class"
        )


def equal_states(left: ActivationIndex, right: ActivationIndex) -> bool:
    """Return whether two indexes have the same content."""
    (manifest, tensors), (other_manifest, others) = left.state(), right.state()
    return manifest == other_manifest and all(tensors[name].tobytes() == others[name].tobytes() for name in tensors)


def stored_index(path: Path, identity: IndexIdentity, crops: range) -> ActivationIndex | None:
    """Return the index in the file `path` if it fits `identity` and `crops`; else None, with a warning if there is another one."""
    if not os.path.exists(path):  # Path.exists raises for a folder that cannot be read
        return None
    try:
        stored = ActivationIndex.load(path)
        stored.check(identity, crops)
    except ActivationIndexError as error:
        warnings.warn(f"{error}. Building the index in {path} again.", stacklevel=3)
        return None
    return stored
