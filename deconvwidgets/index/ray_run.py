"""The pass over crops on a Ray cluster, by Ray Data: tasks decode, actors hold the model, and their indexes are merged.

`IndexRun` is an actor itself. So everything that it started ends with it, at whatever moment, and the process that asked for the index
can be a client of the cluster, or a notebook.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

from deconvwidgets.compute.ray_cluster import import_ray
from deconvwidgets.errors import ActivationIndexError, DeconvWidgetsError
from deconvwidgets.index.ray_stages import Chunks, IndexStage, PartOutcome, Versions, decode_rows, merge_rows

_MERGED_ON_CLUSTER = 8  # parts that a task merges
_PARTS_PER_ACTOR = 8  # so that the actors end at about the same time
_CHUNK = 64  # crops that a task decodes
_MAX_PART = 2048  # crops, so that little is done again after a failure


class PassLostError(ActivationIndexError):
    """A pass cannot go on, because a node was lost on which one of its actors had to be. Another pass can."""


@dataclass(frozen=True, slots=True)
class RayPlan:
    """How a pass is divided.

    Parameters
    ----------
    chunks : Chunks
        The crops to do.
    part : int
        Number of crops in a part, for which an actor makes an index.
    actors : int
        Number of actors, each with a copy of the model.
    gpus : int
        GPUs of each actor.
    decoders : int or None
        Most tasks that decode at a time.
    """

    chunks: Chunks
    part: int
    actors: int
    gpus: int
    decoders: int | None

    @property
    def merges_on_cluster(self) -> bool:
        """Whether tasks merge the indexes of parts before `IndexRun` does."""
        return len(self.chunks) * self.chunks.size > 4 * _MERGED_ON_CLUSTER * self.part


def sizes(crops: int, actors: int, block: int, crop_bytes: int, store_bytes: int) -> tuple[int, int]:
    """Return how many crops a part has, and how many a task decodes: both multiples of those that the model takes at once.

    Parameters
    ----------
    crops : int
        Their number.
    actors : int
        The number of actors.
    block : int
        The number of crops that the model takes at once.
    crop_bytes : int
        Bytes of a decoded crop.
    store_bytes : int
        The share of an actor in its node's object store. A part takes at most an eighth, because parts also wait there.
    """
    fits = store_bytes // (8 * crop_bytes)
    even = -(-crops // (_PARTS_PER_ACTOR * actors))
    part = min(_MAX_PART, fits, even)
    chunk = max(block, min(_CHUNK, part) // block * block)
    return max(1, part // chunk) * chunk, chunk


@dataclass(frozen=True, slots=True)
class Taken:
    """What was finished since the last time: crops in total, and the outcome of those that were not taken before."""

    crops: int
    outcome: PartOutcome | None


class IndexRun:
    """A pass, in an actor of the cluster with two threads: one for `work`, one for `take`.

    Parameters
    ----------
    plan : RayPlan
    decoder, part_pass : list of one ObjectRef
        References to a CropDecoder and a PartPass. In a list, they are passed on and not fetched.
    versions : Versions
        Those of the process that asked for the index.
    """

    def __init__(self, plan: RayPlan, decoder: list[Any], part_pass: list[Any], versions: Versions) -> None:
        self._plan, self._decoder, self._part_pass, self._versions = plan, decoder[0], part_pass[0], versions
        self._lock = threading.Lock()
        self._crops = 0
        self._outcome: PartOutcome | None = None

    def work(self) -> None:
        """Do the pass.

        Raises
        ------
        DeconvWidgetsError
            As the pass in one process, and ActivationIndexError if Ray cannot go on.
        """
        try:
            for outcome in self._outcomes():
                if outcome.error is not None:
                    raise outcome.error
                with self._lock:
                    self._crops += outcome.crops
                    self._outcome = outcome if self._outcome is None else self._outcome.merge(outcome)
        except Exception as error:  # noqa: BLE001 - outermost handler of the actor: the package's own error is raised, or what Ray reported
            raise own_error(error) from None

    def take(self, with_index: bool) -> Taken:
        """Return how many crops are finished, and, if `with_index`, what was not taken before."""
        if not with_index:
            return Taken(self._crops, None)
        with self._lock:
            outcome, self._outcome = self._outcome, None
            return Taken(self._crops, outcome)

    def _outcomes(self) -> Iterator[PartOutcome]:
        ray, plan = import_ray(), self._plan
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        chunks = len(plan.chunks)
        parts = ray.data.range(chunks, override_num_blocks=chunks).map_batches(
            decode_rows,
            batch_size=1,
            fn_kwargs={"decoder": [self._decoder], "chunks": plan.chunks, "fetch": _fetch},
            num_cpus=1,
            concurrency=plan.decoders,
        )
        # An actor needs no CPU in Ray's accounts: otherwise the actors of a cluster with few CPUs, or of the nodes that are left after a
        # failure, could take all of them and wait forever for crops that no task can decode.
        parts = parts.map_batches(
            IndexStage,
            fn_constructor_args=([self._part_pass], self._versions, _fetch),
            batch_size=plan.part,
            num_cpus=0,
            num_gpus=plan.gpus or None,
            compute=ray.data.ActorPoolStrategy(size=plan.actors),
        )
        if plan.merges_on_cluster:
            parts = parts.map_batches(merge_rows, batch_size=_MERGED_ON_CLUSTER, num_cpus=1)
        for rows in parts.iter_batches(batch_size=None, prefetch_batches=0, batch_format="numpy"):
            yield reduce(PartOutcome.merge, PartOutcome.of(rows))


def _fetch(reference: list[Any]) -> Any:
    return import_ray().get(reference[0])


def own_error(error: BaseException) -> BaseException:
    """Return the error of this package that is behind an error of Ray; else one that says what Ray reported."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        waiting += [getattr(current, "cause", None), current.__cause__, current.__context__]
    plain = [each for each in seen if isinstance(each, DeconvWidgetsError) and not hasattr(each, "cause")]
    if plain:
        return plain[-1]
    unschedulable = next((each for each in seen if isinstance(each, import_ray().exceptions.ActorUnschedulableError)), None)
    if unschedulable is not None:
        return PassLostError(str(unschedulable))
    missing = next((each for each in seen if isinstance(each, ModuleNotFoundError) and not hasattr(each, "cause")), None)
    if missing is not None:
        return ActivationIndexError(f"A node of the cluster cannot import {missing.name}: install it, in the same version, on every node")
    return ActivationIndexError(f"The pass on the Ray cluster failed: {type(error).__name__}: {str(error).strip()[:2000]}")
