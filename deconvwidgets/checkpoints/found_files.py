"""The files of a training: found in a folder or given, and numbered by epochs or by steps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from deconvwidgets.arguments import describe
from deconvwidgets.checkpoints.checkpoint_file import epoch_of
from deconvwidgets.checkpoints.description import DESCRIPTION_FILE
from deconvwidgets.checkpoints.epochs import checked_epoch
from deconvwidgets.checkpoints.state_file import FILE_TYPES, Number, StateFile, Unit, describe_file, is_trainer_folder
from deconvwidgets.errors import CheckpointError, ModelError
from deconvwidgets.paths import as_path, kind_of

_MAX_LISTED = 3
_WAY_ON = "Pass epochs=[...], one number of completed epochs for each file, in the order of the files."


@dataclass(frozen=True, slots=True)
class FileSource:
    """Where the files of a training are.

    Attributes
    ----------
    folder : pathlib.Path or None
        The folder that is searched; None for a list of files.
    files : tuple of pathlib.Path
        The files that were given.
    """

    folder: Path | None
    files: tuple[Path, ...] = ()

    @classmethod
    def of(cls, source: object) -> FileSource:
        """Return the source that a user gives. Raises CheckpointError for anything but a path or a sequence of paths."""
        if isinstance(source, str | os.PathLike):
            path = as_path(source, "source", CheckpointError)
            if path.is_dir() and not is_trainer_folder(path):
                return cls(path)
            source = [path]
        if not isinstance(source, Sequence) or not source:
            raise CheckpointError(f"source must be a folder, or a sequence of files, not {describe(source)}.")
        files = tuple(as_path(file, "each file of source", CheckpointError) for file in source)
        missing = next((file for file in files if kind_of(file) not in ("file", "folder")), None)
        if missing is not None:
            raise CheckpointError(
                f"There is no file or folder {missing}. Give the folder of a training, made when it starts, or files of state dicts."
            )
        if len(set(files)) < len(files):
            twice = next(file for file in files if files.count(file) > 1)
            raise CheckpointError(f"{twice} is given twice: give each file once.")
        return cls(None, files)

    def paths(self) -> list[Path]:
        """Return the files, or folders of Hugging Face's Trainer, that may be checkpoints."""
        if self.folder is None:
            return list(self.files)
        entries = sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))
        if (self.folder / DESCRIPTION_FILE).is_file():
            return [path for path in entries if epoch_of(path) is not None]
        return [path for path in entries if is_trainer_folder(path) or (path.is_file() and path.name.endswith(FILE_TYPES))]


@dataclass(slots=True)
class Scan:
    """Files that were read, and those that could not be read yet, with the reasons."""

    read: list[StateFile] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)


def scan(paths: Sequence[Path]) -> Scan:
    """Describe files. Those that cannot be read, as they are damaged or still being written, are listed with the reason."""
    found = Scan()
    for path in paths:
        try:
            found.read.append(describe_file(path))
        except (CheckpointError, ModelError) as error:
            found.unreadable[path] = str(error)
    return found


def unit_of(files: Sequence[StateFile]) -> Unit:
    """Return whether files are told apart by their epochs or by their steps. Raises CheckpointError if by neither."""
    for unit in ("epoch", "step"):
        values = [file.numbers[unit].value for file in files if unit in file.numbers]
        if len(set(values)) == len(files):
            return unit
    unknown = [file.path.name for file in files if not file.numbers]
    if unknown:
        listed = ", ".join(unknown[:_MAX_LISTED]) + (", ..." if len(unknown) > _MAX_LISTED else "")
        raise CheckpointError(f"Neither the content nor the name of {listed} tells its epoch. {_WAY_ON}")
    raise CheckpointError(f"{_same_number(files)} {_WAY_ON}")


def given_epochs(paths: Sequence[Path], epochs: object) -> dict[Path, int]:
    """Return the epochs that a user gives for files. Raises CheckpointError for other than one different epoch for each file."""
    if isinstance(epochs, np.ndarray | Tensor):
        epochs = epochs.tolist()
    if not isinstance(epochs, list | tuple | range):
        raise CheckpointError(f"epochs must be a sequence of integers, not {describe(epochs)}.")
    values = [checked_epoch(epoch, "each of epochs") for epoch in epochs]
    if len(values) != len(paths):
        raise CheckpointError(f"There are {len(values):,} epochs for {len(paths):,} files: {', '.join(path.name for path in paths)}.")
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise CheckpointError(f"epochs has {twice} twice: give each file an epoch of its own.")
    return dict(zip(paths, values, strict=True))


def numbered(files: Sequence[StateFile], epochs: Mapping[Path, int]) -> list[StateFile]:
    """Return files with the epochs that a user gives for them."""
    return [replace(file, numbers={"epoch": Number(epochs[file.path], "given", True)}) for file in files]


def without_copies(files: Sequence[StateFile]) -> list[StateFile]:
    """Return files without those that have the same tensors and epoch as an earlier one, such as "last.ckpt"."""
    kept: dict[tuple[str, int | None], StateFile] = {}
    for file in files:
        number = file.numbers.get("epoch")
        kept.setdefault((file.digest, None if number is None else number.value), file)
    return list(kept.values())


def _same_number(files: Sequence[StateFile]) -> str:
    by_epoch: dict[int, list[str]] = {}
    for file in files:
        numbers: Mapping[Unit, Number] = file.numbers
        if "epoch" in numbers:
            by_epoch.setdefault(numbers["epoch"].value, []).append(file.path.name)
    for epoch, names in by_epoch.items():
        if len(names) > 1:
            shown = " and ".join(names[:_MAX_LISTED])
            return f"{shown} are all of epoch {epoch}, with different weights. If they are of several models, give the files of one only."
    return "Some of the files tell their epoch, and others their step."
