"""Features on disk, as a float16 memory map with a record of the progress.

A folder contains the features of one layer for one image set. The record counts only features that have been flushed, so an interrupted
extraction resumes where it stopped. The file has its final size from the start. Several processes may extract the same features: they
write the same values.
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

from deconvwidgets.assets.cache import CACHE_VARIABLE, cache_dir, make_folder, may, unreadable, write_cache_file
from deconvwidgets.errors import AssetError
from deconvwidgets.images.image_set import digest_of
from deconvwidgets.records.images import SkippedImage

VERSION = 1
VALUES = "features.f16"
RECORD = "progress.json"


@dataclass(frozen=True, slots=True)
class FeatureIdentity:
    """The digests and settings that determine the features of a layer for an image set."""

    layer: str  # Network.digest: operations, wiring and weights up to the layer
    images: str  # ImageSet.digest
    transform: str
    input_size: tuple[int, int, int]
    crops: str
    pool: tuple[int, int] | None

    def key(self) -> str:
        """Return the name of the folder, which is the same for equal identities."""
        return digest_of([repr((VERSION, *asdict(self).values()))])[:24]


@dataclass(frozen=True, slots=True)
class _Record:
    version: int
    shape: tuple[int, int, int]
    done: int  # number of photographs, in the order of the image set
    skipped: tuple[tuple[int, str, str], ...]  # (source, name, reason) of unreadable photographs

    @classmethod
    def read(cls, path: Path) -> _Record | None:
        """Return the record; None if there is none or if it is damaged. Raises AssetError if it cannot be read."""
        try:
            fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            skipped = tuple((int(source), str(name), str(reason)) for source, name, reason in fields["skipped"])
            photographs, orientations, features = (int(length) for length in fields["shape"])
            return cls(int(fields["version"]), (photographs, orientations, features), int(fields["done"]), skipped)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                return None
            raise unreadable(path, error.strerror) from error
        except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError):
            return None


def _preallocate(path: Path, size: int) -> None:
    """Give a file its size without changing its content.

    The disk space is allocated where the system supports it, so that a full disk raises OSError here. Otherwise it would end the process
    when a page of the memory map is written.
    """
    with path.open("ab") as file:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)


class LayerFeatures:
    """The features of one layer for an image set.

    Attributes
    ----------
    values : array (photographs, orientations, features) float16
        The features. There are one or two orientations: as the photograph is, and mirrored.
    done : int
        Number of photographs whose features have been computed. The features of skipped photographs are undefined.
    """

    def __init__(self, values: NDArray[np.float16], done: int, skipped: Sequence[tuple[int, str, str]], folder: Path | None) -> None:
        self.values = values
        self.done = done
        self._skipped = {source: (name, reason) for source, name, reason in skipped}
        self._folder = folder

    @classmethod
    def in_memory(cls, shape: tuple[int, int, int]) -> LayerFeatures:
        """Return features that are not stored on disk."""
        return cls(np.zeros(shape, np.float16), 0, (), None)

    @classmethod
    def on_disk(cls, identity: FeatureIdentity, shape: tuple[int, int, int], root: Path | None = None) -> LayerFeatures:
        """Return the features stored in the cache (or below `root`), complete or not.

        Raises
        ------
        AssetError
            If the folder cannot be read, or if it cannot be written to and features are missing.
        """
        folder = (root or cache_dir() / "features") / identity.key()
        path = folder / VALUES
        size = int(np.prod(shape)) * 2
        record = _Record.read(folder / RECORD)
        valid = record is not None and record.version == VERSION and record.shape == shape
        try:
            valid = valid and path.exists() and path.stat().st_size == size
            if record is not None and valid and record.done >= shape[0] and not may(path, os.W_OK):  # a cache that others share
                return cls(np.memmap(path, np.float16, "r", shape=shape), shape[0], record.skipped, folder)
            make_folder(folder)
            _preallocate(path, size)
            values = np.memmap(path, np.float16, "r+", shape=shape)
        except OSError as error:
            raise AssetError(
                f"{path} cannot be created ({error.strerror}); it needs {size / 1e6:,.0f} MB. "
                f"Free some space, or set {CACHE_VARIABLE} to a folder that you can write to."
            ) from error
        if record is None or not valid:
            return cls(values, 0, (), folder)
        return cls(values, min(record.done, shape[0]), record.skipped, folder)

    @property
    def complete(self) -> bool:
        """Whether the features of all photographs have been computed."""
        return self.done == len(self.values)

    @property
    def skipped(self) -> dict[int, SkippedImage]:
        """The unreadable photographs, by source."""
        return {source: SkippedImage(name, reason) for source, (name, reason) in sorted(self._skipped.items())}

    def readable(self) -> NDArray[np.int64]:
        """Return the sources whose features have been computed, without the skipped ones."""
        return np.setdiff1d(np.arange(self.done, dtype=np.int64), np.fromiter(self._skipped, np.int64, len(self._skipped)))

    def write(self, source: int, features: NDArray[np.float16]) -> None:
        """Set the features (orientations, features) of a photograph."""
        self.values[source] = features

    def skip(self, source: int, image: SkippedImage) -> None:
        """Record a photograph that cannot be read."""
        self._skipped[source] = (image.name, image.reason)

    def commit(self, done: int) -> None:
        """Flush the features and record that the first `done` photographs are complete. Raises AssetError if that fails."""
        self.done = done
        if self._folder is None:
            return
        assert isinstance(self.values, np.memmap)
        self.values.flush()
        skipped = tuple((source, name, reason) for source, (name, reason) in sorted(self._skipped.items()) if source < done)
        photographs, orientations, features = self.values.shape
        record = _Record(VERSION, (photographs, orientations, features), done, skipped)
        write_cache_file(self._folder / RECORD, json.dumps(asdict(record)).encode())
