"""The fill of an occluded region: gray, the mean of the image, its blur, a colour, or given pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.display import hex_to_rgb
from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.fill_names import named_fill
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision

Fill = str | Sequence[int] | NDArray[np.floating] | Tensor

_BLUR = 1 / 20  # standard deviation of the blur, as a share of the image's longer side: objects are no longer recognisable


def fill_of(bundle: ModelBundle, pixels: Tensor, fill: Fill) -> Tensor:
    """Return the pixels that occluded regions of an input are replaced by.

    Parameters
    ----------
    bundle : ModelBundle
        Its transform defines the normalisation of colours.
    pixels : Tensor (C, H, W)
        The input.
    fill : str, (red, green, blue), array or Tensor
        "gray" (or "grey"): 0 after normalisation, the mean of the training images. It is not mid-gray, which is "#808080".
        "mean": the mean of this input. "blur": this input, blurred. A colour ("#7f7f7f", "red", or three numbers from 0 to 255): it is
        normalised. An array (C, H, W) or (C,): it is taken as normalised.

    Returns
    -------
    Tensor (C, H, W), or (C, 1, 1) for one colour
        Normalised pixels, in the type of `pixels`.

    Raises
    ------
    OcclusionError
        For anything else, and for a colour if the normalisation of the bundle's transform is not known.
    """
    if isinstance(fill, np.ndarray | Tensor):
        return _pixels_of(fill, pixels)
    name = named_fill(fill) if isinstance(fill, str) else None
    if name == "gray":
        return pixels.new_zeros(len(pixels), 1, 1)
    if name == "mean":
        return pixels.mean(dim=(1, 2), keepdim=True)
    if name == "blur":
        return _blurred(pixels)
    return _normalised(bundle, _colour(fill)).to(pixels)


def fill_name(fill: Fill) -> str:
    """Return the fill as in `OcclusionMaps.fill`: "gray", "mean", "blur", a colour such as "#7f7f7f", or "array".

    Raises
    ------
    OcclusionError
        For anything that is not a fill.
    """
    if isinstance(fill, np.ndarray | Tensor):
        return "array"
    if isinstance(fill, str) and (name := named_fill(fill)) is not None:
        return name
    return "#{:02x}{:02x}{:02x}".format(*_colour(fill))


def _pixels_of(fill: NDArray[np.floating] | Tensor, pixels: Tensor) -> Tensor:
    try:
        values = torch.as_tensor(fill)
    except TypeError:  # text, objects
        raise OcclusionError(f"A fill array must contain floating-point values, normalised like the input, not {fill.dtype}.") from None
    if values.shape == (len(pixels),):
        values = values[:, None, None]
    if values.shape not in (pixels.shape, (len(pixels), 1, 1)):
        raise OcclusionError(f"A fill array must be {tuple(pixels.shape)} or ({len(pixels)},), normalised, not {tuple(values.shape)}.")
    if not values.is_floating_point() or not bool(torch.isfinite(values).all()):
        raise OcclusionError(f"A fill array must contain finite floating-point values, normalised like the input, not {values.dtype}.")
    return values.to(pixels)


def _blurred(pixels: Tensor) -> Tensor:
    sigma = max(pixels.shape[1:]) * _BLUR
    radius = max(1, math.ceil(3 * sigma))
    kernel = [2 * min(radius, side - 1) + 1 for side in (pixels.shape[2], pixels.shape[1])]  # the padding reflects the image only once
    blurred: Tensor = import_torchvision().transforms.functional.gaussian_blur(pixels, kernel, [sigma, sigma])
    return blurred


def _colour(fill: object) -> tuple[int, int, int]:
    """Return (red, green, blue) from 0 to 255."""
    values: Sequence[object] = ()
    if isinstance(fill, str):
        name = named_fill(fill)
        values = () if name is None else hex_to_rgb(name)
    elif isinstance(fill, tuple | list):
        values = fill
    levels = [as_integer(value) for value in values]
    valid = [level for level in levels if level is not None and 0 <= level <= 255]
    if len(values) != 3 or len(valid) != 3:
        raise OcclusionError(
            "A fill must be 'gray', 'mean', 'blur', a colour like '#7f7f7f' or (127, 127, 127), or an array of normalised pixels, "
            f"not {describe(fill)}."
        )
    return valid[0], valid[1], valid[2]


def takes_colours(bundle: ModelBundle) -> bool:
    """Return whether fills can be colours, which requires that the normalisation of the bundle's transform is known."""
    return isinstance(bundle.transform, Preprocess)


def _normalised(bundle: ModelBundle, colour: tuple[int, int, int]) -> Tensor:
    """Return a colour as (C, 1, 1)."""
    transform = bundle.transform
    if not isinstance(transform, Preprocess):
        raise OcclusionError(
            f"The normalisation of the transform of {bundle.name} is not known, so a colour cannot be a fill: choose 'gray', 'mean' or "
            "'blur', or pass an array."
        )
    pixel = Image.new("RGB", (1, 1), colour).convert("L" if len(transform.mean) == 1 else "RGB")
    values = torch.from_numpy(np.array(pixel, dtype=np.uint8).reshape(-1)).to(torch.float32) / 255
    return ((values - torch.tensor(transform.mean)) / torch.tensor(transform.std))[:, None, None]
