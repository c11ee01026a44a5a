"""Answers that take longer than a message may: computed by a worker, and kept for the next request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Event, RLock
from typing import Any, TypeVar

from deconvwidgets.arguments import seconds
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import JobCancelledError
from deconvwidgets.instruments.contributions.records import Pending
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.worker import Job

_KEPT = 256

Answer = TypeVar("Answer")
Key = tuple[Hashable, ...]  # the first is the version of the snapshot


@dataclass
class _Entry:
    """An answer, or its state."""

    progress: Pending = field(default_factory=Pending)
    ended: Event = field(default_factory=Event)
    answer: Any = None
    error: BaseException | None = None
    cancelled: bool = False


class Answers:
    """Computes answers on a worker and keeps the newest. Thread-safe.

    Parameters
    ----------
    context : ServiceContext
    publish : callable
        Called with each progress; True at the end of a computation.
    """

    def __init__(self, context: ServiceContext, publish: Callable[[bool], None]) -> None:
        self._context, self._publish = context, publish
        self._lock = RLock()
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    def get(self, key: Key, compute: Callable[[JobContext], Answer], timeout: float | None = 0.0) -> Answer | Pending:
        """Return an answer if it is known. Otherwise let a worker compute it, wait for `timeout` seconds, and return it or `Pending`.

        Raises
        ------
        ServiceError
            If the service is closed. Otherwise the exception that the computation ended with is raised, once.
        """
        patience = seconds(timeout)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry()
                self._submit(key, entry, compute)
            self._entries.move_to_end(key)
        if not entry.ended.wait(patience):
            return entry.progress
        if entry.error is not None:
            with self._lock:
                self._entries.pop(key, None)
            raise entry.error
        answer: Answer = entry.answer
        return answer

    def known(self, key: Key) -> Any:
        """Return an answer if it is known, else None."""
        with self._lock:
            entry = self._entries.get(key)
        return entry.answer if entry is not None and entry.ended.is_set() else None

    def put(self, key: Key, answer: Answer) -> Answer:
        """Keep an answer, and return it."""
        entry = _Entry(answer=answer)
        entry.ended.set()
        with self._lock:
            self._entries[key] = entry
        return answer

    def cancel(self) -> None:
        """Cancel all computations."""
        with self._lock:
            for entry in self._entries.values():
                entry.cancelled = True

    def keep_only(self, version: int) -> None:
        """Cancel and remove what belongs to other versions of the snapshot."""
        with self._lock:
            for key in [key for key in self._entries if key[0] != version]:
                self._entries.pop(key).cancelled = True

    def _submit(self, key: Key, entry: _Entry, compute: Callable[[JobContext], Any]) -> None:
        context, publish = self._context, self._publish

        def advance(progress: Progress) -> None:
            entry.progress = Pending(progress.done, progress.total)
            publish(False)

        def work(job: Job) -> None:
            try:
                if entry.cancelled:
                    raise JobCancelledError("The request was cancelled: make it again.")
                entry.answer = compute(context.job_context(lambda: job.cancelled or entry.cancelled, advance))
            except BaseException as error:
                entry.error = error
                raise
            finally:
                entry.ended.set()
                publish(True)

        context.analysis_executor.submit(f"contributions {key!r}", work, _reported_by_ask)
        self._trim()

    def _trim(self) -> None:
        ended = [key for key, entry in self._entries.items() if entry.ended.is_set()]
        for key in ended[: max(0, len(self._entries) - _KEPT)]:
            del self._entries[key]


def _reported_by_ask(message: str) -> None:
    """Report no failure: the next request raises it."""
