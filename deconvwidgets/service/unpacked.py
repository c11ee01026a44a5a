"""Zips of class folders that are unpacked once, in the cache folder: those on the kernel's machine, and those that were uploaded."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath

from deconvwidgets.assets.cache import cache_dir, make_folder
from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import digest_of
from deconvwidgets.images.zip import unpack_zip

_SUFFIX = ".zip"


def unpacked_folder(path: Path) -> Path:
    """Return the folder of a zip on this machine. It is unpacked at the first call, and again if the zip changed since.

    Raises
    ------
    PictureError
        If there is no such file, or if it is not a zip or damaged.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise PictureError(f"There is no zip {path} ({error.strerror}). Give the path of a zip, or of a folder.") from error
    digest = digest_of([os.path.realpath(path), str(status.st_mtime_ns), str(status.st_size)])[:16]
    target = make_folder(cache_dir() / "unpacked" / digest) / folder_name(path.name)
    if target.is_dir():
        return target
    try:
        return unpack_zip(path, target)
    except PictureError:
        if target.is_dir():  # another process was faster
            return target
        with suppress(OSError):  # not empty: another process is unpacking it
            target.parent.rmdir()
        raise


def uploads_folder() -> Path:
    """Return the folder in which uploaded zips are unpacked."""
    return cache_dir() / "uploads"


def uploaded_folders() -> list[Path]:
    """Return the folders that uploads were unpacked to, by name."""
    root = uploads_folder()
    return sorted(Path(entry.path) for entry in os.scandir(root) if entry.is_dir() and entry.name[:1] != ".") if root.is_dir() else []


def folder_name(name: str) -> str:
    """Return a zip's name without its suffix and without characters that folder names cannot contain. A browser may send any name."""
    base = PurePosixPath(name.replace("\\", "/")).name
    plain = re.sub(r"[^\w .()+-]+", "_", base[: -len(_SUFFIX)] if base.lower().endswith(_SUFFIX) else base).strip(" .")
    return plain[:80].rstrip(" .") or "upload"
