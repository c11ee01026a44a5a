"""Occlusion maps as they grow: what was asked, what is computed of it, and which run shows which of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from threading import Event, Lock
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.engine import Network
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.occlusion.compute.occlude import OcclusionScan
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionMaps, OcclusionWanted
from deconvwidgets.service.batch_sizer import AdaptivePace
from deconvwidgets.service.worker import in_words


@dataclass(frozen=True, slots=True)
class Question:
    """What maps are asked for: everything definite, and the network that answers."""

    network: Network
    wanted: OcclusionWanted
    settings: MapsSettings


class Computation:
    """Maps in the making. `advance` computes, from one thread at a time; everything else may be called from any thread.

    Args:
        scan: what computes them. pace: how many positions a step has.
        unoccluded: (classes,) probabilities without a window, where the scan keeps logits: its maps then answer for every class.
    """

    def __init__(self, question: Question, scan: OcclusionScan, pace: AdaptivePace, unoccluded: NDArray[np.float64] | None = None) -> None:
        self.question = question
        self._scan: OcclusionScan | None = scan
        self._pace = pace
        self._unoccluded = unoccluded
        self._lock = Lock()
        self._stopped = False
        self._maps: OcclusionMaps | None = None  # once it is complete
        self._problem: str | None = None
        self._over = Event()

    @property
    def going_on(self) -> bool:
        """Whether something remains to be computed, and may be."""
        return not self._over.is_set()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its end."""
        return self._stopped

    def answers(self, question: Question) -> bool:
        """Whether its maps are the answer, or will be. With logits they hold that of every class."""
        with self._lock:
            lost = self._problem is not None or (self._stopped and self._scan is None)
        mine, wanted = self.question, question.wanted
        if lost or question.network is not mine.network or question.settings != mine.settings:
            return False
        return wanted == mine.wanted or (self._unoccluded is not None and replace(wanted, target=mine.wanted.target) == mine.wanted)

    def stop(self) -> None:
        """Stop at the next step; what is computed stays."""
        with self._lock:
            if not self._over.is_set():
                self._stopped = True
                self._over.set()

    def go_on(self) -> bool:
        """Go on where it was stopped. False where it was not, or has nothing left to go on with."""
        with self._lock:
            if not self._stopped or self._scan is None:
                return False
            self._stopped = False
            self._over.clear()
            return True

    def settle(self) -> None:
        """Give up what going on would need: the maps stay as far as they are."""
        with self._lock:
            if self._over.is_set() and self._scan is not None:
                self._maps, self._scan = self._scan.maps(), None

    def advance(self, turn: Callable[[], AbstractContextManager[None]]) -> None:
        """Compute the next positions, in a turn at the device. What goes wrong is kept, in words."""
        scan = self._scan
        try:
            with turn():
                if scan is None or self._over.is_set():  # meanwhile
                    return
                count, started = min(self._pace.size(), scan.remaining), perf_counter()
                scan.step(count)
                self._pace.took(count, perf_counter() - started)
            if not scan.remaining:
                self._end(scan.maps(), None)
        except Exception as error:  # noqa: BLE001 - the border of a thread: kept in words, which logs what is not ours
            self._end(None, in_words(error))

    def _end(self, maps: OcclusionMaps | None, problem: str | None) -> None:
        with self._lock:
            self._maps, self._problem, self._scan, self._stopped = maps, problem, None, False
            self._over.set()

    def maps(self, target: int | None) -> OcclusionMaps:
        """As far as they are, for a target class. Raises ServiceError with what it failed with."""
        with self._lock:
            scan, maps, problem = self._scan, self._maps, self._problem
        if problem is not None:
            raise ServiceError(f"The maps could not be computed: {problem}")
        if scan is not None:
            maps = scan.maps()
        assert maps is not None
        return _aimed(maps, target, self._unoccluded)

    def bytes(self) -> int:
        """What its maps take."""
        maps = self.maps(self.question.wanted.target) if self._maps is None and self._problem is None else self._maps
        arrays = () if maps is None else (maps.probability, maps.label, maps.label_probability, maps.activity, maps.centres, maps.logits)
        return sum(array.nbytes for array in arrays if array is not None)

    def wait(self, timeout: float | None) -> bool:
        """Return when it is over, or with False after `timeout` seconds."""
        return self._over.wait(timeout)


@dataclass(frozen=True, slots=True)
class MapRun:
    """A computation, as it was asked for."""

    number: int
    target: int | None
    computation: Computation

    def maps(self) -> OcclusionMaps:
        """As far as they are. Raises ServiceError with what they failed with."""
        return self.computation.maps(self.target)


def _aimed(maps: OcclusionMaps, target: int | None, unoccluded: NDArray[np.float64] | None) -> OcclusionMaps:
    """The maps of another target class, which their logits hold as well; the logits themselves stay here."""
    if target == maps.target or target is None or maps.logits is None or unoccluded is None:
        return replace(maps, logits=None)
    logits = maps.logits.astype(np.float64)
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probability = (shares[..., target] / shares.sum(axis=-1)).astype(np.float32)
    before = replace(maps.unoccluded, probability=float(unoccluded[target]))
    return replace(maps, logits=None, target=target, probability=probability, unoccluded=before)


class RunBook:
    """The runs of a desk, numbered from 1. Thread-safe. Old maps are forgotten when all of them take more than `limit` bytes."""

    KEPT_SCANS = 3  # stopped, and ready to go on: each may hold every map of its image

    def __init__(self, limit: int = 128 << 20) -> None:
        self._limit = limit
        self._lock = Lock()
        self._runs: dict[int, MapRun] = {}
        self._last = 0

    def find(self, question: Question) -> MapRun | None:
        """The run that answers the question already; a new one where its computation knows the answer."""
        computation = next((one for one in self.computations() if one.answers(question)), None)
        if computation is None:
            return None
        target = question.wanted.target
        with self._lock:
            for number, run in self._runs.items():
                if run.computation is computation and run.target == target:
                    self._runs[number] = self._runs.pop(number)  # the newest question is the first to be gone on with
                    return run
            return self._add(target, computation)

    def open(self, question: Question, computation: Computation) -> MapRun:
        """A new run."""
        with self._lock:
            return self._add(question.wanted.target, computation)

    def get(self, number: int) -> MapRun:
        """Raises ServiceError for a run that is none, or that is forgotten."""
        run = self._runs.get(number)
        if run is None:
            gone = isinstance(number, int) and 0 < number <= self._last
            words = "are no longer kept" if gone else "were never asked for"
            raise ServiceError(f"The maps of run {number!r} {words}: ask for them again.")
        return run

    def computations(self) -> list[Computation]:
        """All of them once, that of the newest run first."""
        with self._lock:
            runs = list(reversed(self._runs.values()))
        return list(dict.fromkeys(run.computation for run in runs))

    def going_on(self) -> Iterator[Computation]:
        """Those with something left to compute, that of the newest run first."""
        return (one for one in self.computations() if one.going_on)

    def tidy(self) -> None:
        """Let go of what stopped runs would need to go on, but for the newest few, and forget the oldest maps beyond the limit."""
        stopped = [one for one in self.computations() if one.stopped]
        for one in stopped[self.KEPT_SCANS :]:
            one.settle()
        taken, gone = 0, set()
        for one in self.computations():
            taken += one.bytes()
            if taken > self._limit and not one.going_on:
                gone.add(one)
        with self._lock:
            self._runs = {number: run for number, run in self._runs.items() if run.computation not in gone}

    def _add(self, target: int | None, computation: Computation) -> MapRun:
        self._last += 1
        run = MapRun(self._last, target, computation)
        self._runs[run.number] = run
        return run
