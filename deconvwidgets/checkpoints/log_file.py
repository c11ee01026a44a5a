"""The log of a training in its folder: log.jsonl, one line an epoch, and progress.json; and the request to stop, an empty file `stop`."""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.checkpoints.writer_process import still_runs
from deconvwidgets.errors import CheckpointError
from deconvwidgets.records.training_log import EpochLog, TrainingLog, TrainingProgress, TrainingState
from deconvwidgets.strict_json import StrictJsonError, parse_json, read_json

LOG_FILE = "log.jsonl"
PROGRESS_FILE = "progress.json"
STOP_FILE = "stop"
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # JSON has no such numbers
_MAPPINGS = ("weight_rms", "update_rms", "metrics")
_INTEGERS = ("epoch", "epochs", "step", "steps", "process")


def append_epoch(folder: Path, epoch: EpochLog) -> None:
    """Append an epoch to the log of a folder. The line is on disk when this returns.

    Raises
    ------
    CheckpointError
        If the file cannot be written.
    """
    line = json.dumps(_to_plain(epoch), ensure_ascii=False, allow_nan=False).encode()
    path = folder / LOG_FILE
    try:
        with path.open("ab+") as file:
            # A line that a killed process did not finish stays a line of its own.
            torn = file.tell() > 0 and _last_byte(path) != b"\n"
            file.write((b"\n" if torn else b"") + line + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _not_written(path, error) from error


def read_log(folder: Path) -> TrainingLog:
    """Return the log of a folder. A torn last line is left out; of an epoch that occurs several times, the last line counts.

    Raises
    ------
    CheckpointError
        If a file is damaged or cannot be read.
    """
    return TrainingLog(epochs=read_epochs(folder), progress=read_progress(folder))


def read_epochs(folder: Path) -> tuple[EpochLog, ...]:
    """Return the epochs in the log of a folder, as `read_log` does, without the progress.

    Raises
    ------
    CheckpointError
        If the log is damaged or cannot be read.
    """
    path = folder / LOG_FILE
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}).") from error
    epochs: dict[int, EpochLog] = {}
    for line in lines:
        try:
            entry: EpochLog = _from_plain(EpochLog, parse_json(line))
        except StrictJsonError:
            continue  # empty, or a line that is being written, or that a killed process did not finish
        except ValueError as error:
            raise CheckpointError(f"{path} is damaged ({error}): delete it, or copy it again.") from error
        epochs[entry.epoch] = entry
    return tuple(epochs[number] for number in sorted(epochs))


def write_progress(folder: Path, progress: TrainingProgress) -> None:
    """Replace the progress of a folder. `process` and `host` become those of this process where they are not given.

    Raises
    ------
    CheckpointError
        If the file cannot be written.
    """
    described = replace(progress, process=progress.process or os.getpid(), host=progress.host or socket.gethostname())
    path = folder / PROGRESS_FILE
    try:
        write_atomic(path, json.dumps(_to_plain(described), ensure_ascii=False, allow_nan=False).encode())
    except OSError as error:
        raise _not_written(path, error) from error


def read_progress(folder: Path) -> TrainingProgress | None:
    """Return the progress of a folder; None if it has none. A running training whose process no longer exists here is "interrupted".

    Raises
    ------
    CheckpointError
        If the file is damaged.
    """
    path = folder / PROGRESS_FILE
    try:
        progress: TrainingProgress = _from_plain(TrainingProgress, read_json(path))
        written = path.stat().st_mtime
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Delete it: the training writes it again.") from error
    here = progress.host == socket.gethostname()
    if progress.state == "running" and here and not still_runs(progress.process, written):
        return replace(progress, state="interrupted")
    return progress


def is_running(folder: Path) -> bool:
    """Return whether a training that writes into a folder is running, as its progress says; False if that is unknown."""
    try:
        progress = read_progress(folder)
    except CheckpointError:
        return False
    return progress is not None and progress.state == "running"


def request_stop(folder: Path) -> None:
    """Ask the training that writes into a folder to save its state and stop.

    Raises
    ------
    CheckpointError
        If the file cannot be written.
    """
    path = folder / STOP_FILE
    try:
        path.touch()
    except OSError as error:
        raise _not_written(path, error) from error


def stop_requested(folder: Path) -> bool:
    """Return whether the training that writes into a folder is to stop."""
    return (folder / STOP_FILE).exists()


def clear_stop(folder: Path) -> None:
    """Withdraw the request to stop."""
    (folder / STOP_FILE).unlink(missing_ok=True)


def log_version(folder: Path) -> tuple[tuple[int, int], ...]:
    """Return numbers that change with the log and the progress in a folder."""
    return tuple(map(_file_version, (folder / LOG_FILE, folder / PROGRESS_FILE)))


def _file_version(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # it is not there, or is being replaced
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _to_plain(record: EpochLog | TrainingProgress) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for part in fields(record):
        value = getattr(record, part.name)
        if isinstance(value, Mapping):
            value = {name: _number(entry) for name, entry in value.items()}
        if value is not None and value not in ("", {}):
            plain[part.name] = _number(value) if isinstance(value, float) else value
    return plain


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _from_plain(kind: type[Any], plain: object) -> Any:
    """Return a record of its JSON object. Unknown fields are left out: a later version may have added them. Raises ValueError."""
    if not isinstance(plain, dict):
        raise ValueError("a line is no JSON object")
    known = {part.name: _checked(part.name, plain[part.name]) for part in fields(kind) if part.name in plain}
    try:
        return kind(**known)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _checked(name: str, value: object) -> object:
    if name in _MAPPINGS:
        if not isinstance(value, dict):
            raise ValueError(f"{name} is no object")
        return {key: _as_float(name, entry) for key, entry in value.items()}
    if name in ("message", "host", "state"):
        if not isinstance(value, str) or (name == "state" and value not in get_args(TrainingState)):
            raise ValueError(f"{name} is {value!r}")
        return value
    if name in _INTEGERS:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{name} is {value!r}")
        return value
    return None if value is None else _as_float(name, value)


def _as_float(name: str, value: object) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}")
    return float(value)


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def _not_written(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"{path} cannot be written ({error.strerror}). {way_on(error, 'Choose a folder with write permission')}.")
