"""A picture that Python has, brought to a desk as a browser brings its files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.occlusion.service.protocol import OcclusionService

_CHUNK = 4 << 20  # bytes
_AS_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_AS_TIFF = ("CMYK", "F", "I")


def upload_picture(desk: OcclusionService, picture: object) -> str:
    """The image that a desk is asked for: "crop:17" for that, or for 17; for a PIL picture, a path or an array (H, W, 3) or (H, W) uint8
    the upload that it becomes. Raises PictureError for what is none of these, or cannot be read."""
    if isinstance(picture, str) and picture.startswith(("crop:", "upload:")):
        return picture
    if not isinstance(picture, bool) and isinstance(picture, int | np.integer):
        return f"crop:{int(picture)}"
    if isinstance(picture, str | Path):
        return _send(desk, Path(picture).name, _read(Path(picture).expanduser()))
    if isinstance(picture, np.ndarray):
        picture = _from_array(picture)
    if isinstance(picture, Image.Image):
        return _send(desk, Path(str(getattr(picture, "filename", "") or "your picture")).name, _encoded(picture))
    raise PictureError(f"An image is a view's number, 'crop:17', a PIL picture, a path or an array, not a {type(picture).__name__}.")


def _send(desk: OcclusionService, name: str, data: bytes) -> str:
    upload = desk.begin_upload(name, len(data))
    for offset in range(0, len(data), _CHUNK):
        desk.add_chunk(upload, offset, data[offset : offset + _CHUNK])
    return desk.finish_upload(upload)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror}). Give the path of a picture, or a view of the image set.") from error


def _from_array(array: NDArray[np.generic]) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise PictureError(f"An array must be (H, W, 3) or (H, W) uint8, not {array.shape} {array.dtype}: pass a PIL picture instead")
    return Image.fromarray(array)


def _encoded(picture: Image.Image) -> bytes:
    """As PNG, which keeps every pixel; as TIFF where it lacks the mode. An EXIF orientation is left out: a PIL picture is taken as it
    lies. Raises PictureError for a mode whose numbers have no agreed meaning."""
    buffer = io.BytesIO()
    if picture.mode in _AS_TIFF:
        bare = picture.copy()
        bare.info = {}
        bare.save(buffer, "TIFF")
        return buffer.getvalue()
    try:
        shown = picture if picture.mode in _AS_PNG else picture.convert("RGB")
        shown.save(buffer, "PNG", compress_level=1, exif=b"")
    except (OSError, ValueError) as error:
        raise PictureError(f"The picture cannot be read ({error}): convert it to RGB first.") from error
    return buffer.getvalue()
