"""The data sets that heads can be trained on. Image sets stay open while nothing in their folder changes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from deconvwidgets.errors import HeadError, PictureError
from deconvwidgets.images.empty_classes import without_empty_classes
from deconvwidgets.images.folders import find_caltech
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import class_sizes
from deconvwidgets.images.open import open_images
from deconvwidgets.instruments.transfer.records import DataChoice, TransferSettings
from deconvwidgets.instruments.transfer.service.uploads import Uploads, unpacked_folder
from deconvwidgets.paths import as_path

CALTECH = {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}
PHOTO_CROPS = "photo-crops"
OWN = "images"
_COMMON_NUMBERS = (30, 20, 15, 10, 5, 4, 3, 2, 1)  # of training images per class
_TRAINING_SHARE = 0.75  # at most, of a class that has fewer than the paper's 30
_PHOTO_CROPS_PER_CLASS = 4  # of eight crops of each photograph
_MAX_OPEN = 4  # image sets: the 30,000 paths of Caltech-256 take some MB

Stamp = tuple[tuple[str, int], ...]


class DatasetCatalog:
    """Lists and opens data sets. Thread-safe.

    Parameters
    ----------
    own_images : callable
        Returns the image set of the service.
    uploads : Uploads
        The uploaded zips.
    """

    def __init__(self, own_images: Callable[[], ImageSet], uploads: Uploads) -> None:
        self._own_images = own_images
        self._uploads = uploads
        self._lock = Lock()
        self._open: OrderedDict[tuple[str, str | None], tuple[Stamp, ImageSet]] = OrderedDict()
        self._smallest: tuple[ImageSet, int] | None = None

    def choices(self) -> tuple[DataChoice, ...]:
        """Return the data sets that a panel offers, without opening them: first the photographs of the service, if they have labels."""
        caltech = [DataChoice(name, title, _missing(name)) for name, title in CALTECH.items()]
        crops = DataChoice(PHOTO_CROPS, "Default photographs (for a quick try)", images_per_class=_PHOTO_CROPS_PER_CLASS)
        uploads = [DataChoice(str(folder), f"{folder.name} (uploaded)") for folder in self._uploads.folders()]
        return (*self._own_choice(), *caltech, crops, *uploads)

    def _own_choice(self) -> tuple[DataChoice, ...]:
        """Return the choice of the photographs of the service; none if they have no labels, or a class has a single photograph."""
        own = self._own_images()
        smallest = self._smallest_class(own)
        if smallest < 2:
            return ()
        few = [number for number in _COMMON_NUMBERS if number <= _TRAINING_SHARE * smallest]
        number = _COMMON_NUMBERS[0] if smallest > _COMMON_NUMBERS[0] else max(few, default=1)
        return (DataChoice(OWN, "This service's photographs", images_per_class=number),)

    def images(self, settings: TransferSettings, fresh: bool = False) -> ImageSet:
        """Return the image set of `settings.data`. It is opened again if its folder changed since, or if `fresh`.

        Raises
        ------
        PictureError
            If there is no such data set.
        AssetError
            If "photo-crops" cannot be fetched.
        """
        if not isinstance(settings.data, str) or not settings.data.strip():
            raise PictureError(f"The data set is 'caltech101', '{PHOTO_CROPS}', '{OWN}', or a path, not {settings.data!r}.")
        if settings.data == OWN:
            return without_empty_classes(self._own_images())
        root = settings.root or None
        location, folder = self._locate(settings.data, root)
        key, stamp = (location, root), _stamp(folder)
        with self._lock:
            known = self._open.get(key)
        if known is not None and known[0] == stamp and not (fresh and folder is not None):
            return known[1]
        images = without_empty_classes(open_images(location, root if location in CALTECH else None, progress=False))
        with self._lock:
            self._open[key] = (stamp, images)
            self._open.move_to_end(key)
            while len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
        return images

    def _locate(self, data: str, root: str | None) -> tuple[str, Path | None]:
        """Return what `open_images` takes, and the folder to watch for changes."""
        if data in CALTECH:
            return data, find_caltech(data, root)
        if data in (PHOTO_CROPS, "photos"):
            return data, None
        path = as_path(data, "data", PictureError)
        if path.suffix.lower() == ".zip" and not path.is_dir():
            path = unpacked_folder(path)
        return str(path), path

    def _smallest_class(self, images: ImageSet) -> int:
        """Return the number of photographs of the smallest class that has any; 0 without labels."""
        known = self._smallest
        if known is None or known[0] is not images:
            try:
                smallest = min(filter(None, class_sizes(images)))
            except HeadError:  # no labels
                smallest = 0
            self._smallest = known = (images, smallest)
        return known[1]


def _missing(name: str) -> str:
    try:
        find_caltech(name)
    except PictureError as error:
        return str(error)
    return ""


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
