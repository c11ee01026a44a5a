"""Computing occlusion maps on the worker. It holds neither the service nor its desk: whoever is done with them is not kept waiting."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from deconvwidgets.instruments.occlusion.service.runs import Computation, RunBook
from deconvwidgets.service.worker import Executor, Job


@dataclass(frozen=True)
class Mapping:
    """The work of one computation: but whichever was asked for last is gone on with first, for that is what somebody looks at."""

    mine: Computation
    book: RunBook
    turn: Callable[[], AbstractContextManager[None]]
    tell: Callable[[bool], None]  # of news; True for what somebody waits for
    wanted: Callable[[], bool]  # whether anybody still wants maps
    worker: Executor  # kept, so that it is there to be closed, and waited for, when the interpreter ends

    def __call__(self, job: Job) -> None:
        """Step by step until it is complete, stopped or failed."""
        try:
            # What is stopped is no longer this job's: whoever goes on with it submits another, which cancels this one.
            while self.mine.going_on and not job.cancelled:
                if not self.wanted():
                    self.mine.stop()
                    return
                newest = next(self.book.going_on(), self.mine)
                newest.advance(self.turn)
                self.tell(not newest.going_on)
        except BaseException:
            self.mine.stop()  # an interrupt, too, must not leave anybody waiting
            raise
