"""The runs of an instrument: long computations that a widget started, by number."""

from __future__ import annotations

from collections.abc import Callable, Collection
from threading import RLock
from typing import Generic, Protocol, TypeVar

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.errors import DeconvWidgetsError, ServiceError

MAX_RUNS = 64  # the default; instruments may set another limit


class Run(Protocol):
    """A long computation that a widget started."""

    @property
    def number(self) -> int:
        """The number that requests name it by, from 1."""
        ...

    @property
    def active(self) -> bool:
        """Whether it is waiting or running."""
        ...


AnyRun = TypeVar("AnyRun", bound=Run)


class RunRegistry(Generic[AnyRun]):
    """Runs by number, from 1. Thread-safe. Of the runs that have ended only the newest are kept.

    Parameters
    ----------
    noun : str
        The name of a run in error messages.
    limit : int
        Number of runs that are kept, besides the active ones.
    error : type
        The class of the errors for unknown runs.
    """

    def __init__(self, noun: str = "run", limit: int = MAX_RUNS, error: type[DeconvWidgetsError] = ServiceError) -> None:
        self._noun = noun
        self._limit = limit
        self._error = error
        self._lock = RLock()  # re-entrant: garbage may be collected, and finalizers run, while it is held
        self._runs: dict[int, AnyRun] = {}
        self._last = 0

    def open(self, make: Callable[[int], AnyRun]) -> AnyRun:
        """Add the run that `make(number)` returns, and drop the oldest ended runs above the limit."""
        with self._lock:
            self._last += 1
            self._runs[self._last] = run = make(self._last)
            ended = [number for number, other in self._runs.items() if not other.active and other is not run]
            for number in ended[: max(0, len(ended) - self._limit)]:
                del self._runs[number]
            return run

    def get(self, number: int) -> AnyRun:
        """Return a run. Raises an error for a number that is unknown or no longer kept."""
        with self._lock:
            known = as_integer(number)
            run = None if known is None else self._runs.get(known)
            last = self._last
        if run is not None:
            return run
        if known is not None and 0 < known <= last:
            raise self._error(f"The {self._noun} {number} is no longer kept: start it again.")
        newest = f"the last one is {last}" if last else "there is none yet: start one"
        raise self._error(f"There is no {self._noun} {describe(number)}; {newest}.")

    def all(self) -> tuple[AnyRun, ...]:
        """Return the runs, the oldest first."""
        with self._lock:
            return tuple(self._runs.values())

    def touch(self, number: int) -> None:
        """Make a run count as the newest."""
        with self._lock:
            if number in self._runs:
                self._runs[number] = self._runs.pop(number)

    def drop(self, numbers: Collection[int]) -> None:
        """Remove runs."""
        with self._lock:
            for number in numbers:
                self._runs.pop(number, None)
