"""Zips that come from the browser in chunks, and zips that lie on the kernel's machine: unpacked once, below the cache folder."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deconvwidgets.assets.cache import CACHE_VARIABLE, cache_dir, make_folder
from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import digest_of
from deconvwidgets.images.zip import unpack_zip
from deconvwidgets.service.uploads import ChunkedUploads

MOST_BYTES = 4 << 30
_SPARE = 256 << 20  # of the disk, beside the zip and what it unpacks to (photographs hardly shrink)
_ENDING = ".zip"
_ABANDONED = 24 * 3600  # seconds without a chunk: its kernel ended in between


@dataclass(frozen=True, slots=True)
class _PartFile:
    """What has come of a zip, on the disk."""

    name: str
    path: Path

    def write(self, offset: int, data: bytes) -> None:
        """Raises PictureError where the disk refuses."""
        with _disk(self.name), self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


class Uploads:
    """The uploads of one service. Thread-safe. What is unpacked stays below the cache folder, for later sessions too."""

    def __init__(self) -> None:
        self._arrivals: ChunkedUploads[_PartFile] = ChunkedUploads()

    def folders(self) -> list[Path]:
        """The folders that uploads were unpacked to, by name."""
        home = _home()
        return sorted(Path(entry.path) for entry in os.scandir(home) if entry.is_dir() and entry.name[:1] != ".") if home.is_dir() else []

    def begin(self, name: str, size: int) -> str:
        """Make room for a zip; the upload's id. Raises PictureError where it is no zip by its name, is too large, or the disk is full."""
        if not isinstance(name, str) or not name.lower().endswith(_ENDING):
            raise PictureError(f"{name!r} is no zip by its name: zip the folder that holds the class folders, and choose that file.")
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise PictureError(f"{name} is empty ({size} bytes): zip the folder that holds the class folders, and choose that file.")
        if size > MOST_BYTES:
            raise PictureError(
                f"{name} has {_gigabytes(size)}, over the {_gigabytes(MOST_BYTES)} that can be uploaded. "
                "Put it on the machine that the notebook runs on, and give its path."
            )
        home = make_folder(_home())
        _forget_abandoned(home)
        free = shutil.disk_usage(home).free
        if free < 2 * size + _SPARE:
            raise PictureError(
                f"{name} takes {_gigabytes(2 * size)} while it is unpacked, and {home} has {_gigabytes(free)} left. Free some space, or "
                f"set {CACHE_VARIABLE} to a folder on a larger disk."
            )
        number = secrets.token_hex(8)
        part = _PartFile(name, home / f".{number}.part")
        with _disk(name):
            part.path.touch(exist_ok=False)
        return self._arrivals.begin(name, size, part, number)

    def add(self, number: str, offset: int, data: bytes) -> int:
        """Add a chunk; the bytes that are there. One that is there already counts once. Raises PictureError for one out of its order."""
        return self._arrivals.add(number, offset, data)

    def finish(self, number: str) -> Path:
        """Unpack it, and remove the zip; the folder. Raises PictureError for a zip that is bad or not all there: then nothing is left."""
        with self._arrivals.finished(number) as arrival:
            return _unpack(arrival.store.path, arrival.name)

    def cancel(self, number: str) -> None:
        """Forget an upload; nothing where it is none, or finished."""
        self._arrivals.cancel(number)

    def close(self) -> None:
        """Forget all that are not finished."""
        self._arrivals.close()


def unpacked(path: Path) -> Path:
    """The folder of a zip on this machine, unpacked at the first call; again where the zip has changed since.

    Raises PictureError for a zip that is none, is damaged, or is not there.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise PictureError(f"There is no zip {path} ({error.strerror}). Give the path of a zip, or of a folder.") from error
    digest = digest_of([os.path.realpath(path), str(status.st_mtime_ns), str(status.st_size)])[:16]
    target = make_folder(cache_dir() / "unpacked" / digest) / _folder_name(path.name)
    if target.is_dir():
        return target
    try:
        return unpack_zip(path, target)
    except PictureError:
        if target.is_dir():  # another process was quicker
            return target
        with suppress(OSError):  # not empty: another process is at it
            target.parent.rmdir()
        raise


def _unpack(part: Path, name: str) -> Path:
    """Into a folder named after the zip; with a number where that is taken."""
    home, plain = _home(), _folder_name(name)
    target, number = home / plain, 1
    while target.exists():
        number += 1
        target = home / f"{plain}-{number}"
    try:
        return unpack_zip(part, target)
    except PictureError as error:
        raise PictureError(str(error).replace(part.name, name)) from error


def _forget_abandoned(home: Path) -> None:
    """Remove zips that stopped coming: nobody else knows of them, and each may take gigabytes."""
    for part in home.glob(".*.part"):
        with suppress(OSError):  # gone meanwhile, or another user's
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink()


def _home() -> Path:
    return cache_dir() / "uploads"


def _folder_name(name: str) -> str:
    """A zip's name without its ending and without what a folder's name cannot hold. A browser may send any name."""
    base = PurePosixPath(name.replace("\\", "/")).name
    plain = re.sub(r"[^\w .()+-]+", "_", base[: -len(_ENDING)] if base.lower().endswith(_ENDING) else base).strip(" .")
    return plain[:80].rstrip(" .") or "upload"


@contextmanager
def _disk(name: str) -> Iterator[None]:
    """What the disk refuses, in words."""
    try:
        yield
    except OSError as error:
        raise PictureError(
            f"{name} cannot be kept in {_home()} ({error.strerror}). Free some space, or set {CACHE_VARIABLE} to a folder you may write to."
        ) from error


def _gigabytes(size: int) -> str:
    return f"{size / (1 << 30):,.1f} GiB"
