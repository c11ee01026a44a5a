"""The OcclusionDesk of a local service: patches answered at once, maps by a worker of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import Any
from weakref import WeakValueDictionary, ref

from deconvwidgets.errors import HeadError, ServiceError
from deconvwidgets.instruments.occlusion.compute.fill import takes_colours
from deconvwidgets.instruments.occlusion.compute.grid import WindowGrid
from deconvwidgets.instruments.occlusion.compute.occlude import OcclusionScan
from deconvwidgets.instruments.occlusion.records import (
    ImagePage,
    MapsSettings,
    OcclusionChoices,
    OcclusionMaps,
    OcclusionProjection,
    OcclusionScene,
    OcclusionWanted,
    PatchAnswer,
)
from deconvwidgets.instruments.occlusion.service.class_colours import ClassColours
from deconvwidgets.instruments.occlusion.service.files import make_file
from deconvwidgets.instruments.occlusion.service.images import ImageShelf
from deconvwidgets.instruments.occlusion.service.map_job import Mapping as MappingWork
from deconvwidgets.instruments.occlusion.service.runs import Computation, Question, RunBook
from deconvwidgets.instruments.occlusion.service.scenes import Scene, SceneMaker
from deconvwidgets.instruments.occlusion.service.top_projections import ProjectionPanel
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.head_files import has_shipped
from deconvwidgets.records.layers import Box, Overview
from deconvwidgets.service.batch_sizer import AdaptivePace
from deconvwidgets.service.cores import Cores
from deconvwidgets.service.device_lock import DeviceGate
from deconvwidgets.service.prepared_images import ViewStore
from deconvwidgets.service.protocol import OcclusionFile
from deconvwidgets.service.rate_limit import Bell
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.worker import Executor, Worker

_SHIPPED = "caltech101"
_NEWS = 0.2  # seconds between two events of a run: a browser draws the whole map at each
_AT_ONCE = 512  # positions in a step: many share their work
_LOGITS_BYTES = 32 << 20  # of one run; with its logits the maps of every class are known
_MOST_BOXES = 64
_log = logging.getLogger(__name__)


class LocalOcclusionDesk:
    """Answers `service.protocol.OcclusionDesk`. Every method may be called from any thread.

    Args:
        worker: computes the maps; None for a thread of their own, so that they wait for no index and no training.
        gate: a turn at the device, step by step. views: the image set's pictures as inputs.
        state: the service's snapshot now. overview: what it tells of it.
        use_head: answers with a head, and says what changed.
        used: told that somebody uses a widget. busy: whether somebody does.
        tell: tells the widgets that maps have something new.
    """

    def __init__(
        self,
        worker: Executor | None,
        gate: DeviceGate,
        views: ViewStore,
        state: Callable[[], Snapshot],
        overview: Callable[[], Overview],
        use_head: Callable[[str], str],
        used: Callable[[], None],
        busy: Callable[[], bool],
        tell: Callable[[], None],
    ) -> None:
        self._worker = worker if worker is not None else Worker("deconvwidgets maps")
        self._gate, self._state, self._overview = gate, state, overview
        self._use_head, self._used, self._busy = use_head, used, busy
        self._bell = Bell(tell, _NEWS)
        self._cores = Cores()
        self._images = ImageShelf(state)
        self._scenes = SceneMaker(gate, self._images)
        self._panel = ProjectionPanel(gate, views)
        self._runs = RunBook()
        self._colours = ClassColours()
        self._newest: WeakValueDictionary[str, Computation] = WeakValueDictionary()  # by who asked
        self._starting = RLock()  # a synchronous worker may start the next run from within one
        self._fits: tuple[ModelBundle, bool] | None = None

    def choices(self) -> OcclusionChoices:
        """Classes, size of the input, uploads; whether the shipped classifier is worth offering."""
        bundle = self._state().bundle
        _, height, width = bundle.input_size
        classes = None if bundle.classifier is None else tuple(bundle.categories or ())
        uploads = tuple(self._images.uploads.names())
        return OcclusionChoices((height, width), classes, self._shipped_fits(bundle), uploads, takes_colours(bundle))

    def images(self, start: int, count: int, words: str = "", size: int = 96) -> ImagePage:
        """Uploads, newest first, then each photograph of the image set; `words` keeps those whose name or label has them.

        Raises ServiceError for a page that is none.
        """
        return self._images.page(start, count, words, size)

    def scene(self, wanted: OcclusionWanted) -> OcclusionScene:
        """The image as it is, every default made definite. Raises PictureError for an image that is none or cannot be read, LayerError
        for a layer or unit, OcclusionError for a class or fill that is none."""
        self._used()
        with self._gate.answering():
            return self._scenes.get(self._state(), wanted).record()

    def answer(self, wanted: OcclusionWanted, boxes: Sequence[Box]) -> PatchAnswer:
        """What the network says with patches there. Raises as `scene` does, and ServiceError for too many patches."""
        self._used()
        if len(boxes) > _MOST_BOXES:
            raise ServiceError(f"{len(boxes)} patches are too many: lay at most {_MOST_BOXES}.")
        with self._gate.answering():
            scene = self._scenes.get(self._state(), wanted)
            with self._gate.interactive(), self._cores.half():
                return scene.answer(boxes)

    def start_maps(self, wanted: OcclusionWanted, settings: MapsSettings, asker: str = "") -> int:
        """Compute the maps coarse to fine; the run's number. The same question is answered by the same run, which goes on where it was
        stopped; another question of the same image stops its predecessor, unless that is what another asker (a view of a widget)
        asked for last.

        Raises as `scene` does, and OcclusionError for a window or stride that cannot be, ServiceError when the service is closed.
        """
        self._used()
        state = self._state()
        scene = self._scenes.get(state, wanted)
        question = Question(state.network, scene.wanted, settings)
        with self._starting:
            run = self._runs.find(question)
            begins = run is None or run.computation.go_on()
            run = run if run is not None else self._runs.open(question, self._compute(scene, question))
            self._newest[asker] = run.computation
            self._stop_others(run.computation)
            self._runs.tidy()
            if begins:
                self._worker.submit(f"maps {run.number}", self._work(run.computation), _log.error)
        return run.number

    def stop_maps(self, run: int) -> None:
        """Stop a run at its next step; what is computed stays, and the same question goes on with it."""
        self._runs.get(run).computation.stop()
        self._bell.ring(at_once=True)

    def maps(self, run: int) -> OcclusionMaps:
        """A run's maps as far as they are. Raises ServiceError for a run that is none, or with what it failed with."""
        return self._runs.get(run).maps()

    def colours(self, maps: OcclusionMaps) -> Mapping[int, str]:
        """A colour "#rrggbb" for each class that occurs in these maps, the most frequent first; {} without a classifier. A class keeps
        its colour as long as the service stands."""
        return self._colours.of(maps)

    def wait(self, run: int, timeout: float | None = None) -> OcclusionMaps:
        """For scripts: the complete maps. Raises ServiceError after `timeout` seconds, and where the run was stopped."""
        found = self._runs.get(run)
        if not found.computation.wait(timeout):
            raise ServiceError(
                f"The maps of run {run} are still being computed after {timeout:g} s: wait longer, or choose a larger stride."
            )
        maps = found.maps()
        if not maps.complete:
            raise ServiceError(
                f"The maps of run {run} were stopped at {maps.done:,} of {maps.activity.size:,} positions: ask again, and they go on."
            )
        return maps

    def projections(self, wanted: OcclusionWanted, size: int = 160) -> Sequence[OcclusionProjection]:
        """Panel c: the chosen map projected from this image and from the three other strongest images of the index (fewer before it
        stands, or of a dead unit). Raises RuleError where the deconvnet does not lead down from the layer."""
        self._used()
        state = self._state()
        return self._panel.get(state, self._scenes.get(state, wanted), size)

    def file(self, kind: OcclusionFile, wanted: OcclusionWanted, run: int | None, state: Mapping[str, Any]) -> bytes:
        """The maps as arrays, or a figure of everything shown, as a file's bytes; `run` None: a figure without maps.

        Raises ServiceError for a kind that there is not, and for arrays without a run.
        """
        maps = None if run is None else self.maps(run)
        return make_file(kind, self, self._overview(), wanted, maps, state)

    def use_shipped_head(self) -> str:
        """Answer with the shipped classifier, and say so. Raises HeadError where it does not fit this model."""
        return self._use_head(_SHIPPED)

    def begin_upload(self, name: str, size: int) -> str:
        """Make room for a picture of `size` bytes; the upload's id. Raises PictureError where it is too large."""
        return self._images.uploads.begin(name, size)

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add bytes at `offset`, which must be where the last chunk ended; the bytes that are there."""
        return self._images.uploads.add(upload, offset, data)

    def finish_upload(self, upload: str) -> str:
        """Decode it; the image to ask for ("upload:<id>"). Raises PictureError in words, and leaves nothing, for one that is no picture."""
        return self._images.uploads.finish(upload)

    def close(self) -> None:
        """Stop what is running, and end the worker. What stands can still be asked for."""
        for computation in self._runs.computations():
            computation.stop()
        self._worker.close()
        self._images.uploads.close()

    def _shipped_fits(self, bundle: ModelBundle) -> bool:
        if bundle.classifier is not None or not has_shipped(_SHIPPED):
            return False
        judged = self._fits
        if judged is None or judged[0] is not bundle:
            try:
                with self._gate.interactive():
                    bundle.with_head(_SHIPPED)
                fits = True
            except HeadError:
                fits = False
            self._fits = judged = (bundle, fits)
        return judged[1]

    def _compute(self, scene: Scene, question: Question) -> Computation:
        """Raises OcclusionError for a window or stride that cannot be."""
        pixels, probabilities = scene.shown.pixels, scene.seen.probabilities
        positions = WindowGrid.of((pixels.shape[1], pixels.shape[2]), question.settings).count
        classes = 0 if probabilities is None else len(probabilities)
        keep = 0 < 4 * positions * classes <= _LOGITS_BYTES
        scan = OcclusionScan(
            scene.bundle, scene.network, pixels, question.settings, fill=scene.wanted.fill, logits=keep,
            prepared=(scene.seen, scene.occluded),
        )  # fmt: skip
        return Computation(question, scan, AdaptivePace(self._weakly_busy(), _AT_ONCE), probabilities if keep else None)

    def _stop_others(self, mine: Computation) -> None:
        """Those of the same image that nobody looks at, and those of a classifier that answers no more."""
        looked_at = set(self._newest.values())
        for other in self._runs.going_on():
            left = other.question.wanted.image == mine.question.wanted.image and other not in looked_at
            if left or other.question.network is not mine.question.network:
                other.stop()

    def _weakly_busy(self) -> Callable[[], bool]:
        desk = ref(self)

        def busy() -> bool:
            alive = desk()
            return alive is not None and alive._busy()

        return busy

    def _work(self, computation: Computation) -> MappingWork:
        desk = ref(self)

        def tell(at_once: bool) -> None:
            alive = desk()
            if alive is not None:
                alive._bell.ring(at_once)

        return MappingWork(computation, self._runs, self._gate.batch, tell, lambda: desk() is not None, self._worker)
