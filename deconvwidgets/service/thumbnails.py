"""Small square pictures of photographs, kept while they are in use."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from deconvwidgets.display import GREY
from deconvwidgets.errors import PictureError, ServiceError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.service.byte_cache import ByteCache

MOST = 1_000  # thumbnails in one answer
_QUALITY = 85
_CACHE_BYTES = 32 << 20


class Thumbnails:
    """Square pictures, kept while they are in use. Thread-safe."""

    def __init__(self) -> None:
        self._cache: ByteCache[EncodedImage] = ByteCache(_CACHE_BYTES, lambda picture: len(picture.data))

    def get(self, images: ImageSet, sources: Sequence[int], size: int) -> list[EncodedImage]:
        """The middle of each photograph as a JPEG, `size` pixels a side; grey where the file cannot be read any more."""
        if not 16 <= size <= 1024 or len(sources) > MOST:
            raise ServiceError(
                f"{len(sources)} thumbnails of {size} pixels are too much or too little: ask for at most {MOST} of 16 to 1,024."
            )
        for source in sources:
            if not 0 <= source < images.source_count:
                raise ServiceError(f"{images.name} has {images.source_count:,} photographs, numbered from 0: there is no {source}.")
        return [self._get(images, int(source), size) for source in sources]

    def _get(self, images: ImageSet, source: int, size: int) -> EncodedImage:
        key = (images.digest, source, size)
        found = self._cache.get(key)
        if found is None:
            try:
                found = square_picture(images.open_thumbnail(source, size), size)
            except PictureError:  # gone since: one grey square in a row says so better than no row
                return square_picture(Image.new("RGB", (size, size), (GREY, GREY, GREY)), size)
            self._cache.put(key, found)
        return found


def square_picture(picture: Image.Image, size: int) -> EncodedImage:
    """The middle of a picture as a JPEG, `size` pixels a side."""
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    small = picture.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return EncodedImage(buffer.getvalue(), "image/jpeg", size, size)
