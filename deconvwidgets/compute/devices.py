"""The device that a model computes on."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import torch
from torch import Tensor, nn

from deconvwidgets.arguments import describe
from deconvwidgets.engine import Network
from deconvwidgets.engine.example import reference_tensor
from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle import ModelBundle, require_bundle


def pick_device(name: str = "auto") -> torch.device:
    """Return the device `name` ("cpu", "cuda:1", ...); for "auto" the first available one of CUDA, Apple's MPS and the CPU.

    Raises
    ------
    ModelError
        If PyTorch does not know the device or cannot use it here, and for "meta", which computes no values.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type == "meta":
            raise ModelError("The device 'meta' computes no values: choose 'auto' or 'cpu'")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: "Torch not compiled with CUDA enabled"
        raise ModelError(f"The device {name!r} cannot be used here ({error}): choose 'auto' or 'cpu'") from error
    return device


def on_device(bundle: ModelBundle, device: str | torch.device = "auto") -> ModelBundle:
    """Return the bundle with its model on `device`: the bundle itself if the model is there already, else one with a copy of the model.

    Raises
    ------
    ModelError
        If `bundle` is no ModelBundle, or if the device cannot be used.
    """
    require_bundle(bundle)
    if not isinstance(device, str | torch.device):
        raise ModelError(f"device must be 'auto' or the name of a device, such as 'cpu' or 'cuda:1', not {describe(device)}.")
    target = pick_device(device) if isinstance(device, str) else device
    current = reference_tensor(bundle.model).device
    if current.type == target.type and target.index in (None, current.index):
        return bundle
    if bundle.headless is not None and bundle.head is not None:  # the head is attached to the copy of the model below it
        moved = on_device(bundle.headless, target).with_head(bundle.head)
        return replace(bundle, model=moved.model, headless=moved.headless)
    return replace(bundle, model=copy.deepcopy(bundle.model).to(target))


def with_deprecated_network(bundle: ModelBundle, network: Network | None) -> ModelBundle:
    """Return the bundle, and warn that the argument `network` is deprecated if it is given. Raises ModelError for another model's."""
    require_bundle(bundle)
    if network is not None:
        warnings.warn("network= is deprecated: bundle.network is traced once, on first use.", DeprecationWarning, stacklevel=3)
        if not isinstance(network, Network) or network.model is not bundle.network.model or network.input_size != bundle.input_size:
            raise ModelError(f"The network is not that of {bundle.name} for inputs of {bundle.input_size}: do not pass it.")
    return bundle


def device_name(bundle: ModelBundle) -> str:
    """Return the name of the device that the bundle's model is on ("cpu", "cuda:0", ...)."""
    return str(reference_tensor(bundle.model).device)


def to_model(batch: Tensor, model: nn.Module) -> Tensor:
    """Return the batch on the model's device and in its floating-point type."""
    reference = reference_tensor(model)
    return batch.to(reference.device, reference.dtype)
