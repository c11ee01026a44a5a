"""A run's work, on the worker. It holds neither the service nor its desk: whoever is done with them is not kept waiting for a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from deconvwidgets.engine import Network
from deconvwidgets.errors import JobCancelledError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.compute.train import HeadHooks, learning_curve, train_softmax_head
from deconvwidgets.instruments.transfer.service.runs import Run
from deconvwidgets.records.layers import HeadReport, HeadStep, LearningCurve, Progress
from deconvwidgets.service.batch_sizer import AdaptivePace
from deconvwidgets.service.worker import Executor, Job, in_words

Told = Callable[[bool], None]  # told of news; True for what somebody waits for


@dataclass(frozen=True)
class Training:
    """What a run needs. `tell` is called with news; `wanted` says whether anybody still wants the run."""

    run: Run
    network: Network
    open_again: Callable[[], ImageSet]
    turn: Callable[[], AbstractContextManager[None]]
    busy: Callable[[], bool]
    tell: Told
    wanted: Callable[[], bool]
    worker: Executor  # kept, so that it is there to be closed, and waited for, when the interpreter ends

    def __call__(self, job: Job) -> None:
        """Train, test, and draw the curve. A failure is kept in the run, in words."""
        run = self.run
        try:
            if not run.begin():
                return
            self.tell(True)
            # Features are kept by the photographs' sizes and times, which may have changed since the classes were shown.
            run.look_again(self.open_again())
            report = self._folds(job)
            if report.complete and run.settings.curve:
                self._curve(job, report)
            stopped = not report.complete or (run.settings.curve and (run.curve is None or not run.curve.complete))
            run.end("stopped" if stopped else "done")
        except JobCancelledError:
            run.end("stopped")
        except Exception as error:  # noqa: BLE001 - the border of a thread: kept in words, which logs what is not ours
            run.end("failed", in_words(error))
        finally:
            run.end("failed", "It was interrupted: start it again.")  # unless it has ended
            self.tell(True)

    def _folds(self, job: Job) -> HeadReport:
        run, settings = self.run, self.run.settings

        def on_step(step: HeadStep) -> None:
            if run.phase == "features":
                run.advance("training", Progress("head", 0, settings.folds))
            run.add_step(step)
            self.tell(False)

        def on_fold(report: HeadReport) -> None:
            run.add_report(report)
            run.advance("training", Progress("head", len(report.per_fold), settings.folds))
            self.tell(True)

        def on_progress(progress: Progress) -> None:
            if progress.job == "features":
                run.advance("features", progress)
                self.tell(progress.finished)

        hooks = replace(self._hooks(job), on_step=on_step, on_fold=on_fold, on_progress=on_progress)
        report = train_softmax_head(
            run.bundle, run.images, run.layer, settings.images_per_class, settings.folds, settings.seed,
            views=settings.views, weight_decay=settings.weight_decay, progress=False, hooks=hooks,
        )  # fmt: skip
        run.add_report(report)
        return report

    def _curve(self, job: Job, known: HeadReport) -> None:
        """The features lie in the cache by now, and the folds' own number of images has been trained with."""
        run, settings = self.run, self.run.settings
        done, total = 0, settings.folds * len({*settings.curve} - {known.images_per_class})
        run.advance("curve", Progress("curve", 0, total))
        self.tell(True)

        def on_fold(report: HeadReport) -> None:
            nonlocal done
            done += 1
            run.advance("curve", Progress("curve", done, total, message=f"{report.images_per_class} a class"))
            self.tell(False)

        def on_point(curve: LearningCurve) -> None:
            run.add_curve(curve)
            self.tell(True)

        learning_curve(
            run.bundle, run.images, run.layer, settings.curve, settings.folds, settings.seed, views=settings.views,
            weight_decay=settings.weight_decay, progress=False, hooks=replace(self._hooks(job), on_fold=on_fold), on_point=on_point,
            known=known,
        )  # fmt: skip

    def _hooks(self, job: Job) -> HeadHooks:
        def cancelled() -> bool:
            return job.cancelled or self.run.stopped or not self.wanted()

        return HeadHooks(network=self.network, pace=AdaptivePace(self.busy), turn=self.turn, cancelled=cancelled)
