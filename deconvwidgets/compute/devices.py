"""Where a model computes."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from deconvwidgets.engine import Network
from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle import ModelBundle, require_bundle


def pick_device(wanted: str = "auto") -> torch.device:
    """`wanted` ("cpu", "cuda:1", ...), or for "auto" the first that there is of CUDA, Apple's MPS and the CPU.

    Raises ModelError where PyTorch does not know or have the device.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: "Torch not compiled with CUDA enabled"
        raise ModelError(f"The device {wanted!r} cannot be used here ({error}): choose 'auto' or 'cpu'") from error
    return device


def on_device(bundle: ModelBundle, device: torch.device) -> ModelBundle:
    """The bundle with its model on `device`: itself where it lies there already, else a copy (the caller's model stays where it is)."""
    home = model_home(bundle.model)
    if home.device.type == device.type and device.index in (None, home.device.index):
        return bundle
    if bundle.headless is not None and bundle.head is not None:  # the head is put on the copy of the model below it
        moved = on_device(bundle.headless, device).with_head(bundle.head)
        return replace(bundle, model=moved.model, headless=moved.headless)
    return replace(bundle, model=copy.deepcopy(bundle.model).to(device))


def ready_model(bundle: ModelBundle, device: str, network: Network | None = None) -> tuple[ModelBundle, Network]:
    """The bundle on its device with its model followed; a caller who gives the network has done both. Raises ModelError."""
    if network is None:
        bundle = on_device(require_bundle(bundle), pick_device(device))
        network = Network.of(bundle.model, bundle.input_size)
    return bundle, network


def model_home(model: nn.Module) -> Tensor:
    """A tensor with the device and floating type that the model's inputs must have."""
    tensors = (tensor for tensor in (*model.parameters(), *model.buffers()) if tensor.is_floating_point())
    return next(tensors, torch.zeros(()))


def to_model(batch: Tensor, model: nn.Module) -> Tensor:
    """A batch on the model's device and in its floating type."""
    home = model_home(model)
    return batch.to(home.device, home.dtype)
