"""Runs of occlusion maps: active, stopped (and can be resumed) or complete, their requests and computations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from threading import Event, RLock
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from deconvwidgets.compute.job import BatchSize, DeviceLease
from deconvwidgets.compute.scores import scores_of
from deconvwidgets.engine import Network
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.occlusion.compute.occlude import OcclusionScan
from deconvwidgets.instruments.occlusion.compute.unoccluded import unoccluded_of
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionMaps, OcclusionRequest, TopClasses
from deconvwidgets.records.units import UnitFactor
from deconvwidgets.service.runs import RunRegistry
from deconvwidgets.service.worker import error_message


@dataclass(frozen=True, slots=True)
class MapsRequest:
    """A request for maps, with every default resolved, and the network that computes them."""

    network: Network
    request: OcclusionRequest
    settings: MapsSettings
    units: tuple[UnitFactor, ...] = field(default=(), compare=False)  # those that are switched off or scaled in the network


class MapsComputation:
    """The computation of occlusion maps, which can be stopped and resumed.

    `advance` is called from one thread at a time; everything else may be called from any thread.

    Parameters
    ----------
    request : MapsRequest
    scan : OcclusionScan
        Computes the maps.
    batch_size : BatchSize
        Chooses the number of positions in a step.
    unoccluded : array (classes,), optional
        Scores without a window, if the scan keeps logits. The maps of every target class are known then.
    """

    def __init__(
        self, request: MapsRequest, scan: OcclusionScan, batch_size: BatchSize, unoccluded: NDArray[np.float64] | None = None
    ) -> None:
        self.request = request
        self._scan: OcclusionScan | None = scan
        self._batch_size = batch_size
        self._unoccluded = unoccluded
        self._lock = RLock()  # re-entrant: garbage may be collected, and finalizers run, while it is held
        self._stopped = False
        self._maps: OcclusionMaps | None = None  # set when it is complete
        self._problem: str | None = None
        self._ended = Event()

    @property
    def active(self) -> bool:
        """Whether positions remain to be computed, and it was not stopped."""
        return not self._ended.is_set()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its end."""
        return self._stopped

    def answers(self, other: MapsRequest) -> bool:
        """Return whether its maps, complete or not, are those of another request. With logits they are those of every target class."""
        with self._lock:
            lost = self._problem is not None or (self._stopped and self._scan is None)
        own = self.request
        if lost or other.network != own.network or other.settings != own.settings:
            return False
        same_but_target = replace(other.request, target=own.request.target, against=own.request.against) == own.request
        return other.request == own.request or (self._unoccluded is not None and same_but_target)

    def stop(self) -> None:
        """Stop at the next step. The positions that were computed are kept."""
        with self._lock:
            if not self._ended.is_set():
                self._stopped = True
                self._ended.set()

    def resume(self) -> bool:
        """Resume after `stop`. Return False if it was not stopped, or can no longer be resumed."""
        with self._lock:
            if not self._stopped or self._scan is None:
                return False
            self._stopped = False
            self._ended.clear()
            return True

    def release_scan(self) -> None:
        """Release what resuming would need. The maps are kept as they are."""
        with self._lock:
            if self._ended.is_set() and self._scan is not None:
                self._maps, self._scan = self._scan.maps(), None

    def advance(self, lease: DeviceLease) -> None:
        """Compute the next positions. An error ends the computation; `maps` raises it."""
        scan = self._scan
        try:
            with lease():
                if scan is None or self._ended.is_set():  # it was stopped while this thread waited for the device
                    return
                count, started = min(self._batch_size.size(), scan.remaining), perf_counter()
                scan.step(count)
                self._batch_size.record(count, perf_counter() - started)
            if not scan.remaining:
                self._end(scan.maps(), None)
        except Exception as error:  # noqa: BLE001 - outermost handler of the thread: the message is kept, and logged if it is not ours
            self._end(None, error_message(error))

    def maps(self, target: int | None, against: int | None = None) -> OcclusionMaps:
        """Return the maps of a target class, and of one that it is compared with, complete or not.

        Raises ServiceError if the computation failed.
        """
        with self._lock:
            scan, maps, problem = self._scan, self._maps, self._problem
        if problem is not None:
            raise ServiceError(f"The maps could not be computed: {problem}")
        if scan is not None:
            maps = scan.maps()
        assert maps is not None
        return _with_target(maps, target, against, self._unoccluded)

    def top_classes(self, count: int) -> TopClasses | None:
        """Return the most probable classes at every position; None without logits, and for a regression."""
        with self._lock:
            maps = self._maps if self._scan is None else self._scan.maps()
        if maps is None or maps.logits is None or self._unoccluded is None or maps.quantity.kind == "value":
            return None
        known = np.isfinite(maps.logits).all(axis=-1)
        scores = scores_of(torch.from_numpy(maps.logits[known]), maps.quantity, "The model")
        order = np.argsort(-scores, axis=-1, kind="stable")[:, :count]
        labels = np.full((*known.shape, order.shape[-1]), -1, np.int64)
        probabilities = np.full(labels.shape, np.nan, np.float32)
        labels[known] = order
        probabilities[known] = np.take_along_axis(scores, order, axis=-1)
        return TopClasses(labels, probabilities, self._unoccluded.astype(np.float32))

    def nbytes(self) -> int:
        """Return the size of the maps in bytes."""
        maps = (
            self.maps(self.request.request.target, _number(self.request.request.against))
            if self._maps is None and self._problem is None
            else self._maps
        )
        names = ("scores", "against_scores", "label", "label_probability", "activity", "centres", "logits")
        arrays = () if maps is None else [getattr(maps, name) for name in names]
        return sum(array.nbytes for array in arrays if array is not None)

    def wait(self, timeout: float | None) -> bool:
        """Wait for the end. Return False after `timeout` seconds."""
        return self._ended.wait(timeout)

    def _end(self, maps: OcclusionMaps | None, problem: str | None) -> None:
        with self._lock:
            self._maps, self._problem, self._scan, self._stopped = maps, problem, None, False
            self._ended.set()


@dataclass(frozen=True, slots=True)
class MapsRun:
    """A computation with the target class of one request. Requests that differ in their target class only share a computation."""

    number: int
    target: int | None
    against: int | None
    computation: MapsComputation

    @property
    def active(self) -> bool:
        """Whether the computation is active."""
        return self.computation.active

    def maps(self) -> OcclusionMaps:
        """Return the maps, complete or not. Raises ServiceError if the computation failed."""
        return self.computation.maps(self.target, self.against)


def _with_target(maps: OcclusionMaps, target: int | None, against: int | None, unoccluded: NDArray[np.float64] | None) -> OcclusionMaps:
    """Return the maps of another target class, and of one that it is compared with, computed from the logits, without the logits."""
    known_already = target in (None, maps.target) and against == maps.against
    if known_already or target is None or maps.logits is None or unoccluded is None:
        return replace(maps, logits=None)
    quantity = maps.quantity
    outputs = torch.from_numpy(maps.logits.reshape(-1, maps.logits.shape[-1]))
    known = np.asarray(np.isfinite(maps.logits).all(axis=-1))
    computed = scores_of(outputs[torch.from_numpy(known.ravel())], quantity, "The model")
    scores, other = (None if label is None else _placed(computed[:, label], known) for label in (target, against))
    before = unoccluded_of(maps.unoccluded.activity, unoccluded, target, quantity, against)
    changed = replace(maps, logits=None, target=target, unoccluded=before, against=against, against_scores=other)
    return replace(changed, value=scores) if quantity.kind == "value" else replace(changed, probability=scores)


def _placed(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a map with values at the known positions, and NaN elsewhere."""
    placed = np.full(known.shape, np.nan, np.float32)
    placed[known] = values
    return placed


class MapsRuns(RunRegistry[MapsRun]):
    """The runs of an OcclusionExplorer's service. Old maps are dropped when all of them take more than its share of `max_bytes`."""

    MAX_RESUMABLE = 3  # stopped computations, each of which may hold every feature map of its image

    def __init__(self, max_bytes: int = 128 << 20, share_of: Callable[[int], int] = lambda size: size) -> None:
        super().__init__("maps run", limit=512)
        self._max_bytes = max_bytes
        self._share_of = share_of

    def find(self, request: MapsRequest) -> MapsRun | None:
        """Return the run that answers a request: an earlier one, or a new one if an earlier computation has the answer."""
        computation = next((one for one in self.computations() if one.answers(request)), None)
        if computation is None:
            return None
        target, against = request.request.target, _number(request.request.against)
        for run in self.all():
            if run.computation is computation and (run.target, run.against) == (target, against):
                self.touch(run.number)  # the newest request is computed first
                return run
        return self.start(request, computation)

    def start(self, request: MapsRequest, computation: MapsComputation) -> MapsRun:
        """Add a run."""
        target, against = request.request.target, _number(request.request.against)
        return self.open(lambda number: MapsRun(number, target, against, computation))

    def computations(self) -> list[MapsComputation]:
        """Return the computations, that of the newest run first."""
        return list(dict.fromkeys(run.computation for run in reversed(self.all())))

    def active(self) -> Iterator[MapsComputation]:
        """Return the active computations, that of the newest run first."""
        return (one for one in self.computations() if one.active)

    def stop_all(self) -> None:
        """Stop all computations."""
        for computation in self.computations():
            computation.stop()

    def trim(self) -> None:
        """Release all but the newest stopped computations, and drop the oldest maps above the limit."""
        stopped = [one for one in self.computations() if one.stopped]
        for one in stopped[self.MAX_RESUMABLE :]:
            one.release_scan()
        total, dropped, limit = 0, set(), self._share_of(self._max_bytes)
        for one in self.computations():
            total += one.nbytes()
            if total > limit and not one.active:
                dropped.add(one)
        self.drop([run.number for run in self.all() if run.computation in dropped])


def _number(against: int | str | None) -> int | None:
    """Return the class of a request with every default resolved."""
    return against if isinstance(against, int) else None
