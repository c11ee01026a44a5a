"""The model service on one device in this process: what every widget asks, and what the notebooks script."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, Self

import numpy as np

from deconvwidgets.compute.devices import model_home, ready_model
from deconvwidgets.engine import Network
from deconvwidgets.errors import ActivationIndexError, LayerError, ServiceError
from deconvwidgets.images.image_set import ImageSet, label_name, require_images
from deconvwidgets.index.activation_index import ActivationIndex, default_path, stored_index
from deconvwidgets.index.identity import IndexIdentity
from deconvwidgets.instruments.layers.service.figures import make_figure
from deconvwidgets.instruments.layers.service.mosaics import NineMaker
from deconvwidgets.instruments.layers.service.predictions import Predictions
from deconvwidgets.instruments.layers.service.sources import source_picture
from deconvwidgets.instruments.occlusion.service.api import LocalOcclusionDesk
from deconvwidgets.instruments.transfer.service.api import LocalTransferDesk
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.head_files import HeadSource
from deconvwidgets.records.layers import LayerSummary, Nine, NineEntry, Overview, Picture, Progress, SourcePicture, UnitDetail, UnitTable
from deconvwidgets.service.background import Later
from deconvwidgets.service.batch_sizer import AdaptivePace
from deconvwidgets.service.device_lock import DeviceGate
from deconvwidgets.service.listeners import Listener, Listeners
from deconvwidgets.service.prepared_images import ViewStore
from deconvwidgets.service.protocol import Contrast, FigureKind, NineWanted, Rule, ServiceEvent
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.worker import Executor, Job, Worker

K = 9  # "top 9" (Zeiler & Fergus 2014, figure 2)
_NEWS = ServiceEvent("transfer")
_BUSY_SECONDS = 5.0  # a widget counts as in use for so long after its last request


class LocalModelService:
    """Answers `service.protocol.ModelService` with a model on this machine.

    Args:
        bundle: the model. It is not changed: for another device than the one it lies on, a copy moves.
        images: the photographs.
        index: their strongest activations. None: loaded from the cache where one fits, else built by the worker; until then
            requests that need it raise ServiceError saying how far it is.
        device: "auto" (CUDA, MPS, CPU) or a device's name.
        worker: what runs long jobs; None for a thread of its own.

    Every method may be called from any thread. Requests read one immutable snapshot; the gate guards the device only.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        images: ImageSet,
        index: ActivationIndex | None = None,
        device: str = "auto",
        worker: Executor | None = None,
    ) -> None:
        require_images(images)
        bundle, network = ready_model(bundle, device)
        if not network.explorer_layers:
            raise ServiceError(f"{bundle.name} has no feature maps to explore: none of its layers gives (N, channels, height, width).")
        self._state = Snapshot(1, bundle, network, images, index, _graph_notes(network))
        self._made_with = bundle
        self._swap_lock = Lock()
        self._gate = DeviceGate()
        self._views = ViewStore()
        self._nines = NineMaker(self._gate, self._views)
        self._predictions = Predictions(self._gate, self._views)
        self._listeners = Listeners()
        self._progress: Progress | None = None
        self._last_request = -float("inf")
        self._worker = worker if worker is not None else Worker()
        self._later = Later(worker, self._failed)
        self._transfer = LocalTransferDesk(
            self._worker, self._gate, lambda: self._state, self._answer_with, self._busy, lambda: self._listeners.tell(_NEWS)
        )
        self._occlusion = LocalOcclusionDesk(
            worker,
            self._gate,
            self._views,
            state=lambda: self._state,
            overview=self.overview,
            use_head=self._transfer.load_head,
            used=self._note_use,
            busy=self._busy,
            tell=lambda: self._listeners.tell(ServiceEvent("occlusion")),
        )
        self._index_job: Job | None = None
        if index is not None:
            _check_fit(index, bundle, images, network)
        else:
            self._index_job = self._worker.submit("index", self._make_index, self._failed)
        self._worker.submit("warm", self._warm_views, self._failed)

    @classmethod
    def from_environment(cls) -> Self:
        """The service that `deconvwidgets lab` was asked for: DECONVWIDGETS_MODEL (alexnet), _IMAGES (photos) and _DEVICE (auto)."""
        from deconvwidgets.images.open import open_images
        from deconvwidgets.models.zoo import load_model

        bundle = load_model(os.environ.get("DECONVWIDGETS_MODEL") or "alexnet")
        images = open_images(os.environ.get("DECONVWIDGETS_IMAGES") or "photos")
        return cls(bundle, images, device=os.environ.get("DECONVWIDGETS_DEVICE") or "auto")

    @property
    def index(self) -> ActivationIndex | None:
        """The index, where it stands."""
        return self._state.index

    def overview(self) -> Overview:
        """Model, image set, layers, and whether the index stands yet."""
        state, progress = self._state, self._progress
        bundle, index = state.bundle, state.index
        dead = {name: int((tally.stats.fired == 0).sum()) for name, tally in index.tallies.items()} if index is not None else {}
        failure = self._index_job.error if self._index_job is not None else None
        notes = [*bundle.notes, *state.notes]
        if bundle.classifier is None and not any("classifier" in note for note in bundle.notes):
            notes.append("The model has no classifier, so it says nothing of the photographs: only their own labels are shown.")
        if failure is not None:
            notes.append(f"The index of strongest activations could not be built: {failure}")
        elif index is None and progress is not None:
            notes.append(f"The index of strongest activations is being built: {progress.done} of {progress.total} views.")
        return Overview(
            version=state.version,
            model=bundle.name,
            weights=bundle.weights,
            trained=bundle.trained,
            classifier=bundle.classifier,
            images=state.images.name,
            photographs=state.images.source_count,
            views=len(state.images),
            skipped=state.skipped(),
            layers=tuple(LayerSummary(info, dead.get(info.name)) for info in state.layers()),
            k=index.k if index is not None else K,
            device=str(model_home(bundle.model).device),
            index_ready=index is not None,
            notes=tuple(dict.fromkeys(notes)),
        )

    def unit_table(self, layer: str) -> UnitTable:
        """Statistics and labels of all units of a layer."""
        _, index = self._ask()
        stats = index.stats(layer)
        return UnitTable(
            layer=layer,
            maximum=stats.maximum,
            mean=stats.mean,
            std=stats.std,
            fires=stats.fires,
            selectivity=stats.selectivity,
            labels=index.labels(layer),
            categories=index.categories,
        )

    def nine(self, layer: str, unit: int, rule: Rule = "deconvnet", contrast: Contrast = "tile", tile: int = 54) -> Nine:
        """The nine strongest activations as mosaics of projections and patches, `tile` pixels a side each."""
        state, index = self._ask()
        with self._gate.answering():
            return self._nines.nine(state, index, NineWanted(layer, unit, rule, contrast, tile))

    def mosaics(self, wanted: NineWanted) -> Sequence[Picture]:
        """One mosaic for each of `wanted.parts`; nothing else is computed."""
        state, index = self._ask()
        with self._gate.answering():
            return self._nines.mosaics(state, index, wanted)

    def mosaics_later(self, wanted: NineWanted, done: Callable[[Sequence[Picture]], None], failed: Callable[[Exception], None]) -> None:
        """The same on a thread that gives way to every request between steps of some 30 ms; one of the two is called, once."""
        self._later.ask(lambda: self._nines.mosaics(*self._ask(), wanted, patient=True), done, failed)

    def unit_detail(self, layer: str, unit: int) -> UnitDetail:
        """Values, sources, labels and predictions of the nine; the unit's histogram, empty bins at its ends left out."""
        state, index = self._ask()
        stats, entries = index.stats(layer), self._entries(state, index, layer, unit)
        filled = stats.histogram[unit].nonzero()[0]
        first, last = (0, int(filled[-1]) + 1) if filled.size else (0, 1)
        if stats.edges[unit][0] < 0 and filled.size:
            first = int(filled[0])
        return UnitDetail(
            layer=layer,
            unit=unit,
            maximum=float(stats.maximum[unit]),
            mean=float(stats.mean[unit]),
            std=float(stats.std[unit]),
            fires=float(stats.fires[unit]),
            selectivity=float(stats.selectivity[unit]),
            histogram=tuple(stats.histogram[unit][first:last].tolist()),
            edges=tuple(stats.edges[unit][first : last + 1].tolist()),
            entries=tuple(entries),
        )

    def source(self, layer: str, unit: int, rank: int, size: int = 480) -> SourcePicture:
        """The whole source photograph of the nine's member `rank` (0 to 8), longer side `size` pixels, with its box."""
        state, index = self._ask()
        top = index.top(layer, unit)
        if not 0 <= rank < len(top):
            raise LayerError(f"Unit {unit} of {layer} has {len(top)} strongest activations: there is none at place {rank}")
        if not 16 <= size <= 4096:
            raise ServiceError(f"A source picture is 16 to 4096 pixels long, not {size}")
        one, view = top[rank], state.images.view(top[rank].image)
        label = label_name(state.images, view.source)
        words = [f"#{rank + 1}", *([label] if label else []), f"{one.value:.1f}", state.images.source_name(view.source)]
        return source_picture(state, self._views, one, " · ".join(words), size)

    def figure(self, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
        """A finished figure as a file's bytes; `state` is a LayerExplorer's state."""
        return make_figure(self, kind, state)

    def set_head(self, head: HeadSource | None) -> None:
        """Answer with another softmax head from now on, on this service's device: a Head, the path of a saved one, "caltech101" for the
        shipped one, or None for no classifier. The index stays, since the layers do, and every widget is told.

        Raises HeadError, and changes nothing, for a head of another model or layer.
        """
        with self._gate.interactive():
            bundle = self._state.bundle.with_head(head)
        self._answer_with(bundle)

    def reset_head(self) -> None:
        """Answer as the model that the service was made with."""
        self._answer_with(self._made_with)

    @property
    def transfer(self) -> LocalTransferDesk:
        """Retrains the classifier, and keeps the runs: what a TransferPanel asks."""
        return self._transfer

    @property
    def occlusion(self) -> LocalOcclusionDesk:
        """Occludes images, and keeps the maps: what an OcclusionExplorer asks."""
        return self._occlusion

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told of events, from any thread. Returns the function that ends the subscription."""
        return self._listeners.subscribe(listener)

    def wait(self, timeout: float | None = None) -> Self:
        """For scripts: return when the index stands. Raises what building it failed with, or ServiceError after `timeout` seconds."""
        if self._index_job is not None:
            self._index_job.result(timeout)
        return self

    def close(self) -> None:
        """Cancel long jobs and end the worker. What stands can still be asked for."""
        self._occlusion.close()
        self._worker.close()
        self._transfer.close()  # after it, so that a run that was started meanwhile ends too

    def _ask(self) -> tuple[Snapshot, ActivationIndex]:
        """One snapshot for the whole request, and its index."""
        self._note_use()
        state = self._state
        failure = self._index_job.error if self._index_job is not None else None
        if state.index is None and failure is not None:
            raise ServiceError(f"The index of strongest activations could not be built: {failure}") from failure
        return state, state.require_index(self._progress)

    def _entries(self, state: Snapshot, index: ActivationIndex, layer: str, unit: int) -> list[NineEntry]:
        top, images = index.top(layer, unit)[:K], state.images
        answers = self._predictions.of(state, [one.image for one in top])
        entries = []
        for one, answer in zip(top, answers, strict=True):
            source = images.view(one.image).source
            prediction, probability = answer if answer is not None else (None, None)
            words = (images.source_name(source), label_name(images, source), prediction, probability)
            entries.append(NineEntry(one.image, *words, one.value, one.row, one.column, one.box))
        return entries

    def _answer_with(self, bundle: ModelBundle) -> None:
        """Another classifier on the same layers."""
        with self._gate.interactive():
            network = Network.of(bundle.model, bundle.input_size)
        self._swap(bundle=bundle, network=network, new_layers=False)

    def _swap(self, new_layers: bool = True, **changes: Any) -> Snapshot:
        """Put a new snapshot in the old one's place, forget what was made of the old one, tell everybody. Not `new_layers`: the layers and
        the index answer as before, so what was made of them alone stays."""
        with self._swap_lock:
            version = self._state.version + 1
            layers_version = version if new_layers else self._state.layers_version
            self._state = state = replace(self._state, version=version, layers_version=layers_version, **changes)
        self._predictions.keep_only(state.version)
        for kept in (self._views, self._nines):
            kept.keep_only(state.layers_version)
        self._listeners.tell(ServiceEvent("changed"))
        return state

    def _note_use(self) -> None:
        self._last_request = time.monotonic()

    def _busy(self) -> bool:
        return len(self._listeners) > 0 and time.monotonic() - self._last_request < _BUSY_SECONDS

    def _make_index(self, job: Job) -> ActivationIndex:
        """On the worker: load the index from the cache, or build it there."""
        state = self._state
        path = default_path(state.bundle, state.images, K, network=state.network)
        wanted = IndexIdentity.of(state.bundle, state.images, state.network, state.network.explorer_layers, K, 1)
        index, notes = stored_index(path, wanted, range(len(state.images))), state.notes
        if index is None:
            index = ActivationIndex.build(
                state.bundle,
                state.images,
                k=K,
                progress=False,
                network=state.network,
                pace=AdaptivePace(self._busy),
                turn=self._gate.batch,
                on_progress=self._advance,
                cancelled=lambda: job.cancelled,
            )
            try:
                index.save(path)
            except ActivationIndexError as error:  # it serves this session all the same
                notes = (*notes, f"{error}; it will be built again next time.")
        self._swap(index=index, notes=notes)
        return index

    def _warm_views(self, job: Job) -> None:
        """On the worker: decode the photographs of all nines, where they fit into memory."""
        state = self._state
        if state.index is not None:
            views = {int(view) for info in state.index.layers for view in np.unique(state.index.image_ids(info.name)) if view >= 0}
            self._views.warm(state, sorted(views), lambda: job.cancelled)

    def _advance(self, progress: Progress) -> None:
        self._progress = progress
        self._listeners.tell(ServiceEvent("progress", progress))

    def _failed(self, message: str) -> None:
        self._listeners.tell(ServiceEvent("failed", message=message))


def _check_fit(index: ActivationIndex, bundle: ModelBundle, images: ImageSet, network: Network) -> None:
    try:
        wanted = IndexIdentity.of(bundle, images, network, index.layers, index.k, index.identity.per_source)
    except LayerError as error:
        raise ActivationIndexError(f"The activation index was made of another model ({index.identity.model}): {error}") from error
    index.check(wanted)


def _graph_notes(network: Network) -> tuple[str, ...]:
    if network.followed:
        return ()
    return (
        f"The model's graph could not be followed ({network.reason}): projections run on whole images, with the same answer, but slower.",
    )
