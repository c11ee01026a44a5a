"""Uploading an image from Python, in chunks, as a browser does."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.occlusion.service.protocol import OcclusionService

ImageInput = Image.Image | str | Path | int | NDArray[np.uint8]

_CHUNK_BYTES = 4 << 20
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_TIFF_MODES = ("CMYK", "F", "I")


def upload_image(service: OcclusionService, image: object) -> str:
    """Return the id of an image: "crop:17" for that or for 17, the id of its upload for a PIL image, a path or an array.

    Parameters
    ----------
    image : int, str, Path, PIL image, or array (H, W, 3) or (H, W) uint8

    Raises
    ------
    PictureError
        For anything else, and if the image cannot be read.
    """
    if isinstance(image, str) and image.startswith(("crop:", "upload:")):
        return image
    if not isinstance(image, bool) and isinstance(image, int | np.integer):
        return f"crop:{int(image)}"
    if isinstance(image, str | Path):
        return _send(service, Path(image).name, _read(Path(image).expanduser()))
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    if isinstance(image, Image.Image):
        return _send(service, Path(str(getattr(image, "filename", "") or "your image")).name, _encode(image))
    raise PictureError(f"An image is the number of a crop, 'crop:17', a PIL image, a path or an array, not a {type(image).__name__}.")


def _send(service: OcclusionService, name: str, data: bytes) -> str:
    upload = service.begin_upload(name, len(data))
    for offset in range(0, len(data), _CHUNK_BYTES):
        service.add_chunk(upload, offset, data[offset : offset + _CHUNK_BYTES])
    return service.finish_upload(upload)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror}). Give the path of an image, or a crop of the image set.") from error


def _from_array(array: NDArray[np.generic]) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise PictureError(f"An array must be (H, W, 3) or (H, W) uint8, not {array.shape} {array.dtype}: pass a PIL image instead")
    return Image.fromarray(array)


def _encode(image: Image.Image) -> bytes:
    """Encode as PNG, which is lossless, or as TIFF if PNG lacks the mode.

    An EXIF orientation is left out: the pixels of a PIL image are taken as they are. Raises PictureError for a mode whose values have no
    defined meaning.
    """
    buffer = io.BytesIO()
    if image.mode in _TIFF_MODES:
        bare = image.copy()
        bare.info = {}
        bare.save(buffer, "TIFF")
        return buffer.getvalue()
    try:
        converted = image if image.mode in _PNG_MODES else image.convert("RGB")
        converted.save(buffer, "PNG", compress_level=1, exif=b"")
    except (OSError, ValueError) as error:
        raise PictureError(f"The image cannot be read ({error}): convert it to RGB first.") from error
    return buffer.getvalue()
