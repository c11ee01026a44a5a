"""The job that evaluates on a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evaluation.compute.evaluate import EvaluationPlan
from deconvwidgets.instruments.evaluation.compute.layer_values_cache import LayerValuesCache
from deconvwidgets.instruments.evaluation.records import Evaluation
from deconvwidgets.instruments.evaluation.service.runs import EvaluationRun
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.worker import Job

_MOST = 0.5  # of the photographs
_NOTE = "Switching a unit off runs the whole model on all photographs again"


@dataclass(frozen=True)
class EvaluateJob:
    """Evaluates the model of a run.

    Parameters
    ----------
    run : EvaluationRun
    context : ServiceContext
    reopen_images : callable
        Returns the photographs as they are now.
    values : LayerValuesCache
        The values of layers, so that switching a unit off runs only what lies above it.
    publish : callable
        Called with each change of the run; True if the change should be shown at once.
    """

    run: EvaluationRun
    context: ServiceContext
    reopen_images: Callable[[], ImageSet]
    values: LayerValuesCache
    publish: Callable[[bool], None]

    def __call__(self, job: Job) -> None:
        """Run the job. An error ends the run as "failed", with the error's message."""
        run = self.run
        with run.ending(self.publish), self.context.turns.take(lambda: job.cancelled or run.stopped, self._wait):
            if run.stopped or not run.begin(self.reopen_images()):
                return
            self.publish(True)
            with self.context.device_lock.foreground_job():
                evaluation = self._evaluate(job)
            run.set_evaluation(evaluation)
            run.end("done" if evaluation.complete else "stopped")

    def _wait(self, words: str) -> None:
        self.run.set_waiting(words)
        self.publish(True)

    def _evaluate(self, job: Job) -> Evaluation:
        run, settings = self.run, self.run.settings
        plan = EvaluationPlan.of(run.bundle, run.images, None, settings.mapping or None, settings.threshold)
        run.set_total(len(plan.labels.sources))

        def on_progress(progress: Progress) -> None:
            run.advance(progress)
            self.publish(progress.finished)

        def on_partial(evaluation: Evaluation) -> None:
            run.set_evaluation(evaluation)
            self.publish(False)

        sources = plan.labels.sources
        with self.context.device_lock.batch():  # an example is run
            runner = self.values.runner(run.bundle, run.images, len(sources))
        context = self.context.job_context(lambda: job.cancelled or run.stopped, on_progress)
        if isinstance(runner, str):
            return plan.run("disk", context, on_partial, notes=lambda: [f"{_NOTE}, because {runner}."])
        if run.bundle.units and runner.known(sources).mean() > _MOST:
            run.set_from_cache()

        def notes() -> list[str]:
            """The outputs may be known from an earlier session, but not the values."""
            known = bool(runner.known(sources).mean() > _MOST)
            return [] if known else [f"{_NOTE} the first time, because the outputs are those of an earlier evaluation."]

        return plan.run("disk", context, on_partial, runner, notes)
