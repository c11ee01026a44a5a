"""Decoding of many crops ahead of the model: in this thread, in threads, or in processes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from deconvwidgets.compute.cached_decoding import through_cache
from deconvwidgets.compute.decode_processes import decoded_in_processes, why_no_processes
from deconvwidgets.compute.decoded import DecodedBatch, joined_batches
from deconvwidgets.compute.decoded_cache import DecodedCache
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.stream import decoded_ahead
from deconvwidgets.images.image_set import ImageSet

PART = 16  # crops that are decoded together, at least, if they are of one photograph
PROCESS_CROPS = 4096  # below, decoding takes seconds, as long as it takes to start processes
PROCESS_WORKERS = 3  # Python's lock lets threads decode about as much as two or three cores can


def decoded_batches(
    decoder: CropDecoder,
    crops: Sequence[int] | range,
    batch_size: int | Callable[[], int] = 32,
    workers: int | None = None,
    ahead: int = 128,
    processes: bool | None = None,
    cache: Path | None = None,
) -> Generator[DecodedBatch, None, None]:
    """Iterate over decoded crops in batches, in the order of the crops, decoding ahead of the consumer.

    Close the generator (`contextlib.closing`) if it is not used to its end: workers are stopped then.

    Parameters
    ----------
    decoder : CropDecoder
        Opens and prepares the crops.
    crops : sequence of int
        The numbers of the crops, ascending.
    batch_size : int or callable
        The number of decoded crops in a batch, or a function that returns the number for the next one. The last batch may be smaller,
        and empty if its crops were skipped.
    workers : int, optional
        The number of decoding threads or processes; 0 decodes in the consumer's thread. By default one for each core.
    ahead : int
        The approximate number of crops that are decoded ahead.
    processes : bool, optional
        Whether the workers are processes. By default they are for 4,096 or more crops and three or more workers; where that is not
        possible (`why_no_processes`), they are threads, with a warning.
    cache : Path, optional
        The folder of a `DecodedCache`. Crops in it are not decoded, and decoded ones are written to it.

    Raises
    ------
    ModelError
        If the transform returns anything but a tensor of the model's input size.
    PictureError
        If a process ends before its work does, or if the transform's output cannot be cached.
    """
    size = batch_size if callable(batch_size) else lambda: batch_size
    count = usable_cores() if workers is None else workers
    processes = _in_processes(decoder, len(crops), count, ahead) if processes is None else processes

    def decoded(runs: Iterable[Sequence[int]]) -> Generator[DecodedBatch, None, None]:
        parts = (part for run in runs for part in _parts(decoder.images, run))
        if count == 0:
            return (decoder.decode(part) for part in parts)
        if processes:
            return decoded_in_processes(decoder, parts, count, max(1, round(ahead / (count * PART))))
        return decoded_ahead(((len(part), partial(decoder.decode, part)) for part in parts), count, ahead)

    found = decoded([crops]) if cache is None else through_cache(DecodedCache(cache, decoder), crops, decoded)
    with closing(found):
        yield from _batched(found, size)


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(decoder: CropDecoder, crops: int, workers: int, ahead: int) -> bool:
    if crops < PROCESS_CROPS or workers < PROCESS_WORKERS:
        return False
    reason = why_no_processes(decoder, ahead)
    if reason is not None:
        warnings.warn(f"Images are decoded in threads, which is slower than in processes: {reason}.", stacklevel=4)
    return reason is None


def _parts(images: ImageSet, crops: Sequence[int] | range) -> Generator[Sequence[int], None, None]:
    """Cut crops into parts of about `PART`, between photographs where one has no more crops than that."""
    start, previous = 0, -1
    for position in range(len(crops)):
        source = images.crop(crops[position]).source
        length = position - start
        if length >= PART and (source != previous or length >= 2 * PART):
            yield crops[start:position]
            start = position
        previous = source
    if start < len(crops):
        yield crops[start:]


def _batched(parts: Iterable[DecodedBatch], size: Callable[[], int]) -> Generator[DecodedBatch, None, None]:
    """Cut and join decoded parts into batches of the given size."""
    waiting: list[DecodedBatch] = []
    count, target = 0, size()
    for part in parts:
        waiting.append(part)
        count += len(part)
        while count >= target:
            whole = joined_batches(waiting)
            yield whole.part(0, target)
            waiting, count = ([], 0) if count == target else ([whole.part(target, count)], count - target)
            target = size()
    if waiting:
        yield joined_batches(waiting)
