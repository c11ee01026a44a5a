"""The model inside the wrappers of a training, and its state dict under the model's own names."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from deconvwidgets.checkpoints.checkpoint_file import check_storable
from deconvwidgets.engine.model_copy import unwrapped
from deconvwidgets.models.state_fitting import plain_name


def plain_model(model: nn.Module) -> nn.Module:
    """Return the model inside torch.compile, DataParallel, DistributedDataParallel and AveragedModel. Raises ModelError for TorchScript."""
    inner = unwrapped(model)
    return plain_model(inner.module) if isinstance(inner, AveragedModel) else inner


def plain_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of a model under its own names; the tensors are the model's own.

    Raises
    ------
    CheckpointError
        If a value cannot be stored.
    """
    state = {plain_name(name): value for name, value in model.state_dict().items()}
    for name, value in state.items():
        check_storable(name, value)
    return state


def weight_rms(model: nn.Module) -> dict[str, float]:
    """Return the root mean square of the weights of each layer, by dotted name."""
    found = {
        plain_name(name): module.weight.detach()
        for name, module in model.named_modules()
        if isinstance(getattr(module, "weight", None), Tensor) and module.weight.dim() > 1 and module.weight.is_floating_point()
    }
    values = [value.float().pow(2).mean().sqrt() for value in found.values()]
    return dict(zip(found, torch.stack([value.cpu() for value in values]).tolist(), strict=True)) if values else {}


def is_writing_process() -> bool:
    """Return whether this process is the one of a distributed training that writes: that of rank 0."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return bool(torch.distributed.get_rank() == 0)
    return os.environ.get("RANK", "0") == "0"  # torchrun sets it
