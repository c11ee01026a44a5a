"""The job that trains and tests the heads of a run on a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deconvwidgets.compute.devices import device_name
from deconvwidgets.compute.job import JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.compute.train import learning_curve, train_softmax_head
from deconvwidgets.instruments.transfer.records import HeadReport, HeadStep, LearningCurve
from deconvwidgets.instruments.transfer.service.runs import TransferRun
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.worker import Job


@dataclass(frozen=True)
class TrainJob:
    """Trains and tests the folds of a run, then computes its learning curve.

    Parameters
    ----------
    run : TransferRun
    context : ServiceContext
    reopen_images : callable
        Returns the photographs as they are now.
    publish : callable
        Called with each change of the run; True if the change should be shown at once.
    """

    run: TransferRun
    context: ServiceContext
    reopen_images: Callable[[], ImageSet]
    publish: Callable[[bool], None]

    def __call__(self, job: Job) -> None:
        """Run the job. An error ends the run as "failed", with the error's message."""
        run = self.run
        with run.ending(self.publish), self.context.turns.take(lambda: job.cancelled or run.stopped, self._wait):
            if not run.begin():
                return
            self.publish(True)
            # Features are cached by the files' sizes and times, which may have changed since the classes were shown.
            run.set_images(self.reopen_images())
            with self.context.device_lock.foreground_job():
                report = self._train_folds(job)
                if report.complete and run.settings.curve:
                    self._compute_curve(job, report)
            stopped = not report.complete or (run.settings.curve and (run.curve is None or not run.curve.complete))
            run.end("stopped" if stopped else "done")

    def _wait(self, words: str) -> None:
        self.run.advance("waiting", Progress("turn", 0, 0, message=words))
        self.publish(True)

    def _train_folds(self, job: Job) -> HeadReport:
        run, settings = self.run, self.run.settings

        def on_step(step: HeadStep) -> None:
            if run.phase == "features":
                run.advance("training", Progress("head", 0, settings.folds))
            run.add_step(step)
            self.publish(False)

        def on_fold(report: HeadReport) -> None:
            run.set_report(report)
            run.advance("training", Progress("head", len(report.per_fold), settings.folds))
            self.publish(True)

        def on_progress(progress: Progress) -> None:
            if progress.job == "features":
                run.advance("features", progress)
                self.publish(progress.finished)

        bundle = run.inputs.bundle
        report = train_softmax_head(
            bundle, run.images, run.inputs.layer, settings.images_per_class, settings.folds, settings.seed,
            views=settings.views, weight_decay=settings.weight_decay, muted=settings.muted or None, progress=False,
            device=device_name(bundle), job=self._job_context(job, on_progress), on_step=on_step, on_fold=on_fold,
        )  # fmt: skip
        run.set_report(report)
        return report

    def _compute_curve(self, job: Job, known: HeadReport) -> None:
        """The features are in the cache by now, and `known` has the accuracy for its number of images per class."""
        run, settings = self.run, self.run.settings
        done, total = 0, settings.folds * len({*settings.curve} - {known.images_per_class})
        run.advance("curve", Progress("curve", 0, total))
        self.publish(True)

        def on_fold(report: HeadReport) -> None:
            nonlocal done
            done += 1
            run.advance("curve", Progress("curve", done, total, message=f"{report.images_per_class} per class"))
            self.publish(False)

        def on_point(curve: LearningCurve) -> None:
            run.set_curve(curve)
            self.publish(True)

        bundle = run.inputs.bundle
        learning_curve(
            bundle, run.images, run.inputs.layer, settings.curve, settings.folds, settings.seed, views=settings.views,
            weight_decay=settings.weight_decay, muted=settings.muted or None, progress=False, device=device_name(bundle),
            job=self._job_context(job),
            on_fold=on_fold, on_point=on_point, known=known,
        )  # fmt: skip

    def _job_context(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> JobContext:
        return self.context.job_context(lambda: job.cancelled or self.run.stopped, on_progress)


@dataclass(frozen=True)
class TrainJobs:
    """Runs jobs one after the other. After one without a complete run, the others are stopped."""

    jobs: Sequence[TrainJob]

    def __call__(self, job: Job) -> None:
        for number, one in enumerate(self.jobs):
            one(job)
            if one.run.phase != "done":
                for other in self.jobs[number + 1 :]:
                    other.run.stop()
