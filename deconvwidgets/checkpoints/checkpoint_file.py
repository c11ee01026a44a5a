"""The file of one checkpoint: safetensors, with the epoch, the architecture and a SHA-256 of its tensors in the metadata."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import CheckpointError
from deconvwidgets.paths import refuse_special_file

_FORMAT_NAME = "deconvwidgets checkpoint"
_FORMAT = f"{_FORMAT_NAME} 1"
_FILE_NAME = re.compile(r"epoch-(\d{4,})\.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointContent:
    """The content of a checkpoint's file. `digest` is the SHA-256 of the tensors, hexadecimal."""

    epoch: int
    architecture: str | None
    digest: str
    state: Mapping[str, Tensor]


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Return the path of the checkpoint of an epoch: epoch-0005.safetensors."""
    return folder / f"epoch-{epoch:04d}.safetensors"


def epoch_of(path: Path) -> int | None:
    """Return the epoch in the name of a checkpoint's file; None if it is not named as `checkpoint_path` names it."""
    found = _FILE_NAME.fullmatch(path.name)
    return None if found is None else int(found[1])


def write_checkpoint(folder: Path, epoch: int, state: Mapping[str, Tensor], *, architecture: str | None = None) -> Path:
    """Write the checkpoint of an epoch, atomically. The tensors may be on any device, share memory, and be non-contiguous.

    Parameters
    ----------
    folder : pathlib.Path
        An existing folder.
    epoch : int
        The completed epochs.
    state : mapping of str to Tensor
        The state dict.
    architecture : str, optional
        The name of the architecture.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    CheckpointError
        If the file cannot be written, or a tensor cannot be stored.
    """
    tensors = {name: stored_tensor(name, tensor) for name, tensor in state.items()}
    metadata = {"format": _FORMAT, "epoch": str(epoch), "sha256": tensors_digest(tensors)}
    if architecture is not None:
        metadata["architecture"] = architecture
    path = checkpoint_path(folder, epoch)
    try:
        # A fixed name: what a killed process left there is overwritten.
        return write_atomic(path, safetensors.torch.save(tensors, metadata), temporary=folder / f".{path.name}.part")
    except OSError as error:
        way = way_on(error, "Choose a folder with write permission")
        raise CheckpointError(f"The checkpoint {path} cannot be written ({error.strerror}). {way}.") from error


def stored_tensor(name: str, tensor: object) -> Tensor:
    """Return a copy of a value of a state dict as it is stored: on the CPU, contiguous, with memory of its own.

    Raises
    ------
    CheckpointError
        If it is no dense tensor of real numbers.
    """
    return check_storable(name, tensor).detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def check_storable(name: str, tensor: object) -> Tensor:
    """Return a value of a state dict. Raises CheckpointError if it is no dense tensor of real numbers."""
    if not isinstance(tensor, Tensor):
        raise CheckpointError(f"{name} in the state dict is a {type(tensor).__name__}, not a tensor: only tensors can be stored.")
    if isinstance(tensor, UninitializedBuffer | UninitializedParameter):
        raise CheckpointError(f"{name} in the state dict is not initialised: run the model once on a batch, so that its size is known.")
    kinds = {
        "sharded over several processes": hasattr(tensor, "full_tensor"),
        "on the device meta": tensor.is_meta,
        "quantized": tensor.is_quantized,
        "complex": tensor.is_complex(),
        "sparse": tensor.layout is not torch.strided,
    }
    kind = next((kind for kind, found in kinds.items() if found), None)
    if kind is not None:
        raise CheckpointError(f"{name} in the state dict is {kind}: only dense tensors of real numbers can be stored.")
    return tensor


def read_checkpoint_file(path: Path) -> CheckpointContent:
    """Return the content of a checkpoint's file. Its tensors are compared with the SHA-256 in the file.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is damaged, of a later version, or no checkpoint of this package.
    """
    with _opened(path) as file:
        metadata: dict[str, str] = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    epoch, digest = _epoch_in(path, metadata), tensors_digest(state)
    if digest != metadata.get("sha256"):
        raise CheckpointError(f"{path} is damaged: its tensors are not those that were written. Copy it again, or delete it.")
    return CheckpointContent(epoch=epoch, architecture=metadata.get("architecture"), digest=digest, state=state)


def _epoch_in(path: Path, metadata: Mapping[str, str]) -> int:
    epoch = metadata.get("epoch", "")
    if not re.fullmatch(r"[0-9]{1,15}", epoch):
        raise CheckpointError(f"{path} is damaged: its epoch is {epoch[:20]!r}. Copy it again, or delete it.")
    return int(epoch)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a checkpoint's tensors, without reading their values. Raises CheckpointError as above."""
    with _opened(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - it is no mapping


def read_header(path: Path) -> tuple[int, str]:
    """Return the epoch and the SHA-256 in a checkpoint's file, without reading its tensors. Raises CheckpointError as above."""
    with _opened(path) as file:
        metadata = file.metadata()
        return _epoch_in(path, metadata), metadata.get("sha256", "")


def is_checkpoint_file(path: Path) -> bool:
    """Return whether a file is a checkpoint that deconvwidgets wrote, of this or a later version. Anything else, or none, is not."""
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return str((file.metadata() or {}).get("format", "")).startswith(_FORMAT_NAME)
    except (safetensors.SafetensorError, OSError):
        return epoch_of(path) is not None  # reading it raises an error that says what is wrong


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the file of a checkpoint of this package."""
    refuse_special_file(path, CheckpointError, "Give a file that deconvwidgets wrote, such as epoch-0005.safetensors.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            _check_format(path, file.metadata() or {})
            yield file
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint {path}.") from error
    except (safetensors.SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} is damaged, or not a safetensors file ({error}). Copy it again.") from error


def _check_format(path: Path, metadata: Mapping[str, str]) -> None:
    found = metadata.get("format", "")
    if found == _FORMAT:
        return
    if found.startswith(_FORMAT_NAME):
        raise CheckpointError(f"{path} was written by a later version of deconvwidgets ({found}): update deconvwidgets.")
    raise CheckpointError(f"{path} is no checkpoint that deconvwidgets wrote. dw.open_checkpoints([path, ...], build=...) opens others.")


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors on the CPU: of their names, types, shapes and values, whatever their order."""
    hasher = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        hasher.update(f"{len(name)} {name} {value.dtype} {tuple(value.shape)}\0".encode())
        hasher.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()
