"""Data sets that are downloaded on request, by torchvision's own downloaders: Imagenette, Caltech-101 and Caltech-256."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deconvwidgets.assets.cache import cache_dir, require_writable, sweep_abandoned
from deconvwidgets.assets.reachability import unreachable_reason
from deconvwidgets.errors import AssetError, PictureError
from deconvwidgets.images.files import FileImages
from deconvwidgets.images.folders import DATA_VARIABLE, image_paths, subfolders
from deconvwidgets.models.architectures import imagenet_categories
from deconvwidgets.models.imagenet_synsets import imagenet_synsets
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.paths import as_path

_TEMPORARY = ".downloading-"


@dataclass(frozen=True, slots=True)
class _Download:
    title: str
    size: str
    folder: str  # relative to the root; it exists once the download is complete
    url: str  # torchvision's, to find out in time whether its server can be reached
    run: Callable[[Any, str], object]  # the data set of torchvision.datasets, in a folder


_DOWNLOADS = {
    "imagenette": _Download(
        "Imagenette",
        "326 MB",
        "imagenette2-320",
        "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
        lambda datasets, root: datasets.Imagenette(root, size="320px", download=True),
    ),
    "caltech101": _Download(
        "Caltech-101",
        "137 MB",
        os.path.join("caltech101", "101_ObjectCategories"),
        "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
        lambda datasets, root: datasets.Caltech101(root, download=True),
    ),
    "caltech256": _Download(
        "Caltech-256",
        "1.2 GB",
        os.path.join("caltech256", "256_ObjectCategories"),
        "https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar",
        lambda datasets, root: datasets.Caltech256(root, download=True),
    ),
}
DOWNLOADABLE = tuple(_DOWNLOADS)


def open_imagenette(root: str | os.PathLike[str] | None = None, progress: bool = True) -> FileImages:
    """Open Imagenette's 9,469 training photographs of ten ImageNet classes. They are downloaded on first use.

    The names of the classes are those of ImageNet's, so that models of ImageNet can be evaluated on them.

    Parameters
    ----------
    root : str or path, optional
        The folder of `imagenette2-320`, as for `ensure_dataset`.
    progress : bool
        Whether to say what is downloaded.

    Raises
    ------
    AssetError
        If it cannot be downloaded.
    """
    folder = ensure_dataset("imagenette", root, progress) / "imagenette2-320" / "train"
    if not folder.is_dir():
        raise PictureError(f"There is no {folder}, the folder of Imagenette's photographs. Delete {folder.parent} to download it again.")
    synsets = subfolders(folder)
    labels = {synset: label for label, synset in enumerate(synsets)}
    names = dict(zip(imagenet_synsets(), imagenet_categories(), strict=True))
    return FileImages(
        "Imagenette",
        folder,
        (path for path in image_paths(folder) if os.sep in path),
        lambda path: labels[path.split(os.sep)[0]],
        [names.get(synset, synset) for synset in synsets],
    )


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of data sets: `root`, or the value of DECONVWIDGETS_DATA, or a folder in the cache."""
    configured = root if root is not None else os.environ.get(DATA_VARIABLE)
    return as_path(configured, "root", PictureError) if configured else cache_dir() / "datasets"


def ensure_dataset(name: str, root: str | os.PathLike[str] | None = None, progress: bool = True) -> Path:
    """Download a data set unless it is there, and return the folder of data sets that it is in.

    It is downloaded and unpacked in a temporary folder, and moved when it is complete.

    Parameters
    ----------
    name : {"imagenette", "caltech101", "caltech256"}
        The data set.
    root : str or path, optional
        The folder of data sets. Defaults to the value of DECONVWIDGETS_DATA, or a folder in the cache.
    progress : bool
        Whether to say what is downloaded. (torchvision's own progress bar cannot be switched off.)

    Raises
    ------
    AssetError
        If the server cannot be reached, the download fails or is damaged, or the folder cannot be written to.
    """
    download, base = _DOWNLOADS[name], data_root(root)
    target = base / download.folder
    if target.is_dir():
        return base
    host, way_on = urlsplit(download.url).netloc, _way_on(name, target)
    reason = unreachable_reason(download.url)
    if reason is not None:
        raise AssetError(f"{download.title} ({download.size}) cannot be downloaded: {reason}. {way_on}")
    require_writable(base)
    if progress:
        print(f"Downloading {download.title}, {download.size}, from {host} to {base}", file=sys.stderr, flush=True)
    sweep_abandoned(base, f"{_TEMPORARY}*")
    temporary = base / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        temporary.mkdir()
        download.run(import_torchvision().datasets, str(temporary))
        target.parent.mkdir(exist_ok=True)
        (temporary / download.folder).rename(target)
    except (OSError, RuntimeError, EOFError, http.client.HTTPException, tarfile.TarError, zipfile.BadZipFile) as error:
        raise AssetError(
            f"{download.title} ({download.size}) cannot be downloaded from {host}: {str(error).rstrip('.')}. {way_on}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return base


def _way_on(name: str, target: Path) -> str:
    archive = Path(urlsplit(_DOWNLOADS[name].url).path).name
    return (
        f"Try again with a connection, or copy the unpacked {archive} from another computer, so that its photographs are in {target}: "
        f'dw.open_images("{name}") opens them.'
    )
