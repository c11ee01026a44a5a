"""Training mode, in which what is frozen stays as it is."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def set_training_mode(model: nn.Module) -> None:
    """Set a model to training mode, but for batch norms whose parameters are all frozen: their statistics would go on changing."""
    model.train()
    for module in model.modules():
        parameters = list(module.parameters(recurse=False)) if isinstance(module, _BatchNorm) else []
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
