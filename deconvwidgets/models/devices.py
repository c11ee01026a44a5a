"""The choice of a device, and moving models to it."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from deconvwidgets.arguments import describe
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
    except (RuntimeError, AssertionError, ImportError) as error:  # AssertionError: without CUDA; ImportError: a backend that is a package
        reason = str(error).partition("\n")[0].partition(". ")[0].rstrip(".")  # PyTorch goes on with a list of all backends
        raise ModelError(f"The device {describe(name)} cannot be used here ({reason}): choose 'auto' or 'cpu'") from error
    return device


def checked_device(device: str | torch.device) -> torch.device:
    """Return the device, or the one that its name chooses. Raises ModelError if it cannot be used here."""
    if not isinstance(device, str | torch.device):
        raise ModelError(f"device must be 'auto' or the name of a device, such as 'cpu' or 'cuda:1', not {describe(device)}.")
    return pick_device(str(device))


def on_device(bundle: ModelBundle, device: str | torch.device = "auto") -> ModelBundle:
    """Return the bundle with its model on `device`: the bundle itself if the model is there already, else one with a copy of the model.

    Raises
    ------
    ModelError
        If `bundle` is no ModelBundle, or if the device cannot be used.
    """
    require_bundle(bundle)
    target = checked_device(device)
    current = reference_tensor(bundle.model).device
    if current.type == target.type and target.index in (None, current.index):
        return bundle
    if bundle.unchanged is not None:
        return on_device(bundle.unchanged, target).with_units(bundle.units)
    if bundle.headless is not None and bundle.head is not None:  # the head is attached to the copy of the model below it
        moved = on_device(bundle.headless, target).with_head(bundle.head)
        return replace(bundle, model=moved.model, headless=moved.headless)
    return replace(bundle, model=copy.deepcopy(bundle.model).to(target))
