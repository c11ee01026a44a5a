"""Building an index durably: the crops so far are committed to `PATH.partial` every few seconds, and a later start goes on from there.

A commit is a whole index file, written beside and renamed over the last one, so that a reader or a new start finds one commit or the
next. At the end the complete index is renamed to `PATH`. A killed process loses what it computed since its last commit, and nothing else.
"""

from __future__ import annotations

import errno
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from deconvwidgets.assets.cache import index_folder, may
from deconvwidgets.atomic_file import sync_folder, write_atomic
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.index_file import (
    REPLACE,
    IndexContent,
    Manifest,
    Tensors,
    damaged,
    encode_index,
    not_writable,
    read_index,
    write_index,
)
from deconvwidgets.index.lock import FileLock, LockedError
from deconvwidgets.paths import kind_of

MAX_SHARE = 0.05  # of the time, for commits

Mismatch = Callable[[IndexContent], str | None]
State = tuple[Manifest, Tensors]


def partial_path(path: Path) -> Path:
    """Return the file of the crops so far of an index that is being built at `path`."""
    return path.with_name(f"{path.name}.partial")


class Commits:
    """The commits of one build of an index at a path. A context manager, which releases the lock.

    Parameters
    ----------
    path : Path
        The file of the index. `PATH.partial` has the crops so far, and `PATH.lock` is locked meanwhile.
    mismatch : callable
        Gets the content of a file that is there (of the index if `complete`, else of `PATH.partial`) and returns why it cannot be used
        for this build, as "it was built from other images"; None if it can. It may raise ActivationIndexError, KeyError, TypeError or
        ValueError for a manifest that is not one.
    seconds : float
        The time between two commits. It is longer where commits would take more than 5 % of the time.
    resume : bool
        Use what is there, if it fits: the index, or else the crops so far.
    overwrite : bool
        Replace an index, or crops so far, that cannot be used. Without it they are never replaced, except in the package's own cache.

    Examples
    --------
    >>> with Commits(path, mismatch) as commits:  # doctest: +SKIP
    ...     found = commits.begin()
    ...     if found is not None and found.complete:
    ...         return found
    ...     for batch in batches_that(found, lacks):
    ...         add(batch)
    ...         commits.offer(lambda: (manifest, tensors))
    ...     commits.finish((manifest, tensors))
    """

    def __init__(self, path: Path, mismatch: Mismatch, *, seconds: float = 5.0, resume: bool = True, overwrite: bool = False) -> None:
        self.path = Path(os.path.realpath(path))  # a link's target: the renaming is within one folder
        self.partial = partial_path(self.path)
        self._mismatch, self._seconds, self._resume, self._overwrite = mismatch, seconds, resume, overwrite
        self._lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        self._own = self.path.parent == Path(os.path.realpath(index_folder()))  # the package's: others do not keep files there
        self._alone = True
        self._committed = False
        self._due = 0.0

    def begin(self) -> IndexContent | None:
        """Return what is there to use: the complete index, or the crops so far, or None if there is neither. Takes the lock.

        Raises
        ------
        ActivationIndexError
            If the folder cannot be written to, if the same file is being built already, or if a file is there that cannot be used and
            must not be replaced.
        """
        found = self._usable(self.path)
        if found is not None:
            return found
        self._take_lock()
        self._due = time.monotonic() + self._seconds
        found = self._usable(self.path)  # its last builder may have finished it meanwhile
        if found is None and self._alone:
            found = self._usable(self.partial)
            self._committed = found is not None
            if found is not None and found.complete:  # killed just before the renaming
                self._rename()
        return found

    def offer(self, state: Callable[[], State]) -> bool:
        """Commit the crops so far if it is time to. Call it after each batch; `state` is called only for a commit.

        Returns
        -------
        bool
            Whether there was a commit.

        Raises
        ------
        ActivationIndexError
            If the file cannot be written, as on a full disk. The last commit is kept.
        """
        started = time.monotonic()
        if not self._alone or started < self._due:
            return False
        self.commit(state())
        ended = time.monotonic()
        self._due = ended + max(self._seconds, (ended - started) * (1 / MAX_SHARE - 1))
        return True

    def commit(self, state: State) -> None:
        """Commit the crops so far now, as when the build is cancelled. Raises ActivationIndexError as `offer`."""
        if self._alone:
            self._write(encode_index(*state, complete=False))
            self._committed = True

    def finish(self, state: State) -> None:
        """Write the complete index, remove the crops so far and release the lock. Raises ActivationIndexError if that is not possible."""
        if self._alone:
            self._write(encode_index(*state))
            self._rename()
        else:
            write_index(self.path, *state)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    def _usable(self, path: Path) -> IndexContent | None:
        """Return the content of a file that is there, if it can be used; None if it may be replaced or there is none."""
        if not os.path.exists(path):  # Path.exists raises for a folder that cannot be read
            return None
        if kind_of(path) != "file":
            read_index(path)  # which refuses it; folders, devices and pipes are never replaced
        if not self._resume:
            self._require_replaceable(f"{path} exists. {REPLACE}, or go on from it with resume=True")
            return None
        try:
            content = read_index(path)
            reason = self._why_not(content, path)
        except ActivationIndexError as error:
            self._replaceable_with_a_warning(str(error))
            return None
        if reason is not None:
            self._replaceable_with_a_warning(f"{path} does not fit: {reason}. {REPLACE}")
        return content if reason is None else None

    def _why_not(self, content: IndexContent, path: Path) -> str | None:
        """Return why a file cannot be used, or None if it can. Raises ActivationIndexError if its content does not fit together."""
        try:
            reason = self._mismatch(content)
        except (KeyError, TypeError, ValueError, ActivationIndexError) as error:
            raise damaged(path, f"its entries do not fit together ({error})") from error
        if reason is None and path == self.path and not content.complete:
            reason = f"it is unfinished: rename it to {self.partial.name} to go on from it"
        return reason

    def _replaceable_with_a_warning(self, reason: str) -> None:
        self._require_replaceable(reason)
        warnings.warn(f"{reason}. Building it again.", stacklevel=5)

    def _require_replaceable(self, reason: str) -> None:
        if not (self._overwrite or self._own):
            raise ActivationIndexError(reason)

    def _take_lock(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not may(self.path.parent, os.W_OK):
                raise OSError(errno.EACCES, "Permission denied")
            self._lock.acquire()
        except OSError as error:
            raise not_writable(self.path, error) from error
        except LockedError as error:
            if not self._own:
                raise ActivationIndexError(
                    f"{self.path} is being built by {error}. Wait until that has finished, or choose another path"
                ) from error
            # Both write the same bytes to the cache, and a user who waits for an index must not wait for another user's process.
            warnings.warn(f"{self.path} is being built by {error} too; this build does not commit its progress.", stacklevel=4)
            self._alone = False

    def _write(self, data: bytes) -> None:
        """Replace the crops so far. The temporary file has a fixed name, so that the next builder overwrites what a killed one left."""
        try:
            write_atomic(self.partial, data, temporary=self.partial.with_name(f".{self.partial.name}.part"))
        except OSError as error:
            raise self._not_committed(error) from error

    def _rename(self) -> None:
        try:
            os.replace(self.partial, self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise self._not_committed(error) from error

    def _not_committed(self, error: OSError) -> ActivationIndexError:
        kept = f"The crops so far are kept in {self.partial}: build again, and it goes on from them"
        return ActivationIndexError(f"{not_writable(self.path, error)}. {kept if self._committed else 'No crops have been committed yet'}")
