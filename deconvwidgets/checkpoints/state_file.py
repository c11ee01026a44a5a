"""State dicts in files of any library, and what these files tell of their epoch. No code in a file is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from deconvwidgets.checkpoints.checkpoint_file import epoch_of, is_checkpoint_file, read_checkpoint_file, read_header, tensors_digest
from deconvwidgets.checkpoints.lightning_file import LIGHTNING_VERSION, completed_epochs
from deconvwidgets.errors import CheckpointError, ModelError
from deconvwidgets.models.checkpoints import read_content, state_in
from deconvwidgets.models.state_fitting import StateDict
from deconvwidgets.strict_json import StrictJsonError, read_json

Unit = Literal["epoch", "step"]
FILE_TYPES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pth.tar", ".tar")
_HUGGINGFACE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_ENTRIES: Mapping[Unit, tuple[str, ...]] = {"epoch": ("epoch", "epochs"), "step": ("step", "global_step", "iteration", "iter")}
_NAMES: Mapping[Unit, re.Pattern[str]] = {
    "epoch": re.compile(r"(?:^|[^a-z])(?:epoch|ep)[^a-z0-9]?(\d+)(?![\d.]*\d)", re.IGNORECASE),
    "step": re.compile(r"(?:^|[^a-z])(?:step|iter|iteration)[^a-z0-9]?(\d+)(?![\d.]*\d)", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number of completed epochs or steps, and how it is known: "entry 'epoch'", "file name", "given".

    `certain`: whether 0 certainly means before training. Loops that count from 0 write 0 after their first epoch.
    """

    value: int
    known_by: str
    certain: bool = False


@dataclass(frozen=True, slots=True)
class StateFile:
    """A file with a state dict.

    Attributes
    ----------
    path, weights : pathlib.Path
        As it was given, and the file that has the tensors.
    digest : str
        The SHA-256 of its tensors.
    numbers : mapping of {"epoch", "step"} to Number
    stamp : tuple of (int, int)
        The modification time and size of the file before it was read.
    """

    path: Path
    weights: Path
    digest: str
    numbers: Mapping[Unit, Number] = field(default_factory=dict)
    stamp: tuple[int, int] = (0, 0)


def describe_file(path: Path) -> StateFile:
    """Return what a file, or a folder of Hugging Face's Trainer, tells of itself.

    Raises
    ------
    CheckpointError or ModelError
        If it cannot be read.
    """
    weights = weights_of(path)
    stamp = _stamp(weights)
    if is_checkpoint_file(weights):
        epoch, digest = read_header(weights)
        if epoch_of(weights) not in (epoch, None):
            raise CheckpointError(f"{weights} was renamed: it is the checkpoint of epoch {epoch}. Give it its name back.")
        return StateFile(path, weights, digest, {"epoch": Number(epoch, "deconvwidgets", True)}, stamp)
    content = read_content(weights)
    numbers = _numbers_of_lightning(content) or {**_numbers_by_name(path), **_numbers_by_entries(content), **_numbers_of_trainer(path)}
    return StateFile(path, weights, tensors_digest(state_in(content, weights)), numbers, stamp)


def read_state(file: StateFile) -> StateDict:
    """Return the state dict of a file.

    Raises
    ------
    CheckpointError or ModelError
        If it cannot be read, or is not what it was when it was described.
    """
    state: Mapping[str, Tensor]
    if is_checkpoint_file(file.weights):
        read = read_checkpoint_file(file.weights)
        state, digest = read.state, read.digest
    else:
        state = state_in(read_content(file.weights), file.weights)
        digest = tensors_digest(state)
    if digest != file.digest:
        raise CheckpointError(f"{file.weights} has changed since it was opened: open the checkpoints again.")
    return dict(state)


def described_again(file: StateFile) -> StateFile:
    """Return what a file tells of itself now: `file` if it is as it was, is gone, or cannot be read yet."""
    stamp = _stamp(file.weights)
    if stamp in (file.stamp, (0, 0)):
        return file
    try:
        return describe_file(file.path)
    except (CheckpointError, ModelError):  # it is being written
        return file


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # whoever reads it says why
        return (0, 0)
    return status.st_mtime_ns, status.st_size


def weights_of(path: Path) -> Path:
    """Return the file of tensors of a path: itself, or that in a folder of Hugging Face's Trainer. Raises CheckpointError."""
    if not path.is_dir():
        return path
    found = next((path / name for name in _HUGGINGFACE_WEIGHTS if (path / name).is_file()), None)
    if found is None:
        sharded = any(path.glob("*.index.json"))
        why = "its weights are in several files: save it with max_shard_size='50GB'" if sharded else f"it has no {_HUGGINGFACE_WEIGHTS[0]}"
        raise CheckpointError(f"The folder {path} is no checkpoint of Hugging Face's Trainer: {why}.")
    return found


def is_trainer_folder(path: Path) -> bool:
    """Return whether a path is a checkpoint of Hugging Face's Trainer, such as "checkpoint-500"."""
    return path.is_dir() and (path / "trainer_state.json").is_file()


def _numbers_by_name(path: Path) -> dict[Unit, Number]:
    found = {unit: pattern.findall(path.name) for unit, pattern in _NAMES.items()}
    return {unit: Number(int(values[0]), "file name") for unit, values in found.items() if len(values) == 1}


def _numbers_by_entries(content: object) -> dict[Unit, Number]:
    if not isinstance(content, Mapping):
        return {}
    numbers: dict[Unit, Number] = {}
    for unit, names in _ENTRIES.items():
        for name in names:
            value = content.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0 and unit not in numbers:
                numbers[unit] = Number(value, f"entry {name!r}")
    return numbers


def _numbers_of_lightning(content: object) -> dict[Unit, Number]:
    """Return the numbers of a checkpoint of Lightning, whose entry and file name count epochs from 0; none for other files."""
    if not isinstance(content, Mapping) or LIGHTNING_VERSION not in content:
        return {}
    epochs, step = completed_epochs(content), content.get("global_step")
    numbers: dict[Unit, Number] = {}
    if isinstance(step, int):
        numbers["step"] = Number(step, "entry 'global_step'", True)
    if epochs is not None:
        numbers["epoch"] = Number(epochs, "Lightning's loops", True)
    return numbers


def _numbers_of_trainer(path: Path) -> dict[Unit, Number]:
    if not is_trainer_folder(path):
        return {}
    try:
        state: Any = read_json(path / "trainer_state.json")
        epoch, step = float(state["epoch"]), int(state["global_step"])
    except (OSError, StrictJsonError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path / 'trainer_state.json'} is damaged ({error}). Copy the folder again.") from error
    numbers: dict[Unit, Number] = {"step": Number(step, "trainer_state.json", True)}
    if epoch.is_integer():
        numbers["epoch"] = Number(int(epoch), "trainer_state.json", True)
    return numbers
