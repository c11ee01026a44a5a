"""What an occluded place shows: gray, the image's mean, its blur, a colour, or pixels of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.display import hex_to_rgb
from deconvwidgets.errors import OcclusionError
from deconvwidgets.instruments.occlusion.records import named_fill
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision

Fill = str | Sequence[int] | NDArray[np.floating] | Tensor

_BLUR = 1 / 20  # the blur's deviation, as a share of the image's longer side: no object is left to be seen


def fill_of(bundle: ModelBundle, pixels: Tensor, fill: Fill) -> Tensor:
    """What a patch on the input `pixels` (C, H, W) shows, in normalised units: (C, H, W), or (C, 1, 1) for one colour.

    fill: "gray" (or "grey") is 0 after normalisation, the mean of the pictures that the model was trained on, which is not mid-grey: that
    is "#808080"; "mean" this image's own; "blur" the image, blurred; a colour ("#7f7f7f", "red", or (red, green, blue) from 0 to 255)
    goes through the transform's normalisation; an array or tensor, (C, H, W) or (C,), is taken as normalised.

    Raises OcclusionError for what is none of these, and for a colour where the transform's normalisation is not known.
    """
    if isinstance(fill, np.ndarray | Tensor):
        return _own(fill, pixels)
    name = named_fill(fill) if isinstance(fill, str) else None
    if name == "gray":
        return pixels.new_zeros(len(pixels), 1, 1)
    if name == "mean":
        return pixels.mean(dim=(1, 2), keepdim=True)
    if name == "blur":
        return _blurred(pixels)
    return _normalised(bundle, _colour(fill)).to(pixels)


def fill_in_words(fill: Fill) -> str:
    """As `OcclusionMaps.fill` says it: "gray", "mean", "blur", a colour as "#7f7f7f", or "array". Raises OcclusionError."""
    if isinstance(fill, np.ndarray | Tensor):
        return "array"
    if isinstance(fill, str) and (name := named_fill(fill)) is not None:
        return name
    return "#{:02x}{:02x}{:02x}".format(*_colour(fill))


def _own(fill: NDArray[np.floating] | Tensor, pixels: Tensor) -> Tensor:
    values = torch.as_tensor(fill)
    if values.shape == (len(pixels),):
        values = values[:, None, None]
    if values.shape not in (pixels.shape, (len(pixels), 1, 1)):
        raise OcclusionError(f"A fill of one's own is {tuple(pixels.shape)} or ({len(pixels)},), normalised, not {tuple(values.shape)}.")
    if not values.is_floating_point() or not bool(torch.isfinite(values).all()):
        raise OcclusionError(f"A fill of one's own holds finite floating-point values, normalised as the input is, not {values.dtype}.")
    return values.to(pixels)


def _blurred(pixels: Tensor) -> Tensor:
    sigma = max(pixels.shape[1:]) * _BLUR
    reach = max(1, math.ceil(3 * sigma))
    kernel = [2 * min(reach, side - 1) + 1 for side in (pixels.shape[2], pixels.shape[1])]  # the blur mirrors at the border once
    blurred: Tensor = import_torchvision().transforms.functional.gaussian_blur(pixels, kernel, [sigma, sigma])
    return blurred


def _colour(fill: object) -> tuple[int, int, int]:
    """(red, green, blue) from 0 to 255."""
    values: Sequence[object] = ()
    if isinstance(fill, str):
        name = named_fill(fill)
        values = () if name is None else hex_to_rgb(name)
    elif isinstance(fill, tuple | list):
        values = fill
    whole = [int(value) for value in values if isinstance(value, int | np.integer) and 0 <= value <= 255]
    if len(values) != 3 or len(whole) != 3:
        raise OcclusionError(
            f"A fill is 'gray', 'mean', 'blur', a colour like '#7f7f7f' or (127, 127, 127), or an array of normalised pixels, not {fill!r}."
        )
    return whole[0], whole[1], whole[2]


def takes_colours(bundle: ModelBundle) -> bool:
    """Whether a colour can be a fill: what it is after the transform is known."""
    return isinstance(bundle.transform, Preprocess)


def _normalised(bundle: ModelBundle, colour: tuple[int, int, int]) -> Tensor:
    """(C, 1, 1)"""
    transform = bundle.transform
    if not isinstance(transform, Preprocess):
        raise OcclusionError(
            f"What a colour is after the transform of {bundle.name} is not known: choose 'gray', 'mean' or 'blur', or pass an array."
        )
    one_pixel = Image.new("RGB", (1, 1), colour).convert("L" if len(transform.mean) == 1 else "RGB")
    unit = torch.from_numpy(np.array(one_pixel, dtype=np.uint8).reshape(-1)).to(torch.float32) / 255
    return ((unit - torch.tensor(transform.mean)) / torch.tensor(transform.std))[:, None, None]
