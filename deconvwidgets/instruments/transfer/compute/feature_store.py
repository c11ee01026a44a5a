"""Features on disk: float16 in a memory map, with a record of how far they have come.

A folder holds one layer's features of one image set. What is recorded as done was flushed first, so an extraction that was
interrupted goes on where it stopped. The file has its full size from the start; several processes that extract the same features
write the same rows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.assets.cache import CACHE_VARIABLE, cache_dir, make_folder, write_cache_file
from deconvwidgets.errors import AssetError
from deconvwidgets.images.image_set import digest_of
from deconvwidgets.records.images import SkippedImage

VERSION = 1
VALUES = "features.f16"
RECORD = "progress.json"


@dataclass(frozen=True, slots=True)
class FeatureIdentity:
    """Everything that decides a layer's features of an image set, by digest; equal identities, equal features."""

    layer: str  # Network.digest: operations, wiring and weights up to the layer
    images: str  # ImageSet.digest
    transform: str
    input_size: tuple[int, int, int]
    views: str
    pool: tuple[int, int] | None

    def key(self) -> str:
        """The name of its folder."""
        return digest_of([repr((VERSION, *asdict(self).values()))])[:24]


@dataclass(frozen=True, slots=True)
class _Record:
    version: int
    shape: tuple[int, int, int]
    done: int  # photographs, in the image set's order
    skipped: tuple[tuple[int, str, str], ...]  # (source, name, why) of those that could not be read

    @classmethod
    def read(cls, path: Path) -> _Record | None:
        """The record, or None where there is none that this version understands: then nothing counts as done."""
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            skipped = tuple((int(source), str(name), str(why)) for source, name, why in found["skipped"])
            rows, views, features = (int(length) for length in found["shape"])
            return cls(int(found["version"]), (rows, views, features), int(found["done"]), skipped)
        except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError):
            return None


def _allot(path: Path, size: int) -> None:
    """Give the file its size, keeping what it holds. The space is claimed at once where the system can: a full disk is an OSError here,
    while it would kill the process when a page of the map is written."""
    with path.open("ab") as file:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)


class LayerFeatures:
    """A layer's features: `values` (photographs, views, features) float16, of which the first `done` photographs count.

    The rows of `skipped` photographs hold nothing.
    """

    def __init__(self, values: NDArray[np.float16], done: int, skipped: Sequence[tuple[int, str, str]], folder: Path | None) -> None:
        self.values = values
        self.done = done
        self._skipped = {source: (name, why) for source, name, why in skipped}
        self._folder = folder

    @classmethod
    def in_memory(cls, shape: tuple[int, int, int]) -> LayerFeatures:
        """Room for features that last as long as the process."""
        return cls(np.zeros(shape, np.float16), 0, (), None)

    @classmethod
    def on_disk(cls, identity: FeatureIdentity, shape: tuple[int, int, int], root: Path | None = None) -> LayerFeatures:
        """The features in the cache (or below `root`): as far as they were computed before, else nothing done yet.

        Raises AssetError where the folder cannot be written to.
        """
        folder = make_folder((root or cache_dir() / "features") / identity.key())
        path = folder / VALUES
        size = int(np.prod(shape)) * 2
        record = _Record.read(folder / RECORD)
        sound = record is not None and record.version == VERSION and record.shape == shape
        try:
            sound = sound and path.stat().st_size == size if path.exists() else False
            _allot(path, size)
            values = np.memmap(path, np.float16, "r+", shape=shape)
        except OSError as error:
            raise AssetError(
                f"{path} cannot be made ({error.strerror}); it takes {size / 1e6:,.0f} MB. "
                f"Free some space, or set {CACHE_VARIABLE} to a folder you may write to."
            ) from error
        if record is None or not sound:
            return cls(values, 0, (), folder)
        return cls(values, min(record.done, shape[0]), record.skipped, folder)

    @property
    def complete(self) -> bool:
        """Whether every photograph is done."""
        return self.done == len(self.values)

    @property
    def skipped(self) -> dict[int, SkippedImage]:
        """The photographs that could not be read, by source."""
        return {source: SkippedImage(name, why) for source, (name, why) in sorted(self._skipped.items())}

    def readable(self) -> NDArray[np.int64]:
        """The sources that have features."""
        return np.setdiff1d(np.arange(self.done, dtype=np.int64), np.fromiter(self._skipped, np.int64, len(self._skipped)))

    def put(self, source: int, features: NDArray[np.float16]) -> None:
        """One photograph's features (views, features)."""
        self.values[source] = features

    def skip(self, source: int, picture: SkippedImage) -> None:
        """A photograph that cannot be read."""
        self._skipped[source] = (picture.name, picture.reason)

    def reached(self, done: int) -> None:
        """The first `done` photographs are in place: written out, and recorded. Raises AssetError where the disk refuses."""
        self.done = done
        if self._folder is None:
            return
        assert isinstance(self.values, np.memmap)
        self.values.flush()
        skipped = tuple((source, name, why) for source, (name, why) in sorted(self._skipped.items()) if source < done)
        rows, views, features = self.values.shape
        record = _Record(VERSION, (rows, views, features), done, skipped)
        write_cache_file(self._folder / RECORD, json.dumps(asdict(record)).encode())
