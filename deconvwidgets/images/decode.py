"""Decoding of images to 8-bit RGB. Every file that cannot be decoded raises a PictureError."""

from __future__ import annotations

import os
import struct
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from deconvwidgets.arguments import describe
from deconvwidgets.errors import PictureError
from deconvwidgets.images.content import content_of_bytes
from deconvwidgets.paths import as_path, refuse_special_file
from deconvwidgets.rgb import DECODER_ERRORS, array_to_rgb, to_rgb

Source = str | os.PathLike[str] | IO[bytes]


def open_image(source: Source, name: str | None = None, side: int | None = None) -> Image.Image:
    """Decode an image to RGB, 8 bits per channel, rotated by its EXIF orientation.

    The first frame of an animation is used. Other modes are converted as `deconvwidgets.rgb` says.

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
            image.load()
            return to_rgb(image, title)
    except DECODER_ERRORS as error:
        raise PictureError(f"{title} cannot be decoded: {_reason(error)}. Replace it or remove it.") from error


def open_with_content(path: str | os.PathLike[str], name: str | None = None, side: int | None = None) -> tuple[Image.Image, int]:
    """Return the image in a file as `open_image` does, and the content id of the file, which is read once."""
    title = name or _name(path)
    try:
        data = _read_file(path)
    except DECODER_ERRORS as error:
        raise PictureError(f"{title} cannot be decoded: {_reason(error)}. Replace it or remove it.") from error
    return open_image(BytesIO(data), title, side), content_of_bytes(data)


def _read_file(path: str | os.PathLike[str]) -> bytes:
    refuse_special_file(Path(path), PictureError, "Give the path of an image.")
    with open(path, "rb") as file:
        return file.read()


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
    except DECODER_ERRORS as error:
        raise PictureError(f"{title} cannot be opened: {_reason(error)}. Replace it or remove it.") from error


def as_rgb(image: object, name: str | None = None) -> Image.Image:
    """Return an image of any kind in RGB, 8 bits per channel. Every image that does not come as a file enters here.

    Parameters
    ----------
    image : PIL image, path, array (H, W) or (H, W, 3), or Tensor (H, W), (1, H, W) or (3, H, W)
        See `deconvwidgets.rgb` for modes, types and ranges.
    name : str, optional
        The name for error messages.

    Raises
    ------
    PictureError
        For anything else, and for a file that cannot be decoded.
    """
    if isinstance(image, Image.Image):
        return to_rgb(image, name or "The image")
    if isinstance(image, str | os.PathLike):
        return open_image(as_path(image, "The path of an image", PictureError), name)
    if isinstance(image, Tensor):
        return array_to_rgb(image.detach().cpu().numpy(), name or "The tensor", channels_first=True)
    if isinstance(image, np.ndarray):
        return array_to_rgb(image, name or "The array")
    raise PictureError(
        f"{name or 'An image'} must be a PIL image, a path, or an array (H, W, 3) or (H, W), not {describe(image)}; "
        "images.open_source(5) opens one of an image set."
    )


def _header_size(source: Source) -> tuple[int, int] | None:
    """Return (width, height) from the header; None if no plugin accepts the first bytes, or the file is not seekable.

    This calls Pillow's plugins, because `Image.open` warns of a large image, and a warning cannot be suppressed for one thread only.
    """
    if isinstance(source, str | os.PathLike):
        refuse_special_file(Path(source), PictureError, "Give the path of an image.")
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
    if isinstance(error, UnidentifiedImageError | struct.error):  # a plugin of Pillow fails at the header of a short file
        return "it is not an image in a format that Pillow can read"
    return (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
