"""Models with random weights and batch-norm statistics."""

from __future__ import annotations

import torch
from torch import nn


def with_random_norms(model: nn.Module) -> nn.Module:
    """Randomise the batch norms, which are the identity at first and would hide errors. Return the model in float64 and eval mode."""
    torch.manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
            module.weight.data.normal_(1, 0.3)
    return model.double().eval()


def random_sequential(*modules: nn.Module) -> nn.Sequential:
    """Return a sequential model with random weights and batch norms, in float64 and eval mode."""
    torch.manual_seed(0)
    model = nn.Sequential(*modules)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.1, 0.5)
    return with_random_norms(model)
