"""The decoded photographs of a training: in memory, decoded once, or decoded anew for each batch where they need too much."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import psutil
from numpy.typing import NDArray

from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.decoding import decoded_batches
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import TrainingError
from deconvwidgets.instruments.training.compute.training_images import Examples
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.progress import Progress

Pixels = NDArray[np.uint8]
_PART = 256  # examples that are decoded between two checks for cancellation


class PixelSource(Protocol):
    """Gives the pixels of examples, by their places in `Examples`."""

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Whether each example can be read, as far as it has been looked at."""
        ...

    @property
    def skipped(self) -> tuple[SkippedImage, ...]:
        """Those that cannot, with the reasons."""
        ...

    def only_readable(self) -> PixelSource:
        """Return those of the examples that can be read."""
        ...

    def read(self, places: Sequence[int] | NDArray[np.int64]) -> tuple[Pixels, NDArray[np.bool_]]:
        """Return uint8 (n, channels, height, width) and whether each can be read; the pixels of one that cannot are 0."""
        ...


@dataclass(frozen=True)
class PixelsInMemory:
    """All pixels, decoded once."""

    pixels: Pixels
    readable: NDArray[np.bool_]
    contents: NDArray[np.uint64] | None = None  # of the photographs: equal for copies, 0 for those that cannot be read
    skipped: tuple[SkippedImage, ...] = ()

    def only_readable(self) -> PixelsInMemory:
        """Return those of the examples that can be read."""
        if self.readable.all():
            return self
        contents = None if self.contents is None else self.contents[self.readable]
        return PixelsInMemory(self.pixels[self.readable], self.readable[self.readable], contents, self.skipped)

    def read(self, places: Sequence[int] | NDArray[np.int64]) -> tuple[Pixels, NDArray[np.bool_]]:
        """Return the pixels of examples, and whether each can be read."""
        rows = np.asarray(places, np.int64)
        return self.pixels[rows], self.readable[rows]


@dataclass(frozen=True)
class PixelsFromFiles:
    """Pixels that are decoded when they are needed."""

    decoder: CropDecoder
    crops: NDArray[np.int64]  # ascending
    readable: NDArray[np.bool_]  # as far as it has been looked at
    skipped: tuple[SkippedImage, ...] = ()

    def only_readable(self) -> PixelsFromFiles:
        """Return those of the examples that can be read."""
        return PixelsFromFiles(self.decoder, self.crops[self.readable], self.readable[self.readable], self.skipped)

    def read(self, places: Sequence[int] | NDArray[np.int64]) -> tuple[Pixels, NDArray[np.bool_]]:
        """Return the pixels of examples, and whether each can be read."""
        requested = self.crops[np.asarray(places, np.int64)]
        batch = self.decoder.decode([int(crop) for crop in np.unique(requested)])
        pixels = np.zeros((len(requested), *self.decoder.input_size), np.uint8)
        rows = np.searchsorted(batch.crops, requested)
        readable = np.isin(requested, batch.crops)
        pixels[readable] = batch.pixels[rows[readable]]
        return pixels, readable


def open_pixels(
    examples: Examples, transform: Preprocess, memory: float, job: JobContext, title: str, progress: bool, look: bool = False
) -> PixelSource:
    """Decode examples to memory if they fit, or prepare to decode them when they are needed.

    Parameters
    ----------
    examples : Examples
        The examples.
    transform : Preprocess
        Resizes and crops.
    memory : float
        The share of the available memory that they may need.
    job : JobContext
        Progress and cancellation.
    title : str
        Describes the examples, for progress.
    progress : bool
        Whether to show a progress bar.
    look : bool
        Whether examples that do not fit are decoded once all the same, to find those that cannot be read.

    Raises
    ------
    TrainingError
        If no photograph can be read.
    """
    decoder = CropDecoder(examples.images, transform, transform.input_size, "the network")
    size = len(examples) * int(np.prod(transform.input_size))
    if size <= memory * psutil.virtual_memory().available:
        return _decoded(decoder, examples.crops, job, title, progress, keep=True)
    crops = np.array(examples.crops, np.int64)
    if not look:
        return PixelsFromFiles(decoder, crops, np.ones(len(crops), bool))
    found = _decoded(decoder, examples.crops, job, title, progress, keep=False)
    return PixelsFromFiles(decoder, crops, found.readable, found.skipped)


def _decoded(decoder: CropDecoder, crops: list[int], job: JobContext, title: str, progress: bool, keep: bool) -> PixelsInMemory:
    """Decode all crops. Without `keep`, the result has no pixels."""
    pixels = np.zeros((len(crops) if keep else 0, *decoder.input_size), np.uint8)
    readable = np.zeros(len(crops), bool)
    contents = np.zeros(len(crops), np.uint64)
    skipped: list[SkippedImage] = []
    done = 0
    with job.progress_bar(title, "image", len(crops), progress) as shown, closing(decoded_batches(decoder, crops, _PART)) as batches:
        for batch in batches:
            rows = np.searchsorted(crops, batch.crops)
            readable[rows], contents[rows] = True, batch.contents
            if keep:
                pixels[rows] = batch.pixels
            skipped += [reason for _, reason in batch.skipped]
            done += len(batch) + len(batch.skipped)
            shown.report(Progress(title, done, len(crops)))
            job.check_cancelled("Training was stopped while it decoded the photographs. Call dw.train again to start.")
    if not readable.any():
        raise TrainingError(f"None of the {len(crops):,} photographs can be read: {skipped[0].reason if skipped else 'they are empty.'}")
    return PixelsInMemory(pixels, readable, contents, tuple(skipped))


def copies_in_both(train: PixelSource, validation: PixelSource) -> int:
    """Return how many photographs to validate on are copies of photographs to train on; 0 where they are not all in memory."""
    found = [source.contents for source in (train, validation) if isinstance(source, PixelsInMemory) and source.contents is not None]
    if len(found) < 2:
        return 0
    return int((np.isin(found[1], found[0]) & (found[1] != 0)).sum())
