"""From a photograph to a model's input, with a geometry: where every input pixel came from.

Steps and rounding are those of torchvision's classification presets: resize the shorter side, crop the centre, scale to
0..1, subtract the mean, divide by the standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deconvwidgets.records.geometry import Geometry

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_GRAY_MEAN = (0.449,)  # ImageNet's, averaged over the colours
_GRAY_STD = (0.226,)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """A transform with a known geometry. `resize` is the shorter side's pixels, or None to leave the size alone.

    `mean` and `std` are per channel, on the scale where pixels run from 0 to 1: (pixel - 127) / 128 is mean 127/255 and
    std 128/255. With one channel the picture is turned to gray first.
    """

    resize: int | None = 256
    crop: tuple[int, int] = (224, 224)  # height, width
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: Image.Resampling = Image.Resampling.BILINEAR

    @property
    def input_size(self) -> tuple[int, int, int]:
        """(channels, height, width) of what comes out."""
        return (len(self.mean), *self.crop)

    def __call__(self, picture: Image.Image) -> Tensor:
        """The model's input: float32 (channels, height, width), normalised."""
        pixels = torch.from_numpy(np.array(self.crop_picture(picture), dtype=np.uint8))
        pixels = pixels.reshape(*self.crop, len(self.mean)).permute(2, 0, 1)
        unit = pixels.contiguous().to(torch.float32).div(255)
        return unit.sub_(_per_channel(self.mean)).div_(_per_channel(self.std))

    def crop_picture(self, picture: Image.Image) -> Image.Image:
        """The resized and cropped picture that the model is shown; black where the picture is smaller than the crop."""
        picture = picture.convert("L" if len(self.mean) == 1 else "RGB")
        resized = self._resized(*picture.size)
        if resized != picture.size:
            picture = picture.resize(resized, self.interpolation)
        left, top = self._corner(*resized)
        height, width = self.crop
        return picture.crop((left, top, left + width, top + height))

    def geometry(self, width: int, height: int) -> Geometry:
        """The map from the pixels of a picture of this size to input pixels."""
        new_width, new_height = self._resized(width, height)
        left, top = self._corner(new_width, new_height)
        return Geometry((new_width / width, new_height / height), (float(-left), float(-top)))

    def unnormalise(self, pixels: Tensor) -> NDArray[np.uint8]:
        """The picture of an input (channels, height, width): uint8 (height, width, 3), values outside 0..255 clipped."""
        unit = pixels.detach().to("cpu", torch.float32) * _per_channel(self.std) + _per_channel(self.mean)
        return picture_of_unit_range(unit)

    def resized_to(self, height: int, width: int) -> Preprocess:
        """The same transform for another input size, the margin around the crop kept in proportion."""
        if self.resize is None:
            return replace(self, crop=(height, width))
        share = self.resize / min(self.crop)
        return replace(self, resize=round(max(height, width) * share), crop=(height, width))

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.resize is None:
            return width, height
        longer = int(self.resize * max(width, height) / min(width, height))  # rounded down, as torchvision does
        return (self.resize, longer) if width <= height else (longer, self.resize)

    def _corner(self, width: int, height: int) -> tuple[int, int]:
        return _centred(width, self.crop[1]), _centred(height, self.crop[0])


def _centred(length: int, crop: int) -> int:
    """Where a centred crop starts; negative where it is longer (torchvision then pads the greater half after)."""
    if length < crop:
        return -((crop - length) // 2)
    return round((length - crop) / 2.0)


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)


def default_preprocess(input_size: tuple[int, int, int]) -> Preprocess:
    """What is assumed of a model that says nothing: the whole shorter side visible, ImageNet's mean and std.

    One-channel models get gray pictures, and the average of ImageNet's means.
    """
    channels, height, width = input_size
    mean, std = (_GRAY_MEAN, _GRAY_STD) if channels == 1 else (IMAGENET_MEAN, IMAGENET_STD)
    return Preprocess(resize=max(height, width), crop=(height, width), mean=mean, std=std)


def picture_of_unit_range(unit: Tensor) -> NDArray[np.uint8]:
    """(1 or 3, height, width) in 0..1 to uint8 (height, width, 3)."""
    values = unit.clamp(0, 1).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(values.expand(3, -1, -1).permute(1, 2, 0).numpy())
