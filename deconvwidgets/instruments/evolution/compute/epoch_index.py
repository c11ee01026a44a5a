"""The activation index of one checkpoint, built in one pass and kept in the cache: a second call reads it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deconvwidgets.arguments import texts
from deconvwidgets.assets.cache import cache_dir
from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import ActivationIndexError, DeconvWidgetsError, LayerError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex, layers_to_index
from deconvwidgets.index.cached_build import SIMILARITY_OPTIONS, cached_index
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.records.layers import LayerInfo

MAX_DECODED = 512 << 20  # bytes of the decoded images that are kept in the cache, so that the next checkpoint need not decode them again


def build_epoch_index(
    bundle: ModelBundle, images: ImageSet, layers: Sequence[str] | None, device: str, job: JobContext, progress: bool = False
) -> ActivationIndex:
    """Return the index of a checkpoint's model from the cache, or build it there. An interrupted build is resumed.

    Raises
    ------
    LayerError
        If one of `layers` does not exist.
    ModelError
        If a feature map contains NaN or infinity, as those of a training that diverged do.
    ActivationIndexError
        If the model has no feature maps.
    JobCancelledError
        If the job is cancelled.
    """
    if not layers_to_index(bundle, layers):
        raise ActivationIndexError(f"{bundle.name} has no feature maps: none of its layers returns (N, channels, height, width).")
    options = replace(SIMILARITY_OPTIONS, decoded_cache=decoded_folder(bundle, images))
    return cached_index(bundle, images, layers, options, device=device, progress=progress, job=job)


def check_layers(checkpoints: Checkpoints, layers: Sequence[str] | None) -> None:
    """Raise LayerError unless the network has these layers. The first checkpoint that can be used says which it has, if there is one."""
    if layers is None:
        return
    texts(layers, "layers", "the names of one or more layers", LayerError)
    for checkpoint in checkpoints:
        try:
            bundle = checkpoints.bundle(checkpoint.epoch)
        except DeconvWidgetsError:  # it is reported when its index is built
            continue
        layers_to_index(bundle, layers)
        return


def decoded_folder(bundle: ModelBundle, images: ImageSet) -> Path | None:
    """Return the folder in the cache for the decoded images; None if they are too large or prepared by an unknown transform."""
    size = len(images) * math.prod(bundle.input_size)
    return cache_dir() / "decoded" if size <= MAX_DECODED and isinstance(bundle.transform, Preprocess) else None


def check_same_architecture(index: ActivationIndex, layers: Sequence[LayerInfo]) -> None:
    """Raise ActivationIndexError unless an index has these layers, by name, number of units and size of the map."""
    found = {info.name: info for info in index.layers}
    for info in layers:
        other = found.get(info.name)
        if other is None:
            raise ActivationIndexError(f"Another architecture: it has no layer {info.short_name}, which the other checkpoints have.")
        if (other.channels, other.height, other.width) != (info.channels, info.height, info.width):
            sizes = [f"{one.channels} maps of {one.height} x {one.width}" for one in (other, info)]
            raise ActivationIndexError(f"Another architecture: its {info.short_name} has {sizes[0]}, not {sizes[1]}.")
