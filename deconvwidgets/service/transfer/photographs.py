"""The test photographs of a run: which fit, and small pictures of them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from deconvwidgets.data.image_set import ImageSet
from deconvwidgets.display import GREY
from deconvwidgets.errors import HeadError, PictureError, ServiceError
from deconvwidgets.records import HeadReport, Picture
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.transfer_records import TestPhotograph, TestPhotographs, TestsWanted

MOST = 1_000  # photographs, or thumbnails, in one answer
_QUALITY = 85
_CACHE_BYTES = 32 << 20


def matching_tests(report: HeadReport, images: ImageSet, wanted: TestsWanted) -> TestPhotographs:
    """The most confident first; where there are no confidences, in the order of the folds. Raises HeadError for a class that is none."""
    for number in (wanted.truth, wanted.prediction):
        if number is not None and not 0 <= number < len(report.categories):
            raise HeadError(f"There is no class {number}: there are {len(report.categories)}, numbered from 0.")
    fits = np.ones(len(report.sources), bool)
    if wanted.truth is not None:
        fits &= report.truths == wanted.truth
    if wanted.prediction is not None:
        fits &= report.predictions == wanted.prediction
    if wanted.right is not None:
        fits &= (report.truths == report.predictions) == wanted.right
    found = np.flatnonzero(fits)
    order = found[np.argsort(-report.confidences[found], kind="stable")]
    chosen = order[: min(max(wanted.limit, 0), MOST)]
    return TestPhotographs(tuple(photograph_at(report, images, int(place)) for place in chosen), len(found))


def photograph_at(report: HeadReport, images: ImageSet, place: int) -> TestPhotograph:
    """The test at `place` of the report's arrays."""
    confidence, source = float(report.confidences[place]), int(report.sources[place])
    return TestPhotograph(
        source=source,
        name=images.source_name(source),
        fold=int(report.folds[place]),
        truth=int(report.truths[place]),
        prediction=int(report.predictions[place]),
        confidence=confidence if np.isfinite(confidence) else None,
    )


class Thumbnails:
    """Square pictures, kept while they are in use. Thread-safe."""

    def __init__(self) -> None:
        self._cache: ByteCache[Picture] = ByteCache(_CACHE_BYTES, lambda picture: len(picture.data))

    def get(self, images: ImageSet, sources: Sequence[int], size: int) -> list[Picture]:
        """The middle of each photograph as a JPEG, `size` pixels a side; grey where the file cannot be read any more."""
        if not 16 <= size <= 1024 or len(sources) > MOST:
            raise ServiceError(
                f"{len(sources)} thumbnails of {size} pixels are too much or too little: ask for at most {MOST} of 16 to 1,024."
            )
        for source in sources:
            if not 0 <= source < images.source_count:
                raise ServiceError(f"{images.name} has {images.source_count:,} photographs, numbered from 0: there is no {source}.")
        return [self._get(images, int(source), size) for source in sources]

    def _get(self, images: ImageSet, source: int, size: int) -> Picture:
        key = (images.digest, source, size)
        found = self._cache.get(key)
        if found is None:
            try:
                found = _square(images.glance(source, size), size)
            except PictureError:  # gone since: one grey square in a row says so better than no row
                return _square(Image.new("RGB", (size, size), (GREY, GREY, GREY)), size)
            self._cache.put(key, found)
        return found


def _square(picture: Image.Image, size: int) -> Picture:
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    small = picture.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return Picture(buffer.getvalue(), "image/jpeg", size, size)
