"""The description of the training that files are of: training.json in the folder, or beside files that are given one by one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.checkpoints.checkpoint_file import is_checkpoint_file
from deconvwidgets.checkpoints.description import DESCRIPTION_FILE, TrainingDescription, read_description
from deconvwidgets.checkpoints.found_files import FileSource
from deconvwidgets.errors import CheckpointError

# What decides how the checkpoints are opened, and the argument of open_checkpoints that is used instead where it is given.
_ARGUMENTS = {
    "architecture": "build",
    "transform": "transform",
    "other_transform": "transform",
    "categories": "categories",
    "input_size": "input_size",
    "pretrained": "pretrained",
}


def recording_of(source: FileSource) -> Path | None:
    """Return the folder of the training: the one that is searched, or the one that all given files are in."""
    if source.folder is not None:
        return source.folder
    folders = _described_folders(source.files)
    return folders[0] if folders and all(file.parent == folders[0] for file in source.files) else None


def description_of(source: FileSource, given: Collection[str]) -> TrainingDescription:
    """Return what training.json says of the files; an empty description if there is none.

    Parameters
    ----------
    source : FileSource
        Of files that are given one by one, those that deconvwidgets wrote are described by the training.json beside them.
    given : collection of str
        The arguments of `open_checkpoints` that the user passed, so that the descriptions need not agree on them.

    Raises
    ------
    CheckpointError
        If a training.json is damaged, or if files of several trainings are given whose descriptions differ in something that is not given.
    """
    folders = [source.folder] if source.folder is not None else _described_folders(source.files)
    found = [(folder, description) for folder in folders if (description := read_description(folder)) is not None]
    if not found:
        return TrainingDescription()
    (first_folder, first), *others = found
    for folder, other in others:
        for name, argument in _ARGUMENTS.items():
            was, now = getattr(first, name), getattr(other, name)
            if argument not in given and was != now:
                what = f"{name.removeprefix('other_')} is {describe(was)} in {first_folder / DESCRIPTION_FILE}"
                raise CheckpointError(
                    f"The files are of several trainings: {what}, and {describe(now)} in {folder / DESCRIPTION_FILE}. Give the files of "
                    f"one of them, or pass {argument}=..., which is used for all."
                )
    return _common(first, [other for _, other in others])


def _described_folders(files: Sequence[Path]) -> list[Path]:
    """Return the folders with a training.json of the files that deconvwidgets wrote, in the order of the files."""
    parents = dict.fromkeys(file.parent for file in files if is_checkpoint_file(file))
    return [folder for folder in parents if (folder / DESCRIPTION_FILE).is_file()]


def _common(first: TrainingDescription, others: Sequence[TrainingDescription]) -> TrainingDescription:
    """Return a description without what others contradict: it is given, or it does not decide how checkpoints are opened."""
    empty = TrainingDescription()
    differing: dict[str, Any] = {
        field.name: getattr(empty, field.name)
        for field in fields(first)
        if any(getattr(other, field.name) != getattr(first, field.name) for other in others)
    }
    return replace(first, **differing)
