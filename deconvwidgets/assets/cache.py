"""The cache folder of downloaded weights and photographs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from deconvwidgets.atomic_file import write_atomic
from deconvwidgets.errors import AssetError
from deconvwidgets.paths import as_path

CACHE_VARIABLE = "DECONVWIDGETS_CACHE"
_CHUNK = 1 << 20


def cache_dir() -> Path:
    """Return the cache folder, which may not exist yet.

    It is the value of the environment variable DECONVWIDGETS_CACHE, else `deconvwidgets` in XDG_CACHE_HOME or in ~/.cache.
    """
    configured = os.environ.get(CACHE_VARIABLE)
    if configured:
        return as_path(configured, CACHE_VARIABLE, AssetError)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "deconvwidgets"


def make_folder(folder: Path) -> Path:
    """Create a folder if it does not exist, and return it. Raises AssetError if it cannot be created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssetError(
            f"The cache folder {folder} cannot be created ({error.strerror}). Set {CACHE_VARIABLE} to a folder you may write to."
        ) from error
    return folder


def write_cache_file(path: Path, data: bytes) -> None:
    """Write a file atomically, and create its parent folders.

    Raises
    ------
    AssetError
        If the file cannot be written. An existing file is unchanged then.
    """
    make_folder(path.parent)
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
