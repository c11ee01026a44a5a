"""The size of a model's input. Models of 1-D signals and of volumes are refused, and those in training mode."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.conv import _ConvNd

from deconvwidgets.arguments import integer_array
from deconvwidgets.engine.ops import RANDOM_IN_TRAINING
from deconvwidgets.errors import ModelError

_OTHER_SIZES = {2: "a 1-D signal (channels, length), or lacks the channels", 4: "a volume (channels, depth, height, width)"}
_MAX_SIDE = 100_000  # pixels or channels


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


def checked_size(input_size: object) -> tuple[int, int, int]:
    """Return (channels, height, width) of an input. Raises ModelError for anything but three positive integers."""
    expected = "three integers (channels, height, width)"
    if isinstance(input_size, list | tuple) and len(input_size) in _OTHER_SIZES:
        what = _OTHER_SIZES[len(input_size)]
        raise ModelError(f"input_size {tuple(input_size)} is that of {what}: only images are supported, with {expected}.")
    channels, height, width = integer_array(input_size, "input_size", ((3,),), expected, ModelError).tolist()
    if min(channels, height, width) < 1 or max(channels, height, width) > _MAX_SIDE:
        raise ModelError(f"input_size is (channels, height, width), from 1 to {_MAX_SIDE:,} each, not {(channels, height, width)}.")
    return (channels, height, width)


def check_eval_mode(model: nn.Module) -> None:
    """Raise ModelError if a batch norm or dropout module is in training mode."""
    for name, module in model.named_modules():
        if module.training and isinstance(module, RANDOM_IN_TRAINING):
            raise ModelError(
                f"'{name or type(module).__name__}' is in training mode: its output is random or changes its state. "
                "Call model.eval() first."
            )
