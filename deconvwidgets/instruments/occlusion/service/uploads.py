"""Pictures that come from the browser: kept in memory as the model sees them, as long as they are among the last."""

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
MOST_BYTES = 64 << 20
_ON_THEIR_WAY = 4
_KEPT = 64  # pictures; as inputs of 224 x 224 they take 40 MB
_GLANCE = 256  # pixels a side of what thumbnails are made of


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A picture that came."""

    name: str  # of its file
    pixels: Tensor  # (C, H, W): the model's input
    glance: Image.Image  # small


class _Memory:
    """What has come of a picture."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, offset: int, data: bytes) -> None:
        self.data += data  # in their order, as `ChunkedUploads` sees to it

    def discard(self) -> None:
        self.data = bytearray()


class PictureUploads:
    """Thread-safe. `prepare` makes the model's input (C, H, W) of a picture."""

    def __init__(self, prepare: Callable[[Image.Image], Tensor]) -> None:
        self._prepare = prepare
        self._arrivals: ChunkedUploads[_Memory] = ChunkedUploads(_ON_THEIR_WAY)
        self._lock = Lock()
        self._kept: OrderedDict[str, Uploaded] = OrderedDict()

    def names(self) -> list[str]:
        """The images that are kept, newest first."""
        with self._lock:
            return list(reversed(self._kept))

    def get(self, image: str) -> Uploaded:
        """Raises PictureError for an image that is none, or that many others have followed."""
        with self._lock:
            found = self._kept.get(image)
        if found is None:
            raise PictureError(f"There is no upload {image!r} any more: choose the picture's file again, or an image of the set.")
        return found

    def begin(self, name: str, size: int) -> str:
        """Make room for a picture's file; the upload's id. Raises PictureError for one that is empty or too large."""
        if not isinstance(name, str) or isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise PictureError(f"{name} is empty ({size} bytes): choose a picture, such as a JPEG or PNG file.")
        if size > MOST_BYTES:
            raise PictureError(
                f"{name} has {_megabytes(size)}, over the {_megabytes(MOST_BYTES)} that a picture may have: save it smaller, or as a JPEG."
            )
        return self._arrivals.begin(name, size, _Memory())

    def add(self, number: str, offset: int, data: bytes) -> int:
        """Add a chunk; the bytes that are there. One that is there already counts once. Raises PictureError for one out of its order."""
        return self._arrivals.add(number, offset, data)

    def finish(self, number: str) -> str:
        """Decode it; the image to ask for. The same picture twice is one image. Raises PictureError, and leaves nothing, for no picture."""
        with self._arrivals.finished(number) as arrival:
            data, name = bytes(arrival.store.data), arrival.name
        image = PREFIX + hashlib.sha256(data).hexdigest()[:16]
        try:
            picture = open_image(io.BytesIO(data), name)
        except PictureError as error:
            words = str(error).replace("Replace it or remove it.", "Choose a picture, such as a JPEG or PNG file.")
            raise PictureError(words) from error
        made = Uploaded(name, self._prepare(picture), _small(picture))
        with self._lock:
            self._kept[image] = made
            self._kept.move_to_end(image)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return image

    def close(self) -> None:
        """Forget what has not come whole."""
        self._arrivals.close()


def _small(picture: Image.Image) -> Image.Image:
    scale = _GLANCE / min(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size, Image.Resampling.BOX if scale < 0.25 else Image.Resampling.BILINEAR)
    left, top = (small.width - _GLANCE) // 2, (small.height - _GLANCE) // 2  # thumbnails show the middle, and panoramas are long
    return small.crop((left, top, left + _GLANCE, top + _GLANCE))


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB"
