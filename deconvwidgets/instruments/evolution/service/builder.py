"""Building the indexes of the columns that wait, one after the other, on a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock

from deconvwidgets.compute.devices import device_name
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import JobCancelledError, ServiceError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evolution.compute.epoch_index import build_epoch_index
from deconvwidgets.instruments.evolution.service.columns import Columns
from deconvwidgets.instruments.evolution.service.epoch_models import EpochModels
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.batch_sizer import BatchSizer
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.worker import Executor, Job, error_message

_CANCELLED = "Building the indexes was cancelled: service.resume() goes on with it."


class IndexBuilder:
    """Builds the indexes of columns that wait, in the order of their epochs. A checkpoint that fails does not end it. Thread-safe.

    Parameters
    ----------
    columns : Columns
        The columns; they are updated.
    models : EpochModels
        Reads the models.
    images : ImageSet
    layers : sequence of str, optional
        Names or aliases; by default the convN feature maps.
    device_lock : DeviceLock
        Of the device, which requests take before a batch.
    busy : callable
        Returns whether somebody uses a widget: batches are smaller then.
    on_progress, on_failure : callable
        Called with the progress of the index that is built, and with the message of a failure.
    """

    def __init__(
        self,
        columns: Columns,
        models: EpochModels,
        images: ImageSet,
        layers: Sequence[str] | None,
        device_lock: DeviceLock,
        busy: Callable[[], bool],
        on_progress: Callable[[Progress], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._columns, self._models, self._images, self._layers = columns, models, images, layers
        self._device_lock, self._busy = device_lock, busy
        self._on_progress, self._on_failure = on_progress, on_failure
        self._lock = RLock()
        self._job: Job | None = None
        self._running = False
        self._paused = False

    def start(self, executor: Executor) -> None:
        """Begin to build, unless that is going on or was cancelled."""
        with self._lock:
            was_cancelled_before_it_began = self._job is not None and self._job.done
            if (self._running and not was_cancelled_before_it_began) or self._paused or not self._columns.waiting:
                return
            self._running, self._job = True, None
        job = executor.submit("indexes of checkpoints", self._build_all, self._on_failure)
        with self._lock:
            self._job = job

    def cancel(self) -> None:
        """End the building. Columns wait until `resume`."""
        with self._lock:
            self._paused = True
            if self._job is not None:
                self._job.cancel()

    def resume(self, executor: Executor) -> None:
        """Build the columns that wait or failed."""
        with self._lock:
            self._paused = False
        self._columns.wait_again()
        self.start(executor)

    def wait(self, timeout: float | None) -> None:
        """Wait until no column waits. Raises ServiceError after `timeout` seconds, and if the building was cancelled."""
        job = self._job
        if job is not None:
            try:
                job.result(timeout)
            except JobCancelledError as error:
                raise ServiceError(_CANCELLED) from error
        if self._paused and self._columns.waiting:
            raise ServiceError(_CANCELLED)

    def _build_all(self, job: Job) -> None:
        try:
            while (epoch := self._next()) is not None:
                self._build(epoch, job)
        except BaseException:
            with self._lock:
                self._running = False
            raise

    def _next(self) -> int | None:
        with self._lock:  # a column that is added meanwhile is either found here, or starts another job
            epoch = None if self._paused else self._columns.next_waiting()
            self._running = epoch is not None
            return epoch

    def _build(self, epoch: int, job: Job) -> None:
        def report(progress: Progress) -> None:
            self._columns.set_progress(epoch, progress)
            self._on_progress(progress)

        context = JobContext(
            on_progress=report,
            cancelled=lambda: job.cancelled,
            device_lease=self._device_lock.background_batch,
            batch_size=BatchSizer(self._busy),
        )
        try:
            context.check_cancelled(_CANCELLED)
            bundle = self._models.bundle(epoch)
            index = build_epoch_index(bundle, self._images, self._layers, device_name(bundle), context)
            self._columns.add_index(epoch, index, bundle.trained)
        except JobCancelledError:
            self._columns.update(epoch, state="waiting", progress=None)
            raise
        except Exception as error:  # noqa: BLE001 - the code of users builds the model; the other checkpoints are shown
            message = error_message(error)
            self._columns.update(epoch, state="failed", progress=None, message=message)
            self._on_failure(f"Epoch {epoch} is left out. {message}")
