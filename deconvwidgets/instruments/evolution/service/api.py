"""The requests of an EvolutionExplorer, answered from one activation index per checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from time import monotonic
from typing import Any, Self
from weakref import finalize

from deconvwidgets.arguments import instance, integer, seconds
from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.checkpoints.log_file import is_running, log_version
from deconvwidgets.errors import CheckpointError, DeconvWidgetsError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.compute.epoch_index import check_layers
from deconvwidgets.instruments.evolution.records import (
    CellPicture,
    CellPicturesRequest,
    ConvergenceCurves,
    EvolutionOverview,
    EvolutionRow,
    FigureKind,
    Measure,
    UnitChoice,
    UnitHistory,
)
from deconvwidgets.instruments.evolution.service import answers
from deconvwidgets.instruments.evolution.service.builder import IndexBuilder
from deconvwidgets.instruments.evolution.service.cells import CellRenderer
from deconvwidgets.instruments.evolution.service.columns import Columns, index_of
from deconvwidgets.instruments.evolution.service.epoch_models import EpochModels
from deconvwidgets.instruments.evolution.service.figures import evolution_figure
from deconvwidgets.instruments.evolution.service.overview import make_overview
from deconvwidgets.instruments.evolution.service.weak_calls import publisher, weakly
from deconvwidgets.instruments.layers.service.api import LayersApi
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import checked_device
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.watch import Watch
from deconvwidgets.service.worker import Executor, Worker, checked_executor

_BUSY_SECONDS = 5.0  # a widget counts as in use for so long after its last request


class LocalEvolutionService:
    """A service for the checkpoints of one training, in this process. `EvolutionExplorer` is made from it.

    Builds one activation index per checkpoint on a worker, in one pass over the images each; indexes that are in the cache are read. While
    a widget shows it, the folder of the checkpoints is watched: those that another process writes become new columns. A checkpoint that
    cannot be used fails for its column only. Models are read when they are needed, and those of the last few epochs are kept.

    Its methods may be called from any thread. It ends its threads when it is closed, and when the last reference to it is gone.

    Parameters
    ----------
    checkpoints : Checkpoints
        From `dw.open_checkpoints`.
    images : ImageSet
        The photographs.
    layers : str or sequence of str, optional
        Names or aliases; by default the convN feature maps.
    device : str
        "auto" (the first available one of CUDA, MPS and the CPU) or the name of a device.
    worker : Executor, optional
        Builds the indexes; by default a thread of the service's own.

    Raises
    ------
    CheckpointError
        If `checkpoints` is something else.
    LayerError
        If one of `layers` does not exist.
    ModelError
        If the device cannot be used here.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> checkpoints, images = dw.open_checkpoints("caltech14"), dw.open_images("photos", limit=6)
    >>> service = dw.LocalEvolutionService(checkpoints, images, device="cpu").wait()
    >>> service.overview().ready
    (0, 1, 2, 5, 10, 15, 20, 30)
    >>> service.close()
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        images: ImageSet,
        layers: Sequence[str] | None = None,
        device: str = "auto",
        worker: Executor | None = None,
    ) -> None:
        self._checkpoints = instance(checkpoints, Checkpoints, "checkpoints", CheckpointError)
        self._images = require_images(images)
        self._device = str(checked_device(device))
        check_layers(self._checkpoints, layers)
        checked_executor(worker)
        self._executor: Executor = worker if worker is not None else Worker("deconvwidgets evolution")
        self._events, self._open_widgets = Events(), OpenWidgets()
        self._last_request = 0.0
        self._refresh_lock = Lock()
        publish, busy = publisher(self._events), weakly(self._busy, True)
        device_lock = DeviceLock()
        self._columns = Columns(lambda: publish(ServiceEvent("evolution")))
        self._models = EpochModels(checkpoints, images, self._device, device_lock)
        self._cells = CellRenderer(self._models, device_lock)
        self._builder = IndexBuilder(
            self._columns, self._models, images, layers, device_lock, busy,
            lambda progress: publish(ServiceEvent("progress", progress)), lambda text: publish(ServiceEvent("failed", message=text)),
        )  # fmt: skip
        self._watch = Watch(self._look)
        self._finalizer = finalize(self, _end, self._builder, self._watch, None if worker is not None else self._executor)
        self._log_version = self._version_of_log()
        self._columns.add(checkpoints, checkpoints.unreadable)
        self._builder.start(self._executor)

    @property
    def open_widgets(self) -> OpenWidgets:
        """The widgets of this service that pages show."""
        return self._open_widgets

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with each event of the given kinds (None: all), from any thread. Return the function that ends the subscription.

        A bound method is held weakly. The folder is watched as long as anybody is subscribed.
        """
        unsubscribe = self._events.subscribe(listener, kinds)
        if self._checkpoints.folder is not None:
            self._watch.begin()
        return unsubscribe

    def index(self, epoch: int) -> ActivationIndex:
        """Return the activation index of an epoch, such as for `dw.LocalModelService`. Raises ServiceError if it is not ready."""
        return index_of(self._columns.epochs.indexes, integer(epoch, "epoch", 0))

    def overview(self) -> EvolutionOverview:
        """Return the checkpoints and how far their indexes are, the image set, the layers and the training log."""
        return make_overview(self._checkpoints, self._images, self._columns, self._device)

    def rows(self, choice: UnitChoice) -> list[EvolutionRow]:
        """Return units, grouped by layer, with their strongest activations at every epoch that is ready.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        ServiceError
            For an invalid choice.
        """
        self._record_request()
        return answers.rows(self._columns.epochs, self._images, choice)

    def cell_pictures(self, request: CellPicturesRequest) -> list[CellPicture]:
        """Return the pictures of up to 256 cells, in the order of the request, as the LayerExplorer draws them.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        ServiceError
            For an epoch without an index, and for an invalid request.
        CheckpointError
            If the file of a checkpoint cannot be read any more.
        """
        self._record_request()
        return self._cells.pictures(self._columns.epochs.indexes, request)

    def convergence(self, measure: Measure = "correlation") -> ConvergenceCurves:
        """Return how far each layer has converged, by epoch. Raises ServiceError for an unknown measure."""
        return answers.curves(self._columns.epochs, measure)

    def history(self, layer: str, unit: int) -> UnitHistory:
        """Return one unit's values at every epoch that is ready. Raises LayerError for an unknown layer or unit."""
        self._record_request()
        return answers.history(self._columns.epochs, layer, unit)

    def layers_of(self, epoch: int) -> LayersApi:
        """Return what answers the LayerExplorer's requests for the model of an epoch.

        Raises
        ------
        ServiceError
            If the epoch has no index.
        CheckpointError
            If its file cannot be read any more.
        """
        self._record_request()
        return self._models.layers(integer(epoch, "epoch", 0), self.index(epoch))

    def model(self, epoch: int) -> tuple[ModelBundle, ImageSet, ActivationIndex]:
        """Return the model of an epoch, the images and the index: what `LocalModelService` is made from.

        Raises
        ------
        ServiceError
            If the epoch has no index.
        CheckpointError
            If its file cannot be read any more.
        """
        index = self.index(epoch)
        return self._models.bundle(epoch), self._images, index

    def figure(self, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
        """Return a figure as the bytes of a file; `state` is the state of an EvolutionExplorer.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        ServiceError
            For an unknown kind, an invalid state, and before an index is ready.
        """
        self._record_request()
        return evolution_figure(self, kind, state)

    def refresh(self) -> tuple[int, ...]:
        """Look for new checkpoints and lines of the training log now, and return the new epochs. Their indexes are built."""
        with self._refresh_lock:
            new = self._checkpoints.refresh()
            version = self._version_of_log()
            log_changed, self._log_version = version != self._log_version, version
        if not self._columns.add(new, self._checkpoints.unreadable) and log_changed:
            self._columns.changed()
        self._builder.start(self._executor)
        return tuple(one.epoch for one in new)

    def cancel(self) -> None:
        """End the building of indexes. The columns that are not ready wait."""
        self._builder.cancel()

    def resume(self) -> None:
        """Build the indexes of the columns that wait or failed."""
        self._builder.resume(self._executor)

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the indexes of all checkpoints that are known are ready or failed, and return the service.

        Raises
        ------
        ServiceError
            After `timeout` seconds, and if the building was cancelled.
        """
        self._builder.wait(seconds(timeout))
        return self

    def close(self) -> None:
        """End all jobs and the watching of the folder, and wait for their end."""
        self._finalizer()
        if isinstance(self._executor, Worker):
            self._executor.close()
        self._models.forget()

    def _look(self) -> bool:
        """Look for new checkpoints, and return whether anybody listens. Called by the watch."""
        if not len(self._events):
            return False
        try:
            self.refresh()
        except (DeconvWidgetsError, OSError) as error:  # such as a folder that was removed: said, and looked for again
            self._columns.set_note(f"The folder of the checkpoints cannot be read: {error}")
        else:
            self._columns.set_note("")
        return True

    def _version_of_log(self) -> tuple[object, ...] | None:
        """Return what changes with the log, and when the process of the training ends."""
        folder = self._checkpoints.folder
        return None if folder is None else (*log_version(folder), is_running(folder))

    def _record_request(self) -> None:
        self._last_request = monotonic()

    def _busy(self) -> bool:
        return monotonic() - self._last_request < _BUSY_SECONDS and len(self._events) > 0


def _end(builder: IndexBuilder, watch: Watch, executor: Executor | None) -> None:
    watch.stop()
    builder.cancel()
    if executor is not None:
        executor.cancel()
