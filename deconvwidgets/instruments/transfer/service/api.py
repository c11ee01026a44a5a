"""The requests of a TransferPanel: most are answered at once, training runs on a worker."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from threading import RLock

from deconvwidgets.arguments import instance, integer, seconds
from deconvwidgets.errors import HeadError
from deconvwidgets.images.image_set import label_name
from deconvwidgets.instruments.transfer.compute.muted_units import UnitsOfLayers
from deconvwidgets.instruments.transfer.muting import MuteReport
from deconvwidgets.instruments.transfer.records import (
    HeadStep,
    TestPhotographs,
    TestsRequest,
    TransferDataSummary,
    TransferFile,
    TransferResults,
    TransferSettings,
    TransferStatus,
)
from deconvwidgets.instruments.transfer.service.base_run import base_run
from deconvwidgets.instruments.transfer.service.checks import data_summary, layer_choices
from deconvwidgets.instruments.transfer.service.datasets import DatasetCatalog
from deconvwidgets.instruments.transfer.service.files import make_file
from deconvwidgets.instruments.transfer.service.head_file import save_run_head
from deconvwidgets.instruments.transfer.service.photographs import matching_tests
from deconvwidgets.instruments.transfer.service.plans import PlannedRun, plan_run, plan_without_units
from deconvwidgets.instruments.transfer.service.results import transfer_results
from deconvwidgets.instruments.transfer.service.runs import TransferRun
from deconvwidgets.instruments.transfer.service.train_job import TrainJob, TrainJobs
from deconvwidgets.instruments.transfer.service.uploads import Uploads
from deconvwidgets.records.images import EncodedImage, SourcePhotograph
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.instrument import InstrumentApi
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.rate_limit import RateLimiter
from deconvwidgets.service.runs import RunRegistry
from deconvwidgets.service.source_photograph import source_photograph

_JOB = "transfer"
_log = logging.getLogger(__name__)


class TransferApi(InstrumentApi):
    """Implements `TransferService`. Every method may be called from any thread."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._changed = RateLimiter(lambda: context.publish(ServiceEvent("transfer")))
        self._starting = RLock()  # re-entrant: with a synchronous executor one run may start the next
        self._runs: RunRegistry[TransferRun] = RunRegistry(error=HeadError)
        self._uploads = Uploads()
        self._datasets = DatasetCatalog(lambda: context.snapshot.images, self._uploads, context.host)
        self._thumbnails = context.layers.thumbnails

    def status(self) -> TransferStatus:
        """Return the data sets and layers to choose from, the runs, and the head in use."""
        snapshot, heads = self._context.last_snapshot, self._context.heads
        runs = tuple(run.summary() for run in self._runs.all())
        running = self._running()
        return TransferStatus(
            choices=self._datasets.choices(),
            layers=layer_choices(snapshot.network),
            running=None if running is None else running.number,
            runs=runs,
            classifier=snapshot.bundle.classifier,
            used=heads.used,
            can_undo=heads.can_undo,
        )

    def data(self, settings: TransferSettings) -> TransferDataSummary:
        """Return the classes of `settings.data`, and why it cannot be trained on, if so. A zip is unpacked at the first call.

        Raises
        ------
        PictureError
            If there is no such data set.
        AssetError
            If the default photographs cannot be fetched.
        """
        return data_summary(settings, self._datasets.images(settings))

    def start(self, settings: TransferSettings) -> int:
        """Start a run on the worker, and return its number. An active run is stopped.

        Raises
        ------
        HeadError
            For classes, numbers or a weight decay that cannot be trained with.
        LayerError
            For an unknown layer.
        ModelError
            For ten crops of a transform whose geometry is unknown.
        ServiceError
            If the service is closed.
        PictureError, AssetError
            As `data` raises them.
        """
        (run,) = self._submit([plan_run(self._datasets, settings, self._context.snapshot.bundle)])
        return run.number

    def solve_again(self, units: UnitsOfLayers | str, run: int | None = None) -> int:
        """Train the heads of a run again without some units, on the same photographs, and return the number of the new run.

        Its summary has the comparison (`TransferRunSummary.change`), and `use_head` puts its head on the model, as of any run.

        Parameters
        ----------
        units : mapping of str to sequence of int, sequence of (str, int), or str
            The units to leave out: {"conv5": [133, 254]}, [("conv5", 133), ("conv5", 254)], or "conv5 133, 254". They belong to the layer
            of the head, or to one below it that leads to it by pooling only.
        run : int, optional
            The run to repeat; by default that of the head in use, else the newest. For a head that was not trained here, one with all
            units is trained first, if its photographs are there.

        Raises
        ------
        HeadError
            For units that cannot be left out, if there is no run, and if it has not ended.
        LayerError
            For a layer or unit that does not exist.
        PictureError, AssetError, ServiceError
            As `start` raises them.
        """
        snapshot, used = self._context.snapshot, self._context.heads.used
        base = base_run(self._runs, run, used, snapshot.bundle)
        return self._submit(plan_without_units(self._datasets, units, base, snapshot.bundle, snapshot.images.name))[-1].number

    def muting(self, run: int) -> MuteReport:
        """Return the comparison of a run of `solve_again` with the run with all units. Raises HeadError if there is none yet."""
        found = self._runs.get(run).muting
        if found is None:
            raise HeadError(f"Run {run} has no comparison: it leaves out no units, or its first fold is not complete.")
        return found

    def _submit(self, planned: Sequence[PlannedRun]) -> list[TransferRun]:
        """Start runs one after the other. Each but the first is compared with the one before it."""
        with self._starting:  # the worker must accept runs in order: it cancels the earlier job of the same name
            superseded = [run for run in self._runs.all() if run.active]
            runs: list[TransferRun] = []
            for plan in planned:
                inputs = replace(plan.inputs, base=runs[-1]) if runs else plan.inputs
                runs.append(self._runs.open(partial(TransferRun, inputs=inputs, images=plan.images)))
            for other in superseded:
                other.stop()
            try:
                self._context.training_executor.submit(_JOB, self._job(runs), _log.error)
            except Exception:
                self._runs.drop([run.number for run in runs])
                raise
        self._changed.trigger(at_once=True)
        return runs

    def stop(self) -> None:
        """Stop the active runs at their next step. Complete folds are kept. Do nothing if no run is active."""
        running = [run for run in self._runs.all() if run.active]
        for run in reversed(running):  # those that wait first
            run.stop()
        if running:
            self._changed.trigger(at_once=True)

    def wait(self, run: int, timeout: float | None = None) -> None:
        """Wait for the end of a run. Raises HeadError if it failed, ServiceError after `timeout` seconds."""
        self._runs.get(run).wait(seconds(timeout))

    def steps(self, run: int, since: int = 0) -> tuple[HeadStep, ...]:
        """Return the training steps of a run from number `since` on: all of the first 10,000, every tenth of the later ones."""
        return self._runs.get(run).steps(integer(since, "since", 0))

    def results(self, run: int) -> TransferResults:
        """Return the results of a run so far. Raises HeadError before its first fold is complete, and for an unknown run."""
        return transfer_results(*self._runs.get(run).results())

    def photographs(self, run: int, request: TestsRequest) -> TestPhotographs:
        """Return test photographs of a run, the most confident first."""
        found = self._runs.get(run)
        return matching_tests(found.require_report(), found.images, instance(request, TestsRequest, "request"))

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> Sequence[EncodedImage]:
        """Return photographs of a run's data set, cropped to squares of `size` x `size` pixels."""
        return self._thumbnails.get(self._runs.get(run).images, sources, size)

    def photograph(self, run: int, source: int) -> SourcePhotograph:
        """Return a whole photograph of a run's data set, and its true class.

        Raises ServiceError for an unknown photograph, PictureError if its file can no longer be read.
        """
        images = self._runs.get(run).images
        number = integer(source, "source", 0, images.source_count - 1)
        return source_photograph(images, number, label_name(images, number))

    def use_head(self, run: int) -> str:
        """Use the run's head, and return a sentence about what changed. Raises HeadError before the first fold is complete."""
        return self._context.heads.use(self._runs.get(run).require_report().head, run)

    def undo_head(self) -> str:
        """Undo the last `use_head` or `load_head`, and return a sentence about what changed. Raises HeadError if there is none."""
        return self._context.heads.undo()

    def save_head(self, run: int, path: str) -> str:
        """Save the run's head as safetensors on the kernel's machine, and return a sentence that names the file."""
        return save_run_head(self._runs.get(run).require_report().head, path)

    def load_head(self, path: str) -> str:
        """Use a saved head ("caltech101": the one that comes with the package), and return a sentence about what changed.

        Raises HeadError if it does not fit the model.
        """
        return self._context.heads.use(path)

    def file(self, run: int, kind: TransferFile) -> bytes:
        """Return the results of a run so far as the bytes of a file.

        Raises HeadError before the first fold is complete, ServiceError for an unknown kind.
        """
        return make_file(kind, self._runs.get(run), self._thumbnails)

    def begin_upload(self, name: str, size: int) -> str:
        """Begin the upload of a zip of `size` bytes, and return its id. Raises PictureError if it is too large or not named as a zip."""
        return self._uploads.begin(name, size)

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add the chunk at `offset`, which must be the end of the last one, and return the number of bytes received.

        A chunk that is sent twice counts once.
        """
        return self._uploads.add(upload, offset, data)

    def finish_upload(self, upload: str) -> str:
        """Unpack an upload, and return its folder, for `TransferSettings.data`. Raises PictureError for a bad zip; nothing is kept then."""
        folder = self._uploads.finish(upload)
        self._changed.trigger(at_once=True)
        return str(folder)

    def cancel_upload(self, upload: str) -> None:
        """Drop an unfinished upload."""
        self._uploads.cancel(upload)

    def close(self) -> None:
        """Stop the active run, and drop unfinished uploads. The runs can still be read."""
        self.stop()
        self._changed.close()
        self._uploads.close()

    def _running(self) -> TransferRun | None:
        """Return the newest active run; while it waits for the run that it is compared with, that one."""
        newest = next((run for run in reversed(self._runs.all()) if run.active), None)
        base = None if newest is None else newest.inputs.base
        return base if base is not None and base.active else newest

    def _job(self, runs: Sequence[TransferRun]) -> TrainJobs:
        """Return the job of runs, which must not refer to this object: it would keep the service alive."""
        datasets = self._datasets
        publish = self._changed.trigger
        jobs = [TrainJob(run, self._context, partial(datasets.images, run.settings, fresh=True), publish) for run in runs]
        return TrainJobs(jobs)
