"""The models of the checkpoints, read when they are needed. Those of the last few epochs are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import RLock
from typing import Generic, TypeVar

from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.errors import ActivationIndexError, CheckpointError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.service.inputs import SharedInputs
from deconvwidgets.instruments.layers.service.api import LayersApi
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.events import Events
from deconvwidgets.service.index_job import check_index
from deconvwidgets.service.layer_catalog import LayerCatalog
from deconvwidgets.service.shared_layers import SharedLayers
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.unit_projections import UnitProjections

MAX_BYTES = 512 << 20  # of the parameters of all models that are kept
MAX_MODELS = 16
_PANES = 4  # epochs whose LayerExplorer's requests are answered without being made ready again

Value = TypeVar("Value")


class EpochModels:
    """Snapshots of the models by epoch, and what answers a LayerExplorer's requests for each. Thread-safe.

    Parameters
    ----------
    checkpoints : Checkpoints
    images : ImageSet
    device : str
        The name of a device, on which the models that are kept are.
    device_lock : DeviceLock
        Of that device, for all epochs.
    """

    def __init__(self, checkpoints: Checkpoints, images: ImageSet, device: str, device_lock: DeviceLock) -> None:
        self._checkpoints, self._images, self._device, self._device_lock = checkpoints, images, device, device_lock
        self.inputs = SharedInputs()
        self.projections = UnitProjections(device_lock, self.inputs)
        self._snapshots = _Recent[Snapshot](MAX_MODELS, MAX_BYTES, _parameter_bytes)
        self._panes = _Recent[LayersApi](_PANES)

    def snapshot(self, epoch: int, index: ActivationIndex) -> Snapshot:
        """Return the snapshot of an epoch; its model is read unless it is kept.

        Raises
        ------
        CheckpointError
            If the file is damaged, was replaced, or does not exist any more.
        """
        return self._snapshots.get(epoch, lambda: self._read(epoch, index))

    def layers(self, epoch: int, index: ActivationIndex) -> LayersApi:
        """Return what answers a LayerExplorer's requests for the model of an epoch. Raises as `snapshot` does."""
        return self._panes.get(epoch, lambda: self._pane(self.snapshot(epoch, index)))

    def bundle(self, epoch: int) -> ModelBundle:
        """Return the model of an epoch on the device. It is not kept."""
        return on_device(self._checkpoints.bundle(epoch), self._device)

    def forget(self) -> None:
        """Remove all models."""
        self._panes.clear()
        self._snapshots.clear()

    def _read(self, epoch: int, index: ActivationIndex) -> Snapshot:
        bundle = self.bundle(epoch)
        with self._device_lock.request():
            catalog = LayerCatalog.of(bundle)  # traces the model
        self._require_same(epoch, bundle, index)
        # Caches that all epochs share tell them apart by the version.
        return Snapshot(1, bundle, self._images, catalog, index, bundle.network.notes, layers_version=1 + epoch, listed=index.layers)

    def _require_same(self, epoch: int, bundle: ModelBundle, index: ActivationIndex) -> None:
        try:
            check_index(index, bundle, self._images)
        except ActivationIndexError as error:
            raise CheckpointError(
                f"The checkpoint of epoch {epoch} was replaced after its index was built: open the checkpoints again."
            ) from error

    def _pane(self, snapshot: Snapshot) -> LayersApi:
        shared = SharedLayers(snapshot, device_lock=self._device_lock, images=self.inputs, projections=self.projections)
        events = Events()  # the context holds them weakly
        return LayersApi(ServiceContext(shared, events))


class _Recent(Generic[Value]):
    """The values that were used last, each made once at a time."""

    def __init__(self, count: int, size: int | None = None, size_of: Callable[[Value], int] = lambda value: 0) -> None:
        self._count, self._size, self._size_of = count, size, size_of
        self._lock = RLock()
        self._values: OrderedDict[int, Value] = OrderedDict()

    def get(self, epoch: int, make: Callable[[], Value]) -> Value:
        """Return the value of an epoch, and make it if there is none."""
        with self._lock:
            value = self._values.pop(epoch, None)
            self._values[epoch] = value = make() if value is None else value
            while len(self._values) > 1 and self._too_many():
                self._values.popitem(last=False)
            return value

    def clear(self) -> None:
        """Remove all values."""
        with self._lock:
            self._values.clear()

    def _too_many(self) -> bool:
        too_large = self._size is not None and sum(map(self._size_of, self._values.values())) > self._size
        return too_large or len(self._values) > self._count


def _parameter_bytes(snapshot: Snapshot) -> int:
    return sum(parameter.nbytes for parameter in snapshot.bundle.model.parameters())
