"""Decoding of image files to 8-bit RGB. Every file that cannot be decoded raises a PictureError."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from deconvwidgets.errors import PictureError

Source = str | os.PathLike[str] | IO[bytes]

# Raised by Pillow's parsers on damaged or malicious files; Pillow's own errors are OSErrors.
_DECODER_ERRORS = (
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
_WHITE = (255, 255, 255, 255)


def open_image(source: Source, name: str | None = None, side: int | None = None) -> Image.Image:
    """Decode an image to RGB, 8 bits per channel, rotated by its EXIF orientation.

    The first frame of an animation is used. Transparent pixels are blended with white, 16-bit and float images are scaled to
    8 bits, CMYK and palette images are converted, and colour profiles are ignored.

    Parameters
    ----------
    source : str, path or binary file
        The image.
    name : str, optional
        The name for error messages. Defaults to the file's name.
    side : int, optional
        Decode a JPEG faster, at a half, a quarter or an eighth of its size, as long as both sides have at least this many pixels.

    Returns
    -------
    PIL.Image.Image
        The image in mode RGB.

    Raises
    ------
    PictureError
        If the file is missing, damaged, truncated or not an image, or if it has more pixels than Pillow's
        `Image.MAX_IMAGE_PIXELS` (a decompression bomb).
    """
    title = name or _name(source)
    try:
        _refuse_bomb(_header_size(source), title)
        with Image.open(source) as image:
            _refuse_bomb(image.size, title)
            if side is not None:
                image.draft(None, (side, side))  # None keeps the mode
            return to_rgb(ImageOps.exif_transpose(image))
    except _DECODER_ERRORS as error:
        raise PictureError(f"{title} cannot be decoded: {_reason(error)}. Replace it or remove it.") from error


def check_header(source: Source, name: str | None = None) -> tuple[int, int]:
    """Return the width and height in an image's header, before EXIF rotation. Pixels are not decoded.

    Raises
    ------
    PictureError
        If the file is not an image, or has more pixels than Pillow's `Image.MAX_IMAGE_PIXELS`.
    """
    title = name or _name(source)
    try:
        size = _header_size(source)
        if size is None:
            with Image.open(source) as image:
                size = image.size
        _refuse_bomb(size, title)
        return size
    except _DECODER_ERRORS as error:
        raise PictureError(f"{title} cannot be opened: {_reason(error)}. Replace it or remove it.") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any Pillow mode to RGB, as `open_image` does.

    Raises
    ------
    PictureError
        If the values of a 16-bit or float image are negative, greater than 65,535, or NaN.
    """
    image.load()
    if image.mode == "F" or image.mode.startswith("I"):
        image = Image.fromarray(_to_8_bit(np.asarray(image)))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image)
    return image.convert("RGB")


def _to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale gray values to 8 bits. The range of integers is 16 bits; that of floats is 0..1, 0..255 or 0..65535, the first that fits."""
    levels = values.astype(np.float64)
    low, high = float(levels.min()), float(levels.max())
    if not (low >= 0 and high <= 65535):  # written so that NaN is refused as well
        raise PictureError(f"The image has values from {low:g} to {high:g}; save it with 8 or 16 bits per channel.")
    ranges = (1.0, 255.0, 65535.0) if np.issubdtype(values.dtype, np.floating) else (65535.0,)
    white = next(maximum for maximum in ranges if high <= maximum)
    return (levels * (255.0 / white)).round().astype(np.uint8)


def _header_size(source: Source) -> tuple[int, int] | None:
    """Return (width, height) from the header; None if no plugin accepts the first bytes, or the file is not seekable.

    This calls Pillow's plugins, because `Image.open` warns of a large image, and a warning cannot be suppressed for one thread only.
    """
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            return _read_size(file)
    return _read_size(source) if source.seekable() else None


def _read_size(file: IO[bytes]) -> tuple[int, int] | None:
    file.seek(0)
    prefix = file.read(16)
    for load in (Image.preinit, Image.init):  # the common plugins, then all of them
        load()
        for factory, accept in [Image.OPEN[name] for name in Image.ID]:
            if accept is not None and accept(prefix) is True:
                file.seek(0)
                try:
                    return factory(file, "").size
                except (SyntaxError, IndexError, TypeError, struct.error):  # like `Image.open`, try the next plugin
                    continue
    return None


def _refuse_bomb(size: tuple[int, int] | None, name: str) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if size is not None and limit is not None and size[0] * size[1] > limit:
        raise PictureError(
            f"{name} has {size[0]} x {size[1]} pixels, more than the {limit} allowed. "
            "Make it smaller, or increase PIL.Image.MAX_IMAGE_PIXELS if you trust it."
        )


def _name(source: Source) -> str:
    return Path(source).name if isinstance(source, str | os.PathLike) else str(getattr(source, "name", "image"))


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image in a format that Pillow can read"
    return (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
