"""The outputs of a model for the photographs of an image set, in memory or on disk, in any order.

On disk the outputs are a memory map, and a second file says which photographs it has. That file is replaced only after the memory map was
flushed, so that an interrupted evaluation continues where it was. Several processes may write the same outputs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.assets.cache import CACHE_VARIABLE, cache_dir, make_folder, write_cache_file
from deconvwidgets.errors import AssetError
from deconvwidgets.images.image_set import digest_of

VERSION = 1
_VALUES, _DONE = "outputs.f32", "done.u8"


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
        path, size = folder / _VALUES, int(np.prod(shape)) * 4
        try:
            make_folder(folder)
            known = _known(folder / _DONE, shape[0]) if path.exists() and path.stat().st_size == size else np.zeros(shape[0], bool)
            with path.open("ab") as file:
                file.truncate(size)
            return cls(np.memmap(path, np.float32, "r+", shape=shape), known, folder)
        except OSError as error:
            raise AssetError(
                f"{path} cannot be created ({error.strerror}); it needs {size / 1e6:,.0f} MB. Free some space, set {CACHE_VARIABLE} to a "
                "folder that you can write to, or pass store='memory'."
            ) from error

    def write(self, sources: NDArray[np.int64], outputs: NDArray[np.float32]) -> None:
        """Set the outputs of some photographs."""
        self.values[sources] = outputs
        self.done[sources] = True

    def commit(self) -> None:
        """Store what was written, if the table is on disk. Raises AssetError if that fails."""
        if self._folder is None:
            return
        assert isinstance(self.values, np.memmap)
        self.values.flush()
        write_cache_file(self._folder / _DONE, self.done.astype(np.uint8).tobytes())


def _known(path: Path, count: int) -> NDArray[np.bool_]:
    """Return which photographs a table has; none if the file is missing or damaged."""
    data = np.frombuffer(path.read_bytes(), np.uint8) if path.exists() else np.zeros(0, np.uint8)
    return data == 1 if len(data) == count else np.zeros(count, bool)
