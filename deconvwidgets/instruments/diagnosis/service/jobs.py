"""The jobs of a DiagnosisPanel, on workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from deconvwidgets.compute.devices import device_name
from deconvwidgets.compute.job import JobContext
from deconvwidgets.instruments.diagnosis.compute.accuracy import arm_accuracy
from deconvwidgets.instruments.diagnosis.compute.diagnose import diagnose
from deconvwidgets.instruments.diagnosis.compute.input_labels import usable_labels
from deconvwidgets.instruments.diagnosis.compute.map_aliasing import map_aliasing
from deconvwidgets.instruments.diagnosis.compute.shift_response import shift_response
from deconvwidgets.instruments.diagnosis.compute.watched_layers import watched_layers
from deconvwidgets.instruments.diagnosis.panel_records import CURVE_SHIFTS, ArmAccuracy
from deconvwidgets.instruments.diagnosis.service.runs import ArmRun, DiagnosisRun, MeasuredRun
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.worker import Job

Publish = Callable[[bool], None]  # True if the change should be shown at once
_LOOK = 0.2  # seconds between two looks at the activation index


@dataclass(frozen=True)
class DiagnoseJob:
    """Diagnoses a network, once the service's activation index is complete: the diagnosis reads it from the cache."""

    run: DiagnosisRun
    context: ServiceContext
    publish: Publish

    def __call__(self, job: Job) -> None:
        """Run the job. An error ends the run as "failed", with the error's message."""
        run = self.run
        with run.ending(self.publish):
            self._wait_for_index(job)
            with self.context.turns.take(lambda: job.cancelled or run.stopped, self._wait):
                if run.stopped or not run.begin():
                    return
                self.publish(True)
                with self.context.device_lock.foreground_job():
                    context = job_context(self.context, run, job, self.publish)
                    labels = usable_labels(run.bundle, run.images)
                    run.diagnosis = diagnose(run.bundle, run.images, labels=labels, device=device_name(run.bundle), job=context)
                run.end("done")

    def _wait(self, words: str) -> None:
        self.run.advance(Progress("turn", 0, 0, message=words))
        self.publish(True)

    def _wait_for_index(self, job: Job) -> None:
        while self.context.index.building and not (job.cancelled or self.run.stopped):
            self._wait("Waiting for the activation index, which the diagnosis reads.")
            time.sleep(_LOOK)


@dataclass(frozen=True)
class MeasureJob:
    """Measures the shift curves of an arm, what its first layer aliases, then its accuracy."""

    run: ArmRun
    context: ServiceContext
    publish: Publish

    def __call__(self, job: Job) -> None:
        """Run the job. An error ends the run as "failed", with the error's message."""
        run = self.run
        with run.ending(self.publish):
            if run.stopped or not run.begin():
                return
            context = job_context(self.context, run, job, self.publish)
            layers = [info.name for info in watched_layers(run.bundle.network)]
            device, width = device_name(run.bundle), run.bundle.input_size[2]
            shifts = [pixels for pixels in CURVE_SHIFTS if pixels < width]
            run.curves = shift_response(run.bundle, run.images, shifts=shifts, layers=layers, device=device, job=context)
            self.publish(True)
            aliased = map_aliasing(run.bundle, run.images, context)
            if isinstance(aliased, str):
                run.no_aliasing = aliased
            else:
                run.aliasing = aliased
            self.publish(True)
            found = arm_accuracy(run.bundle, run.images, context)
            if isinstance(found, ArmAccuracy):
                run.accuracy = found
            else:
                run.no_accuracy = found
            run.end("done")


def job_context(context: ServiceContext, run: MeasuredRun, job: Job, publish: Publish) -> JobContext:
    """Return the context of a job, whose progress is that of a run."""

    def on_progress(progress: Progress) -> None:
        run.advance(progress)
        publish(False)

    return context.job_context(lambda: job.cancelled or run.stopped, on_progress)
