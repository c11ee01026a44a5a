"""Atomic writing of files."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def write_atomic(path: str | Path, data: bytes, temporary: Path | None = None) -> Path:
    """Write a file atomically: it has its old content or all of `data`, also after a crash, a power failure or on a full disk.

    An existing file is replaced and keeps its permissions. If the path is a symbolic link, its target is replaced. Devices and pipes
    are written directly.

    Parameters
    ----------
    path : str or path
        The file. Its folder must exist.
    data : bytes
        The content.
    temporary : Path, optional
        The file in the same folder that is written first and then renamed; by default one with a random name. A writer that holds a lock
        gives a fixed name: what a killed one left there is overwritten.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    OSError
        If the file cannot be written. An existing file is unchanged then.
    """
    try:
        target = Path(os.path.realpath(path))
    except ValueError as error:  # a null character, or one that the file system cannot encode
        raise OSError(errno.EINVAL, f"no file can have this name: {error}", str(path)) from error
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        target.write_bytes(data)
        return Path(path)
    part = temporary or target.with_name(f".{secrets.token_hex(8)}.part")
    if temporary is not None:
        temporary.unlink(missing_ok=True)
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            part.chmod(stat.S_IMODE(mode))
        os.replace(part, target)
        sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)  # it no longer exists if the file was replaced
    return Path(path)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder written to disk, where the system can: a renaming survives a power failure only then."""
    with suppress(OSError):  # Windows opens no folders, and some file systems have no such call; the renaming is done
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def way_on(error: OSError, otherwise: str) -> str:
    """Return what to do after a failed write: to free some space where the disk or the user's share of it is full, else `otherwise`."""
    return "Free some space on that disk, or choose another one" if error.errno in _FULL else otherwise


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
