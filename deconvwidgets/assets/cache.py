"""The local cache: where fetched weights and photographs lie, and how a file gets there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from deconvwidgets.atomic_file import write_atomic
from deconvwidgets.errors import AssetError

CACHE_VARIABLE = "DECONVWIDGETS_CACHE"
_CHUNK = 1 << 20


def cache_dir() -> Path:
    """The cache folder: DECONVWIDGETS_CACHE, else `deconvwidgets` in XDG_CACHE_HOME or in ~/.cache. It may not exist yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "deconvwidgets"


def make_folder(folder: Path) -> Path:
    """The folder, made if need be.

    Raises AssetError where that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssetError(
            f"The cache folder {folder} cannot be made ({error.strerror}). Set {CACHE_VARIABLE} to a folder you may write to."
        ) from error
    return folder


def write_cache_file(path: Path, data: bytes) -> None:
    """Write a file in the cache as a whole or not at all, and make its folders. Raises AssetError if it cannot be written."""
    make_folder(path.parent)
    try:
        write_atomic(path, data)
    except OSError as error:
        raise AssetError(
            f"{path} cannot be written ({error.strerror}). Free some space, or set {CACHE_VARIABLE} to a folder you may write to."
        ) from error


def sha256_of_bytes(data: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
