"""A lock file, so that two processes do not write the same file or folder at the same time."""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

_REFUSED = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
_BYTE = 1 << 30  # Windows locks bytes, which others cannot read then: one beyond the text
_MAX_TEXT = 400  # a name of a machine has 255 characters at most
_OURS = re.compile(rb"(\d+ on [^\n]*\n)?")  # empty if its writer was killed before it wrote
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


class LockedError(Exception):
    """Another process, or another thread of this one, holds the lock. The message says which."""


class FileLock:
    """A lock on a file, which the operating system releases when the process ends, however it ends.

    The file contains the process number and the machine of the holder, for messages. It is deleted on release. On a file system without
    locks there is no protection.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once or raise.

        Raises
        ------
        LockedError
            If it is taken.
        OSError
            If the lock file cannot be written, or if another file has its name.
        """
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o644)
            try:
                if not _lock(descriptor):
                    raise LockedError(_holder(descriptor))
                if _is_file(descriptor, self._path):  # else its holder has deleted it between the two calls
                    if not _OURS.fullmatch(_text(descriptor)):
                        raise FileExistsError(errno.EEXIST, f"{self._path} is another file and no lock")
                    os.ftruncate(descriptor, 0)
                    os.lseek(descriptor, 0, os.SEEK_SET)
                    os.write(descriptor, f"{os.getpid()} on {socket.gethostname()}\n".encode())
                    self._descriptor = descriptor
                    return
            finally:
                if self._descriptor is None:
                    os.close(descriptor)

    def release(self) -> None:
        """Release the lock, if it is held, and delete its file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if sys.platform != "win32":  # where an open file cannot be deleted
            with suppress(OSError):
                self._path.unlink()
        os.close(descriptor)
        if sys.platform == "win32":
            with suppress(OSError):
                self._path.unlink()


def _lock(descriptor: int) -> bool:
    """Return whether the lock was taken; True where the file system has no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _REFUSED
    return True


def _is_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _text(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, _MAX_TEXT)


def _holder(descriptor: int) -> str:
    text = _text(descriptor).decode(errors="replace").strip()
    own = text == f"{os.getpid()} on {socket.gethostname()}"
    return "this process" if own else f"process {text}" if text else "another process"
