"""The columns of the explorer: how far the index of each checkpoint is. Immutable values, replaced under a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from threading import RLock
from typing import Any

from deconvwidgets.checkpoints.checkpoint_set import Checkpoint
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
        self.note = ""

    @property
    def epochs(self) -> IndexedEpochs:
        """The indexes that are ready."""
        return self._epochs

    @property
    def all(self) -> tuple[EpochColumn, ...]:
        """The columns, by epoch."""
        with self._lock:
            return tuple(self._columns[epoch] for epoch in sorted(self._columns))

    def add(self, checkpoints: Iterable[Checkpoint]) -> bool:
        """Add columns, which wait for their index, and return whether any is new."""
        with self._lock:
            new = [one for one in checkpoints if one.epoch not in self._columns]
            for one in new:
                self._columns[one.epoch] = EpochColumn(epoch=one.epoch, label=one.label, state="waiting", trained=one.epoch > 0)
        if new:
            self.changed()
        return bool(new)

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
                if column.state == "failed":
                    self._set(column.epoch, state="waiting", message="")
        self.changed()

    def set_note(self, note: str) -> None:
        """Set a sentence about all columns, empty for none."""
        if note != self.note:
            self.note = note
            self.changed()

    def changed(self) -> None:
        """Count and report a change."""
        with self._lock:
            self.version += 1
        self._on_change()

    def _set(self, epoch: int, **changes: Any) -> None:
        self._columns[epoch] = replace(self._columns[epoch], **changes)
