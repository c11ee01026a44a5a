"""A cache of prepared crops: decoding and transforming an image costs milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.stream import PreparedCrop, prepared_crops
from deconvwidgets.errors import PictureError
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.snapshot import Snapshot

InputAndImage = tuple[Tensor, NDArray[np.uint8]]
T = TypeVar("T")


def required(found: T | PictureError) -> T:
    """Return what was found. Raises PictureError if it is one."""
    if isinstance(found, PictureError):
        raise found
    return found


class PreparedImageCache:
    """Keeps crops of the image set as model inputs and as images. Thread-safe, and bounded by bytes.

    Entries belong to a version of the snapshot's layers.
    """

    def __init__(self, limit: int = 192 << 20) -> None:
        self._cache: ByteCache[InputAndImage] = ByteCache(limit, lambda entry: entry[0].nbytes + entry[1].nbytes)

    def get(self, snapshot: Snapshot, crops: Sequence[int]) -> list[InputAndImage]:
        """Return the input (C, H, W) float32 and the image (H, W, 3) uint8 of each crop.

        Raises
        ------
        PictureError
            If a file can no longer be read.
        """
        return [required(entry) for entry in self.each(snapshot, crops)]

    def each(self, snapshot: Snapshot, crops: Sequence[int]) -> list[InputAndImage | PictureError]:
        """Return the input and the image of each crop, or why its file can no longer be read: one file must not hide the others."""
        found: dict[int, InputAndImage | PictureError] = {}
        for crop in crops:
            entry = self._cache.get((snapshot.layers_version, crop))
            if entry is not None:
                found[crop] = entry
        missing = [crop for crop in dict.fromkeys(crops) if crop not in found]
        for item in prepared_crops(snapshot.bundle, snapshot.images, missing) if missing else ():
            found[item.crop] = self._put(snapshot, item)
        return [found[crop] for crop in crops]

    def prefetch(self, snapshot: Snapshot, crops: Sequence[int], cancelled: Callable[[], bool]) -> None:
        """Prepare `crops` in advance, so that a first click need not decode them. Do nothing if they do not all fit."""
        channels, height, width = snapshot.bundle.input_size
        if len(crops) * height * width * (4 * channels + 3) > self._cache.limit:
            return
        for item in prepared_crops(snapshot.bundle, snapshot.images, crops, threads=1, ahead=1):
            if cancelled():
                return
            self._put(snapshot, item)

    def keep_only(self, layers_version: int) -> None:
        """Remove the entries of all other versions of the layers."""
        self._cache.keep_only(lambda key: key[0] == layers_version)

    def _put(self, snapshot: Snapshot, item: PreparedCrop) -> InputAndImage | PictureError:
        if item.pixels is None:
            reason = item.skipped.reason if item.skipped is not None else ""
            return PictureError(f"A photograph of the index can no longer be read: {reason} Build the index again")
        entry = (item.pixels, snapshot.bundle.to_picture(item.pixels))
        self._cache.put((snapshot.layers_version, item.crop), entry)
        return entry
