"""Pictures of every kind as 8-bit RGB.

Files, PIL images, arrays, the items of data sets and uploads all pass through here, so that the same picture always gives the same pixels.

- An EXIF orientation is applied, and colour profiles are ignored.
- Gray, palette, 1-bit, CMYK, YCbCr, HSV and LAB pictures are converted; transparent pixels are blended with white.
- 16-bit values are divided by 257, so that 65,535 is white.
- Floating-point values are multiplied by 255: 0 is black and 1 is white. Other ranges are refused, because they are not known.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from deconvwidgets.arguments import describe
from deconvwidgets.errors import PictureError

# Raised by Pillow's parsers on damaged or malicious files; Pillow's own errors are OSErrors.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # if warnings are turned into errors
)
_ORIENTATION = 0x0112  # the EXIF tag
_WHITE = (255, 255, 255, 255)
_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def to_rgb(image: Image.Image, name: str = "The image") -> Image.Image:
    """Return a PIL image as a new image in mode RGB, rotated by its EXIF orientation.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode. Mode I (32-bit integers) is read as 16 bits, like the 16-bit files that Pillow opens in this mode; mode F as 0 to 1.
    name : str
        The name for error messages.

    Raises
    ------
    PictureError
        If the image is empty or cannot be decoded, and if the range of its values is not known: mode I with values outside 0 to 65,535,
        or with 8-bit values only, and mode F with values outside 0 to 1.
    """
    try:
        image.load()
        if not image.width or not image.height:
            raise PictureError(f"{name} is empty: it has {image.width} x {image.height} pixels.")
        if image.getexif().get(_ORIENTATION, 1) != 1:
            image = ImageOps.exif_transpose(image)
        if image.mode == "F" or image.mode.startswith("I"):
            return Image.fromarray(_gray_values(image, name)).convert("RGB")
        return _blended(image).convert("RGB")
    except DECODER_ERRORS as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
        raise PictureError(f"{name} cannot be decoded: {reason}. Convert it to RGB, or choose another one.") from error


def array_to_rgb(array: NDArray[Any], name: str = "The array", channels_first: bool = False) -> Image.Image:
    """Return an array as an image in mode RGB.

    Parameters
    ----------
    array : array (H, W), (H, W, 1) or (H, W, 3)
        bool; integers from 0 to 255; uint16 from 0 to 65,535; or floating point from 0 to 1.
    name : str
        The name for error messages.
    channels_first : bool
        Whether the shape is (1, H, W) or (3, H, W) in place of (H, W, 1) or (H, W, 3), as for tensors.

    Raises
    ------
    PictureError
        For other shapes, types and ranges.
    """
    values = array[..., None] if array.ndim == 2 else np.moveaxis(array, 0, -1) if channels_first and array.ndim == 3 else array
    if values.ndim != 3 or values.shape[-1] not in (1, 3) or not values.size:
        layout = "(H, W), (1, H, W) or (3, H, W)" if channels_first else "(H, W), (H, W, 1) or (H, W, 3)"
        raise PictureError(
            f"{name} must be a gray or colour image {layout}, not {describe(array)}. Of more channels, choose three, or pass a PIL image, "
            "whose mode says what they mean."
        )
    return Image.fromarray(np.ascontiguousarray(np.repeat(_bytes_of(values, name), 3 // values.shape[-1], axis=-1)))


def _bytes_of(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Return values as 8 bits."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "f":
        return _from_unit_range(values, name)
    if kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if kind == "u" and size == 2:
        return _from_16_bits(values)
    if kind not in "iu":
        raise PictureError(f"{name} must contain bool, integers or floating-point values, not {values.dtype}.")
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 255:
        raise PictureError(f"{name} has {values.dtype} values from {low} to {high}, not 0 to 255. Convert 16-bit values to uint16.")
    return values.astype(np.uint8)


def _gray_values(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """Return an image of mode F, I or I;16 as 8 bits (H, W)."""
    values = np.asarray(image)
    if image.mode == "F":
        return _from_unit_range(values, name)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise PictureError(f"{name} has integers from {low} to {high}; save it with 8 or 16 bits per channel.")
    if image.mode == "I" and 0 < high <= 255:  # Image.convert("I") leaves the values of 8 bits as they are
        raise PictureError(
            f"{name} has 32-bit integers from {low} to {high}: they may be 8-bit values, or 16-bit values that are nearly black. "
            "Convert it with image.convert('L') or image.convert('I;16')."
        )
    gray = _from_16_bits(values)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray[values == transparent] = 255
    return gray


def _from_16_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    return (values.astype(np.float64) / 257).round().astype(np.uint8)


def _from_unit_range(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    levels = values.astype(np.float64)
    low, high = float(levels.min()), float(levels.max())
    if not (low >= 0 and high <= 1):  # written so that NaN is refused as well
        raise PictureError(
            f"{name} has floating-point values from {low:g} to {high:g}, not 0 to 1: divide by the value of white, or save it with 8 or 16 "
            "bits per channel. In a data set, remove Normalize from the transform: the model's transform prepares the images."
        )
    return (levels * 255).round().astype(np.uint8)


def _blended(image: Image.Image) -> Image.Image:
    """Return an image with its transparent pixels blended with white; an image without transparency as it is."""
    if image.mode not in _WITH_ALPHA and "transparency" not in image.info:
        return image
    straight = image.convert("LA") if image.mode == "La" else image  # Pillow converts La to LA only
    coloured = straight.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", coloured.size, _WHITE), coloured)
