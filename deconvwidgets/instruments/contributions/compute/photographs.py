"""The photographs of a computation: inputs with names, from one image, several, or an image set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.inputs import ImageInputs, as_input, as_sequence, input_count
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.stream import prepared_crops
from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.progress import Progress


@dataclass
class Photographs:
    """Inputs in batches, and what is known of them as they are read.

    Attributes
    ----------
    names : list of str
        The photographs that were read so far.
    sources : list of int
        Their numbers.
    skipped : list of SkippedImage
        Those that could not be read.
    """

    bundle: ModelBundle
    images: ImageSet | ImageInputs
    names: list[str] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    skipped: list[SkippedImage] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Number of photographs. Raises PictureError if there is none."""
        return input_count(self.images)

    def batches(self, job: JobContext, title: str, size: int) -> Iterator[Tensor]:
        """Iterate over batches (N, C, H, W) on the model's device, report progress, and stop if the job is cancelled.

        Raises
        ------
        PictureError
            If none can be read.
        """
        total, done, batch = self.total, 0, list[Tensor]()
        for pixels in self._inputs(job):
            job.check_cancelled(f"The {title} were cancelled after {done:,} of {total:,} photographs")
            batch.append(pixels)
            if len(batch) == size:
                yield to_model(torch.stack(batch), self.bundle.model)
                done += len(batch)
                job.report(Progress(title, done, total))
                batch = []
        if batch:
            yield to_model(torch.stack(batch), self.bundle.model)
        if not self.names:
            raise PictureError(f"None of the {total:,} photographs can be read: {self.skipped[0].reason}")
        job.report(Progress(title, total, total))

    def _inputs(self, job: JobContext) -> Iterator[Tensor]:
        if isinstance(self.images, ImageSet):
            yield from self._of_set(self.images, job)
            return
        for number, image in enumerate(as_sequence(self.images)):
            pixels = as_input(self.bundle, image)
            self.names.append(Path(image).name if isinstance(image, str | Path) else f"image {number + 1}")
            self.sources.append(number)
            yield pixels

    def _of_set(self, images: ImageSet, job: JobContext) -> Iterator[Tensor]:
        crops = [images.crops_of(source)[0] for source in range(images.source_count)]
        for item in prepared_crops(self.bundle, images, crops, threads=job.decode_threads):
            if item.pixels is None:
                if item.skipped is not None:
                    self.skipped.append(item.skipped)
                continue
            self.names.append(images.source_name(item.source))
            self.sources.append(item.source)
            yield item.pixels
