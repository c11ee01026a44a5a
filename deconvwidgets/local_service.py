"""The model service in this process: the platform's services and every instrument's API, on one device."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

from deconvwidgets.arguments import instance, seconds, texts
from deconvwidgets.errors import ActivationIndexError, LayerError, ServiceError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.contributions.service.api import ContributionsApi
from deconvwidgets.instruments.diagnosis.service.api import DiagnosisApi
from deconvwidgets.instruments.evaluation.service.api import EvaluationApi
from deconvwidgets.instruments.invariance.service.api import InvarianceApi
from deconvwidgets.instruments.layers.service.api import LayersApi
from deconvwidgets.instruments.occlusion.service.api import OcclusionApi
from deconvwidgets.instruments.transfer.service.api import TransferApi
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.models.head_files import HeadSource
from deconvwidgets.models.unit_factors import Units, UnitsSource, updated_units
from deconvwidgets.models.unit_files import save_units
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.overview import Overview
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.events import Events
from deconvwidgets.service.head_history import with_head, with_units_of
from deconvwidgets.service.index_job import check_index
from deconvwidgets.service.instrument import Instrument
from deconvwidgets.service.layer_catalog import LayerCatalog
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.shared_layers import SharedLayers
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.worker import Executor, checked_executor


class LocalModelService:
    """A model service in this process. Widgets are made from it.

    Its methods may be called from any thread. The service ends its threads when it is closed, and when the last reference to it is gone.

    Parameters
    ----------
    bundle : ModelBundle
        The model. It is not changed: if it has to be moved to another device, a copy is moved. If you train it further, requests raise
        ServiceError, as the index and what is cached are of other weights: make a new service of it.
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
    evaluation = Instrument(EvaluationApi)
    invariance = Instrument(InvarianceApi)
    diagnosis = Instrument(DiagnosisApi)

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
        checked_executor(worker)
        catalog = LayerCatalog.of(bundle)
        listed = _listed_layers(bundle, catalog, index, layers)
        snapshot = Snapshot(1, bundle, images, catalog, index, bundle.network.notes, listed=listed)
        shared = SharedLayers(snapshot, worker)
        self._begin(shared)
        shared.index.start()

    def _begin(self, layers: SharedLayers, host: str = "") -> None:
        """Begin a session."""
        self._events, self._open_widgets = Events(), OpenWidgets()
        self._context = context = ServiceContext(layers, self._events, host)
        self._apis = Instrument.make_all(type(self), context)

    def new_session(self, host: str = "") -> Self:
        """Return a service on the same layers, index, device and pictures, with a classifier, units and runs of its own.

        It begins with the classifier that this service was made with, and all units on. Closing it does not close this one; the index is
        built as long as one of them is open. The long jobs (training and evaluation) of all sessions take turns, two at a time.

        Parameters
        ----------
        host : str
            Empty if the caller's files are on this machine; else the name of this machine, for the messages about paths.

        Examples
        --------
        >>> import deconvwidgets as dw
        >>> service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu")
        >>> other = service.new_session()
        >>> other.set_units({("conv5", 133): 0.0})
        >>> service.units, other.units
        ({}, {('features.11', 133): 0.0})
        >>> other.close(), service.close()
        (None, None)
        """
        session = object.__new__(type(self))
        session._begin(self._context.layers, host)
        return session

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
    def bundle(self) -> ModelBundle:
        """The model, with its current head and units."""
        return self._context.last_snapshot.bundle

    @property
    def images(self) -> ImageSet:
        """The image set."""
        return self._context.last_snapshot.images

    @property
    def index(self) -> ActivationIndex | None:
        """The activation index; None while it is being built."""
        return self._context.last_snapshot.index

    def overview(self) -> Overview:
        """Return a description of the model, the image set and the layers."""
        return self._context.overview()

    def set_head(self, head: HeadSource | None) -> None:
        """Put another softmax head on the model. The index stays valid, units that are switched off stay so, and every widget is updated.

        Parameters
        ----------
        head : Head, str, Path or None
            A head, the path of a saved one, "caltech101" for the one that comes with the package, or None for no classifier.

        Raises
        ------
        HeadError
            If the head belongs to another model or layer; nothing is changed then.
        """
        self._context.change_bundle(lambda bundle: with_head(bundle, head))

    def reset_head(self) -> None:
        """Restore the classifier that the service was made with. Units that are switched off stay so."""
        self._context.change_bundle(lambda bundle: with_units_of(bundle, self._context.made_with))

    @property
    def units(self) -> Mapping[tuple[str, int], float]:
        """The factors of the units that are switched off or scaled, by (dotted name of the layer, unit)."""
        return dict(self._context.last_snapshot.bundle.units)

    def set_units(self, units: UnitsSource | None) -> None:
        """Multiply the maps of units in every widget: by 0 to switch a unit off, by 2 to double it. All others are on.

        Answers, projections and occlusion maps are those of the changed network. The index, with the strongest activations and
        statistics of each unit, stays that of the unchanged one, and a unit that is off keeps its pictures.

        Parameters
        ----------
        units : mapping of (str, int) to float, str, path or None
            Factors by (name or alias of the layer, unit): {("conv5", 133): 0.0}, or the path of a file that `dw.save_units` or
            `service.save_units` has written. None switches all units on.

        Raises
        ------
        LayerError
            If a layer or unit does not exist, if the answer does not depend on it, or if a factor is no finite number; nothing is changed
            then.

        Examples
        --------
        >>> import deconvwidgets as dw
        >>> service = dw.LocalModelService(dw.load_model("alexnet"), dw.open_images("photos"), device="cpu")
        >>> service.set_units({("conv5", 133): 0.0})
        >>> service.units
        {('features.11', 133): 0.0}
        >>> service.reset_units()
        >>> service.close()
        """
        self._context.change_bundle(lambda bundle: _with_units(bundle, units))

    def change_units(self, units: Units) -> None:
        """Multiply the maps of some units; all others stay as they are. A factor of 1 switches a unit on. Raises as `set_units` does."""

        def change(bundle: ModelBundle) -> ModelBundle:
            base = bundle.unchanged or bundle
            return _with_units(bundle, updated_units(base.network, bundle.units, units, base.name))

        self._context.change_bundle(change)

    def reset_units(self) -> None:
        """Switch all units on: the model is the very same as before."""
        self.set_units(None)

    def save_units(self, path: str | os.PathLike[str]) -> Path:
        """Save the units that are switched off or scaled, as `dw.save_units` does, and return the path."""
        return save_units(self._context.last_snapshot.bundle, path)

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


def _with_units(bundle: ModelBundle, units: UnitsSource | None) -> ModelBundle:
    """Return a bundle with these units: the bundle itself if it has them already."""
    changed = bundle.with_units(units)
    return bundle if changed.units == bundle.units else changed


def _listed_layers(
    bundle: ModelBundle, catalog: LayerCatalog, index: ActivationIndex | None, layers: Sequence[str] | None
) -> tuple[LayerInfo, ...]:
    """Return the layers that the explorers list. Raises LayerError if one does not exist, or is no feature map."""
    if layers is None:
        return tuple(bundle.network.feature_map_layers) if index is None else index.layers
    names = texts(layers, "layers", "the names of one or more layers", LayerError)
    return tuple(dict.fromkeys(catalog.find(name, bundle) for name in names))
