"""The index of the crops so far, while a pass over all of them goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deconvwidgets.arguments import describe
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.crop_ranges import ranges_of
from deconvwidgets.records.progress import Progress

if TYPE_CHECKING:
    from deconvwidgets.index.activation_index import ActivationIndex


@dataclass(frozen=True, slots=True)
class IndexSoFar:
    """A view on the tallies of a pass, valid until its next batch.

    Parameters
    ----------
    index : ActivationIndex
        Its tallies are those of the pass, which changes them.
    images : ImageSet
    crops : range
        The crops so far.
    """

    index: ActivationIndex
    images: ImageSet
    crops: range

    def copy(self, layers: Sequence[str]) -> ActivationIndex:
        """Return the index of the crops so far, of the layers of these dotted names. It no longer changes."""
        chosen = tuple(info for info in self.index.layers if info.name in layers)
        tallies = {info.name: self.index.tallies[info.name].copy() for info in chosen}
        copied = replace(self.index, layers=chosen, tallies=tallies, crop_ranges=ranges_of(self.crops))
        return copied.with_labels(self.images)


OnSoFar = Callable[[IndexSoFar], None]


def reporting(job: JobContext, on_so_far: OnSoFar | None, index: ActivationIndex, images: ImageSet, crops: range) -> JobContext:
    """Return the job, which also calls `on_so_far` after each batch. Raises ActivationIndexError if it cannot be called."""
    if on_so_far is None:
        return job
    if not callable(on_so_far) or isinstance(on_so_far, type):
        raise ActivationIndexError(f"on_so_far must be a function of an IndexSoFar, not {describe(on_so_far)}.")

    def report(progress: Progress) -> None:
        job.report(progress)
        on_so_far(IndexSoFar(index, images, crops[: progress.done]))

    return replace(job, on_progress=report)
