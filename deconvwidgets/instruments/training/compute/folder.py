"""The folder of a training: one trainer at a time, and only the same training is resumed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.atomic_file import way_on
from deconvwidgets.checkpoints.checkpoint_file import epoch_of
from deconvwidgets.checkpoints.description import DESCRIPTION_FILE, TrainingDescription, read_description, write_description
from deconvwidgets.checkpoints.log_file import LOG_FILE, clear_stop, read_epochs
from deconvwidgets.checkpoints.training_files import STATE_FILE, delete_training
from deconvwidgets.errors import CheckpointError, TrainingError
from deconvwidgets.images.labels import count
from deconvwidgets.index.folder_lock import locked_folder
from deconvwidgets.instruments.training.compute.recipe import CHANGEABLE
from deconvwidgets.paths import as_path, kind_of

_LOCK_FILE = ".training.lock"
_WORDS = {  # fields of the description, in words
    "architecture": "architecture",
    "categories": "classes",
    "input_size": "input size",
    "image_digest": "images",
    "pretrained": "pretrained",
    "validation_digest": "validation set",
    "structure": "structure of the network",
}


def checked_folder(out: object) -> Path:
    """Return the folder, which is made if it does not exist.

    Raises
    ------
    TrainingError
        If it is a file, or cannot be made or written.
    """
    if not isinstance(out, str | os.PathLike) or not os.fspath(out):
        raise TrainingError(f"out must be the folder for the checkpoints and the log, such as 'runs/first', not {describe(out)}.")
    folder = as_path(out, "out", TrainingError)
    if kind_of(folder) not in ("folder", None):
        raise TrainingError(f"{folder} is a {kind_of(folder)}: out must be a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"The folder {folder} cannot be made ({error.strerror}). {way_on(error, 'Choose another one')}.") from error
    return folder


def locked(folder: Path) -> AbstractContextManager[None]:
    """Keep other trainings out of a folder. Raises TrainingError if one is in it, or if nothing can be written there."""
    return locked_folder(folder, _LOCK_FILE, "training", TrainingError)


def prepare_folder(folder: Path, description: TrainingDescription, resume: bool, overwrite: bool) -> None:
    """Write the description, after a check that a training in the folder is the same.

    Raises
    ------
    TrainingError
        If there is another training, or any without `resume` and `overwrite`.
    """
    try:
        if overwrite:
            delete_training(folder)
        elif _has_training(folder):
            _check_same(folder, description, resume)
        clear_stop(folder)
        write_description(folder, description)
    except OSError as error:
        raise TrainingError(f"Files in {folder} cannot be changed ({error.strerror}). Give the folder write permission.") from error
    except CheckpointError as error:
        raise TrainingError(str(error)) from error


def _has_training(folder: Path) -> bool:
    has_files = any((folder / name).exists() for name in (DESCRIPTION_FILE, LOG_FILE, STATE_FILE))
    return has_files or any(epoch_of(path) is not None for path in folder.iterdir())


def _check_same(folder: Path, description: TrainingDescription, resume: bool) -> None:
    ways = "choose another folder, or pass overwrite=True to delete that training"
    if not resume:
        raise TrainingError(f"{folder} has a training already, and resume is False: {ways}.")
    old = read_description(folder)
    if old is None:
        raise TrainingError(
            f"{folder} has checkpoints or a log, but no {DESCRIPTION_FILE}, so nothing can be resumed: choose another folder, or move them "
            "away."
        )
    before, now = _compared(old), _compared(description)
    changed = [name for name in now if before.get(name) != now[name]]
    if not changed:
        _check_epochs(folder, description)
        return
    name = changed[0]
    word = _WORDS.get(name, name)
    if name in _WORDS and name not in ("architecture", "input_size", "pretrained"):
        what = f"of other {word}" if name in ("categories", "image_digest") else f"with another {word}"
        raise TrainingError(f"{folder} has a training {what}, which cannot be resumed with these: {ways}.")
    raise TrainingError(
        f"{folder} has a training with {word} {describe(before.get(name))}, and this one has {describe(now[name])}: it cannot be resumed. "
        f"Pass the same {word} to resume it, {ways}."
    )


def _check_epochs(folder: Path, description: TrainingDescription) -> None:
    done = max((entry.epoch for entry in read_epochs(folder)), default=0)
    planned = description.recipe.get("epochs", done)
    if done and not (folder / STATE_FILE).exists():
        raise TrainingError(
            f"The training in {folder} has {count(done, 'epoch')}, but no {STATE_FILE}, from which it would be resumed: open the kept ones "
            "with dw.open_checkpoints, choose another folder, or pass overwrite=True to train again."
        )
    if done > planned:
        raise TrainingError(
            f"The training in {folder} has {done} epochs already, more than epochs={planned}: pass epochs={done} or more, open the kept "
            "ones with dw.open_checkpoints, or choose another folder."
        )


def _compared(description: TrainingDescription) -> Mapping[str, Any]:
    """Return everything that must not change between two calls."""
    recipe = {name: value for name, value in description.recipe.items() if name not in CHANGEABLE}
    fields = {name: getattr(description, name) for name in ("architecture", "categories", "input_size", "image_digest", "pretrained")}
    return {**fields, **recipe}
