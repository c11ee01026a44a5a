"""The lock of a folder to which one process at a time writes, and what others see of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deconvwidgets.atomic_file import way_on
from deconvwidgets.checkpoints.writer_process import still_runs
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.index.lock import FileLock, LockedError


@contextmanager
def locked_folder(folder: Path, name: str, work: str, error: type[DeconvWidgetsError]) -> Iterator[None]:
    """Keep other processes, and other threads of this one, out of a folder. The lock ends with the process, however that ends.

    Parameters
    ----------
    folder : Path
        The folder. It must exist.
    name : str
        The name of the lock file in it.
    work : str
        What writes to the folder, such as "training", for messages.
    error : type
        The class of the errors.

    Raises
    ------
    DeconvWidgetsError
        Of the class `error`, if the lock is taken or nothing can be written to the folder.
    """
    lock = FileLock(folder / name)
    try:
        lock.acquire()
    except LockedError as taken:
        raise error(f"Another {work} writes to {folder} ({taken}). Wait for it, stop it, or choose another folder.") from taken
    except OSError as failure:
        way = way_on(failure, "Choose a folder with write permission")
        raise error(f"Nothing can be written to {folder} ({failure.strerror}). {way}.") from failure
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path, name: str) -> bool:
    """Return whether a process of this machine holds the lock of a folder, by the content of its file: nothing is locked for the test."""
    path = folder / name
    try:
        process, _, host = path.read_text(encoding="utf-8").strip().partition(" on ")
        written = path.stat().st_mtime
    except (OSError, UnicodeDecodeError):
        return False
    return process.isdecimal() and host == socket.gethostname() and still_runs(int(process), written)
