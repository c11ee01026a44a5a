"""Indexes of the crops so far, for pages that show a layer while its index is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic, thread_time

from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.so_far import IndexSoFar

FIRST_SECONDS = 1.0
SECONDS = 2.0  # between two
SHARE = 0.03  # of the time of the pass, which pages may use to renew what they show
FREE_SECONDS = 0.5  # which they may use beside
GROWTH = 1.25  # each covers so many times the crops of the one before: what changes in the nine depends on this ratio alone


class PartialIndexes:
    """Copies the index of the crops so far, of the layers that pages show, at a pace that does not slow the pass. Thread-safe.

    A layer is copied again only if its last copy was read: a page that cannot draw so fast gets fewer.

    Parameters
    ----------
    publish : callable
        Called with the names of the layers that were copied.
    """

    def __init__(self, publish: Callable[[tuple[str, ...]], None]) -> None:
        self._publish = publish
        self._lock = Lock()
        self._watched: set[str] = set()
        self._copies: dict[str, ActivationIndex] = {}
        self.begin()

    def begin(self) -> None:
        """Begin with a pass. Copies of one that was cancelled stay until there are newer ones."""
        with self._lock:
            self._begun_at = monotonic()
            self._due_at = self._begun_at + FIRST_SECONDS
            self._due_crops = float(max((index.crops for index in self._copies.values()), default=1))  # a copy never shrinks
            self._used = 0.0

    def end(self) -> None:
        """Forget the copies: the index is complete."""
        with self._lock:
            self._copies = {}

    def watch(self, layer: str) -> None:
        """Copy a layer the next time."""
        with self._lock:
            self._watched.add(layer)

    def get(self, layer: str) -> ActivationIndex | None:
        """Return the last copy of a layer; None if there is none yet."""
        return self._copies.get(layer)

    @contextmanager
    def renewal(self) -> Iterator[None]:
        """Count the processor time of a request by which a page renews what it shows."""
        started = thread_time()
        try:
            yield
        finally:
            with self._lock:
                self._used += thread_time() - started

    def offer(self, so_far: IndexSoFar) -> None:
        """Copy the watched layers if it is time. It is called after each batch."""
        with self._lock:
            now = monotonic()
            is_due = now >= self._due_at and so_far.crops >= self._due_crops
            if not self._watched or not is_due or self._used > FREE_SECONDS + SHARE * (now - self._begun_at):
                return
            names = self._watched & {info.name for info in so_far.layers}
            self._watched = self._watched - names
        if not names:
            return
        copied = so_far.copy(tuple(names))
        with self._lock:
            self._copies = {**self._copies, **{info.name: copied for info in copied.layers}}
            self._due_at, self._due_crops = monotonic() + SECONDS, GROWTH * so_far.crops
        self._publish(tuple(info.name for info in copied.layers))
