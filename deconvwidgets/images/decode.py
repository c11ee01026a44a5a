"""One picture file to 8-bit RGB, whatever it is; a file that cannot be decoded becomes a PictureError, never a crash."""

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

# What Pillow's parsers stumble into on damaged or hostile files, apart from its own errors (which are OSError)
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
    Image.DecompressionBombWarning,  # for those who turn warnings into errors
)
_WHITE = (255, 255, 255, 255)


def open_image(source: Source, name: str | None = None, side: int | None = None) -> Image.Image:
    """The picture as RGB, 8 bits a channel, turned upright as its EXIF orientation says.

    Of an animation the first frame; transparency over white; 16-bit and float pictures scaled to 8 bits; CMYK and palettes
    converted; colour profiles left alone. With `side`, a JPEG is decoded at a half, a quarter or an eighth of its size, both of its sides
    `side` pixels at least: a quick look.

    Raises PictureError for files that are missing, broken, truncated or no pictures, and for those with more pixels than
    Pillow's `Image.MAX_IMAGE_PIXELS` (a decompression bomb).
    """
    what = name or _name(source)
    try:
        _refuse_bomb(_stated_size(source), what)
        with Image.open(source) as picture:
            _refuse_bomb(picture.size, what)
            if side is not None:
                picture.draft(None, (side, side))  # None: the mode stays
            return to_rgb(ImageOps.exif_transpose(picture))
    except _DECODER_ERRORS as error:
        raise PictureError(f"{what} cannot be decoded: {_reason(error)}. Replace it, or leave it out.") from error


def check_header(source: Source, name: str | None = None) -> tuple[int, int]:
    """Width and height as the file's header states them (before EXIF rotation); nothing is decoded.

    Raises PictureError where the file is no picture or too large.
    """
    what = name or _name(source)
    try:
        size = _stated_size(source)
        if size is None:
            with Image.open(source) as picture:
                size = picture.size
        _refuse_bomb(size, what)
        return size
    except _DECODER_ERRORS as error:
        raise PictureError(f"{what} cannot be opened: {_reason(error)}. Replace it, or leave it out.") from error


def to_rgb(picture: Image.Image) -> Image.Image:
    """A decoded picture of any Pillow mode as RGB, as `open_image` does it.

    Raises PictureError where its numbers have no agreed meaning as brightness.
    """
    picture.load()
    if picture.mode == "F" or picture.mode.startswith("I"):
        picture = Image.fromarray(_to_8_bit(np.asarray(picture)))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, _WHITE), picture)
    return picture.convert("RGB")


def _to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Gray values of more than 8 bits: integers fill 16 bits; floats fill 0..1, 8 or 16 bits, whichever holds them all."""
    numbers = values.astype(np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    if not (low >= 0 and high <= 65535):  # so that NaN is refused as well
        raise PictureError(f"The picture's values run from {low:g} to {high:g}; save it with 8 or 16 bits a channel.")
    candidates = (1.0, 255.0, 65535.0) if np.issubdtype(values.dtype, np.floating) else (65535.0,)
    full = next(candidate for candidate in candidates if high <= candidate)
    return (numbers * (255.0 / full)).round().astype(np.uint8)


def _stated_size(source: Source) -> tuple[int, int] | None:
    """Width and height by the header; None where no plugin knows the file by its first bytes, or it cannot be rewound.

    Asked of Pillow's plugins, because `Image.open` warns of a large picture, and no thread can silence a warning for itself alone.
    """
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            return _size_in(file)
    return _size_in(source) if source.seekable() else None


def _size_in(file: IO[bytes]) -> tuple[int, int] | None:
    file.seek(0)
    prefix = file.read(16)
    for load in (Image.preinit, Image.init):  # the common plugins, then all of them
        load()
        for factory, accept in [Image.OPEN[name] for name in Image.ID]:
            if accept is not None and accept(prefix) is True:
                file.seek(0)
                try:
                    return factory(file, "").size
                except (SyntaxError, IndexError, TypeError, struct.error):  # as `Image.open`: another plugin may know better
                    continue
    return None


def _refuse_bomb(size: tuple[int, int] | None, what: str) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if size is not None and limit is not None and size[0] * size[1] > limit:
        raise PictureError(
            f"{what} has {size[0]} x {size[1]} pixels, more than the {limit} that are decoded. "
            "If you trust it, make it smaller or raise PIL.Image.MAX_IMAGE_PIXELS."
        )


def _name(source: Source) -> str:
    return Path(source).name if isinstance(source, str | os.PathLike) else str(getattr(source, "name", "picture"))


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, UnidentifiedImageError):
        return "it is not a picture that Pillow knows"
    return (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
