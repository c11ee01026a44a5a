"""From a photograph to a model's input, with a geometry: where every input pixel came from.

Steps and rounding are those of torchvision's classification presets: resize the shorter side, crop the centre, scale to
0..1, subtract the mean, divide by the standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

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
        pixels = torch.from_numpy(np.array(self.resize_and_crop(picture), dtype=np.uint8))
        pixels = pixels.reshape(*self.crop, len(self.mean)).permute(2, 0, 1)
        unit = pixels.contiguous().to(torch.float32).div(255)
        return unit.sub_(_per_channel(self.mean)).div_(_per_channel(self.std))

    def resize_and_crop(self, picture: Image.Image) -> Image.Image:
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
        return unit_range_to_rgb(unit)

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


def unit_range_to_rgb(unit: Tensor) -> NDArray[np.uint8]:
    """(1 or 3, height, width) in 0..1 to uint8 (height, width, 3)."""
    values = unit.clamp(0, 1).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(values.expand(3, -1, -1).permute(1, 2, 0).numpy())


# Awkward on purpose: odd sides, one of each orientation
_PROBE_SIZES = ((301, 405), (333, 250))


def as_preprocess(transform: object) -> Preprocess | None:
    """The same transform as a `Preprocess`; None where it is not one, or not for sure, and so stays opaque.

    Known are `Preprocess` itself, torchvision's `ImageClassification` presets, and `Compose` of Resize, CenterCrop,
    ToTensor (or its parts) and Normalize. A guess about anything else than a preset is only
    believed if it gives the same tensors on noise.
    """
    if isinstance(transform, Preprocess) or transform is None:
        return transform
    if not callable(transform):
        return None
    if hasattr(transform, "crop_size"):
        guess = _from_preset(transform)
        if type(transform).__module__ == "torchvision.transforms._presets":  # tested to be equal; do not delay each load_model
            return guess
    else:
        guess = _from_compose(transform)
    return guess if guess is not None and _same(guess, transform) else None


def _from_preset(preset: Any) -> Preprocess | None:
    if not all(hasattr(preset, name) for name in ("resize_size", "crop_size", "mean", "std", "interpolation")):
        return None
    return _assemble(preset.resize_size, preset.crop_size, preset.mean, preset.std, preset.interpolation)


def _from_compose(compose: Any) -> Preprocess | None:
    steps = {type(step).__name__: step for step in getattr(compose, "transforms", ())}
    resize, crop, normalize = steps.get("Resize"), steps.get("CenterCrop"), steps.get("Normalize")
    if crop is None:
        return None
    mean, std = (normalize.mean, normalize.std) if normalize is not None else ((0.0,) * 3, (1.0,) * 3)
    interpolation = getattr(resize, "interpolation", None)
    return _assemble(resize.size if resize is not None else None, crop.size, mean, std, interpolation)


def _assemble(resize: Any, crop: Any, mean: Any, std: Any, interpolation: Any) -> Preprocess | None:
    resizes, crops = _integers(resize), _integers(crop)
    method = str(getattr(interpolation, "value", "bilinear")).upper()
    if len(resizes) > 1 or not 1 <= len(crops) <= 2 or method not in Image.Resampling.__members__:
        return None
    return Preprocess(
        resize=resizes[0] if resizes else None,
        crop=(crops[0], crops[-1]),
        mean=_floats(mean),
        std=_floats(std),
        interpolation=Image.Resampling[method],
    )


def _integers(value: Any) -> list[int]:
    if value is None:
        return []
    return [int(entry) for entry in value] if isinstance(value, Sequence) else [int(value)]


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in (values if isinstance(values, Sequence | Tensor | np.ndarray) else [values]))


def _same(guess: Preprocess, transform: Any) -> bool:
    noise = np.random.default_rng(0)
    for width, height in _PROBE_SIZES:
        picture = Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=np.uint8))
        try:
            expected = transform(picture)
        except (TypeError, ValueError, RuntimeError):  # a transform that wants other inputs: not one we know
            return False
        got = guess(picture)
        if not isinstance(expected, Tensor) or expected.shape != got.shape or not torch.allclose(expected.to(got), got, atol=1e-5):
            return False
    return True
