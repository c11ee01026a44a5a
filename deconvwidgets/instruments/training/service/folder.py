"""What the folder of a training says: read again only where files have changed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from deconvwidgets.checkpoints.checkpoint_file import epoch_of
from deconvwidgets.checkpoints.description import DESCRIPTION_FILE, TrainingDescription, read_description
from deconvwidgets.checkpoints.log_file import LOG_FILE, PROGRESS_FILE, read_epochs, read_progress, stop_requested
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

    `version` changes with the log. `problem` says what cannot be read, in place of which stands what was read before.
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
        self._cached: dict[str, tuple[Stamp, Any]] = {}
        self._version = 0
        self._progress: TrainingProgress | None = None
        self._problems: list[str] = []

    def description_stamp(self) -> Stamp:
        """Return when the description was written, and its size; None if there is none. Every training that begins writes it anew."""
        try:
            return _stamp(self.path / DESCRIPTION_FILE)
        except OSError:  # `read` says why
            return None

    def read(self) -> FolderContent:
        """Return the content. A file that cannot be read is reported in it, and the others are read all the same."""
        self._problems = []
        try:
            checkpoints = tuple(sorted(epoch for entry in self.path.iterdir() if (epoch := epoch_of(entry)) is not None))
        except FileNotFoundError:
            return FolderContent()
        except NotADirectoryError:
            return FolderContent(exists=True, problem=f"{self.path} is a file, not the folder of a training.")
        except OSError as error:
            return FolderContent(exists=True, problem=f"{self.path} cannot be read ({error.strerror}).")
        self._progress = self._tried(lambda: read_progress(self.path), self._progress)  # it also changes without a change of its file
        epochs = self._of_file(LOG_FILE, lambda: read_epochs(self.path), _NO_EPOCHS)
        description = self._of_file(DESCRIPTION_FILE, lambda: read_description(self.path), None)
        quiet = self._quiet(self._progress)
        return FolderContent(
            phase=self._phase(self._progress, quiet, bool(epochs or checkpoints)),
            description=description,
            log=TrainingLog(epochs=epochs, progress=self._progress),
            version=self._version,
            checkpoints=checkpoints,
            quiet=quiet if quiet > QUIET_SECONDS else 0.0,
            exists=True,
            problem=" ".join(self._problems),
        )

    def _tried(self, read: Callable[[], Value], before: Value) -> Value:
        """Return what is read; what was read `before`, if that fails."""
        try:
            return read()
        except (CheckpointError, OSError) as error:
            self._problems.append(str(error))
            return before

    def _of_file(self, name: str, read: Callable[[], Value], missing: Value) -> Value:
        stamp = _stamp(self.path / name)
        before: tuple[Stamp, Value] = self._cached.get(name, (None, missing))
        if before[0] == stamp:
            return before[1]
        known = len(self._problems)
        value = missing if stamp is None else self._tried(read, before[1])
        if len(self._problems) == known:  # else it is read again, and reported again
            self._cached[name] = (stamp, value)
            self._version += name == LOG_FILE
        return value

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
        if progress.host != socket.gethostname() and quiet > GONE_SECONDS:
            return "interrupted"
        return "stopping" if stop_requested(self.path) else "running"


def _stamp(path: Path) -> Stamp:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
