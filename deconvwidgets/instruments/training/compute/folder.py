"""The folder of a training: one trainer at a time, and only the same training is resumed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.atomic_file import way_on
from deconvwidgets.checkpoints.checkpoint_file import checkpoint_path, epoch_of
from deconvwidgets.checkpoints.description import DESCRIPTION_FILE, TrainingDescription, read_description, write_description
from deconvwidgets.checkpoints.log_file import LOG_FILE, clear_stop, read_epochs
from deconvwidgets.checkpoints.training_files import STATE_FILE, delete_training
from deconvwidgets.errors import CheckpointError, TrainingError
from deconvwidgets.images.labels import count
from deconvwidgets.index.folder_lock import locked_folder
from deconvwidgets.instruments.training.compute.function_names import is_same_code
from deconvwidgets.instruments.training.compute.recipe import CHANGEABLE
from deconvwidgets.paths import as_path, kind_of

_LOCK_FILE = ".training.lock"
_DIFFERS = {  # fields of the description whose values say nothing to a reader
    "categories": "of other classes",
    "image_digest": "of other images",
    "validation_digest": "with another validation set",
    "structure": "with another structure of the network",
    "network": "of another network (its layers or their settings differ)",
    "frozen": "with other frozen parameters",
    "initial_weights": "that began with other weights",
    "schedule_code": "with another schedule (a function of the same name with other code)",
}
_LATER = ("network", "frozen", "initial_weights", "schedule_code")  # trainings of earlier versions do not have them


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
    changed = [name for name in now if _differs(name, before, now)]
    if not changed:
        _check_epochs(folder, description)
        return
    name = changed[0]
    if name == "initial_weights":
        ways = f"{_way_to_first_weights(folder)}{ways}"
    if name in _DIFFERS:
        raise TrainingError(f"{folder} has a training {_DIFFERS[name]}, which cannot be resumed with these: {ways}.")
    word = name.replace("_", " ") if name == "input_size" else name
    raise TrainingError(
        f"{folder} has a training with {word} {describe(before.get(name))}, and this one has {describe(now[name])}: it cannot be resumed. "
        f"Pass the same {word} to resume it, {ways}."
    )


def _differs(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    if name in _LATER and name not in before:
        return False
    if name == "schedule_code":
        return not is_same_code(before[name], now[name])
    return bool(before.get(name) != now[name])


def _way_to_first_weights(folder: Path) -> str:
    """Return how a network is given with the weights that a training began with, where they are kept."""
    if not checkpoint_path(folder, 0).exists():
        return ""
    return f"pass the network with the first weights, dw.open_checkpoints({str(folder)!r}, build=network).bundle(0).model, "


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
