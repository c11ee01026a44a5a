"""The folder of a recording: created, continued, or replaced, and never mixed with something else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from deconvwidgets.arguments import describe
from deconvwidgets.atomic_file import way_on
from deconvwidgets.checkpoints.checkpoint_file import epoch_of, read_shapes
from deconvwidgets.checkpoints.description import TrainingDescription, read_description
from deconvwidgets.checkpoints.log_file import read_log
from deconvwidgets.checkpoints.training_files import delete_training
from deconvwidgets.errors import CheckpointError
from deconvwidgets.paths import refuse_special_file


def prepare_folder(folder: Path, description: TrainingDescription, state: Mapping[str, Tensor], *, resume: bool, overwrite: bool) -> bool:
    """Make a folder ready for a recording, and return whether one is continued.

    Raises
    ------
    CheckpointError
        If the folder cannot be created, holds something else, or holds a recording that is neither to be continued nor replaced, or that
        is of another model.
    """
    if resume and overwrite:
        raise CheckpointError("resume continues the recording, and overwrite replaces it: pass only one of them.")
    _create(folder)
    existing = None if overwrite else read_description(folder)
    if existing is not None:
        if not resume:
            raise _exists(folder, existing)
        _check_same_model(folder, existing, description, state)
        return True
    if overwrite:
        _clear(folder)
    elif (file := next(iter(sorted(folder.iterdir())), None)) is not None:
        raise CheckpointError(f"{folder} is no folder of a recording: it holds {file.name}. Choose an empty folder, or a new one.")
    return False


def _create(folder: Path) -> None:
    refuse_special_file(folder, CheckpointError, "Choose a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        way = "Choose another folder" if isinstance(error, FileExistsError) else way_on(error, "Choose a folder with write permission")
        raise CheckpointError(f"The folder {folder} cannot be created ({error.strerror}). {way}.") from error


def _clear(folder: Path) -> None:
    try:
        delete_training(folder)
    except OSError as error:
        raise CheckpointError(f"The recording in {folder} cannot be replaced ({error.strerror}). Choose another folder.") from error


def _exists(folder: Path, existing: TrainingDescription) -> CheckpointError:
    logged = read_log(folder).epochs
    length = f"{logged[-1].epoch} epochs" if logged else "no epoch yet"
    return CheckpointError(
        f"{folder} already holds a recording of {existing.name} ({length}). Pass resume=True to continue it, overwrite=True to replace it, "
        "or choose another folder."
    )


def _check_same_model(folder: Path, existing: TrainingDescription, new: TrainingDescription, state: Mapping[str, Tensor]) -> None:
    way = "Pass overwrite=True to replace it, or choose another folder."
    for path in sorted(folder.iterdir()):
        if epoch_of(path) is None:
            continue
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        recorded = read_shapes(path)
        other = next((name for name in sorted({*shapes, *recorded}) if shapes.get(name) != recorded.get(name)), None)
        if other is not None:
            was, now = (found.get(other, "missing") for found in (recorded, shapes))
            raise CheckpointError(f"The recording in {folder} is of another model: {other} is {was} there, and {now} in {new.name}. {way}")
        break
    for name in ("categories", "transform", "other_transform", "input_size", "pretrained"):
        was, now = getattr(existing, name), getattr(new, name)
        if now and was != now:
            what = f"{name.removeprefix('other_')}={describe(now)}, and the recording in {folder} has {describe(was)}"
            raise CheckpointError(f"{what}: its epochs would be opened in the wrong way. Leave it out, or pass the same. {way}")
