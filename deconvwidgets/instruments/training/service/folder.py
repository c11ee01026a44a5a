"""What the folder of a training says: read again only where files have changed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from deconvwidgets.checkpoints.checkpoint_file import epoch_of
from deconvwidgets.checkpoints.description import DESCRIPTION_FILE, TrainingDescription, read_description
from deconvwidgets.checkpoints.log_file import LOG_FILE, PROGRESS_FILE, read_log, read_progress, stop_requested
from deconvwidgets.errors import CheckpointError
from deconvwidgets.instruments.training.records import Phase
from deconvwidgets.records.training_log import EpochLog, TrainingLog, TrainingProgress

QUIET_SECONDS = 120.0  # without progress, after which a reader is told
GONE_SECONDS = 600.0  # without progress, after which a training on another host is taken to have ended

_NO_EPOCHS: tuple[EpochLog, ...] = ()

Value = TypeVar("Value")
Stamp = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class FolderContent:
    """The content of a folder at one moment.

    `version` changes with the log. `problem` says what cannot be read; everything else is then what was read before.
    """

    phase: Phase = "new"
    description: TrainingDescription | None = None
    log: TrainingLog = field(default_factory=TrainingLog)
    version: int = 0
    checkpoints: tuple[int, ...] = ()
    quiet: float = 0.0  # seconds without progress of a running training, if they are many
    exists: bool = False
    problem: str = ""

    @property
    def progress(self) -> TrainingProgress | None:
        """How far the training is."""
        return self.log.progress


class TrainingFolder:
    """Reads the folder of a training. Not thread-safe."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._cached: dict[str, tuple[Stamp, object]] = {}
        self._version = 0
        self._last = FolderContent()

    def read(self) -> FolderContent:
        """Return the content. A file that cannot be read is reported in it."""
        try:
            self._last = self._read()
        except (CheckpointError, OSError) as error:
            text = str(error) if isinstance(error, CheckpointError) else f"{self.path} cannot be read ({error.strerror})."
            last = self._last
            self._last = FolderContent(
                last.phase, last.description, last.log, last.version, last.checkpoints, exists=last.exists, problem=text
            )
        return self._last

    def _read(self) -> FolderContent:
        try:
            checkpoints = tuple(sorted(epoch for entry in self.path.iterdir() if (epoch := epoch_of(entry)) is not None))
        except (FileNotFoundError, NotADirectoryError) as error:
            if self.path.exists():
                raise CheckpointError(f"{self.path} is a file, not the folder of a training.") from error
            return FolderContent()
        progress = self._progress()
        epochs = self._of_file(LOG_FILE, lambda: read_log(self.path).epochs, _NO_EPOCHS)
        description = self._of_file(DESCRIPTION_FILE, lambda: read_description(self.path), None)
        quiet = self._quiet(progress)
        phase = self._phase(progress, quiet, bool(epochs or checkpoints))
        shown = quiet if quiet > QUIET_SECONDS else 0.0
        return FolderContent(phase, description, TrainingLog(epochs=epochs, progress=progress), self._version, checkpoints, shown, True)

    def _progress(self) -> TrainingProgress | None:
        """Return the progress, which also changes when its process ends: without a change of the file."""
        return read_progress(self.path)

    def _of_file(self, name: str, read: Callable[[], Value], missing: Value) -> Value:
        stamp = _stamp(self.path / name)
        if name not in self._cached or self._cached[name][0] != stamp:
            value = missing if stamp is None else read()
            self._cached[name] = (stamp, value)
            self._version += name == LOG_FILE
        found: Value = self._cached[name][1]  # type: ignore[assignment] # that of `read`
        return found

    def _quiet(self, progress: TrainingProgress | None) -> float:
        """Return the seconds since the last progress of a training that runs; 0 for others."""
        stamp = _stamp(self.path / PROGRESS_FILE)
        if progress is None or progress.state != "running" or stamp is None:
            return 0.0
        return max(0.0, self._clock() - stamp[0] / 1e9)

    def _phase(self, progress: TrainingProgress | None, quiet: float, any_files: bool) -> Phase:
        if progress is None:
            return "recorded" if any_files else "new"
        if progress.state != "running":
            return progress.state
        here = progress.host == socket.gethostname()
        if (here and _is_zombie(progress.process)) or (not here and quiet > GONE_SECONDS):
            return "interrupted"
        return "stopping" if stop_requested(self.path) else "running"


def _stamp(path: Path) -> Stamp:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def _is_zombie(process: int) -> bool:
    """Return whether a process has ended, but its parent has not asked how."""
    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
