"""The files of indexes in the cache."""

from __future__ import annotations

from pathlib import Path

from deconvwidgets.assets.cache import index_folder
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.index.options import IndexOptions
from deconvwidgets.models.bundle import ModelBundle

EXPLORER_OPTIONS = IndexOptions(k=36)  # of services: nine are shown of each unit (Zeiler & Fergus 2014, figure 2), all on request


def index_path(identity: IndexIdentity) -> Path:
    """Return the file in the cache for the index of an identity."""
    return index_folder() / f"{identity.key()}.index"


def default_path(bundle: ModelBundle, images: ImageSet, options: IndexOptions | None = None) -> Path:
    """Return the file in the cache for the index of the explorers' layers; without options, the one that `LocalModelService` uses."""
    return index_path(IndexIdentity.of(bundle, images, bundle.network.feature_map_layers, options or EXPLORER_OPTIONS))
