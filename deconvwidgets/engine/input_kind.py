"""Models of 1-D signals and of volumes, which are refused."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.conv import _ConvNd

from deconvwidgets.errors import ModelError


def check_input_kind(net: nn.Module, name: str) -> None:
    """Raise ModelError for a model of 1-D signals or of volumes, which it is if all of its convolutions are.

    The model itself may accept a batch of images: PyTorch reads it as one volume.
    """
    convolutions = [module for module in net.modules() if isinstance(module, _ConvNd)]
    for kind, dimensions, what in (("1d", 1, "1-D signals (N, C, L)"), ("3d", 3, "volumes (N, C, D, H, W)")):
        if convolutions and all(len(module.kernel_size) == dimensions for module in convolutions):
            raise ModelError(
                f"{name} is a model of {what}: its convolutions are Conv{kind}. Only models of images (N, C, H, W) are supported."
            )
