"""Copies of a model that share its tensors. What is done to a copy (hooks, tracing) is not seen by the model or by other threads."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ModelError


def copy_sharing_tensors(model: nn.Module) -> nn.Module:
    """Return a copy of a model that shares its parameters and other tensors, except those that were made in inference mode.

    Buffers are copied: a forward pass may write to them.

    Raises
    ------
    ModelError
        If an attribute of a module cannot be copied.
    """
    memo: dict[int, object] = {}
    for module in model.modules():
        for tensor in (*module._parameters.values(), *vars(module).values()):
            if isinstance(tensor, Tensor):
                memo[id(tensor)] = outside_inference_mode(tensor)
        for buffer in module._buffers.values():
            if buffer is not None and (buffer.is_inference() or buffer.grad_fn is not None):  # those that deepcopy cannot copy
                memo[id(buffer)] = outside_inference_mode(buffer)
    try:
        return copy.deepcopy(model, memo)
    except Exception as error:  # the attributes of a module may be anything
        raise ModelError(
            f"{type(model).__name__} cannot be copied ({type(error).__name__}: {error}), which is needed to look inside it without "
            "changing it. Give the module whose attribute that is a __deepcopy__ method."
        ) from error


def outside_inference_mode(tensor: Tensor) -> Tensor:
    """Return a tensor as it is, or a copy if it was made in inference mode: autograd cannot use it."""
    if not tensor.is_inference():
        return tensor
    with torch.inference_mode(False), torch.no_grad():
        copied = tensor.clone()
    return nn.Parameter(copied, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copied


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside torch.compile, DataParallel or DistributedDataParallel, whose layers have the user's own names.

    Raises
    ------
    ModelError
        If it is no module, or a TorchScript module, whose operations cannot be seen.
    """
    if not isinstance(model, nn.Module):
        raise ModelError(f"model must be a torch.nn.Module, not {describe(model)}.")
    while True:
        inner = getattr(model, "_orig_mod", None)
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = model.module
        if not isinstance(inner, nn.Module):
            break
        model = inner
    scripted = next((name for name, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)), None)
    if scripted is not None:
        part = f"Its part '{scripted}'" if scripted else type(model).__name__
        raise ModelError(f"{part} is a TorchScript module, whose operations cannot be seen. Pass the model that it was scripted from.")
    return model
