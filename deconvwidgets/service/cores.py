"""The processor cores that an interactive computation uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from threadpoolctl import ThreadpoolController


class Cores:
    """Limits the cores that torch computes on, to leave some to a browser on the same machine.

    `torch.set_num_threads` would also apply to every thread that starts to compute later; OpenMP's limit belongs to the calling thread.
    """

    def __init__(self) -> None:
        self._controller = ThreadpoolController()  # it searches the libraries of the process, hence only once

    @contextmanager
    def half(self) -> Iterator[None]:
        """Let the calling thread compute on half of its cores.

        A small computation is not slower: with more worker threads than cores, libgomp's threads sleep between two operations, and waking
        them costs what they save (docs/decisions/dragging-patches.md).
        """
        with self._limit(torch.get_num_threads() // 2):
            yield

    @contextmanager
    def all_but_one(self) -> Iterator[None]:
        """Let the calling thread compute on all cores but one, for a computation of hours beside which widgets answer."""
        with self._limit(torch.get_num_threads() - 1):
            yield

    def _limit(self, threads: int) -> AbstractContextManager[Any]:
        limit: AbstractContextManager[Any] = self._controller.limit(limits=max(1, threads), user_api="openmp")
        return limit
