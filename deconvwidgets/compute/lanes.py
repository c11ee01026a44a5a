"""Lanes: threads that run a model side by side on batches of their own, each on its share of the processor's cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

MAX_LANES = 8  # each holds the feature maps of a batch

T = TypeVar("T")
R = TypeVar("R")


class Lanes:
    """Runs a function on batches in one or more threads, and returns the results in the order of the batches.

    The threads of one operation wait for each other at its end, and lose that time when a decoder takes one of their cores. Lanes do not
    wait for each other: on two cores that also decode, two lanes of one core each need about 10 % less processor time than one of two.

    Parameters
    ----------
    device : torch.device
        Where the function computes. On anything but the CPU, which is one device however many threads use it, there is one lane: the
        thread of the caller.
    count : int, optional
        The number of lanes. By default one for each core that torch computes on, 8 at most. Give 1 for a function that is not safe to run
        in several threads.

    Examples
    --------
    >>> lanes = Lanes(torch.device("cpu"), count=2)
    >>> list(lanes.results([1, 2, 3], lambda number: 10 * number))
    [(1, 10), (2, 20), (3, 30)]
    """

    def __init__(self, device: torch.device, count: int | None = None) -> None:
        cores = torch.get_num_threads()
        self.count = 1 if device.type != "cpu" else min(cores, MAX_LANES) if count is None else count
        self._cores = max(1, cores // self.count)

    def results(self, batches: Iterable[T], work: Callable[[T], R]) -> Generator[tuple[T, R], None, None]:
        """Iterate over the batches and `work(batch)`. Close the generator if it is not used to its end.

        `work` is called in other threads: it enters `torch.no_grad()` itself, and reads no state that the consumer changes in place.
        """
        if self.count == 1:
            for batch in batches:
                yield batch, work(batch)
            return
        pool = ThreadPoolExecutor(self.count, thread_name_prefix="lane", initializer=_share_of_cores, initargs=(self._cores,))
        try:
            with _limited(self._cores):  # what the consumer computes meanwhile takes no core from a lane
                yield from self._run(pool, batches, work)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, pool: ThreadPoolExecutor, batches: Iterable[T], work: Callable[[T], R]) -> Iterator[tuple[T, R]]:
        pending: deque[tuple[T, Future[R]]] = deque()
        for batch in batches:
            pending.append((batch, pool.submit(work, batch)))
            if len(pending) > self.count:  # one more than lanes, so that a lane that becomes free has work at once
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()


def _share_of_cores(cores: int) -> None:
    """Limit the calling thread to some cores. `torch.set_num_threads` would also apply to threads that start to compute later."""
    _limited(cores)


def _limited(cores: int) -> AbstractContextManager[object]:
    """Limit the calling thread to some cores, until the context ends if it is entered."""
    torch.get_num_threads()  # torch sets the limit of a thread when it is first used there
    limit: AbstractContextManager[object] = ThreadpoolController().limit(limits=cores, user_api="openmp")
    return limit
