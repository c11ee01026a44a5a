"""Zips that come from the browser in chunks, and zips that lie on the kernel's machine: unpacked once, below the cache folder."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock

from deconvwidgets.data.archives import unpack_zip
from deconvwidgets.data.cache import CACHE_VARIABLE, cache_dir, make_folder
from deconvwidgets.data.image_set import digest_of
from deconvwidgets.errors import PictureError

MOST_BYTES = 4 << 30
_SPARE = 256 << 20  # of the disk, beside the zip and what it unpacks to (photographs hardly shrink)
_ENDING = ".zip"
_ABANDONED = 24 * 3600  # seconds without a chunk: its kernel ended in between


@dataclass
class _Upload:
    """A zip on its way."""

    name: str
    size: int
    part: Path
    have: int = 0
    lock: Lock = field(default_factory=Lock)


class Uploads:
    """The uploads of one service. Thread-safe. What is unpacked stays below the cache folder, for later sessions too."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[str, _Upload] = {}

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
        upload = _Upload(name, size, home / f".{number}.part")
        with _disk(upload):
            upload.part.touch(exist_ok=False)
        with self._lock:
            self._open[number] = upload
        return number

    def add(self, number: str, offset: int, data: bytes) -> int:
        """Add a chunk; the bytes that are there. One that is there already counts once. Raises PictureError for one out of its order."""
        upload = self._get(number)
        with upload.lock, _disk(upload):
            end = offset + len(data)
            if end > upload.size:
                raise PictureError(f"{upload.name} was announced with {upload.size:,} bytes, and more came. Choose the file again.")
            if offset >= 0 and end <= upload.have:
                return upload.have
            if offset != upload.have:
                raise PictureError(f"A part of {upload.name} at {offset:,} came where {upload.have:,} was next. Choose the file again.")
            with upload.part.open("r+b") as file:
                file.seek(offset)
                file.write(data)
            upload.have = end
            return end

    def finish(self, number: str) -> Path:
        """Unpack it, and remove the zip; the folder. Raises PictureError for a zip that is bad or not all there: then nothing is left."""
        upload = self._take(number)
        with upload.lock:
            try:
                if upload.have != upload.size:
                    raise PictureError(f"Of {upload.name}'s {upload.size:,} bytes {upload.have:,} came. Choose the file again.")
                return _unpack(upload.part, upload.name)
            finally:
                upload.part.unlink(missing_ok=True)

    def cancel(self, number: str) -> None:
        """Forget an upload; nothing where it is none, or finished."""
        with self._lock:
            upload = self._open.pop(number, None)
        if upload is not None:
            with upload.lock:
                upload.part.unlink(missing_ok=True)

    def close(self) -> None:
        """Forget all that are not finished."""
        for number in list(self._open):
            self.cancel(number)

    def _get(self, number: str) -> _Upload:
        upload = self._open.get(number)
        if upload is None:
            raise PictureError("There is no such upload, or it has ended. Choose the file again.")
        return upload

    def _take(self, number: str) -> _Upload:
        with self._lock:
            upload = self._get(number)
            del self._open[number]
            return upload


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
def _disk(upload: _Upload) -> Iterator[None]:
    """What the disk refuses, in words."""
    try:
        yield
    except OSError as error:
        raise PictureError(
            f"{upload.name} cannot be kept in {_home()} ({error.strerror}). Free some space, or set {CACHE_VARIABLE} to a folder you may "
            "write to."
        ) from error


def _gigabytes(size: int) -> str:
    return f"{size / (1 << 30):,.1f} GiB"
