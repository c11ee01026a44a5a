"""The files of a training or a recording in a folder: what they are, and how they are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deconvwidgets.checkpoints.checkpoint_file import epoch_of
from deconvwidgets.checkpoints.description import DESCRIPTION_FILE
from deconvwidgets.checkpoints.log_file import LOG_FILE, PROGRESS_FILE, STOP_FILE
from deconvwidgets.errors import CheckpointError

STATE_FILE = "state.safetensors"  # of `dw.train`, which resumes from it
_NAMES = (STATE_FILE, LOG_FILE, PROGRESS_FILE, STOP_FILE, DESCRIPTION_FILE)


def training_files(folder: Path) -> Iterator[Path]:
    """Iterate over the files of a training or a recording, and no others. What is in progress, such as a lock, is not among them."""
    for path in folder.iterdir():
        if path.name in _NAMES or epoch_of(path) is not None:
            yield path


def delete_training(folder: Path) -> None:
    """Delete the files of a training or a recording, and no others.

    The state goes first: without it nothing is resumed. The description goes last: by it, what a killed process leaves is still known.

    Raises
    ------
    CheckpointError
        If there are files of these names, but no description: they may be somebody's own. Nothing is deleted then.
    OSError
        If a file cannot be deleted.
    """
    found = sorted(training_files(folder))
    if found and not (folder / DESCRIPTION_FILE).exists():
        names = ", ".join(path.name for path in found[:3]) + (", …" if len(found) > 3 else "")
        raise CheckpointError(
            f"{folder} holds {names}, but no {DESCRIPTION_FILE}: they may not be of a training, and are not deleted. Move them away, or "
            "choose another folder."
        )
    for path in sorted(found, key=lambda path: (path.name == DESCRIPTION_FILE, path.name != STATE_FILE)):
        path.unlink(missing_ok=True)
