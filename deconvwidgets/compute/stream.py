"""Crops as model inputs, decoded by a few threads ahead of the computation (Pillow releases the GIL while it decodes)."""

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

_MAX_GROUP = 16  # crops of one photograph that are prepared together, and are in memory together

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PreparedCrop:
    """A crop, its photograph, and its input (C, H, W); `pixels` is None and `skipped` is set if the photograph cannot be read."""

    crop: int
    source: int
    pixels: Tensor | None
    skipped: SkippedImage | None = None


def prepared_crops(
    bundle: ModelBundle, images: ImageSet, crops: Iterable[int], threads: int = 2, ahead: int = 32
) -> Iterator[PreparedCrop]:
    """Iterate over crops in the given order, decoding ahead. Adjacent crops of one photograph are decoded once.

    Parameters
    ----------
    bundle : ModelBundle
        Its transform is applied to the crops.
    images : ImageSet
        The photographs.
    crops : iterable of int
        Numbers of the crops.
    threads : int
        Number of decoding threads.
    ahead : int
        Approximate number of inputs that are prepared ahead of the consumer.
    """
    jobs = ((len(group), partial(_prepare, bundle, images, source, group)) for source, group in _by_source(images, crops))
    with closing(decoded_ahead(jobs, threads, ahead)) as decoded:
        for group in decoded:
            yield from group


def decoded_ahead(jobs: Iterable[tuple[int, Callable[[], T]]], threads: int, ahead: int) -> Generator[T, None, None]:
    """Run jobs in threads and iterate over their results in the order of the jobs.

    Parameters
    ----------
    jobs : iterable of (int, callable)
        The number of inputs in a result, and the function that returns the result.
    threads : int
        Number of threads.
    ahead : int
        Approximate number of inputs that are prepared ahead of the consumer.
    """
    pending: deque[tuple[int, Future[T]]] = deque()
    pending_inputs = 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        for inputs, job in jobs:
            pending.append((inputs, pool.submit(job)))
            pending_inputs += inputs
            while pending_inputs >= ahead and pending:
                count, future = pending.popleft()
                pending_inputs -= count
                yield future.result()
        while pending:
            yield pending.popleft()[1].result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _by_source(images: ImageSet, crops: Iterable[int]) -> Iterator[tuple[int, list[int]]]:
    """Group adjacent crops of the same photograph, at most `_MAX_GROUP` in a group."""
    for source, run in groupby(crops, key=lambda crop: images.crop(crop).source):
        while group := list(islice(run, _MAX_GROUP)):
            yield source, group


def _prepare(bundle: ModelBundle, images: ImageSet, source: int, crops: Sequence[int]) -> list[PreparedCrop]:
    try:
        photograph = images.open_source(source)
    except PictureError as error:
        skipped = SkippedImage(images.source_name(source), str(error))
        return [PreparedCrop(crop, source, None, skipped) for crop in crops]
    boxes = [images.crop(crop).box for crop in crops]
    parts = [photograph if box is None else photograph.crop(box) for box in boxes]
    return [PreparedCrop(crop, source, bundle.prepare(part)) for crop, part in zip(crops, parts, strict=True)]
