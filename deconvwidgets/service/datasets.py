"""The image sets that the user of a widget selects by name or path. They stay open while nothing in their folder changes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from deconvwidgets.errors import PictureError
from deconvwidgets.images.folders import find_caltech
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.open import open_images
from deconvwidgets.paths import as_path
from deconvwidgets.service.unpacked import unpacked_folder

CALTECH = {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}
PHOTO_CROPS = "photo-crops"
OWN = "images"
_MAX_OPEN = 4  # image sets: the 30,000 paths of Caltech-256 take some MB

Stamp = tuple[tuple[str, int], ...]


class OpenDatasets:
    """Opens image sets by name or path. Thread-safe.

    Parameters
    ----------
    own_images : callable
        Returns the image set of the service, which is called "images".
    prepare : callable
        Applied to each image set when it is opened.
    host : str
        The name of this machine if the user's notebook runs on another one; else empty.
    """

    def __init__(
        self, own_images: Callable[[], ImageSet], prepare: Callable[[ImageSet], ImageSet] = lambda images: images, host: str = ""
    ) -> None:
        self._own_images = own_images
        self._host = host
        self._prepare = prepare
        self._lock = Lock()
        self._open: OrderedDict[tuple[str, str | None], tuple[Stamp, ImageSet]] = OrderedDict()

    def get(self, data: Any, root: str | None = None, fresh: bool = False) -> ImageSet:
        """Return the image set of a name or path. It is opened again if its folder changed since, or if `fresh`.

        Parameters
        ----------
        data : str
            "images", "caltech101", "caltech256", "photos", "photo-crops", or the path of a folder or zip.
        root : str, optional
            The folder of the Caltech data sets.
        fresh : bool
            Read the folder again in any case.

        Raises
        ------
        PictureError
            If there is no such data set.
        AssetError
            If the default photographs cannot be fetched.
        """
        if not isinstance(data, str) or not data.strip():
            raise PictureError(f"The data set is 'caltech101', '{PHOTO_CROPS}', '{OWN}', or a path, not {data!r}.")
        if data == OWN:
            return self._prepare(self._own_images())
        root = root or None
        for path in (data, root):
            require_absolute(path, self._host)
        with naming_host(self._host):
            location, folder = _locate(data, root)
        key, stamp = (location, root), _stamp(folder)
        with self._lock:
            known = self._open.get(key)
        if known is not None and known[0] == stamp and not (fresh and folder is not None):
            return known[1]
        with naming_host(self._host):
            images = self._prepare(open_images(location, root if location in CALTECH else None, progress=False))
        with self._lock:
            self._open[key] = (stamp, images)
            self._open.move_to_end(key)
            while len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
        return images


def require_absolute(path: object, host: str) -> None:
    """Raise PictureError for a relative path if the user's notebook runs on another machine, where it would mean another folder."""
    names = (*CALTECH, PHOTO_CROPS, "photos", OWN)
    if host and isinstance(path, str) and path not in names and not os.path.isabs(os.path.expanduser(path)):
        raise PictureError(
            f"Image sets are read on the machine of the model service, {host}: give an absolute path there instead of {path!r}, or upload "
            "a zip."
        )


@contextmanager
def naming_host(host: str) -> Iterator[None]:
    """Add the name of the machine to errors about image sets, if the user's notebook runs on another one."""
    try:
        yield
    except PictureError as error:
        if not host:
            raise
        raise PictureError(f"{error} (It was looked for on {host}, the machine of the model service.)") from error


def missing_reason(name: str) -> str:
    """Return why "caltech101" or "caltech256" is not available; "" if it is."""
    try:
        find_caltech(name)
    except PictureError as error:
        return str(error)
    return ""


def _locate(data: str, root: str | None) -> tuple[str, Path | None]:
    """Return what `open_images` takes, and the folder to watch for changes."""
    if data in CALTECH:
        return data, find_caltech(data, root)
    if data in (PHOTO_CROPS, "photos"):
        return data, None
    path = as_path(data, "data", PictureError)
    if path.suffix.lower() == ".zip" and not path.is_dir():
        path = unpacked_folder(path)
    return str(path), path


def _stamp(folder: Path | None) -> Stamp:
    """Return the modification times of a folder and of its subfolders, which change when an image is added, removed or renamed.

    It is empty for a folder that cannot be read: opening it raises the error.
    """
    if folder is None or not folder.is_dir():
        return ()
    try:
        with os.scandir(folder) as entries:
            inside = [(entry.name, entry.stat().st_mtime_ns) for entry in entries if entry.is_dir()]
        return ((".", folder.stat().st_mtime_ns), *sorted(inside))
    except OSError:
        return ()
