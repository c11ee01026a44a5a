"""Requests for which nobody waits: answered one after the other on a thread of their own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TypeVar

from deconvwidgets.service.worker import Executor, Job, Worker

Made = TypeVar("Made")


class Later:
    """Calls back, once for each request, from its thread; an executor given in its place does it in its own way."""

    def __init__(self, executor: Executor | None, on_failure: Callable[[str], None]) -> None:
        self._executor = executor if executor is not None else Worker("deconvwidgets tiles")
        self._on_failure = on_failure  # of a callback: whoever asked cannot be told
        self._numbers = count()  # a job of the same name would supersede another view's

    def ask(self, make: Callable[[], Made], done: Callable[[Made], None], failed: Callable[[Exception], None]) -> None:
        """Returns at once. Then `done` is called with what `make` gives, or `failed` with what it raises."""

        def work(job: Job) -> None:
            try:
                made = make()
            except Exception as error:  # noqa: BLE001 - the border of a thread: handed to whoever asked
                failed(error)
                return
            done(made)

        self._executor.submit(f"request {next(self._numbers)}", work, self._on_failure)
