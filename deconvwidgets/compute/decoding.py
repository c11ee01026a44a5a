"""Decoding of many crops ahead of the model: in this thread, in threads, or in processes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial

from deconvwidgets.compute.decoded import DecodedBatch, joined_batches
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.stream import decoded_ahead
from deconvwidgets.images.image_set import ImageSet

_PART = 16  # crops that are decoded together, at least, if they are of one photograph


def decoded_batches(
    decoder: CropDecoder,
    crops: Sequence[int] | range,
    batch_size: int | Callable[[], int] = 32,
    workers: int | None = None,
    ahead: int = 64,
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
        The number of decoding threads or processes; 0 decodes in the consumer's thread. By default as many as there are cores.
    ahead : int
        The approximate number of crops that are decoded ahead.
    """
    size = batch_size if callable(batch_size) else lambda: batch_size
    jobs = ((len(part), partial(decoder.decode, part)) for part in _parts(decoder.images, crops))
    if workers == 0:
        yield from _batched((job() for _, job in jobs), size)
        return
    decoded = decoded_ahead(jobs, workers or 2, ahead)
    try:
        yield from _batched(decoded, size)
    finally:
        decoded.close()


def _parts(images: ImageSet, crops: Sequence[int] | range) -> Generator[Sequence[int], None, None]:
    """Cut crops into parts of about `_PART`, between photographs where one has no more crops than that."""
    start, previous = 0, -1
    for position in range(len(crops)):
        source = images.crop(crops[position]).source
        length = position - start
        if length >= _PART and (source != previous or length >= 2 * _PART):
            yield crops[start:position]
            start = position
        previous = source
    if start < len(crops):
        yield crops[start:]


def _batched(parts: Iterable[DecodedBatch], size: Callable[[], int]) -> Generator[DecodedBatch, None, None]:
    """Cut and join decoded parts into batches of the wanted size."""
    waiting: list[DecodedBatch] = []
    count, wanted = 0, size()
    for part in parts:
        waiting.append(part)
        count += len(part)
        while count >= wanted:
            whole = joined_batches(waiting)
            yield whole.part(0, wanted)
            waiting, count = ([], 0) if count == wanted else ([whole.part(wanted, count)], count - wanted)
            wanted = size()
    if waiting:
        yield joined_batches(waiting)
