"""Indexes that are read from the cache, or built into it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from deconvwidgets.arguments import flag
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import ActivationIndex, layers_to_index, stored_index
from deconvwidgets.index.cached import index_path
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.layer_sets import only_layers
from deconvwidgets.index.options import IndexOptions
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.records.layers import LayerInfo

# Of indexes whose units are compared: the nine strongest photographs, and the activations in up to 2,048 crops.
SIMILARITY_OPTIONS = IndexOptions(k=9, samples=2048)


def cached_index(
    bundle: ModelBundle,
    images: ImageSet,
    layers: Sequence[str] | None = None,
    options: IndexOptions = SIMILARITY_OPTIONS,
    *,
    device: str = "auto",
    progress: bool = True,
    job: JobContext | None = None,
) -> ActivationIndex:
    """Return the index of a model over all crops of an image set: that of the cache, or one that is built into it.

    A build that was interrupted is resumed. If the cache cannot be written to, the index is built without it, with a warning.

    Parameters
    ----------
    bundle : ModelBundle
    images : ImageSet
    layers : sequence of str, optional
        Names or aliases; by default the convN feature maps.
    options : IndexOptions
        By default the nine strongest activations of each unit, and its activations in 2,048 crops.
    device, progress, job
        As for `ActivationIndex.build`.

    Raises
    ------
    LayerError, ModelError, ActivationIndexError, JobCancelledError
        As `ActivationIndex.build`.
    """
    require_images(images)
    progress = flag(progress, "progress", ActivationIndexError)
    bundle = on_device(bundle, device)
    infos = layers_to_index(bundle, layers)
    stored = _of_default_layers(bundle, images, infos, options)
    if stored is not None:
        return stored
    names = [info.name for info in infos]

    def build(path: Path | None) -> ActivationIndex:
        return ActivationIndex.build(bundle, images, names, options, path=path, device=device, progress=progress, job=job)

    path = index_path(IndexIdentity.of(bundle, images, infos, options))
    try:
        return build(path)
    except ActivationIndexError as error:  # as on a full disk, or while another process builds the same
        warnings.warn(f"{error}. The index is built without the cache, and will be built again next time.", stacklevel=2)
        return build(None)


def _of_default_layers(bundle: ModelBundle, images: ImageSet, infos: Sequence[LayerInfo], options: IndexOptions) -> ActivationIndex | None:
    """Return the index of some layers as a part of that of the default layers, if that is in the cache."""
    default = bundle.network.feature_map_layers
    names = {info.name for info in default}
    if tuple(infos) == tuple(default) or not all(info.name in names for info in infos):
        return None
    identity = IndexIdentity.of(bundle, images, default, options)
    stored = stored_index(index_path(identity), identity, range(len(images)))
    return None if stored is None else only_layers(stored, infos)
