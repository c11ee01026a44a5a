"""Paths that users and front ends give, checked before anything is opened.

Only regular files are read: a named pipe or a socket would be waited for forever, and a device may never end.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from deconvwidgets.arguments import Error, describe
from deconvwidgets.errors import ServiceError

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def as_path(value: object, name: str, error: Error = ServiceError) -> Path:
    """Return the path of a file or folder, with "~" expanded.

    Raises
    ------
    error
        For anything but a path or a string, and for one that no file can have: empty, with a NUL, too long, or in the home folder of a user
        that does not exist.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise error(f"{name} must be a path, not {describe(value)}.")
    try:
        path = Path(text).expanduser()
    except RuntimeError as problem:
        raise error(f"{name} {text!r} is in the home folder of a user that this machine does not have. Give the whole path.") from problem
    try:
        os.lstat(path)
    except ValueError as problem:
        raise error(f"{name} has characters that no file name can have: {describe(value)}.") from problem
    except OSError as problem:
        if problem.errno == errno.ENAMETOOLONG:
            raise error(f"{name} is longer than a path may be on this machine: {describe(value)}. Give a shorter one.") from problem
    return path


def parent_of(path: Path) -> Path:
    """Return the folder of the file that a path names, with symbolic links followed. It may not exist, as in a loop of links."""
    return Path(os.path.realpath(path)).parent


def kind_of(path: Path) -> str | None:
    """Return what a path names: "file", "folder", "named pipe", "socket" or "device"; None if there is no such file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    return _KINDS.get(stat.S_IFMT(mode), "special file")


def refuse_special_file(path: Path, error: Error, way_on: str) -> None:
    """Raise `error` if a path names something that is neither a regular file nor a folder. `way_on` says what to do instead."""
    kind = kind_of(path)
    if kind not in ("file", "folder", None):
        raise error(f"{path} is a {kind}, not a regular file. {way_on}")
