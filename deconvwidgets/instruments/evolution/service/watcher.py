"""Watching the folder of a training that another kernel or process runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread
from weakref import WeakMethod

from deconvwidgets.checkpoints.log_file import LOG_FILE, PROGRESS_FILE

SECONDS = 1.0  # between two looks


class FolderWatcher:
    """Calls a function about once per second, in a thread that exists only while somebody listens.

    Parameters
    ----------
    look : bound method
        It is held weakly: the thread ends when its object is gone. It returns whether to go on.
    """

    def __init__(self, look: Callable[[], bool]) -> None:
        self._look = WeakMethod(look)
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to watch, unless that is going on or was ended."""
        with self._lock:
            if self._stop.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = Thread(target=_watch, args=(self._look, self._stop), name="deconvwidgets folder", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the watching for good, without waiting."""
        self._stop.set()


def _watch(method: WeakMethod[Callable[[], bool]], stop: Event) -> None:
    while not stop.wait(SECONDS):
        look = method()
        if look is None or not look():
            return
        del look  # the thread must not keep the service alive while it waits


def log_version(folder: Path | None) -> tuple[tuple[int, int], ...]:
    """Return numbers that change with the training log in a folder."""
    return () if folder is None else tuple(map(_version, (folder / LOG_FILE, folder / PROGRESS_FILE)))


def _version(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # it is not there, or is being replaced
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
