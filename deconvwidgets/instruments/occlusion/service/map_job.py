"""The job that computes occlusion maps on a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deconvwidgets.compute.job import DeviceLease
from deconvwidgets.instruments.occlusion.service.runs import MapsComputation, MapsRuns
from deconvwidgets.service.worker import Executor, Job


@dataclass(frozen=True)
class MapJob:
    """Computes the maps of one computation, but those of the newest request first, which somebody is looking at."""

    computation: MapsComputation
    runs: MapsRuns
    lease: DeviceLease
    publish: Callable[[bool], None]  # called after each step; True after the last one of a computation
    executor: Executor  # referenced, so that it is closed at the end of the interpreter and not before

    def __call__(self, job: Job) -> None:
        """Compute step by step until the computation is complete, stopped or failed."""
        try:
            # Resuming a stopped computation submits another job for it, which cancels this one.
            while self.computation.active and not job.cancelled:
                newest = next(self.runs.active(), self.computation)
                newest.advance(self.lease)
                self.publish(not newest.active)
        except BaseException:
            self.computation.stop()  # also after an interrupt: no caller may wait for it
            raise
