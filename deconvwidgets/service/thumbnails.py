"""Square thumbnails of photographs."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from deconvwidgets.arguments import describe, integer
from deconvwidgets.display import GREY
from deconvwidgets.errors import PictureError, ServiceError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.service.byte_cache import ByteCache

MAX_THUMBNAILS = 1_000  # in one request
_QUALITY = 85
_CACHE_BYTES = 32 << 20


class Thumbnails:
    """Makes and caches thumbnails. Thread-safe."""

    def __init__(self) -> None:
        self._cache: ByteCache[EncodedImage] = ByteCache(_CACHE_BYTES, lambda thumbnail: len(thumbnail.data))

    def get(self, images: ImageSet, sources: Sequence[int], size: int) -> list[EncodedImage]:
        """Return the central square of each photograph as a JPEG of `size` x `size` pixels; a gray one if the file can no longer be read.

        Raises
        ------
        ServiceError
            For an unknown photograph, a size that is not between 16 and 1024, or more than 1,000 photographs.
        """
        size = integer(size, "size, the pixels of a thumbnail,", 16, 1024)
        if not isinstance(sources, list | tuple) or len(sources) > MAX_THUMBNAILS:
            raise ServiceError(f"sources must be a list of at most {MAX_THUMBNAILS:,} numbers of photographs, not {describe(sources)}.")
        return [self._get(images, number, size) for number in [check_source(images, source) for source in sources]]

    def _get(self, images: ImageSet, source: int, size: int) -> EncodedImage:
        key = (images.digest, source, size)
        cached = self._cache.get(key)
        if cached is None:
            try:
                cached = square_image(images.open_thumbnail(source, size), size)
            except PictureError:  # one gray square in a row shows it better than no row
                return square_image(Image.new("RGB", (size, size), (GREY, GREY, GREY)), size)
            self._cache.put(key, cached)
        return cached


def check_source(images: ImageSet, source: object) -> int:
    """Return the number of a photograph. Raises ServiceError if there is no such photograph."""
    number = integer(source, "a source")
    if not 0 <= number < images.source_count:
        raise ServiceError(f"{images.name} has {images.source_count:,} photographs, numbered from 0: there is no {source}.")
    return number


def square_image(image: Image.Image, size: int) -> EncodedImage:
    """Return the central square of an image as a JPEG of `size` x `size` pixels."""
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    resized = image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    buffer = io.BytesIO()
    resized.save(buffer, "JPEG", quality=_QUALITY)
    return EncodedImage(buffer.getvalue(), "image/jpeg", size, size)
