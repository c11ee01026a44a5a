"""Crops as model inputs, decoded in a few threads ahead of the computation (Pillow decodes without holding Python's lock)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from typing import TypeVar

from torch import Tensor

from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.images import SkippedImage

_GROUP = 16

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class PreparedCrop:
    """One crop: its id, its photograph, and the input (C, H, W), or why it could not be read."""

    crop: int
    source: int
    pixels: Tensor | None
    skipped: SkippedImage | None = None


def prepared_crops(
    bundle: ModelBundle, images: ImageSet, crops: Iterable[int], threads: int = 2, ahead: int = 32
) -> Iterator[PreparedCrop]:
    """The crops in their order, about `ahead` of them waiting in memory. Neighbouring crops of one photograph are decoded once.

    A picture that cannot be read is recorded, not raised.
    """
    jobs = ((len(group), partial(_prepare, bundle, images, source, group)) for source, group in _by_source(images, crops))
    with closing(decoded_ahead(jobs, threads, ahead)) as decoded:
        for ready in decoded:
            yield from ready


def decoded_ahead(jobs: Iterable[tuple[int, Callable[[], Made]]], threads: int, ahead: int) -> Generator[Made, None, None]:
    """What the jobs make, in their order; each says first how many inputs that is, of which about `ahead` wait in memory."""
    waiting: deque[tuple[int, Future[Made]]] = deque()
    held = 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        for inputs, job in jobs:
            waiting.append((inputs, pool.submit(job)))
            held += inputs
            while held >= ahead and waiting:
                count, ready = waiting.popleft()
                held -= count
                yield ready.result()
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _by_source(images: ImageSet, crops: Iterable[int]) -> Iterator[tuple[int, list[int]]]:
    """Runs of neighbouring crops of the same photograph, bounded because their inputs lie in memory together."""
    for source, run in groupby(crops, key=lambda crop: images.crop(crop).source):
        while group := list(islice(run, _GROUP)):
            yield source, group


def _prepare(bundle: ModelBundle, images: ImageSet, source: int, crops: Sequence[int]) -> list[PreparedCrop]:
    try:
        photograph = images.open_source(source)
    except PictureError as error:
        skipped = SkippedImage(images.source_name(source), str(error))
        return [PreparedCrop(crop, source, None, skipped) for crop in crops]
    boxes = [images.crop(crop).box for crop in crops]
    pictures = [photograph if box is None else photograph.crop(box) for box in boxes]
    return [PreparedCrop(crop, source, bundle.prepare(picture)) for crop, picture in zip(crops, pictures, strict=True)]
