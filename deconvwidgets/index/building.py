"""Building an index: the crops that are missing, in one pass, with progress, cancellation and commits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Literal, TypeVar

from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.decoding import decoded_batches
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.lanes import Lanes
from deconvwidgets.engine.example import reference_tensor
from deconvwidgets.engine.weights_version import WeightsVersion
from deconvwidgets.errors import ActivationIndexError, JobCancelledError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.commits import Commits
from deconvwidgets.index.crop_ranges import CropRanges, crop_count, missing, ranges_of
from deconvwidgets.index.index_file import IndexContent
from deconvwidgets.index.index_pass import IndexPass
from deconvwidgets.index.options import IndexOptions
from deconvwidgets.index.readable import ReadableIndex
from deconvwidgets.index.so_far import IndexSoFar, OnSoFar
from deconvwidgets.index.state import fields_of, state_of
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.progress import Progress

IndexT = TypeVar("IndexT", bound=ReadableIndex)


@dataclass(frozen=True)
class BuildRequest:
    """What an index is built of, and how.

    Parameters
    ----------
    bundle : ModelBundle
        The model, on its device.
    images : ImageSet
    options : IndexOptions
    crops : range
        Consecutive crop numbers.
    job : JobContext
    progress : bool
        Show a progress bar.
    on_so_far : callable, optional
    engine : {"local", "ray"}
    ray_address : str, optional
    device : str
        Where the workers of a cluster compute: "auto", "cpu" or "cuda".
    weights : WeightsVersion, optional
        The weights of which the identity of the index was made.
    """

    bundle: ModelBundle
    images: ImageSet
    options: IndexOptions
    crops: range
    job: JobContext
    progress: bool = False
    on_so_far: OnSoFar | None = None
    engine: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    device: str = "auto"
    weights: WeightsVersion | None = None

    @property
    def counted(self) -> str:
        """What a progress bar counts: " images", or " crops" if images have several."""
        return " images" if len(self.images) == self.images.source_count else " crops"

    def check_weights(self) -> None:
        """Raise ActivationIndexError if the weights were changed since the build began, as by a training in another thread."""
        if self.weights is not None and self.weights.changed:
            raise ActivationIndexError(f"The weights of {self.bundle.name} were changed while its index was built. Build it again.")


def build_index(request: BuildRequest, start: IndexT, commits: Commits | None = None) -> IndexT:
    """Return the index of all requested crops, from an index of some of them, built by the requested engine; see `build_local`."""
    if request.engine == "ray":
        from deconvwidgets.index.ray_build import build_on_ray  # it needs Ray, an extra

        built: IndexT = build_on_ray(request, start, commits)
        return built
    return build_local(request, start, commits)


def build_local(request: BuildRequest, start: IndexT, commits: Commits | None = None) -> IndexT:
    """Return the index of all requested crops, from an index of some of them, built in this process.

    Raises
    ------
    ModelError
        If a feature map contains NaN or infinity.
    ActivationIndexError
        If a commit cannot be written, or if the weights of the model are changed meanwhile.
    JobCancelledError
        If the job is cancelled between two batches. The crops so far are committed.
    """
    index_pass = IndexPass(request.bundle, start, request.job)
    todo = missing(request.crops, start.crop_ranges)
    done = len(request.crops) - crop_count(todo)
    with request.job.progress_bar("index", request.counted, len(request.crops), request.progress, done) as context:
        running = _Running(request, context, index_pass, done, commits)
        try:
            for first, stop in todo:
                running.run(range(first, stop))
        except JobCancelledError:  # not KeyboardInterrupt, which comes in the middle of a block, half of which must not be committed
            if commits is not None:
                request.check_weights()
                commits.commit(state_of(index_pass.index()))
            raise
    return index_pass.index()


class _Running(Generic[IndexT]):
    """A pass that reports its progress, and can be cancelled, after each block."""

    def __init__(self, request: BuildRequest, job: JobContext, index_pass: IndexPass[IndexT], done: int, commits: Commits | None) -> None:
        self._request, self._job, self._pass, self._commits = request, job, index_pass, commits
        self._done_before, self._started = done, time.monotonic()
        # With a lease, a block takes the device operation by operation, so that others wait for one operation at most.
        count = None if job.device_lease is nullcontext else 1
        self._lanes = Lanes(reference_tensor(request.bundle.model).device, count=count)

    def run(self, crops: range) -> None:
        """Add consecutive crops."""
        options = self._request.options
        decoder = CropDecoder.of(self._request.bundle, self._request.images, options.scaled_jpeg)
        size = self._pass.block_size if options.batch_size == "auto" else options.batch_size
        workers = None if options.workers == "auto" else options.workers
        ahead = self._pass.block_size * (self._lanes.count + 1)
        with (
            closing(decoded_batches(decoder, crops, size, workers, ahead, cache=options.decoded_cache)) as batches,
            closing(self._lanes.results(self._blocks(batches), self._pass.work)) as results,
        ):
            for block, maps in results:
                self._pass.take(block, maps)
                self._report()

    def _blocks(self, batches: Iterable[DecodedBatch]) -> Iterator[DecodedBatch]:
        for block in self._pass.blocks(batches):
            done, total = crop_count(self._pass.crop_ranges), len(self._request.crops)
            self._job.check_cancelled(f"Building the index was cancelled after {done} of {total} crops")
            yield block
        self._report()  # of crops that were skipped at the end

    def _report(self) -> None:
        self._request.check_weights()  # before anything is committed
        done, total = crop_count(self._pass.crop_ranges), len(self._request.crops)
        seconds = max(time.monotonic() - self._started, 1e-9)
        self._job.report(Progress("index", done, total, (done - self._done_before) / seconds))
        if self._request.on_so_far is not None:
            self._request.on_so_far(IndexSoFar(self._pass, done))
        if self._commits is not None:
            self._commits.offer(lambda: state_of(self._pass.index()))


def build_at(path: Path, request: BuildRequest, empty: IndexT, resume: bool, overwrite: bool) -> IndexT:
    """Return the index at a path, or else build it, with commits on the way.

    Raises
    ------
    ActivationIndexError
        If the path cannot be written to, or if something else is there that must not be replaced.
    """
    found: dict[bool, IndexT] = {}

    def mismatch(content: IndexContent) -> str | None:
        index = type(empty)(**fields_of(content.manifest, content.tensors))
        found[content.complete] = index
        any_format = content.complete and request.options.memory_format == "auto"
        reason = index.identity.mismatch(empty.identity.in_any_format if any_format else empty.identity)
        return reason or _uncovered(index.crop_ranges, request.crops, content.complete)

    options = request.options
    with Commits(path, mismatch, seconds=options.commit_seconds, resume=resume, overwrite=overwrite) as commits:
        content = commits.begin()
        if content is not None and content.complete:
            return found[True]
        index = build_index(request, empty if content is None else _in_order_of(empty, found[False]), commits)
        commits.finish(state_of(index))
        return index


def _in_order_of(empty: IndexT, so_far: IndexT) -> IndexT:
    """Return an index with its layers in the requested order, so that the file is that of a build without a break; more layers stay."""
    if {info.name for info in so_far.layers} != {info.name for info in empty.layers}:
        return so_far
    return replace(so_far, layers=empty.layers, identity=replace(so_far.identity, layers=empty.identity.layers))


def _uncovered(ranges: CropRanges, crops: range, complete: bool) -> str | None:
    """Return why the crops of an index do not fit those that are to be built, or None if they do."""
    covered = crop_count(missing(crops, ranges)) == len(crops) - crop_count(ranges)
    if ranges == ranges_of(crops) or (covered and not complete):
        return None
    return f"it covers the crops {list(ranges)}, not {list(ranges_of(crops))}"
