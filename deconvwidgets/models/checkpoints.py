"""A local checkpoint into a model, with errors that say what does not fit."""

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

StateDict = dict[str, Tensor]

_SHOWN = 3
# what torchvision's DenseNet weights of 2017 are called; torchvision renames them on loading as well
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def read_checkpoint(path: Path) -> StateDict:
    """The state dict in a .safetensors file or in a PyTorch file (read with `weights_only=True`, so no code runs).

    A dictionary around it (`state_dict`, `model_state_dict`, `model`) and the prefix `module.` of parallel training are
    taken off.

    Raises ModelError where the file is damaged or holds something else.
    """
    if not path.is_file():
        raise ModelError(f"There is no checkpoint {path}. Give the path of a .pth, .pt or .safetensors file.")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pytorch(path)
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise ModelError(f"{path} holds no state dict (names and tensors). Save one with torch.save(model.state_dict(), path).")
    return {_OLD_DENSENET.sub(r"\1\2", str(name).removeprefix("module.")): tensor for name, tensor in content.items()}


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
            f"{path} is not a plain PyTorch checkpoint: it would have to run code to load. "
            "If you trust it, load it yourself and save only its tensors with torch.save(model.state_dict(), path)."
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = (str(error) or "it ends too early").splitlines()[0]
        raise ModelError(f"{path} is damaged, or not a PyTorch checkpoint ({reason}). Copy it again.") from error


def fit_into(build: Callable[[int], nn.Module], state: StateDict, architecture: str) -> nn.Module:
    """The model that `build(classes)` makes, holding `state`; the number of classes is read off the checkpoint.

    Raises ModelError, naming the first tensors that do not fit.
    """
    model = build(1000)
    classes = _classes(model, state)
    if classes != 1000:
        model = build(classes)
    problems = _mismatches(model.state_dict(), state)
    if problems:
        raise ModelError(f"The checkpoint is not of a {architecture}: {'; '.join(problems)}. Give the name of the model it was made from.")
    model.load_state_dict(state)
    return model


def _classes(model: nn.Module, state: StateDict) -> int:
    """Outputs of the last layer with weights, as the checkpoint has them; 1000 where it says nothing."""
    last = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1]
    weight = state.get(f"{last}.weight")
    return int(weight.shape[0]) if weight is not None and weight.ndim >= 1 else 1000


def _mismatches(wanted: Mapping[str, Tensor], given: StateDict) -> list[str]:
    missing = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in given if name not in wanted]
    shapes = [
        f"{name} is {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    named = (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
    return [f"{len(names)} {what} ({', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''})" for what, names in named if names]
