"""Building an index durably: the crops so far are committed to `PATH.partial` every few seconds, and a later start goes on from there.

A commit is a whole index file, written beside and renamed over the last one, so that a reader or a new start finds one commit or the
next. At the end the complete index is renamed to `PATH`. A killed process loses what it computed since its last commit, and nothing else.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from deconvwidgets.assets.cache import may
from deconvwidgets.atomic_file import write_atomic
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.cached import is_own
from deconvwidgets.index.index_file import IndexContent, Manifest, Tensors, encode_index, not_writable, read_index
from deconvwidgets.index.lock import FileLock, LockedError
from deconvwidgets.paths import kind_of, refuse_special_file

MAX_SHARE = 0.05  # of the time, for commits

Mismatch = Callable[[IndexContent], str | None]
State = tuple[Manifest, Tensors]


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
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self._mismatch, self._seconds, self._resume, self._overwrite = mismatch, seconds, resume, overwrite
        self._lock = FileLock(path.with_name(f"{path.name}.lock"))
        self._own = is_own(path)
        self._alone = True
        self._due = 0.0

    def begin(self) -> IndexContent | None:
        """Return what is there to use: the complete index, or the crops so far, or None if there is neither. Takes the lock.

        Raises
        ------
        ActivationIndexError
            If the folder cannot be written to, another process builds the same file, or a file is there that cannot be used and
            must not be replaced.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    def commit(self, state: State) -> None:
        """Commit the crops so far now, as when the build is cancelled. Raises ActivationIndexError as `offer`."""
        raise NotImplementedError

    def finish(self, state: State) -> None:
        """Write the complete index and remove the crops so far. Raises ActivationIndexError if that is not possible."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()
