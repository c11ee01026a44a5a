"""The state from which a training is resumed: state.safetensors, replaced atomically, with a SHA-256 of its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from deconvwidgets.arguments import describe
from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.checkpoints.checkpoint_file import stored_tensor, tensors_digest
from deconvwidgets.checkpoints.training_files import STATE_FILE
from deconvwidgets.errors import TrainingError
from deconvwidgets.instruments.training.compute.counters import Counters

_PART_FILE = ".state.part"  # one name: what a killed process left is overwritten
_FORMAT = "deconvwidgets training state 1"


def save_state(folder: Path, model: nn.Module, optimizer: Optimizer, counters: Counters) -> None:
    """Replace the state in a folder.

    Raises
    ------
    TrainingError
        If the file cannot be written, which leaves the last state as it is, or if the optimiser keeps something that cannot be stored.
    """
    tensors = {f"model.{name}": stored_tensor(name, value) for name, value in model.state_dict().items()}
    plain = optimizer.state_dict()
    numbers: dict[str, dict[str, Any]] = {}
    for index, entries in plain["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = stored_tensor(name, value)
            else:
                numbers.setdefault(str(index), {})[name] = _number(value, name, optimizer)
    groups = [{name: _number(value, name, optimizer) for name, value in group.items()} for group in plain["param_groups"]]
    content = {"counters": counters.to_plain(), "optimizer": {"state": numbers, "groups": groups, **_settings(optimizer)}}
    metadata = {"format": _FORMAT, "sha256": tensors_digest(tensors), "content": json.dumps(content)}
    path = folder / STATE_FILE
    try:
        write_atomic(path, safetensors.torch.save(tensors, metadata), folder / _PART_FILE)
    except OSError as error:
        way = way_on(error, "Give the folder write permission")
        raise TrainingError(
            f"The state of the training cannot be written to {path} ({error.strerror}). {way}, and call dw.train again with the same "
            "arguments: it resumes from the last state that was written."
        ) from error


def load_state(folder: Path, model: nn.Module, optimizer: Optimizer) -> Counters | None:
    """Set the model and the optimiser to the state in a folder, and return the counters; None if there is no state.

    Raises
    ------
    TrainingError
        If the file is damaged, or does not fit.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    tensors, content = _read(path)
    _check_same_optimizer(folder, content.get("optimizer"), optimizer)
    try:
        model.load_state_dict(_below(tensors, "model."))
        optimizer.load_state_dict(_optimizer_state(tensors, content["optimizer"]))
        return Counters.from_plain(content["counters"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"The state in {path} does not fit this network and optimiser ({error}). {_AFRESH}") from error


def _settings(optimizer: Optimizer) -> dict[str, Any]:
    """Return the type of an optimiser and what it was made with: annealing and `load_state_dict` change its groups, and not these."""
    return {
        "type": type(optimizer).__name__,
        "settings": {name: _number(value, name, optimizer) for name, value in optimizer.defaults.items()},
    }


def _check_same_optimizer(folder: Path, saved: object, optimizer: Optimizer) -> None:
    """Raise TrainingError for another optimiser, or one made in another way: the state would replace its settings without a word."""
    if not isinstance(saved, Mapping) or "settings" not in saved:
        return
    now = _settings(optimizer)
    if saved.get("type") != now["type"]:
        raise TrainingError(f"The training in {folder} was begun with {saved.get('type')}, and this one has {now['type']}: {_OTHER}")
    before = saved["settings"]
    for name, value in now["settings"].items():
        if name in before and before[name] != value:
            raise TrainingError(f"The optimiser of the training in {folder} has {name}={before[name]!r}, and this one {value!r}: {_OTHER}")


_OTHER = "it cannot be resumed with it. Pass the same optimiser, choose another folder, or pass overwrite=True to delete that training."
_AFRESH = "Pass overwrite=True to delete the training and begin again."


def _read(path: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        if metadata.get("format") != _FORMAT or metadata.get("sha256") != tensors_digest(tensors):
            raise ValueError("its tensors are not those that were written")
        return tensors, json.loads(metadata["content"])
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise TrainingError(f"The state in {path} is damaged ({error}). {_AFRESH}") from error


def _optimizer_state(tensors: Mapping[str, Tensor], content: Mapping[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in content["state"].items()}
    for key, value in _below(tensors, "optimizer.").items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": content["groups"]}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _number(value: object, name: str, optimizer: Optimizer) -> Any:
    """Return a number, text, bool or None, or a sequence of them, as JSON keeps it."""
    if isinstance(value, Tensor) and value.dim() == 0:
        return value.item()
    if isinstance(value, list | tuple):
        return [_number(entry, name, optimizer) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TrainingError(
        f"The optimiser {type(optimizer).__name__} keeps {name} = {describe(value)}, which cannot be stored for resuming. Use another one, "
        "such as torch.optim.SGD or AdamW."
    )


def all_finite(model: nn.Module) -> bool:
    """Return whether all parameters and buffers are finite."""
    values = (value for value in model.state_dict().values() if value.is_floating_point())
    return all(bool(torch.isfinite(value).all()) for value in values)
