"""Uploaded images, kept in memory as inputs of the model."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from PIL import Image
from torch import Tensor

from deconvwidgets.errors import PictureError
from deconvwidgets.images.decode import open_image
from deconvwidgets.service.uploads import ChunkedUploads

PREFIX = "upload:"
MAX_BYTES = 64 << 20
_MAX_UNFINISHED = 4
_MAX_IMAGES = 64  # as inputs of 224 x 224 they take 40 MB
_SMALL_SIDE = 256  # pixels of the image that thumbnails are made from


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """An uploaded image."""

    name: str  # of its file
    pixels: Tensor  # (C, H, W): the model's input
    resized: Image.Image  # the whole image at the size from which the transform takes its crop (`ModelBundle.resized`)
    small: Image.Image  # for thumbnails
    label: str | None = None  # its true class, if that is known


class _MemoryStore:
    """The bytes received so far."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, offset: int, data: bytes) -> None:
        self.data += data  # `ChunkedUploads` checks the order

    def discard(self) -> None:
        self.data = bytearray()


class ImageUploads:
    """The uploaded images of a service, of which the 64 that were uploaded or used last are kept. Thread-safe.

    Parameters
    ----------
    prepare : callable
        Returns the model's input (C, H, W) for an image.
    resized : callable
        Returns the whole image at the size from which the model's transform takes its crop.
    """

    def __init__(self, prepare: Callable[[Image.Image], Tensor], resized: Callable[[Image.Image], Image.Image]) -> None:
        self._prepare, self._resized = prepare, resized
        self._uploads: ChunkedUploads[_MemoryStore] = ChunkedUploads(_MAX_UNFINISHED)
        self._lock = Lock()
        self._images: OrderedDict[str, UploadedImage] = OrderedDict()  # in the order of the uploads
        self._uses: OrderedDict[str, None] = OrderedDict()  # in the order of the last uses

    def names(self) -> list[str]:
        """Return the ids of the images, the newest first."""
        with self._lock:
            return list(reversed(self._images))

    def get(self, image: str) -> UploadedImage:
        """Return an image. Raises PictureError for one that is unknown or no longer kept."""
        with self._lock:
            found = self._images.get(image)
            if found is not None:
                self._uses.move_to_end(image)
        if found is None:
            raise PictureError(f"The upload {image!r} is not kept any more: upload the file again, or choose an image of the set.")
        return found

    def begin(self, name: str, size: int) -> str:
        """Begin the upload of a file, and return its id. Raises PictureError if it is empty or larger than 64 MiB."""
        if not isinstance(name, str) or isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise PictureError(f"{name} is empty ({size} bytes): choose an image, such as a JPEG or PNG file.")
        if size > MAX_BYTES:
            raise PictureError(
                f"{name} has {_megabytes(size)}, more than the {_megabytes(MAX_BYTES)} that can be uploaded: save it smaller, or as a JPEG."
            )
        return self._uploads.begin(name, size, _MemoryStore())

    def add(self, upload_id: str, offset: int, data: bytes) -> int:
        """Add a chunk, and return the number of bytes received. Raises PictureError for a chunk out of order."""
        return self._uploads.add(upload_id, offset, data)

    def finish(self, upload_id: str, label: str | None = None) -> str:
        """Decode an upload, and return the image's id; the same file has the same id.

        Parameters
        ----------
        label : str, optional
            The true class.

        Raises
        ------
        PictureError
            If the file is not an image, or incomplete; nothing is kept then.
        """
        with self._uploads.finished(upload_id) as upload:
            data, name = bytes(upload.store.data), upload.name
        image_id = PREFIX + hashlib.sha256(data).hexdigest()[:16]
        try:
            image = open_image(io.BytesIO(data), name)
        except PictureError as error:
            message = str(error).replace("Replace it or remove it.", "Choose an image, such as a JPEG or PNG file.")
            raise PictureError(message) from error
        uploaded = UploadedImage(name, self._prepare(image), self._resized(image), _reduced(image), label)
        with self._lock:
            self._images[image_id] = uploaded
            self._images.move_to_end(image_id)
            self._uses[image_id] = None
            self._uses.move_to_end(image_id)
            while len(self._images) > _MAX_IMAGES:
                oldest, _ = self._uses.popitem(last=False)
                del self._images[oldest]
        return image_id

    def cancel(self, upload_id: str) -> None:
        """Delete an unfinished upload, if there is one of that id."""
        self._uploads.cancel(upload_id)

    def close(self) -> None:
        """Delete all unfinished uploads."""
        self._uploads.close()


def _reduced(image: Image.Image) -> Image.Image:
    scale = _SMALL_SIDE / min(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(size, Image.Resampling.BOX if scale < 0.25 else Image.Resampling.BILINEAR)
    left, top = (small.width - _SMALL_SIDE) // 2, (small.height - _SMALL_SIDE) // 2  # thumbnails show the center, and panoramas are long
    return small.crop((left, top, left + _SMALL_SIDE, top + _SMALL_SIDE))


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB"
