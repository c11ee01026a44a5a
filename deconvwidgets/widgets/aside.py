"""Work for which nobody's hand waits, done beside everything else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from weakref import finalize

Work = Callable[[], None]


class Aside:
    """One daemon thread, started by the first work, which does one after the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        # A forgotten one ends too; and when the interpreter ends, what is being computed is waited for: torch aborts otherwise.
        self.close = finalize(self, _end, self._queue, self._threads)

    def do(self, work: Work) -> None:
        """Do it soon; returns at once. The work must not raise."""
        with self._lock:
            if not self._threads:
                self._threads.append(threading.Thread(target=_serve, args=(self._queue,), name=self._name, daemon=True))
                self._threads[0].start()
        self._queue.put(work)


def _serve(queue: SimpleQueue[Work | None]) -> None:
    # Holds the queue only, so that the widget behind it can be collected while its thread waits.
    while (work := queue.get()) is not None:
        work()
        del work


def _end(queue: SimpleQueue[Work | None], threads: list[threading.Thread]) -> None:
    queue.put(None)
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join()
