"""The data that heads can be trained on: what there is to choose, and image sets that stay open while nothing in their folder changes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from deconvwidgets.errors import HeadError, PictureError
from deconvwidgets.images.folders import find_caltech
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import class_sizes
from deconvwidgets.images.open import open_images
from deconvwidgets.instruments.transfer.records import DataChoice, TransferSettings
from deconvwidgets.instruments.transfer.service.uploads import Uploads, unpacked

CALTECH = {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}
PHOTO_CROPS = "photo-crops"
OWN = "images"
_KEPT = 4  # image sets: Caltech-256's 30,000 paths are some MB

Stamp = tuple[tuple[str, int], ...]


class DatasetCatalog:
    """Thread-safe. `own` gives the service's own photographs."""

    def __init__(self, own: Callable[[], ImageSet], uploads: Uploads) -> None:
        self._own = own
        self._uploads = uploads
        self._lock = Lock()
        self._open: OrderedDict[tuple[str, str | None], tuple[Stamp, ImageSet]] = OrderedDict()
        self._judged: tuple[ImageSet, bool] | None = None

    def choices(self) -> tuple[DataChoice, ...]:
        """What a panel offers; nothing is opened for it."""
        caltech = [DataChoice(name, words, _lacking(name)) for name, words in CALTECH.items()]
        toy = DataChoice(PHOTO_CROPS, "Crops of the default photographs: from which one? (memory, not generalisation)")
        own = self._own()
        mine = [DataChoice(OWN, f"{own.name}: this service's own photographs")] if self._fits(own) else []
        return (*caltech, toy, *mine, *(DataChoice(str(folder), f"{folder.name}, uploaded") for folder in self._uploads.folders()))

    def images(self, settings: TransferSettings, fresh: bool = False) -> ImageSet:
        """The image set of `settings.data`, opened again where its folder changed since, or `fresh`.

        Raises PictureError where nothing is there, AssetError where "photo-crops" cannot be fetched.
        """
        if not isinstance(settings.data, str) or not settings.data.strip():
            raise PictureError(f"Which data? Give 'caltech101', '{PHOTO_CROPS}', '{OWN}', or a path, not {settings.data!r}.")
        if settings.data == OWN:
            return self._own()
        root = settings.root or None
        what, folder = self._place(settings.data, root)
        key, stamp = (what, root), _stamp(folder)
        with self._lock:
            kept = self._open.get(key)
        if kept is not None and kept[0] == stamp and not (fresh and folder is not None):
            return kept[1]
        images = open_images(what, root if what in CALTECH else None, progress=False)
        with self._lock:
            self._open[key] = (stamp, images)
            self._open.move_to_end(key)
            while len(self._open) > _KEPT:
                self._open.popitem(last=False)
        return images

    def _place(self, data: str, root: str | None) -> tuple[str, Path | None]:
        """What to open, and the folder to watch for changes."""
        if data in CALTECH:
            return data, find_caltech(data, root)
        if data in (PHOTO_CROPS, "photos"):
            return data, None
        path = Path(data).expanduser()
        if path.suffix.lower() == ".zip" and not path.is_dir():
            path = unpacked(path)
        return str(path), path

    def _fits(self, own: ImageSet) -> bool:
        """Whether every class of the service's own photographs has two."""
        judged = self._judged
        if judged is None or judged[0] is not own:
            try:
                fits = min(class_sizes(own)) >= 2
            except HeadError:  # no labels
                fits = False
            self._judged = judged = (own, fits)
        return judged[1]


def _lacking(name: str) -> str:
    try:
        find_caltech(name)
    except PictureError as error:
        return str(error)
    return ""


def _stamp(folder: Path | None) -> Stamp:
    """The times of a folder and of those directly in it: they change when a picture comes, goes or is renamed. Empty for what cannot be
    looked into: whoever opens it says why."""
    if folder is None or not folder.is_dir():
        return ()
    try:
        with os.scandir(folder) as entries:
            inside = [(entry.name, entry.stat().st_mtime_ns) for entry in entries if entry.is_dir()]
        return ((".", folder.stat().st_mtime_ns), *sorted(inside))
    except OSError:
        return ()
