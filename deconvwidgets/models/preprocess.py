"""Preprocessing of images for a model, with a known geometry between image pixels and input pixels.

The steps and their rounding are those of torchvision's classification presets: resize the shorter side, crop the centre, scale to
0..1, subtract the mean, divide by the standard deviation. `as_preprocess` recognises the usual transforms of torchvision.
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

from deconvwidgets.errors import ModelError
from deconvwidgets.records.geometry import Geometry
from deconvwidgets.rgb import to_rgb

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_GRAY_MEAN = (0.449,)  # the averages of ImageNet's over the channels
_GRAY_STD = (0.226,)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """A transform that resizes, crops and normalises an image.

    Parameters
    ----------
    resize : int or None
        The length of the shorter side after resizing; None to keep the size.
    crop : tuple of (int, int)
        (height, width) of the centre crop.
    mean, std : tuple of float
        The mean and standard deviation of each channel, for pixels between 0 and 1: (pixel - 127) / 128 is mean 127/255 and std 128/255.
        With one channel, images are converted to gray.
    interpolation : PIL.Image.Resampling
        The interpolation for resizing.

    Examples
    --------
    >>> preprocess = Preprocess(resize=256, crop=(224, 224))
    >>> preprocess(Image.new("RGB", (640, 480))).shape
    torch.Size([3, 224, 224])
    >>> preprocess.geometry(640, 512).scale
    (0.5, 0.5)
    """

    resize: int | None = 256
    crop: tuple[int, int] = (224, 224)
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: Image.Resampling = Image.Resampling.BILINEAR

    def __post_init__(self) -> None:
        if len(self.mean) not in (1, 3) or len(self.std) != len(self.mean):
            raise ModelError(
                f"A Preprocess returns 1 or 3 channels, not {len(self.mean)} means and {len(self.std)} standard deviations: "
                "for other channels, pass a transform of your own."
            )

    @property
    def input_size(self) -> tuple[int, int, int]:
        """(channels, height, width) of the output."""
        return (len(self.mean), *self.crop)

    def __call__(self, image: Image.Image) -> Tensor:
        """Return the normalised input: float32 (channels, height, width)."""
        return self.normalise(torch.from_numpy(self.pixels(image)))

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the pixels of the resized and cropped image before normalisation: uint8 (channels, height, width)."""
        pixels = np.array(self.resize_and_crop(image), dtype=np.uint8)
        return np.ascontiguousarray(pixels.reshape(*self.crop, len(self.mean)).transpose(2, 0, 1))

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return `pixels`, uint8 (channels, height, width) or (N, channels, height, width), as inputs: float32, on the same device.

        The inputs are the same, bit for bit, whether they are normalised one by one or in batches.
        """
        unit = torch.empty_like(pixels, dtype=torch.float32)
        mean, std = _per_channel(self.mean, unit.device), _per_channel(self.std, unit.device)
        if pixels.dim() == 3 or pixels.device.type != "cpu" or not len(pixels):
            return unit.copy_(pixels).div_(255).sub_(mean).div_(std)
        # One image stays in the processor's cache, and constants of its size and memory format are subtracted faster than 3 numbers.
        means, stds = torch.empty_like(unit[:1]).copy_(mean)[0], torch.empty_like(unit[:1]).copy_(std)[0]
        for image, part in zip(unit, pixels, strict=True):
            image.copy_(part).div_(255).sub_(means).div_(stds)
        return unit

    def resize_and_crop(self, image: Image.Image) -> Image.Image:
        """Return the image before normalisation. It is padded with black if it is smaller than the crop.

        Images of any mode are converted as `deconvwidgets.rgb` says, and raise PictureError if that is not possible.
        """
        image = self.resized(image)
        left, top = self._corner(*image.size)
        height, width = self.crop
        return image.crop((left, top, left + width, top + height))

    def resized(self, image: Image.Image) -> Image.Image:
        """Return the whole image at the size from which the crop is taken, in RGB, or in gray for one channel."""
        image = to_rgb(image)
        image = image.convert("L") if len(self.mean) == 1 else image
        size = self._resized(*image.size)
        return image if size == image.size else image.resize(size, self.interpolation)

    def without_resize(self) -> Preprocess:
        """Return the transform for images of the size that `resized` returns."""
        return replace(self, resize=None)

    def geometry(self, width: int, height: int) -> Geometry:
        """Return the map from pixels of an image of this size to input pixels."""
        new_width, new_height = self._resized(width, height)
        left, top = self._corner(new_width, new_height)
        return Geometry((new_width / width, new_height / height), (float(-left), float(-top)))

    def unnormalise(self, pixels: Tensor) -> NDArray[np.uint8]:
        """Return an input (channels, height, width) as an image, uint8 (height, width, 3). Values outside 0..255 are clipped."""
        unit = pixels.detach().to("cpu", torch.float32) * _per_channel(self.std) + _per_channel(self.mean)
        return unit_range_to_rgb(unit)

    def resized_to(self, height: int, width: int) -> Preprocess:
        """Return the transform for another input size, with the same ratio between `resize` and `crop`."""
        if self.resize is None:
            return replace(self, crop=(height, width))
        ratio = self.resize / min(self.crop)
        return replace(self, resize=round(max(height, width) * ratio), crop=(height, width))

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.resize is None:
            return width, height
        longer = int(self.resize * max(width, height) / min(width, height))  # rounded down, as in torchvision
        return (self.resize, longer) if width <= height else (longer, self.resize)

    def _corner(self, width: int, height: int) -> tuple[int, int]:
        return _centred(width, self.crop[1]), _centred(height, self.crop[0])


class FloorCropPreprocess(Preprocess):
    """A `Preprocess` whose crop starts at the pixel below the exact centre, as in transformers; torchvision rounds to the nearest."""

    __slots__ = ()

    def _corner(self, width: int, height: int) -> tuple[int, int]:
        return (width - self.crop[1]) // 2, (height - self.crop[0]) // 2


def _centred(length: int, crop: int) -> int:
    """Return the start of a centred crop. It is negative if the crop is longer; as in torchvision, the end is then padded more."""
    if length < crop:
        return -((crop - length) // 2)
    return round((length - crop) / 2.0)


def _per_channel(values: Sequence[float], device: torch.device | None = None) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)


def default_preprocess(input_size: tuple[int, int, int]) -> Preprocess:
    """Return the transform for a model without one: the shorter side is not cropped, and mean and std are ImageNet's.

    Models with one channel receive gray images, with the average of ImageNet's mean and std.
    """
    channels, height, width = input_size
    mean, std = (_GRAY_MEAN, _GRAY_STD) if channels == 1 else (IMAGENET_MEAN, IMAGENET_STD)
    return Preprocess(resize=max(height, width), crop=(height, width), mean=mean, std=std)


def unit_range_to_rgb(unit: Tensor) -> NDArray[np.uint8]:
    """Convert (1 or 3, height, width) with values in 0..1 to uint8 (height, width, 3)."""
    values = unit.clamp(0, 1).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(values.expand(3, -1, -1).permute(1, 2, 0).numpy())


def stretched_to_rgb(values: Tensor) -> NDArray[np.uint8]:
    """Convert values (C, height, width) to uint8 (height, width, 3), scaled from minimum to maximum.

    They are averaged over channels if there are not one or three.
    """
    plain = values.detach().to("cpu", torch.float32)
    plain = plain if plain.shape[0] in (1, 3) else plain.mean(0, keepdim=True)
    low, high = float(plain.min()), float(plain.max())
    return unit_range_to_rgb((plain - low) / (high - low) if high > low else plain * 0)


# Odd sides, and both orientations
_PROBE_SIZES = ((301, 405), (333, 250))


def as_preprocess(transform: object) -> Preprocess | None:
    """Convert a transform to an equal `Preprocess`.

    `Preprocess`, torchvision's `ImageClassification` presets, and `Compose` of Resize, CenterCrop, ToTensor (or its parts) and Normalize
    are recognised. For other transforms than presets, the result is verified on noise images.

    Parameters
    ----------
    transform : object
        The transform, or None.

    Returns
    -------
    Preprocess or None
        None if the transform is not recognised, or not equal on them.
    """
    if isinstance(transform, Preprocess) or transform is None:
        return transform
    if not callable(transform):
        return None
    if hasattr(transform, "crop_size"):
        candidate = _from_preset(transform)
        if type(transform).__module__ == "torchvision.transforms._presets":  # the tests verify these; it would delay each load_model
            return candidate
    else:
        candidate = _from_compose(transform)
    return candidate if candidate is not None and is_equal(candidate, transform) else None


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
    if len(_floats(mean)) not in (1, 3) or len(_floats(std)) != len(_floats(mean)):
        return None
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


def is_equal(candidate: Preprocess, transform: Any) -> bool:
    """Return whether a `Preprocess` and another transform have the same output for noise images."""
    generator = np.random.default_rng(0)
    for width, height in (*_PROBE_SIZES, _odd_margin_size(candidate)):
        noise = Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))
        try:
            expected = transform(noise)
        except (TypeError, ValueError, RuntimeError):  # the transform does not accept RGB images
            return False
        result = candidate(noise)
        if not isinstance(expected, Tensor) or expected.shape != result.shape:
            return False
        if not torch.allclose(expected.to(result), result, atol=1e-5):
            return False
    return True


def _odd_margin_size(candidate: Preprocess) -> tuple[int, int]:
    """Return the size of an image that is not resized, and whose margin left of the crop is 1.5 (or 3.5, ...) pixels wide.

    A transform that rounds the corner of the crop in another way has another output for it.
    """
    shorter = candidate.resize or max(candidate.crop)
    width = shorter + 1
    while (width - candidate.crop[1]) % 4 != 3:
        width += 1
    return width, shorter
