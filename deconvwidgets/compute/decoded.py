"""Decoded crops as they cross from the readers of images to the model: in other threads, processes and machines. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.images import SkippedImage


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """N decoded crops, in ascending order of their numbers, and those that cannot be read.

    Attributes
    ----------
    crops : array (N,), int64
        The numbers of the crops.
    sources, numbers : arrays (N,), int64
        The photograph of each crop, and the number of the crop in it (`Crop.number`).
    contents : array (N,), uint64
        The content id of the photograph, never 0: equal for copies of a file. See `ImageSet.read_source`.
    labels : array (N,), int64
        The class of the photograph, -1 if it has none.
    pixels : array (N, channels, height, width), uint8 or float32
        The resized and cropped pixels before normalisation, uint8, where the transform is a `Preprocess`; else the transform's output.
        `CropDecoder.to_inputs` makes the model's inputs of both.
    skipped : tuple of (int, SkippedImage)
        The crops that cannot be read, and why. They are not in the arrays.
    """

    crops: NDArray[np.int64]
    sources: NDArray[np.int64]
    numbers: NDArray[np.int64]
    contents: NDArray[np.uint64]
    labels: NDArray[np.int64]
    pixels: NDArray[np.uint8] | NDArray[np.float32]
    skipped: tuple[tuple[int, SkippedImage], ...] = ()

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def finished(self) -> NDArray[np.int64]:
        """The numbers of all crops that need not be decoded again, ascending, int64: the decoded and the skipped ones."""
        return np.sort(np.concatenate([self.crops, np.array([crop for crop, _ in self.skipped], np.int64)]))

    def part(self, start: int, stop: int) -> DecodedBatch:
        """Return the decoded crops from position `start` to `stop`. What was skipped goes with the last part."""
        return DecodedBatch(
            crops=self.crops[start:stop],
            sources=self.sources[start:stop],
            numbers=self.numbers[start:stop],
            contents=self.contents[start:stop],
            labels=self.labels[start:stop],
            pixels=self.pixels[start:stop],
            skipped=self.skipped if stop >= len(self) else (),
        )

    def divided(self, crop: int) -> tuple[DecodedBatch, DecodedBatch]:
        """Return the crops with smaller numbers than `crop`, and the others."""
        position = int(np.searchsorted(self.crops, crop))
        before, after = (tuple(entry for entry in self.skipped if (entry[0] < crop) == first) for first in (True, False))
        parts = self.part(0, position), self.part(position, len(self))
        return replace(parts[0], skipped=before), replace(parts[1], skipped=after)


def joined_batches(batches: Sequence[DecodedBatch]) -> DecodedBatch:
    """Return one batch of one or more, in their order."""
    if len(batches) == 1:
        return batches[0]
    return DecodedBatch(
        crops=np.concatenate([batch.crops for batch in batches]),
        sources=np.concatenate([batch.sources for batch in batches]),
        numbers=np.concatenate([batch.numbers for batch in batches]),
        contents=np.concatenate([batch.contents for batch in batches]),
        labels=np.concatenate([batch.labels for batch in batches]),
        pixels=np.concatenate([batch.pixels for batch in batches]),
        skipped=tuple(entry for batch in batches for entry in batch.skipped),
    )
