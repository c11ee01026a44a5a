"""The TransferDesk of a local service: what can be said at once, and a job on the service's worker for the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import RLock
from weakref import ref

import numpy as np

from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.transfer.compute.paper import paper_rows
from deconvwidgets.instruments.transfer.records import (
    TestPhotographs,
    TestsWanted,
    TransferDataSummary,
    TransferRunSummary,
    TransferRunView,
    TransferStatus,
)
from deconvwidgets.instruments.transfer.service.checks import check_run, data_summary, layer_choices
from deconvwidgets.instruments.transfer.service.datasets import DataShelf
from deconvwidgets.instruments.transfer.service.files import make_file
from deconvwidgets.instruments.transfer.service.head_history import HeadStack, save_run_head
from deconvwidgets.instruments.transfer.service.photographs import matching_tests
from deconvwidgets.instruments.transfer.service.runs import GOING_ON, Run, RunBook
from deconvwidgets.instruments.transfer.service.train_job import Training
from deconvwidgets.instruments.transfer.service.uploads import Uploads
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import HeadReport, HeadStep, Picture
from deconvwidgets.service.device_lock import DeviceGate
from deconvwidgets.service.protocol import TransferFile, TransferSettings
from deconvwidgets.service.rate_limit import Bell
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.thumbnails import Thumbnails
from deconvwidgets.service.worker import Executor

_JOB = "transfer"
_log = logging.getLogger(__name__)


class LocalTransferDesk:
    """Answers `service.protocol.TransferDesk`. Every method may be called from any thread.

    Args:
        worker: runs the training.
        gate: a turn at the device, batch by batch.
        state: the service's snapshot now.
        answer_with: puts another bundle into it.
        busy: whether somebody uses the widgets.
        tell: tells them that there is news.
    """

    def __init__(
        self,
        worker: Executor,
        gate: DeviceGate,
        state: Callable[[], Snapshot],
        answer_with: Callable[[ModelBundle], None],
        busy: Callable[[], bool],
        tell: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._gate = gate
        self._state = state
        self._busy = busy
        self._bell = Bell(tell)
        self._starting = RLock()  # a synchronous worker may start the next run from within one
        self._runs = RunBook()
        self._uploads = Uploads()
        self._shelf = DataShelf(lambda: state().images, self._uploads)
        self._heads = HeadStack(lambda: state().bundle, answer_with)
        self._thumbnails = Thumbnails()

    def status(self) -> TransferStatus:
        """What can be trained on, what is running, which runs there were, whose head answers."""
        state, runs = self._state(), tuple(run.summary() for run in self._runs.all())
        return TransferStatus(
            choices=self._shelf.choices(),
            layers=layer_choices(state.network),
            running=next((run.run for run in reversed(runs) if run.phase in GOING_ON), None),
            runs=runs,
            classifier=state.bundle.classifier,
            used=self._heads.used,
            can_undo=self._heads.can_undo,
        )

    def data(self, settings: TransferSettings) -> TransferDataSummary:
        """The classes of `settings.data`, and what hinders training on it in words. A zip is unpacked at the first call.

        Raises PictureError where nothing is there, AssetError where the default photographs cannot be fetched.
        """
        return data_summary(settings, self._shelf.images(settings))

    def start(self, settings: TransferSettings) -> int:
        """Retrain on the worker; a run that is going on is stopped. Returns the run's number.

        Raises HeadError for classes, numbers or a weight decay that cannot be trained with, LayerError, ModelError for ten crops of an
        opaque transform, PictureError and AssetError as `data` does, ServiceError when the service is closed.
        """
        state, images = self._state(), self._shelf.images(settings)
        info = check_run(settings, images, state.bundle, state.network)
        layer = info.alias or info.name
        paper = paper_rows(images.name, settings.images_per_class, layer, len(state.network.explorer_layers), bool(settings.curve))
        with self._starting:  # the worker must take on runs in their order: it would cancel the job of a newer one for an older
            run, superseded = self._runs.open(settings, state.bundle, images, layer, paper)
            for other in superseded:
                other.stop()
            try:
                self._worker.submit(_JOB, self._training(run, state), _log.error)
            except Exception:
                self._runs.forget(run)
                raise
        self._bell.ring(at_once=True)
        return run.number

    def stop(self) -> None:
        """Stop the run at its next step; the folds that are done are kept. Nothing where none is running."""
        running = self._runs.running()
        if running is not None:
            running.stop()
            self._bell.ring(at_once=True)

    def wait(self, run: int, timeout: float | None = None) -> None:
        """For scripts: return when the run has ended. Raises HeadError with what it failed with, ServiceError after `timeout` seconds."""
        self._runs.get(run).wait(timeout)

    def steps(self, run: int, since: int = 0) -> tuple[HeadStep, ...]:
        """The steps of a run's training from number `since` on: the first 10,000 all, later ones every tenth."""
        return self._runs.get(run).steps(since)

    def view(self, run: int) -> TransferRunView:
        """A run's results so far. Raises HeadError before its first fold is done, or for a run that is none."""
        return _view(*self._runs.get(run).results())

    def photographs(self, run: int, wanted: TestsWanted) -> TestPhotographs:
        """Test photographs of a run, the most confident first."""
        found = self._runs.get(run)
        return matching_tests(found.require_report(), found.images, wanted)

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> Sequence[Picture]:
        """Photographs of a run's data, cropped to squares of `size` pixels a side."""
        return self._thumbnails.get(self._runs.get(run).images, sources, size)

    def use_head(self, run: int) -> str:
        """Answer with the run's head from now on, and say what changed. Raises HeadError before the first fold is done."""
        return self._heads.put(self._runs.get(run).require_report().head, run)

    def undo_head(self) -> str:
        """Answer as before the last `use_head` or `load_head`, and say what changed. Raises HeadError where there is nothing to undo."""
        return self._heads.undo()

    def save_head(self, run: int, path: str) -> str:
        """Write the run's head as safetensors on the kernel's machine; says where. A file that is no head is never overwritten."""
        return save_run_head(self._runs.get(run).require_report().head, path)

    def load_head(self, path: str) -> str:
        """Answer with a saved head ("caltech101": the shipped one), and say what changed. Raises HeadError for one that does not fit."""
        return self._heads.put(path)

    def file(self, run: int, kind: TransferFile) -> bytes:
        """A run's results so far as a file's bytes. Raises HeadError before its first fold is done, ServiceError for another kind."""
        found = self._runs.get(run)
        report, summary = found.results()
        return make_file(kind, found.bundle, found.settings, found.images, report, _view(report, summary))

    def begin_upload(self, name: str, size: int) -> str:
        """Make room for a zip of `size` bytes; the upload's id. Raises PictureError where it is too large or no zip by its name."""
        return self._uploads.begin(name, size)

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add bytes at `offset`, which must be where the last chunk ended (sent again, a chunk counts once); the bytes that are there."""
        return self._uploads.add(upload, offset, data)

    def finish_upload(self, upload: str) -> str:
        """Unpack it; the folder, to be given as `TransferSettings.data`. Raises PictureError, and leaves nothing, for a bad zip."""
        folder = self._uploads.finish(upload)
        self._bell.ring(at_once=True)
        return str(folder)

    def cancel_upload(self, upload: str) -> None:
        """Forget an upload that has not been finished."""
        self._uploads.cancel(upload)

    def close(self) -> None:
        """Stop what is running, and forget uploads that are not finished. The runs can still be asked for."""
        self.stop()
        self._uploads.close()

    def _training(self, run: Run, state: Snapshot) -> Training:
        """The run's work, which must not keep this desk (and its service) alive: both are looked for at each step, and may be gone."""
        desk, images, settings = ref(self), run.images, run.settings

        def tell(at_once: bool) -> None:
            alive = desk()
            if alive is not None:
                alive._bell.ring(at_once)

        def busy() -> bool:
            alive = desk()
            return alive is not None and alive._busy()

        def open_again() -> ImageSet:
            alive = desk()
            return alive._shelf.images(settings, fresh=True) if alive is not None else images

        return Training(
            run=run,
            network=state.network,
            open_again=open_again,
            turn=self._gate.batch,
            busy=busy,
            tell=tell,
            wanted=lambda: desk() is not None,
            worker=self._worker,
        )


def _view(report: HeadReport, summary: TransferRunSummary) -> TransferRunView:
    tests = report.confusion.sum(1)
    with np.errstate(invalid="ignore"):  # NaN for a class without tests
        accuracy = (np.diag(report.confusion) / tests).astype(np.float32)
    return TransferRunView(
        summary=summary,
        categories=report.categories,
        class_accuracy=accuracy,
        class_tests=tests,
        confusion=report.confusion,
        skipped=report.skipped,
        has_confidences=bool(np.isfinite(report.confidences).all()),
    )
