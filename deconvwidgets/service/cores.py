"""How many of the machine's cores an answer takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import ThreadpoolController


class Cores:
    """The cores that torch computes on, to be shared with a browser on the same machine.

    torch.set_num_threads would be for every thread that begins to compute from then on, too. OpenMP's own number is the calling thread's.
    """

    def __init__(self) -> None:
        self._pools = ThreadpoolController()  # looks through the process's libraries, once

    @contextmanager
    def half(self) -> Iterator[None]:
        """The calling thread computes on half of its cores: the others are for whoever draws the answers, while it computes the next.

        A small answer does not take longer for it: with worker threads about, more than there are cores, libgomp's threads sleep
        between two operations, and waking them takes what they save (docs/decisions/dragging-patches.md).
        """
        with self._pools.limit(limits=max(1, torch.get_num_threads() // 2), user_api="openmp"):
            yield
