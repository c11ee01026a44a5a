"""Features on disk, as a float16 memory map with a checksum for each photograph.

A folder contains the features of one layer for one image set. There are checksums only of features that have been flushed, so an
interrupted extraction resumes where it stopped. They are verified when the features are opened: the features of a photograph that changed
on disk are computed again, and no others. The file has its final size from the start. Several processes may extract the same features:
they write the same values.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.assets.cache import CACHE_VARIABLE, cache_dir, is_cached, make_folder, may, unreadable, write_cache_file
from deconvwidgets.assets.row_checksums import changed_rows, checksums_of, describe_rows, read_checksums, write_checksums
from deconvwidgets.errors import AssetError
from deconvwidgets.images.image_set import digest_of
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.strict_json import StrictJsonError, read_json

VERSION = 1
VALUES = "features.f16"
CHECKSUMS = "checksums.u32"
SKIPPED = "skipped.json"


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
    known : array (photographs,) bool
        The photographs whose features have been computed, or which cannot be read. The features of the latter are undefined.
    """

    def __init__(self, values: NDArray[np.float16], folder: Path | None) -> None:
        self.values = values
        self.known = np.zeros(len(values), bool)
        self._skipped: dict[int, tuple[str, str]] = {}
        self._checksums = np.zeros(len(values), np.uint32)  # as they were committed
        self._folder = folder
        self._uncommitted = False

    @classmethod
    def in_memory(cls, shape: tuple[int, int, int]) -> LayerFeatures:
        """Return features that are not stored on disk."""
        return cls(np.zeros(shape, np.float16), None)

    @classmethod
    def on_disk(cls, identity: FeatureIdentity, shape: tuple[int, int, int], root: Path | None = None) -> LayerFeatures:
        """Return the features stored in the cache (or below `root`), complete or not. Those that changed on disk are missing.

        Raises
        ------
        AssetError
            If the folder cannot be read, or if it cannot be written to and features are missing.
        """
        folder = (root or cache_dir() / "features") / identity.key()
        path = folder / VALUES
        size = int(np.prod(shape)) * 2
        try:
            stored = is_cached(path) and path.stat().st_size == size
            if stored and not may(path, os.W_OK):  # a cache that others share
                features = cls(np.memmap(path, np.float16, "r", shape=shape), folder)
                features._take_stored()
                if features.complete:
                    return features
            make_folder(folder)
            _preallocate(path, size)
            features = cls(np.memmap(path, np.float16, "r+", shape=shape), folder)
        except OSError as error:
            raise AssetError(
                f"{path} cannot be created ({error.strerror}); it needs {size / 1e6:,.0f} MB. "
                f"Free some space, or set {CACHE_VARIABLE} to a folder that you can write to."
            ) from error
        if stored:
            features._take_stored()
        return features

    @property
    def done(self) -> int:
        """Number of photographs whose features have been computed, or which cannot be read."""
        return int(self.known.sum())

    @property
    def complete(self) -> bool:
        """Whether the features of all photographs have been computed."""
        return bool(self.known.all())

    @property
    def skipped(self) -> dict[int, SkippedImage]:
        """The unreadable photographs, by source."""
        return {source: SkippedImage(name, reason) for source, (name, reason) in sorted(self._skipped.items())}

    def readable(self) -> NDArray[np.int64]:
        """Return the sources whose features have been computed, without the skipped ones."""
        return np.setdiff1d(np.flatnonzero(self.known), np.fromiter(self._skipped, np.int64, len(self._skipped)))

    def write(self, source: int, features: NDArray[np.float16]) -> None:
        """Set the features (orientations, features) of a photograph."""
        self.values[source] = features
        self.known[source], self._checksums[source] = True, 0
        self._uncommitted = True

    def skip(self, source: int, image: SkippedImage) -> None:
        """Record a photograph that cannot be read."""
        self._skipped[source] = (image.name, image.reason)
        self.known[source] = self._uncommitted = True

    def commit(self) -> None:
        """Flush the features and record which are known. Raises AssetError if that fails."""
        if self._folder is None or not self._uncommitted:
            return
        assert isinstance(self.values, np.memmap)
        self.values.flush()
        written = np.setdiff1d(np.flatnonzero(self.known & (self._checksums == 0)), list(self._skipped))
        self._checksums[written] = checksums_of(self.values[written])
        write_checksums(self._folder / CHECKSUMS, self._checksums)
        _write_skipped(self._folder / SKIPPED, self._skipped)
        self._uncommitted = False

    def _take_stored(self) -> None:
        """Take the features on disk that are what was written. Raises AssetError if the files cannot be read."""
        assert self._folder is not None
        try:
            checksums = read_checksums(self._folder / CHECKSUMS, len(self.values))
            self._skipped = _read_skipped(self._folder / SKIPPED, len(self.values))
        except OSError as error:
            raise unreadable(Path(error.filename), error.strerror) from error
        checksums[list(self._skipped)] = 0
        changed = changed_rows(self.values, checksums)
        if len(changed):
            warnings.warn(f"The features of {describe_rows(changed)} in {self._folder} were damaged. Computing them again.", stacklevel=3)
        checksums[changed] = 0
        self._checksums, self.known = checksums, checksums != 0
        self.known[list(self._skipped)] = True


def _write_skipped(path: Path, skipped: Mapping[int, tuple[str, str]]) -> None:
    """Write the photographs that cannot be read, with a checksum. Nothing is written if there are none."""
    listed = [[source, name, reason] for source, (name, reason) in sorted(skipped.items())]
    if listed or path.exists():
        write_cache_file(path, json.dumps({"skipped": listed, "checksum": _checksum(listed)}).encode())


def _read_skipped(path: Path, count: int) -> dict[int, tuple[str, str]]:
    """Return the photographs that cannot be read; none, so that they are tried again, if the file is missing or damaged. Raises OSError."""
    try:
        content = read_json(path)
        listed, checksum = content["skipped"], content["checksum"]
        if checksum != _checksum(listed):
            return {}
        skipped = {int(source): (str(name), str(reason)) for source, name, reason in listed}
    except FileNotFoundError:
        return {}
    except (StrictJsonError, KeyError, TypeError, ValueError):
        return {}
    return skipped if all(0 <= source < count for source in skipped) else {}


def _checksum(listed: object) -> str:
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()
