"""Decoding through a cache: complete parts are read from it, and the others decoded and written to it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby

from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.compute.decoded_cache import PART_CROPS, DecodedCache

Decode = Callable[[Iterable[Sequence[int]]], Generator[DecodedBatch, None, None]]


def through_cache(cache: DecodedCache, crops: Sequence[int] | range, decode: Decode) -> Generator[DecodedBatch, None, None]:
    """Iterate over decoded crops, in their order, of a cache where it has them.

    Parameters
    ----------
    cache : DecodedCache
        It is filled with the parts of which all crops are requested and have to be decoded.
    crops : sequence of int
        The numbers of the crops, ascending.
    decode : callable
        Returns an iterator over the decoded crops of several sequences of crops, in their order.
    """
    present = {part for part, _ in _runs(crops) if cache.has(part)}
    with closing(decode(run for part, run in _runs(crops) if part not in present)) as decoding:
        decoded = _Divided(decoding)
        for part, run in _runs(crops):
            if part in present:
                found = cache.read(part)
                if found is not None:
                    start = 0 if run[0] == part * PART_CROPS else int((found.crops < run[0]).sum())
                    yield found.part(start, start + len(run)) if len(run) < len(found) else found
                    continue
                batches = list(decode([run]))  # the file is damaged, or another process removed it
            else:
                batches = decoded.until(run[-1] + 1)
            if len(run) == cache.size_of(part):
                cache.write(part, batches)
            yield from batches


def _runs(crops: Sequence[int] | range) -> Iterator[tuple[int, Sequence[int]]]:
    """Iterate over the numbers of parts, and the requested crops of each."""
    if isinstance(crops, range) and crops.step == 1:
        for part in range(crops.start // PART_CROPS, -(-crops.stop // PART_CROPS)):
            yield part, range(max(crops.start, part * PART_CROPS), min(crops.stop, (part + 1) * PART_CROPS))
        return
    for part, run in groupby(crops, key=lambda crop: crop // PART_CROPS):
        yield part, list(run)


class _Divided:
    """Decoded batches, divided where a part of the cache ends."""

    def __init__(self, batches: Iterator[DecodedBatch]) -> None:
        self._batches = batches
        self._rest: DecodedBatch | None = None

    def until(self, crop: int) -> list[DecodedBatch]:
        """Return the next batches up to and without `crop`."""
        found = []
        while (batch := self._rest if self._rest is not None else next(self._batches, None)) is not None:
            before, self._rest = batch.divided(crop)
            found.append(before)
            if len(self._rest) or self._rest.skipped:
                return found
            self._rest = None
            if batch.finished[-1] == crop - 1:
                return found
        return found
