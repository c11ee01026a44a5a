"""The cache folder of downloaded weights and photographs."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from deconvwidgets.atomic_file import write_atomic
from deconvwidgets.errors import AssetError
from deconvwidgets.paths import as_path, refuse_special_file

CACHE_VARIABLE = "DECONVWIDGETS_CACHE"
_CHUNK = 1 << 20
_ABANDONED_SECONDS = 24 * 3600.0
_PART_FILES = ".????????????????.part"  # of write_atomic


def cache_dir() -> Path:
    """Return the cache folder, which may not exist yet.

    It is the value of the environment variable DECONVWIDGETS_CACHE, else `deconvwidgets` in XDG_CACHE_HOME or in ~/.cache.
    """
    configured = os.environ.get(CACHE_VARIABLE)
    if configured:
        return as_path(configured, CACHE_VARIABLE, AssetError)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "deconvwidgets"


def index_folder() -> Path:
    """Return the folder of activation indexes in the cache, which may not exist yet."""
    return cache_dir() / "indexes"


def make_folder(folder: Path) -> Path:
    """Create a folder if it does not exist, and return it. Raises AssetError if it cannot be created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssetError(
            f"The cache folder {folder} cannot be created ({error.strerror}). Set {CACHE_VARIABLE} to a folder you may write to."
        ) from error
    return folder


def is_cached(path: Path) -> bool:
    """Return whether the cache contains a file, which may be one that others share. Raises AssetError if it cannot be read."""
    try:
        found = path.is_file()
    except OSError as error:  # a folder above it cannot be read
        raise unreadable(path, error.strerror) from error
    if found and not may(path, os.R_OK):
        raise unreadable(path, "Permission denied")
    return found


def may(path: Path, access: int) -> bool:
    """Return whether this process may read (os.R_OK) or write (os.W_OK) a file or folder that exists."""
    return os.access(path, access, effective_ids=os.access in os.supports_effective_ids)


def unreadable(path: Path, reason: str | None) -> AssetError:
    """Return the error for a file or folder of the cache that cannot be read."""
    return AssetError(
        f"{path} in the cache cannot be read ({reason}). Ask its owner to let you read it, or set {CACHE_VARIABLE} to a folder of your own."
    )


def require_writable(folder: Path) -> None:
    """Create a folder, and raise AssetError if it cannot be written to: before a download, rather than after it."""
    if not may(make_folder(folder), os.W_OK):
        raise AssetError(f"The cache folder {folder} is read-only. Set {CACHE_VARIABLE} to a folder you may write to.")


def sweep_abandoned(folder: Path, pattern: str) -> None:
    """Remove temporary files and folders that were not changed for a day: the process that made them was killed."""
    for path in folder.glob(pattern):
        with suppress(OSError):  # removed meanwhile, or another user's
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_cache_file(path: Path, data: bytes) -> None:
    """Write a file atomically, and create its parent folders.

    Raises
    ------
    AssetError
        If the file cannot be written. An existing file is unchanged then.
    """
    sweep_abandoned(make_folder(path.parent), _PART_FILES)
    refuse_special_file(path, AssetError, "Delete it; the file that belongs there is written then.")  # a pipe would wait for a reader
    try:
        write_atomic(path, data)
    except OSError as error:
        raise AssetError(
            f"{path} cannot be written ({error.strerror}). Free some space, or set {CACHE_VARIABLE} to a folder you may write to."
        ) from error


def sha256_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal. The file is read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
