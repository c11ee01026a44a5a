"""The requests of an EvaluationPanel: most are answered at once, the model is run on a worker."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import RLock
from typing import Any
from weakref import ref

from deconvwidgets.arguments import describe, instance, integer, seconds
from deconvwidgets.compute.class_names import ClassNames
from deconvwidgets.errors import EvaluationError, ServiceError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evaluation.compute.evaluate import EvaluationPlan
from deconvwidgets.instruments.evaluation.compute.layer_values_cache import LayerValuesCache
from deconvwidgets.instruments.evaluation.compute.resolve import classes_of, require_quantity, task_of
from deconvwidgets.instruments.evaluation.records import EvaluationFile
from deconvwidgets.instruments.evaluation.service.checks import check_settings, data_summary
from deconvwidgets.instruments.evaluation.service.comparisons import compare_runs, no_run_before, run_before
from deconvwidgets.instruments.evaluation.service.datasets import EvaluationDatasets
from deconvwidgets.instruments.evaluation.service.evaluate_job import EvaluateJob
from deconvwidgets.instruments.evaluation.service.files import make_file
from deconvwidgets.instruments.evaluation.service.photographs import MAX_PHOTOGRAPHS, matching_photographs, true_class
from deconvwidgets.instruments.evaluation.service.runs import EvaluationRun
from deconvwidgets.instruments.evaluation.settings import (
    ComparisonResults,
    EvaluatedPhotographs,
    EvaluationDataSummary,
    EvaluationResults,
    EvaluationRunSummary,
    EvaluationSettings,
    EvaluationStatus,
    PhotographsRequest,
)
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.images import EncodedImage, SourcePhotograph
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.instrument import InstrumentApi
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.rate_limit import RateLimiter
from deconvwidgets.service.runs import RunRegistry
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.source_photograph import source_photograph
from deconvwidgets.service.thumbnails import check_source

_JOB = "evaluation"
_MAX_RUNS = 8  # each has the outputs of all its photographs
_MAX_NAMES = 1000
_log = logging.getLogger(__name__)


class EvaluationApi(InstrumentApi):
    """Implements `EvaluationService`. Every method may be called from any thread."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._changed = RateLimiter(lambda: context.publish(ServiceEvent("evaluation")))
        self._starting = RLock()  # re-entrant: with a synchronous executor one run may start the next
        self._runs: RunRegistry[EvaluationRun] = RunRegistry(limit=_MAX_RUNS, error=EvaluationError)
        self._datasets = EvaluationDatasets(lambda: context.snapshot.images, context.host)
        self._thumbnails = context.layers.thumbnails
        self._values = LayerValuesCache()
        weak = ref(self)  # the context must not keep the API alive

        def snapshot_changed(snapshot: Snapshot) -> None:
            api = weak()
            if api is not None:
                api._evaluate_again(snapshot)

        context.on_replace(snapshot_changed)

    def status(self) -> EvaluationStatus:
        """Return the image sets to choose from, the runs, and the two runs to compare."""
        snapshot, runs = self._context.last_snapshot, self._runs.all()
        problem = None
        try:
            task = task_of(require_quantity(snapshot.bundle))
        except EvaluationError as error:
            task, problem = None, str(error)
        after = next((run for run in reversed(runs) if run.evaluation is not None), None)
        before = None if after is None else run_before(runs, after)
        running = self._running()
        return EvaluationStatus(
            choices=self._datasets.choices(),
            task=task,
            problem=problem,
            running=None if running is None else running.number,
            runs=tuple(self._summary(run) for run in runs),
            before=None if before is None else before.number,
            after=None if before is None or after is None else after.number,
        )

    def add_images(self, images: Any) -> str:
        """Add an image set to the choices, and return its name for `EvaluationSettings.data`.

        Parameters
        ----------
        images : ImageSet, or any argument of `open_images`
            A folder, a torchvision data set, a data frame of paths and labels, ...

        Raises
        ------
        PictureError
            If it cannot be opened.
        """
        return self._datasets.add(images)

    def data(self, settings: EvaluationSettings) -> EvaluationDataSummary:
        """Return the classes of `settings.data`, how they match the model's classes, and why no evaluation is possible, if so.

        Raises
        ------
        EvaluationError
            For invalid settings.
        PictureError, AssetError
            If there is no such image set.
        """
        return data_summary(check_settings(settings), self._context.snapshot.bundle, self._datasets.images(settings))

    def classes(self, query: str, limit: int = 20) -> Sequence[str]:
        """Return the model's classes whose names contain or resemble `query`, the closest first; for "" the first ones.

        Raises EvaluationError if the model predicts nothing.
        """
        if not isinstance(query, str):
            raise ServiceError(f"query must be a string, not {describe(query)}.")
        limit = integer(limit, "limit", 1, _MAX_NAMES)
        bundle = self._context.snapshot.bundle
        require_quantity(bundle)
        names = classes_of(bundle)
        return [names[number] for number in ClassNames(names).close_to(query, limit)] if query.strip() else names[:limit]

    def start(self, settings: EvaluationSettings) -> int:
        """Start a run on the worker, and return its number. An active run is stopped.

        Raises
        ------
        EvaluationError
            For labels that the model cannot be evaluated on, and for invalid settings.
        ServiceError
            If the service is closed.
        PictureError, AssetError
            As `data` raises them.
        """
        bundle = self._context.snapshot.bundle
        images = self._datasets.images(check_settings(settings))
        EvaluationPlan.of(bundle, images, None, settings.mapping or None)  # raises what the run would fail with
        return self._start(settings, bundle, images)

    def stop(self) -> None:
        """Stop the active run at its next batch. What was evaluated is kept, and a later run continues there."""
        running = self._running()
        if running is not None:
            running.stop()
            self._changed.trigger(at_once=True)

    def wait(self, run: int, timeout: float | None = None) -> None:
        """Wait for the end of a run. Raises EvaluationError if it failed, ServiceError after `timeout` seconds."""
        self._runs.get(run).wait(seconds(timeout))

    def results(self, run: int) -> EvaluationResults:
        """Return the results of a run so far. Raises EvaluationError before its first ones, and for an unknown run."""
        found = self._runs.get(run)
        evaluation = found.require_evaluation()
        return EvaluationResults(self._summary(found), evaluation)

    def photographs(self, run: int, request: PhotographsRequest) -> EvaluatedPhotographs:
        """Return evaluated photographs of a run. Raises EvaluationError for an unknown class or run."""
        found = self._runs.get(run)
        return matching_photographs(found.require_evaluation(), found.images, instance(request, PhotographsRequest, "request"))

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> Sequence[EncodedImage]:
        """Return photographs of a run's image set, cropped to squares of `size` x `size` pixels."""
        return self._thumbnails.get(self._runs.get(run).images, sources, size)

    def photograph(self, run: int, source: int) -> SourcePhotograph:
        """Return a whole photograph of a run's image set, and its true class by the name of the model's class.

        Raises
        ------
        ServiceError
            For an unknown photograph.
        PictureError
            If its file can no longer be read.
        """
        found = self._runs.get(run)
        source = check_source(found.images, source)
        label = None if found.evaluation is None else true_class(found.evaluation, source)
        return source_photograph(found.images, source, label)

    def compare(self, after: int, before: int | None = None, limit: int = 24) -> ComparisonResults:
        """Return the change between two runs of the same photographs.

        Parameters
        ----------
        after : int
            The number of a run.
        before : int, optional
            The number of another run; by default the newest complete one before `after`, of another model on the same photographs.
        limit : int
            At most so many of the photographs that became right, and that became wrong.

        Raises
        ------
        EvaluationError
            If there is no such run, or if the two cannot be compared.
        """
        second = self._runs.get(after)
        limit = integer(limit, "limit", 0, MAX_PHOTOGRAPHS)
        first = run_before(self._runs.all(), second) if before is None else self._runs.get(before)
        if first is None:
            raise no_run_before(second)
        return compare_runs(first, second, (self._summary(first), self._summary(second)), limit)

    def file(self, run: int, kind: EvaluationFile) -> bytes:
        """Return the results of a run so far as the bytes of a file.

        Raises EvaluationError before the first results, ServiceError for an unknown kind.
        """
        found = self._runs.get(run)
        return make_file(kind, found.require_evaluation(), found.images, self._thumbnails)

    def close(self) -> None:
        """Stop the active run. The runs can still be read."""
        self.stop()
        self._changed.close()

    def _start(self, settings: EvaluationSettings, bundle: ModelBundle, images: ImageSet) -> int:
        with self._starting:  # the worker must accept runs in order: it cancels the earlier job of the same name
            superseded = [run for run in self._runs.all() if run.active]
            run = self._runs.open(lambda number: EvaluationRun(number, settings, bundle, images))
            for other in superseded:
                other.stop()
            try:
                self._context.training_executor.submit(_JOB, self._job(run), _log.error)
            except Exception:
                self._runs.drop([run.number])
                raise
        self._changed.trigger(at_once=True)
        return run.number

    def _evaluate_again(self, snapshot: Snapshot) -> None:
        """Repeat the newest run with another model, if its settings say so and there is anything to evaluate."""
        runs = self._runs.all()
        if not runs:
            return
        newest, bundle = runs[-1], snapshot.bundle
        if newest.bundle is bundle or not newest.settings.automatic or bundle.quantity is None or bundle.classifier is None:
            self._changed.trigger()  # the runs may no longer be those of the current model
            return
        self._start(newest.settings, bundle, newest.images)

    def _running(self) -> EvaluationRun | None:
        """Return the newest active run."""
        return next((run for run in reversed(self._runs.all()) if run.active), None)

    def _summary(self, run: EvaluationRun) -> EvaluationRunSummary:
        return run.summary(current=run.bundle is self._context.last_snapshot.bundle)

    def _job(self, run: EvaluationRun) -> EvaluateJob:
        """Return the run's job, which must not refer to this object: it would keep the service alive."""
        datasets, settings = self._datasets, run.settings
        return EvaluateJob(run, self._context, lambda: datasets.images(settings, fresh=True), self._values, self._changed.trigger)
