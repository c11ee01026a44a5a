"""Building an index on a Ray cluster: starts the pass there, takes what is finished, and does again what a failure lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.ray_cluster import ClusterShape
from deconvwidgets.errors import ActivationIndexError, PictureError
from deconvwidgets.index.blocks import block_size
from deconvwidgets.index.crop_ranges import CropRanges, crop_count
from deconvwidgets.index.part_pass import PartPass
from deconvwidgets.index.ray_run import IndexRun, PassLostError, RayPlan, Taken, own_error, sizes
from deconvwidgets.index.ray_stages import Chunks, FailedRead, PartOutcome, Versions
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.records.progress import Progress

_POLL_SECONDS = 0.25
_LOOK_SECONDS = 5.0  # between two looks at the cluster's nodes
_MAX_LOST = 3  # passes in a row that end without a result and without a finished part


class _LostError(Exception):
    """A pass cannot go on, because a process or a node was lost. What it had finished and nobody had taken is lost, too."""


@dataclass
class RayPasses:
    """The passes of one build: usually one, and another over the rest whenever the cluster loses what a pass needs.

    Parameters
    ----------
    ray : module
        Connected to the cluster.
    decoder : CropDecoder
    part_pass : PartPass
    job : JobContext
        Progress and cancellation.
    total : int
        Number of crops of the index.
    uses_gpus : bool
        Whether each actor has a GPU. Otherwise there is one for every CPU.
    decoders : int, optional
        Most tasks that decode at a time.
    seconds : float
        Least time between two outcomes, because each costs a transfer and a merge.
    """

    ray: ModuleType
    decoder: CropDecoder
    part_pass: PartPass
    job: JobContext
    total: int
    uses_gpus: bool = False
    decoders: int | None = None
    seconds: float = 1.0
    _references: list[list[Any]] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _first: int | None = None  # crops that were there before

    def outcomes(self, remaining: Callable[[], CropRanges]) -> Generator[PartOutcome, None, None]:
        """Iterate over the outcomes of parts, in any order, until no crops remain. Add each to the index before the next is taken.

        Raises
        ------
        JobCancelledError
            If the job is cancelled.
        ActivationIndexError
            If a node cannot read photographs that this machine can read, or the cluster cannot go on.
        """
        lost = 0
        while ranges := remaining():
            before = crop_count(ranges)
            reason = "it ended without a result"
            try:
                yield from self._pass(ranges)
            except _LostError as error:
                reason = str(error)
            lost = lost + 1 if crop_count(remaining()) == before else 0
            if lost == _MAX_LOST:
                raise ActivationIndexError(f"The pass on the Ray cluster was lost {lost} times without progress: {reason}")

    def _pass(self, ranges: CropRanges) -> Generator[PartOutcome, None, None]:
        plan = self._plan(ranges)
        run = self._start(plan)
        before, looked, taken_at = self.total - crop_count(ranges), time.monotonic(), time.monotonic()
        working, ended = run.work.remote(), False
        try:
            while not ended:
                ended = bool(self.ray.wait([working], timeout=_POLL_SECONDS)[0])
                due = ended or self.job.cancelled() or time.monotonic() - taken_at >= self.seconds
                taken = self._take(run, due)
                self._report(before + taken.crops)
                if taken.outcome is not None:
                    self._require_shared_files(taken.outcome.failed)
                    taken_at = time.monotonic()
                    yield taken.outcome
                    self.seconds = max(self.seconds, 4 * (time.monotonic() - taken_at))  # merging takes at most a fifth of the time
                    taken_at = time.monotonic()
                self.job.check_cancelled(f"Building the index was cancelled after {before + taken.crops} of {self.total} crops")
                if time.monotonic() - looked >= _LOOK_SECONDS:
                    looked = time.monotonic()
                    self._require_workers(plan)
            self._result(working)
        finally:
            self.ray.kill(run)  # and with it, all that it started

    def _plan(self, ranges: CropRanges) -> RayPlan:
        shape = ClusterShape.of(self.ray.nodes())
        actors = shape.gpus if self.uses_gpus else shape.cpus
        if not actors:
            raise ActivationIndexError(f"The Ray cluster has no {'GPU' if self.uses_gpus else 'CPU'} to compute on")
        crops = crop_count(ranges)
        share = shape.object_store // max(1, -(-actors // shape.nodes))
        part, chunk = sizes(
            crops, actors, block_size(self.part_pass.bundle.network, self.part_pass.device), _crop_bytes(self.decoder), share
        )
        return RayPlan(Chunks(ranges, chunk), part, min(actors, -(-crops // part)), int(self.uses_gpus), self.decoders)

    def _start(self, plan: RayPlan) -> Any:
        ray = self.ray
        if not self._references:  # once, not for every actor and task
            self._references = [[ray.put(self.decoder)], [ray.put(self.part_pass)]]
        actor = ray.remote(IndexRun).options(num_cpus=0, max_concurrency=2, max_restarts=0, scheduling_strategy=_near(ray))
        return actor.remote(plan, *self._references, Versions.here())

    def _take(self, run: Any, with_index: bool) -> Taken:
        taken: Taken = self._result(run.take.remote(with_index))
        return taken

    def _result(self, reference: Any) -> Any:
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayActorError as error:
            raise _LostError(str(error)) from error
        except self.ray.exceptions.RayError as error:
            own = own_error(error)
            if isinstance(own, PassLostError):
                raise _LostError(str(own)) from error
            raise own from error

    def _report(self, done: int) -> None:
        self._first = done if self._first is None else self._first
        seconds = max(time.monotonic() - self._started, 1e-9)
        self.job.report(Progress("index", done, self.total, (done - self._first) / seconds))

    def _require_shared_files(self, failed: tuple[FailedRead, ...]) -> None:
        """Raise ActivationIndexError if this machine can read a photograph that a node of the cluster cannot."""
        images = self.decoder.images
        for read in failed:
            try:
                images.open_source(images.crop(read.crop).source)
            except PictureError:
                continue  # it cannot be read anywhere: it is left out, as in one process
            raise ActivationIndexError(
                f"The node {read.host} of the cluster cannot read {read.image.name} ({read.image.reason}), and this machine can. "
                "Every node needs the image files under the same path, such as a shared folder"
            )

    def _require_workers(self, plan: RayPlan) -> None:
        """Raise _LostError if too little is left: Ray would wait for new nodes, and hold what its lost actors had begun.

        An actor without a GPU moves to any other node.
        """
        shape = ClusterShape.of(self.ray.nodes())
        if (self.uses_gpus and shape.gpus < plan.actors) or not shape.cpus:
            raise _LostError("nodes left the cluster")


def _near(ray: ModuleType) -> Any:
    """Return the scheduling strategy for an actor on this machine, if it belongs to the cluster: its loss ends the build anyway."""
    if ray.util.client.ray.is_connected():
        return "DEFAULT"
    strategies = ray.util.scheduling_strategies
    return strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)


def _crop_bytes(decoder: CropDecoder) -> int:
    channels, height, width = decoder.input_size
    return channels * height * width * (1 if isinstance(decoder.transform, Preprocess) else 4)
