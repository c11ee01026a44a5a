"""The columns of the explorer: how far the index of each checkpoint is. Immutable values, replaced under a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any

from deconvwidgets.checkpoints.checkpoint_file import epoch_of
from deconvwidgets.checkpoints.checkpoint_set import Checkpoint
from deconvwidgets.errors import ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.compute.epochs import IndexedEpochs
from deconvwidgets.instruments.evolution.records import EpochColumn
from deconvwidgets.records.progress import Progress


class Columns:
    """The columns and the indexes that are ready. Thread-safe.

    Parameters
    ----------
    on_change : callable
        Called after every change.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._lock = RLock()
        self._columns: dict[int, EpochColumn] = {}
        self._epochs = IndexedEpochs()
        self.version = 1
        self._broken: dict[int, str] = {}  # why the file of an epoch cannot be read
        self._unreadable: tuple[str, ...] = ()  # of other files
        self._note = ""

    @property
    def epochs(self) -> IndexedEpochs:
        """The indexes that are ready."""
        return self._epochs

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about all columns."""
        return (*([self._note] if self._note else []), *self._unreadable)

    @property
    def all(self) -> tuple[EpochColumn, ...]:
        """The columns, by epoch."""
        with self._lock:
            return tuple(self._columns[epoch] for epoch in sorted(self._columns))

    def add(self, checkpoints: Iterable[Checkpoint], unreadable: Mapping[Path, str]) -> bool:
        """Add columns, which wait for their index, and return whether anything changed.

        Files that cannot be read are columns that failed, if their names tell the epoch; else a note names them.
        """
        with self._lock:
            before = dict(self._columns), self._unreadable
            for one in checkpoints:
                if one.epoch not in self._columns or one.epoch in self._broken:
                    self._columns[one.epoch] = _waiting(one)
            broken = {epoch: reason for path, reason in unreadable.items() if (epoch := epoch_of(path)) is not None}
            self._broken = {epoch: reason for epoch, reason in broken.items() if epoch not in self._columns or epoch in self._broken}
            for epoch, reason in self._broken.items():
                self._columns[epoch] = EpochColumn(epoch=epoch, label=f"epoch {epoch}", state="failed", trained=epoch > 0, message=reason)
            self._unreadable = tuple(reason for path, reason in unreadable.items() if epoch_of(path) not in self._broken)
            has_changed = (self._columns, self._unreadable) != before
        if has_changed:
            self.changed()
        return has_changed

    def next_waiting(self) -> int | None:
        """Mark the first column that waits as being built, and return its epoch; None if none waits."""
        with self._lock:
            waiting = next((column.epoch for column in self.all if column.state == "waiting"), None)
            if waiting is not None:
                self._set(waiting, state="building", progress=None, message="")
        if waiting is not None:
            self.changed()
        return waiting

    def update(self, epoch: int, **changes: Any) -> None:
        """Replace fields of a column."""
        with self._lock:
            self._set(epoch, **changes)
        self.changed()

    def add_index(self, epoch: int, index: ActivationIndex, trained: bool) -> None:
        """Add the index of a column, which is ready then. Raises ActivationIndexError if it is of another architecture."""
        with self._lock:
            self._epochs = self._epochs.with_index(epoch, index)
            self._set(epoch, state="ready", progress=None, message="", trained=trained)
        self.changed()

    def set_progress(self, epoch: int, progress: Progress) -> None:
        """Set how far the index of a column is. It is no change of the version: progress has events of its own."""
        with self._lock:
            self._set(epoch, progress=progress)

    @property
    def waiting(self) -> bool:
        """Whether any column waits for its index."""
        return any(column.state == "waiting" for column in self.all)

    def wait_again(self) -> None:
        """Let the columns that failed wait again."""
        with self._lock:
            for column in self.all:
                if column.state == "failed" and column.epoch not in self._broken:
                    self._set(column.epoch, state="waiting", message="")
        self.changed()

    def set_note(self, note: str) -> None:
        """Set a sentence about all columns, empty for none."""
        if note != self._note:
            self._note = note
            self.changed()

    def changed(self) -> None:
        """Count and report a change."""
        with self._lock:
            self.version += 1
        self._on_change()

    def _set(self, epoch: int, **changes: Any) -> None:
        self._columns[epoch] = replace(self._columns[epoch], **changes)


def index_of(indexes: Mapping[int, ActivationIndex], epoch: int) -> ActivationIndex:
    """Return the index of an epoch. Raises ServiceError if it is not ready."""
    if epoch not in indexes:
        raise ServiceError(f"Epoch {epoch} has no index: those of the epochs {', '.join(map(str, indexes)) or 'none yet'} are ready.")
    return indexes[epoch]


def _waiting(checkpoint: Checkpoint) -> EpochColumn:
    known_by = "" if checkpoint.known_by == "deconvwidgets" else checkpoint.known_by
    return EpochColumn(epoch=checkpoint.epoch, label=checkpoint.label, state="waiting", trained=checkpoint.trained, known_by=known_by)
