"""The outputs of a model for the photographs of an image set, in memory or on disk, in any order.

On disk the outputs are a memory map, and a second file has a checksum of the outputs of each photograph. That file is replaced only after
the memory map was flushed, so that an interrupted evaluation continues where it was. Outputs that changed on disk are computed again.
Several processes may write the same outputs.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.assets.cache import CACHE_VARIABLE, cache_dir, make_folder
from deconvwidgets.assets.row_checksums import changed_rows, checksums_of, describe_rows, read_checksums, write_checksums
from deconvwidgets.errors import AssetError
from deconvwidgets.images.image_set import digest_of

VERSION = 1
VALUES, CHECKSUMS = "outputs.f32", "checksums.u32"


class OutputTable:
    """The outputs for each photograph.

    Attributes
    ----------
    values : array (photographs, ...) float32
        Undefined where `done` is False.
    done : array (photographs,) bool
        Whether the outputs of a photograph are known.
    """

    def __init__(self, values: NDArray[np.float32], done: NDArray[np.bool_], folder: Path | None) -> None:
        self.values = values
        self.done = done
        self._folder = folder
        self._checksums = np.zeros(len(done), np.uint32)  # as they were committed

    @classmethod
    def in_memory(cls, shape: tuple[int, ...]) -> OutputTable:
        """Return a table that is not stored on disk."""
        return cls(np.zeros(shape, np.float32), np.zeros(shape[0], bool), None)

    @classmethod
    def on_disk(cls, identity: tuple[object, ...], shape: tuple[int, ...], kind: str = "evaluations") -> OutputTable:
        """Return the table in the cache, with what earlier calls have written to it.

        Parameters
        ----------
        identity : tuple
            What the outputs depend on: digests and settings.
        shape : tuple of int
            (photographs, ...).
        kind : str
            The folder in the cache.

        Raises
        ------
        AssetError
            If the cache cannot be written to.
        """
        folder = cache_dir() / kind / digest_of([repr((VERSION, *identity, shape))])[:24]
        path, size = folder / VALUES, int(np.prod(shape)) * 4
        try:
            make_folder(folder)
            known = path.exists() and path.stat().st_size == size
            checksums = read_checksums(folder / CHECKSUMS, shape[0] if known else 0)
            with path.open("ab") as file:
                file.truncate(size)
            values = np.memmap(path, np.float32, "r+", shape=shape)
        except OSError as error:
            raise AssetError(
                f"{path} cannot be created ({error.strerror}); it needs {size / 1e6:,.0f} MB. Free some space, set {CACHE_VARIABLE} to a "
                "folder that you can write to, or pass store='memory'."
            ) from error
        table = cls(values, np.zeros(shape[0], bool), folder)
        if known:
            table._take(checksums)
        return table

    def write(self, sources: NDArray[np.int64], outputs: NDArray[np.float32]) -> None:
        """Set the outputs of some photographs."""
        self.values[sources] = outputs
        self.done[sources] = True
        self._checksums[sources] = 0

    def commit(self) -> None:
        """Store what was written, if the table is on disk. Raises AssetError if that fails."""
        if self._folder is None:
            return
        assert isinstance(self.values, np.memmap)
        self.values.flush()
        written = np.flatnonzero(self.done & (self._checksums == 0))
        self._checksums[written] = checksums_of(self.values[written])
        write_checksums(self._folder / CHECKSUMS, self._checksums)

    def _take(self, checksums: NDArray[np.uint32]) -> None:
        """Take the outputs on disk that are what was written."""
        changed = changed_rows(self.values, checksums)
        if len(changed):
            warnings.warn(f"The outputs of {describe_rows(changed)} in {self._folder} were damaged. Computing them again.", stacklevel=3)
        checksums[changed] = 0
        self._checksums, self.done = checksums, checksums != 0
