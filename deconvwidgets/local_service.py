"""The model service in this process: the platform's services and every instrument's API, on one device."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Self

from deconvwidgets.arguments import describe, instance, seconds, texts
from deconvwidgets.errors import ActivationIndexError, LayerError, ServiceError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.contributions.service.api import ContributionsApi
from deconvwidgets.instruments.layers.service.api import LayersApi
from deconvwidgets.instruments.occlusion.service.api import OcclusionApi
from deconvwidgets.instruments.transfer.service.api import TransferApi
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.models.head_files import HeadSource
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.overview import Overview
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.events import Events
from deconvwidgets.service.index_job import check_index
from deconvwidgets.service.instrument import Instrument
from deconvwidgets.service.layer_catalog import LayerCatalog
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.worker import Executor


class LocalModelService:
    """A model service in this process. Widgets are made from it.

    Its methods may be called from any thread. The service ends its threads when it is closed, and when the last reference to it is gone.

    Parameters
    ----------
    bundle : ModelBundle
        The model. It is not changed: if it has to be moved to another device, a copy is moved.
    images : ImageSet
        The photographs.
    index : ActivationIndex, optional
        Their strongest activations. By default the index is loaded from the cache, or built by the service's worker; until then requests
        that need it raise ServiceError.
    device : str
        "auto" (the first available one of CUDA, MPS and the CPU) or the name of a device.
    worker : Executor, optional
        Runs long jobs; by default, threads of the service's own.
    layers : str or sequence of str, optional
        The layers that the explorers list, by dotted names or aliases: ["conv5", "layer4", "layer1.0.conv1"]. By default the layers of
        `index`, or the convN feature maps. Every other layer with feature maps can be opened by its name; its index is built then.

    Raises
    ------
    ServiceError
        If the model has no feature maps.
    LayerError
        If one of `layers` does not exist, or is no feature map.
    ActivationIndexError
        If `index` was built from another model or other images.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu").wait()
    >>> service.overview().model
    'alexnet'
    >>> service.layers.unit_table("conv5").maximum.shape
    (256,)
    >>> service.close()
    """

    layers = Instrument(LayersApi)
    occlusion = Instrument(OcclusionApi)
    transfer = Instrument(TransferApi)
    contributions = Instrument(ContributionsApi)

    def __init__(
        self,
        bundle: ModelBundle,
        images: ImageSet,
        index: ActivationIndex | None = None,
        device: str = "auto",
        worker: Executor | None = None,
        layers: Sequence[str] | None = None,
    ) -> None:
        require_images(images)
        bundle = on_device(bundle, device)
        if not bundle.network.feature_map_layers:
            raise ServiceError(f"{bundle.name} has no feature maps to explore: none of its layers returns (N, channels, height, width).")
        if index is not None:
            check_index(instance(index, ActivationIndex, "index", ActivationIndexError), bundle, images)
        self._events, self._open_widgets = Events(), OpenWidgets()
        if worker is not None and not callable(getattr(worker, "submit", None)):
            raise ServiceError(f"worker must be an Executor, with a method submit, not {describe(worker)}.")
        catalog = LayerCatalog.of(bundle)
        listed = _listed_layers(bundle, catalog, index, layers)
        snapshot = Snapshot(1, bundle, images, catalog, index, bundle.network.notes, listed=listed)
        self._context = context = ServiceContext(snapshot, self._events, worker)
        self._apis = Instrument.make_all(type(self), context)
        context.index.start()

    @classmethod
    def from_environment(cls) -> Self:
        """Return the service that `deconvwidgets lab` was started with.

        It reads the environment variables DECONVWIDGETS_MODEL ("alexnet"), DECONVWIDGETS_IMAGES ("photos") and DECONVWIDGETS_DEVICE
        ("auto").
        """
        from deconvwidgets.images.open import open_images
        from deconvwidgets.models.zoo import load_model

        bundle = load_model(os.environ.get("DECONVWIDGETS_MODEL") or "alexnet")
        images = open_images(os.environ.get("DECONVWIDGETS_IMAGES") or "photos")
        return cls(bundle, images, device=os.environ.get("DECONVWIDGETS_DEVICE") or "auto")

    @property
    def open_widgets(self) -> OpenWidgets:
        """The widgets of this service that pages show."""
        return self._open_widgets

    @property
    def index(self) -> ActivationIndex | None:
        """The activation index; None while it is being built."""
        return self._context.snapshot.index

    def overview(self) -> Overview:
        """Return a description of the model, the image set and the layers."""
        return self._context.overview()

    def set_head(self, head: HeadSource | None) -> None:
        """Put another softmax head on the model. The index stays valid, and every widget is updated.

        Parameters
        ----------
        head : Head, str, Path or None
            A head, the path of a saved one, "caltech101" for the one that comes with the package, or None for no classifier.

        Raises
        ------
        HeadError
            If the head belongs to another model or layer; nothing is changed then.
        """
        with self._context.device_lock.request():
            bundle = self._context.snapshot.bundle.with_head(head)
        self._context.set_bundle(bundle)

    def reset_head(self) -> None:
        """Restore the classifier that the service was made with."""
        self._context.reset_bundle()

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with each event of the given kinds (None: all), from any thread. Return the function that ends the subscription.

        A bound method is held weakly.
        """
        return self._events.subscribe(listener, kinds)

    def wait(self, timeout: float | None = None) -> Self:
        """Wait for the index, and for those of opened layers, and return the service.

        Raises
        ------
        ServiceError
            After `timeout` seconds. Otherwise the exception that building the index ended with is raised.
        """
        self._context.index.wait(seconds(timeout))
        return self

    def close(self) -> None:
        """Cancel all jobs and end the threads. Requests that need no job are still answered."""
        for api in self._apis.values():
            api.close()
        self._context.close()
        for api in self._apis.values():
            api.close()  # again, for a run that was started meanwhile


def _listed_layers(
    bundle: ModelBundle, catalog: LayerCatalog, index: ActivationIndex | None, layers: Sequence[str] | None
) -> tuple[LayerInfo, ...]:
    """Return the layers that the explorers list. Raises LayerError if one does not exist, or is no feature map."""
    if layers is None:
        return tuple(bundle.network.feature_map_layers) if index is None else index.layers
    names = texts(layers, "layers", "the names of one or more layers", LayerError)
    return tuple(dict.fromkeys(catalog.find(name, bundle) for name in names))
