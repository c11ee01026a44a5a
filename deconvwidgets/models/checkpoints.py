"""Loading of local checkpoints."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from deconvwidgets.errors import ModelError
from deconvwidgets.models.state_fitting import StateDict, check_finite, without_prefix
from deconvwidgets.paths import refuse_special_file

_MAX_LISTED = 3
# The names in torchvision's DenseNet weights of 2017; torchvision also renames them when it loads them.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def read_checkpoint(path: Path) -> StateDict:
    """Read a state dict from a .safetensors file or a PyTorch file. No code in the file is run (`weights_only=True`).

    The state dict may be an entry `state_dict`, `model_state_dict` or `model` of a dictionary. The prefix `module.` of
    DataParallel is removed from the names.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    dict of str to torch.Tensor
        The tensors, on the CPU.

    Raises
    ------
    ModelError
        If the file does not exist, is damaged, or contains no state dict.
    """
    return state_in(read_content(path), path)


def read_content(path: Path) -> object:
    """Read a .safetensors file or a PyTorch file, which may hold more than a state dict, without running code. Raises ModelError."""
    refuse_special_file(path, ModelError, "Give the path of a .pth, .pt or .safetensors file.")
    if not path.is_file():
        raise ModelError(f"There is no checkpoint {path}. Give the path of a .pth, .pt or .safetensors file.")
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pytorch(path)


def state_in(content: object, path: Path) -> StateDict:
    """Return the state dict in the content of a file, as `read_checkpoint` does. Raises ModelError if there is none."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise ModelError(f"{path} contains no state dict (names and tensors). Save one with torch.save(model.state_dict(), path).")
    _check_values(content, path)
    return {_OLD_DENSENET.sub(r"\1\2", str(name).removeprefix("module.")): tensor for name, tensor in content.items()}


def _check_values(state: Mapping[str, Tensor], path: Path) -> None:
    """Raise ModelError, which names the tensor and the file, if a tensor cannot be copied into a model."""
    for name, tensor in state.items():
        if (problem := _problem(tensor)) is not None:
            raise ModelError(
                f"{name} in {path} {problem}. Save the state dict of the trained model, with torch.save(model.state_dict(), path)."
            )


def _problem(tensor: Tensor) -> str | None:
    """Return why a tensor cannot be copied into a model; None if it can."""
    if tensor.is_meta:
        return "has no values (it is on the device meta)"
    if tensor.is_quantized:
        return "is quantized: only models with floating-point weights are supported"
    if tensor.layout is not torch.strided:
        return "is sparse: call to_dense() on it"
    if tensor.is_complex():
        return "is complex: only models with real weights are supported"
    return None


def _read_safetensors(path: Path) -> object:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise ModelError(f"{path} is damaged or not a safetensors file ({error}). Copy it again.") from error


def _read_pytorch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} contains more than tensors: loading it would run code. "
            "If you trust it, load it yourself with torch.load(path, weights_only=False), and save only its tensors with "
            "torch.save(model.state_dict(), path)."
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        reason = (str(error) or "unexpected end of file").splitlines()[0]
        raise ModelError(f"{path} is damaged, or not a PyTorch checkpoint ({reason}). Copy it again.") from error


def fit_into(build: Callable[[int], nn.Module], state: StateDict, architecture: str, path: Path | str) -> nn.Module:
    """Build a model with the number of classes of a checkpoint, and load the checkpoint.

    Names that wrappers insert, such as torch.compile, and a prefix such as "model." are removed.

    Parameters
    ----------
    build : callable
        Returns the model for a number of classes.
    state : dict of str to torch.Tensor
        The state dict of the checkpoint.
    architecture : str
        The name of the architecture, for the error message.
    path : pathlib.Path or str
        The file, or another source, for the error message.

    Returns
    -------
    torch.nn.Module
        The model.

    Raises
    ------
    ModelError
        If tensors are missing, unexpected, or of another shape, if weights are not finite, or if the file has the model several times.
    """
    model = build(1000)
    state = without_prefix(model.state_dict(), state, path)
    classes = class_count(model, state)
    if classes != 1000:
        model = build(classes)
    problems = mismatches(model.state_dict(), state)
    if problems:
        raise ModelError(f"The checkpoint does not fit {architecture}: {'; '.join(problems)}. Give the name of its architecture.")
    check_finite(model, state, path)
    model.load_state_dict(state)
    return model


def class_count(model: nn.Module, state: StateDict) -> int:
    """Return the number of outputs of the last layer in the checkpoint; 1000 if the checkpoint does not contain it."""
    last = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1]
    weight = state.get(f"{last}.weight")
    return int(weight.shape[0]) if weight is not None and weight.ndim >= 1 else 1000


def mismatches(expected: Mapping[str, Tensor], state: StateDict) -> list[str]:
    """Return in words how a state dict differs from that of a model; nothing if it fits."""
    missing = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in expected]
    shapes = [
        f"{name} is {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    types = [
        f"{name} is {state[name].dtype} instead of {tensor.dtype}"
        for name, tensor in expected.items()
        if name in state and tensor.is_floating_point() and not state[name].is_floating_point()
    ]
    problems = (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes), ("of another type", types))
    return [f"{len(names)} {problem} ({_join(names)})" for problem, names in problems if names]


def _join(names: list[str]) -> str:
    return ", ".join(names[:_MAX_LISTED]) + (", ..." if len(names) > _MAX_LISTED else "")
