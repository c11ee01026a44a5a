"""The files of indexes in the cache."""

from __future__ import annotations

import os
from pathlib import Path

from deconvwidgets.assets.cache import cache_dir
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.models.bundle import ModelBundle

_FOLDER = "indexes"


def index_path(identity: IndexIdentity) -> Path:
    """Return the file in the cache for the index of an identity."""
    return cache_dir() / _FOLDER / f"{identity.key()}.index"


def is_own(path: Path) -> bool:
    """Return whether a file is in the cache's folder of indexes: what is there is the package's own, and may be replaced."""
    return Path(os.path.realpath(path)).parent == Path(os.path.realpath(cache_dir() / _FOLDER))


def default_path(bundle: ModelBundle, images: ImageSet, k: int = 9, per_source: int | None = 1) -> Path:
    """Return the file in the cache for the index of the explorers' layers, as `LocalModelService` uses it."""
    return index_path(IndexIdentity.of(bundle, images, bundle.network.feature_map_layers, k, per_source))
