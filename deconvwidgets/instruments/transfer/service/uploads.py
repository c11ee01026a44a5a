"""Zips that the browser uploads, and zips on the kernel's machine: unpacked once, in the cache folder."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deconvwidgets.assets.cache import CACHE_VARIABLE, make_folder, sweep_abandoned
from deconvwidgets.errors import PictureError
from deconvwidgets.images.zip import unpack_zip
from deconvwidgets.service.unpacked import folder_name, uploaded_folders, uploads_folder
from deconvwidgets.service.uploads import ChunkedUploads

MAX_BYTES = 4 << 30
_RESERVED_BYTES = 256 << 20  # of the disk, besides the zip and its contents (photographs hardly compress)
_SUFFIX = ".zip"


@dataclass(frozen=True, slots=True)
class _PartFile:
    """The received part of a zip, on the disk."""

    name: str
    path: Path

    def write(self, offset: int, data: bytes) -> None:
        """Raises PictureError if the disk cannot be written to."""
        with _disk_errors(self.name), self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


class Uploads:
    """The uploaded zips of a service. Thread-safe. Unpacked folders stay in the cache folder, for later sessions as well."""

    def __init__(self) -> None:
        self._uploads: ChunkedUploads[_PartFile] = ChunkedUploads()

    def folders(self) -> list[Path]:
        """Return the folders that uploads were unpacked to, by name."""
        return uploaded_folders()

    def begin(self, name: str, size: int) -> str:
        """Begin an upload, and return its id.

        Raises
        ------
        PictureError
            If the file is not named as a zip, is empty or too large, or if the disk is full.
        """
        if not isinstance(name, str) or not name.lower().endswith(_SUFFIX):
            raise PictureError(f"{name!r} is not a zip by its name: zip the folder that contains the class folders, and choose that file.")
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise PictureError(f"{name} is empty ({size} bytes): zip the folder that contains the class folders, and choose that file.")
        if size > MAX_BYTES:
            raise PictureError(
                f"{name} has {_gigabytes(size)}, more than the {_gigabytes(MAX_BYTES)} that can be uploaded. "
                "Copy it to the machine that the notebook runs on, and give its path."
            )
        root = make_folder(uploads_folder())
        sweep_abandoned(root, ".*.part")  # each may take gigabytes
        free = shutil.disk_usage(root).free
        if free < 2 * size + _RESERVED_BYTES:
            raise PictureError(
                f"{name} takes {_gigabytes(2 * size)} while it is unpacked, and {root} has {_gigabytes(free)} left. Free some space, or "
                f"set {CACHE_VARIABLE} to a folder on a larger disk."
            )
        upload_id = secrets.token_hex(8)
        part = _PartFile(name, root / f".{upload_id}.part")
        with _disk_errors(name):
            part.path.touch(exist_ok=False)
        return self._uploads.begin(name, size, part, upload_id)

    def add(self, upload_id: str, offset: int, data: bytes) -> int:
        """Add a chunk, and return the number of bytes received. A chunk that is sent twice counts once.

        Raises PictureError for a chunk out of order.
        """
        return self._uploads.add(upload_id, offset, data)

    def finish(self, upload_id: str) -> Path:
        """Unpack an upload, delete the zip, and return the folder. Raises PictureError, and keeps nothing, for a bad or incomplete zip."""
        with self._uploads.finished(upload_id) as upload:
            return _unpack(upload.store.path, upload.name)

    def cancel(self, upload_id: str) -> None:
        """Delete an unfinished upload, if there is one of that id."""
        self._uploads.cancel(upload_id)

    def close(self) -> None:
        """Delete all unfinished uploads."""
        self._uploads.close()


def _unpack(part: Path, name: str) -> Path:
    """Unpack into a folder named after the zip, with a number if there is such a folder."""
    root, plain = uploads_folder(), folder_name(name)
    target, number = root / plain, 1
    while target.exists():
        number += 1
        target = root / f"{plain}-{number}"
    try:
        return unpack_zip(part, target)
    except PictureError as error:
        raise PictureError(str(error).replace(part.name, name)) from error


@contextmanager
def _disk_errors(name: str) -> Iterator[None]:
    """Raise OSErrors as PictureErrors."""
    try:
        yield
    except OSError as error:
        raise PictureError(
            f"{name} cannot be stored in {uploads_folder()} ({error.strerror}). Free some space, or set {CACHE_VARIABLE} to a folder you "
            "may write to."
        ) from error


def _gigabytes(size: int) -> str:
    return f"{size / (1 << 30):,.1f} GiB"
