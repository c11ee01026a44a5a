"""The requests of an OcclusionExplorer: patches are computed at once, maps by a worker."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any
from weakref import WeakValueDictionary, finalize

from deconvwidgets.arguments import flag, instance, seconds
from deconvwidgets.errors import HeadError, ServiceError
from deconvwidgets.instruments.occlusion.compute.fill import takes_colours
from deconvwidgets.instruments.occlusion.compute.grid import WindowGrid, checked_settings
from deconvwidgets.instruments.occlusion.compute.occlude import OcclusionScan
from deconvwidgets.instruments.occlusion.records import (
    ImagePage,
    MapsSettings,
    OcclusionChoices,
    OcclusionFile,
    OcclusionMaps,
    OcclusionProjection,
    OcclusionRequest,
    OcclusionScene,
    PatchAnswer,
    UnitMaps,
)
from deconvwidgets.instruments.occlusion.service.boxes import checked_boxes
from deconvwidgets.instruments.occlusion.service.class_colours import ClassColours
from deconvwidgets.instruments.occlusion.service.files import make_file
from deconvwidgets.instruments.occlusion.service.images import ImageCatalog
from deconvwidgets.instruments.occlusion.service.map_job import MapJob
from deconvwidgets.instruments.occlusion.service.runs import MapsComputation, MapsRequest, MapsRuns
from deconvwidgets.instruments.occlusion.service.scenes import Scene, SceneCache
from deconvwidgets.instruments.occlusion.service.top_projections import TopProjections
from deconvwidgets.instruments.occlusion.service.unit_maps import unit_maps
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.head_files import has_bundled_head
from deconvwidgets.records.geometry import Box
from deconvwidgets.service.batch_sizer import BatchSizer
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.cores import Cores
from deconvwidgets.service.instrument import InstrumentApi
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.rate_limit import RateLimiter
from deconvwidgets.service.snapshot import Snapshot

_SHIPPED_HEAD = "caltech101"
_EVENT_SECONDS = 0.2  # between two events of a run: a browser draws the whole map after each
_POSITIONS_PER_STEP = 512  # at most: many positions share their work
_TOP_CLASSES = 5  # at each position of the maps, in an HTML page
_MAX_LOGITS_BYTES = 32 << 20  # of one run; with its logits the maps of every class are known
_log = logging.getLogger(__name__)


class OcclusionApi(InstrumentApi):
    """Implements `OcclusionService`. Every method may be called from any thread."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._changed = RateLimiter(lambda: context.publish(ServiceEvent("occlusion")), _EVENT_SECONDS)
        self._cores = Cores()
        self._images = ImageCatalog(lambda: context.snapshot, context.input_images)
        self._scenes = SceneCache(context.device_lock, self._images, context.share_of)
        self._top_projections = TopProjections(context.device_lock, context.images)
        self._runs = MapsRuns(share_of=context.share_of)
        finalize(self, self._runs.stop_all)
        self._colours = ClassColours()
        self._newest: WeakValueDictionary[str, MapsComputation] = WeakValueDictionary()  # by the view that requested it
        self._starting = RLock()  # re-entrant: with a synchronous executor one run may start the next
        self._bundled: tuple[ModelBundle, bool] | None = None

    def choices(self) -> OcclusionChoices:
        """Return the classes, the input size, the uploads, and whether to offer the classifier that comes with the package."""
        bundle = self._context.snapshot.bundle
        _, height, width = bundle.input_size
        classes = None if bundle.classifier is None else tuple(bundle.categories or ())
        uploads = tuple(self._images.uploads.names())
        quantity = None if classes is None else bundle.quantity
        return OcclusionChoices((height, width), classes, self._bundled_head_fits(bundle), uploads, takes_colours(bundle), quantity)

    def images(self, start: int, count: int, query: str = "", size: int = 96) -> ImagePage:
        """Return a page of the images: uploads, newest first, then each photograph of the image set.

        Parameters
        ----------
        query : str
            Keep only images whose name or label contains these words.

        Raises
        ------
        ServiceError
            For a page out of range.
        """
        return self._images.page(start, count, query, size)

    def scene(self, request: OcclusionRequest) -> OcclusionScene:
        """Return the image without patches, and the request with every default resolved.

        Raises
        ------
        PictureError
            If there is no such image, or it cannot be read.
        LayerError
            For an unknown layer or unit.
        OcclusionError
            For an unknown class or fill.
        """
        self._context.record_request()
        with self._context.device_lock.pause_batches():
            return self._scenes.get(self._context.snapshot, request).record()

    def answer(self, request: OcclusionRequest, boxes: Sequence[Box]) -> PatchAnswer:
        """Return the predictions and the feature map with patches at `boxes`.

        Raises what `scene` raises, and ServiceError for more than 64 patches.
        """
        self._context.record_request()
        boxes = checked_boxes(boxes)
        lock = self._context.device_lock
        with lock.pause_batches():
            scene = self._scenes.get(self._context.snapshot, request)
            with lock.request(), self._cores.half():
                return scene.answer(boxes)

    def unit_maps(self, request: OcclusionRequest, units: Sequence[int]) -> UnitMaps:
        """Return the feature maps of some units of the request's layer. Raises what `scene` raises."""
        self._context.record_request()
        snapshot = self._context.snapshot
        return unit_maps(snapshot, self._scenes.get(snapshot, request), units, self._context.device_lock)

    def start_maps(self, request: OcclusionRequest, settings: MapsSettings, view: str = "", *, unchanged: bool = False) -> int:
        """Compute the maps of an image, coarse to fine, and return the number of the run.

        Equal requests share a run, which is resumed if it was stopped. Other runs of the same image are stopped, unless they are the
        newest request of another view.

        Parameters
        ----------
        view : str
            The view of the widget that makes the request.
        unchanged : bool
            Compute the maps with all units on, to compare with those of the same view.

        Raises
        ------
        OcclusionError
            For a window or stride that does not fit the image.
        ServiceError
            If the service is closed. Otherwise it raises what `scene` raises.
        """
        self._context.record_request()
        settings = checked_settings(instance(settings, MapsSettings, "settings"))
        snapshot = self._context.snapshot
        scene = self._scenes.get(snapshot, request, flag(unchanged, "unchanged"))
        maps_request = MapsRequest(scene.network, scene.request, settings, () if unchanged else snapshot.units)
        with self._starting:
            run = self._runs.find(maps_request)
            must_submit = run is None or run.computation.resume()
            run = run if run is not None else self._runs.start(maps_request, self._computation(scene, maps_request))
            self._newest[f"{view} unchanged" if unchanged else view] = run.computation
            self._stop_others(run.computation, snapshot)
            self._runs.trim()
            if must_submit:
                executor = self._context.interactive_executor
                job = MapJob(run.computation, self._runs, self._context.device_lock.batch, self._changed.trigger, executor)
                executor.submit(f"maps {run.number}", job, _log.error)
        return run.number

    def stop_maps(self, run: int) -> None:
        """Stop a run at its next step. Its positions are kept, and an equal request resumes it."""
        self._runs.get(run).computation.stop()
        self._changed.trigger(at_once=True)

    def maps(self, run: int) -> OcclusionMaps:
        """Return the maps of a run, complete or not. Raises ServiceError for an unknown run, or if it failed."""
        return self._runs.get(run).maps()

    def colours(self, maps: OcclusionMaps) -> Mapping[int, str]:
        """Return a colour "#rrggbb" for each class that occurs in the maps, the most frequent first; {} without a classifier.

        A class has the same colour in all maps of the service.
        """
        return self._colours.of(maps)

    def wait(self, run: int, timeout: float | None = None) -> OcclusionMaps:
        """Wait for the end of a run, and return its maps. Raises ServiceError after `timeout` seconds, and if the run was stopped."""
        found, timeout = self._runs.get(run), seconds(timeout)
        if not found.computation.wait(timeout):
            raise ServiceError(
                f"The maps of run {run} are still being computed after {timeout:g} s: wait longer, or choose a larger stride."
            )
        maps = found.maps()
        if not maps.complete:
            raise ServiceError(
                f"The maps of run {run} were stopped at {maps.done:,} of {maps.activity.size:,} positions: request them again to resume."
            )
        return maps

    def projections(self, request: OcclusionRequest, size: int = 160) -> Sequence[OcclusionProjection]:
        """Return projections of the feature map: from this image, and from the three other strongest images of the index.

        There are fewer before the index is complete, or for a dead unit. Raises RuleError if the deconvnet has no rule for an operation
        below the layer.
        """
        self._context.record_request()
        snapshot = self._context.snapshot
        return self._top_projections.get(snapshot, self._scenes.get(snapshot, request), size)

    def file(self, kind: OcclusionFile, request: OcclusionRequest, run: int | None, state: Mapping[str, Any]) -> bytes:
        """Return the maps as arrays, or a figure of everything shown, as the bytes of a file.

        Parameters
        ----------
        run : int or None
            The run whose maps are saved; None for a figure without maps.
        state : mapping
            The state of an OcclusionExplorer.

        Raises
        ------
        ServiceError
            For an unknown kind, and for arrays without a run.
        """
        maps = None if run is None else self.maps(run)
        top = None if run is None or kind != "figure.html" else self._runs.get(run).computation.top_classes(_TOP_CLASSES)
        overview = self._context.overview()
        if run is not None and kind == "maps.npz":  # units may have been switched since it was started
            overview = replace(overview, units=self._runs.get(run).computation.request.units)
        return make_file(kind, self, overview, request, maps, state, top)

    def use_bundled_head(self) -> str:
        """Use the classifier that comes with the package, and return a sentence about it. Raises HeadError if it does not fit the model."""
        return self._context.heads.use(_SHIPPED_HEAD)

    def begin_upload(self, name: str, size: int) -> str:
        """Begin the upload of an image file of `size` bytes, and return its id. Raises PictureError if it is too large."""
        return self._images.uploads.begin(name, size)

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add the chunk at `offset`, which must be the end of the last one, and return the number of bytes received."""
        return self._images.uploads.add(upload, offset, data)

    def finish_upload(self, upload: str, label: str | None = None) -> str:
        """Decode an upload of that true class, and return the image's id. Raises PictureError if it is no image; nothing is kept then."""
        return self._images.uploads.finish(upload, label)

    def cancel_upload(self, upload: str) -> None:
        """Drop an unfinished upload."""
        self._images.uploads.cancel(upload)

    def close(self) -> None:
        """Stop all runs and drop unfinished uploads."""
        self._runs.stop_all()
        self._changed.close()
        self._images.uploads.close()

    def _bundled_head_fits(self, bundle: ModelBundle) -> bool:
        if bundle.classifier is not None or not has_bundled_head(_SHIPPED_HEAD):
            return False
        known = self._bundled
        if known is None or known[0] is not bundle:
            try:
                with self._context.device_lock.request():
                    bundle.with_head(_SHIPPED_HEAD)
                fits = True
            except HeadError:
                fits = False
            self._bundled = known = (bundle, fits)
        return known[1]

    def _computation(self, scene: Scene, request: MapsRequest) -> MapsComputation:
        """Raises OcclusionError for a window or stride that does not fit the image."""
        pixels, scores = scene.image.pixels, scene.unoccluded.scores
        positions = WindowGrid.of((pixels.shape[1], pixels.shape[2]), request.settings).count
        classes = 0 if scores is None else len(scores)
        keep = 0 < 4 * positions * classes <= _MAX_LOGITS_BYTES
        scan = OcclusionScan(
            scene.bundle, pixels, request.settings, fill=scene.request.fill, logits=keep, prepared=(scene.unoccluded, scene.occluded)
        )
        batch_size = BatchSizer(self._context.busy, _POSITIONS_PER_STEP)
        return MapsComputation(request, scan, batch_size, scores if keep else None)

    def _stop_others(self, computation: MapsComputation, snapshot: Snapshot) -> None:
        """Stop the computations of the same image that are no view's newest request, and those of a network that is no longer used."""
        newest, networks = set(self._newest.values()), (snapshot.network, snapshot.unchanged.network)
        for other in self._runs.active():
            superseded = other.request.request.image == computation.request.request.image and other not in newest
            if superseded or other.request.network not in networks:
                other.stop()
