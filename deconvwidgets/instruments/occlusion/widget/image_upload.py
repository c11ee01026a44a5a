"""Uploading an image from Python, in chunks, as a browser does."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.occlusion.service.protocol import OcclusionService
from deconvwidgets.paths import as_path, refuse_special_file
from deconvwidgets.rgb import array_to_rgb, to_rgb

ImageInput = Image.Image | str | Path | int | NDArray[np.generic]

_CHUNK_BYTES = 4 << 20


def upload_image(service: OcclusionService, image: object) -> str:
    """Return the id of an image: "crop:17" for that or for 17, the id of its upload for a PIL image, a path or an array.

    Parameters
    ----------
    image : int, str, Path, PIL image, or array (H, W, 3) or (H, W)

    Raises
    ------
    PictureError
        For anything else, and if the image cannot be read.
    """
    if isinstance(image, str) and image.startswith(("crop:", "upload:")):
        return image
    number = as_integer(image)
    if number is not None:
        return f"crop:{number}"
    if isinstance(image, str | Path):
        path = as_path(image, "The path of an image", PictureError)
        return send_file(service, path.name, _read(path))
    if isinstance(image, np.ndarray):
        return send_file(service, "your image", _encode(array_to_rgb(image)))
    if isinstance(image, Image.Image):
        return send_file(service, Path(str(getattr(image, "filename", "") or "your image")).name, _encode(to_rgb(image)))
    raise PictureError(f"An image is the number of a crop, 'crop:17', a PIL image, a path or an array, not {describe(image)}.")


def send_file(service: OcclusionService, name: str, data: bytes, label: str | None = None) -> str:
    """Upload the file of an image whose true class may be known, and return its id."""
    upload = service.begin_upload(name, len(data))
    for offset in range(0, len(data), _CHUNK_BYTES):
        service.add_chunk(upload, offset, data[offset : offset + _CHUNK_BYTES])
    return service.finish_upload(upload, label)


def _read(path: Path) -> bytes:
    refuse_special_file(path, PictureError, "Give the path of an image.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror}). Give the path of an image, or a crop of the image set.") from error


def _encode(image: Image.Image) -> bytes:
    """Encode an RGB image as PNG, which is lossless."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1, exif=b"")
    return buffer.getvalue()
