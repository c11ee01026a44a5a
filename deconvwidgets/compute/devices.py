"""The device that a model is on, for what computes with it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from deconvwidgets.engine import Network
from deconvwidgets.engine.example import reference_tensor
from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle import ModelBundle, require_bundle


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


def upload(pixels: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on a device. To a CUDA device it is copied from pinned memory, without waiting for the copy."""
    return pixels.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else pixels.to(device)


def to_model(batch: Tensor, model: nn.Module) -> Tensor:
    """Return the batch on the model's device and in its floating-point type."""
    reference = reference_tensor(model)
    return batch.to(reference.device, reference.dtype)
