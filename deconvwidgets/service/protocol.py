"""What a widget may ask of a model service. No torch here: a widget never computes.

Every method answers at once from a snapshot of the service's state, or raises a `DeconvWidgetsError` in words.
Long jobs run elsewhere and report through `subscribe`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

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
from deconvwidgets.instruments.transfer.records import TestPhotographs, TestsWanted, TransferDataSummary, TransferRunView, TransferStatus
from deconvwidgets.records.layers import Box, HeadStep, Nine, Overview, Picture, Progress, SourcePicture, UnitDetail, UnitTable

Rule = Literal["deconvnet", "gradient", "guided"]
Contrast = Literal["tile", "shared"]
Part = Literal["projections", "patches"]
FigureKind = Literal["explorer.png", "layer.png", "layer.svg", "layer.html", "unit.png", "unit.svg", "unit.html"]
OcclusionFile = Literal["maps.npz", "figure.png", "figure.svg", "figure.html"]
TransferFile = Literal["photographs.csv", "classes.csv", "results.png", "results.html"]


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """Told to every widget: progress of a long job, a new state (ask for the overview again), a failure in words, or that a TransferPanel
    or an OcclusionExplorer has something new to ask for."""

    kind: Literal["progress", "changed", "failed", "transfer", "occlusion"]
    progress: Progress | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class NineWanted:
    """Which of a unit's nine are asked for, and how they are drawn: `parts` alone are computed, `tile` pixels a side each."""

    layer: str
    unit: int
    rule: Rule = "deconvnet"
    contrast: Contrast = "tile"
    tile: int = 54
    parts: tuple[Part, ...] = ("projections", "patches")


@runtime_checkable
class ModelService(Protocol):
    """The model service as widgets see it."""

    def overview(self) -> Overview:
        """Model, image set, layers, and whether the index stands yet."""
        ...

    def unit_table(self, layer: str) -> UnitTable:
        """Statistics and labels of all units of a layer."""
        ...

    def nine(self, layer: str, unit: int, rule: Rule = "deconvnet", contrast: Contrast = "tile", tile: int = 54) -> Nine:
        """The nine strongest activations as mosaics of projections and patches, `tile` pixels a side each."""
        ...

    def mosaics(self, wanted: NineWanted) -> Sequence[Picture]:
        """One mosaic for each of `wanted.parts`. Patches alone cost no projection."""
        ...

    def mosaics_later(self, wanted: NineWanted, done: Callable[[Sequence[Picture]], None], failed: Callable[[Exception], None]) -> None:
        """The same, when nobody waits for anything else: returns at once, and calls one of the two, once, from another thread."""
        ...

    def unit_detail(self, layer: str, unit: int) -> UnitDetail:
        """Values, sources, labels and predictions of the nine; the unit's histogram."""
        ...

    def source(self, layer: str, unit: int, rank: int, size: int = 480) -> SourcePicture:
        """The whole source photograph of the nine's member `rank` (0 to 8), longer side `size` pixels, with its box."""
        ...

    def figure(self, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
        """A finished figure as a file's bytes; `state` is a LayerExplorer's state."""
        ...

    def subscribe(self, listener: Callable[[ServiceEvent], None]) -> Callable[[], None]:
        """Be told of events, from any thread. Returns the function that ends the subscription."""
        ...


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """What to retrain on, and how. `data` is "caltech101", "caltech256", "photo-crops", "images" (the service's own), or the path of a
    folder of class folders or of a zip of one; `root` is where the Caltechs lie (None: DECONVWIDGETS_DATA)."""

    data: str
    layer: str | None = None  # None: the deepest that has maps
    images_per_class: int = 30
    folds: int = 5
    weight_decay: float | None = None  # None: chosen on held-out training images
    views: Literal["one", "flips", "ten"] = "one"
    seed: int = 0
    curve: tuple[int, ...] = ()  # numbers of training images a class for the learning curve after the folds; empty: none
    root: str | None = None


@runtime_checkable
class TransferDesk(Protocol):
    """What the TransferPanel asks. Runs are numbered from 1; long work is done by the worker, in the order it was asked for.

    A "transfer" event of the service says that `status` has something new (at most about ten a second while a run goes on).
    """

    def status(self) -> TransferStatus:
        """What can be trained on, what is running, which runs there were, whose head answers."""
        ...

    def data(self, settings: TransferSettings) -> TransferDataSummary:
        """The classes of `settings.data`, and what hinders training on it in words. Raises PictureError where nothing is there."""
        ...

    def start(self, settings: TransferSettings) -> int:
        """Retrain on the worker; a run that is going on is stopped. Returns the run's number. Raises in words what can be said at once."""
        ...

    def stop(self) -> None:
        """Stop the run at its next step; the folds that are done are kept. Nothing where none is running."""
        ...

    def wait(self, run: int, timeout: float | None = None) -> None:
        """For scripts: return when the run has ended. Raises HeadError with what it failed with, ServiceError after `timeout` seconds."""
        ...

    def steps(self, run: int, since: int = 0) -> tuple[HeadStep, ...]:
        """The steps of a run's training from number `since` on."""
        ...

    def view(self, run: int) -> TransferRunView:
        """A run's results so far. Raises HeadError before its first fold is done, or for a run that is none."""
        ...

    def photographs(self, run: int, wanted: TestsWanted) -> TestPhotographs:
        """Test photographs of a run, best fit first."""
        ...

    def thumbnails(self, run: int, sources: Sequence[int], size: int = 96) -> Sequence[Picture]:
        """Photographs of a run's data, cropped to squares of `size` pixels a side."""
        ...

    def use_head(self, run: int) -> str:
        """Answer with the run's head from now on, and say what changed."""
        ...

    def undo_head(self) -> str:
        """Answer as before the last `use_head` or `load_head`, and say what changed. Raises HeadError where there is nothing to undo."""
        ...

    def save_head(self, run: int, path: str) -> str:
        """Write the run's head as safetensors on the kernel's machine; says where."""
        ...

    def load_head(self, path: str) -> str:
        """Answer with a saved head ("caltech101": the shipped one), and say what changed. Raises HeadError for one that does not fit."""
        ...

    def file(self, run: int, kind: TransferFile) -> bytes:
        """A run's results as a file's bytes."""
        ...

    def begin_upload(self, name: str, size: int) -> str:
        """Make room for a zip of `size` bytes; the upload's id. Raises PictureError where it is too large or no zip by its name."""
        ...

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add bytes at `offset`, which must be where the last chunk ended (sent again, a chunk counts once); the bytes that are there."""
        ...

    def finish_upload(self, upload: str) -> str:
        """Unpack it; the folder, to be given as `TransferSettings.data`. Raises PictureError, and leaves nothing, for a bad zip."""
        ...

    def cancel_upload(self, upload: str) -> None:
        """Forget an upload that has not been finished."""
        ...


@runtime_checkable
class TransferringService(ModelService, Protocol):
    """A model service whose head can be retrained."""

    @property
    def transfer(self) -> TransferDesk:
        """Who retrains it, and keeps the runs."""
        ...


@runtime_checkable
class OcclusionDesk(Protocol):
    """What the OcclusionExplorer asks. Images are named as in `OcclusionWanted`; boxes are in input pixels.

    An "occlusion" event of the service says that a run's `maps` have something new (a few a second).
    """

    def choices(self) -> OcclusionChoices:
        """Classes, size of the input, uploads; whether the shipped classifier is worth offering. Costs nothing after the first time."""
        ...

    def images(self, start: int, count: int, words: str = "", size: int = 96) -> ImagePage:
        """Pictures to choose from, uploads first; `words` keeps those whose name or label has them."""
        ...

    def scene(self, wanted: OcclusionWanted) -> OcclusionScene:
        """The image as it is. Raises PictureError for an image that is none, LayerError for a layer or unit, OcclusionError for a class or
        fill."""
        ...

    def answer(self, wanted: OcclusionWanted, boxes: Sequence[Box]) -> PatchAnswer:
        """What the network says with patches there; at once, between the steps of any long job."""
        ...

    def start_maps(self, wanted: OcclusionWanted, settings: MapsSettings, asker: str = "") -> int:
        """Compute the maps coarse to fine; the run's number. The same question is answered by the same run, computed once, which goes
        on where it was stopped; another one of the same image stops its predecessor, unless that is what another asker (a view of a
        widget) asked for last. Raises what can be said at once."""
        ...

    def stop_maps(self, run: int) -> None:
        """Stop a run at its next step; what is computed stays."""
        ...

    def maps(self, run: int) -> OcclusionMaps:
        """A run's maps as far as they are. Raises ServiceError for a run that is none, or with what it failed with."""
        ...

    def colours(self, maps: OcclusionMaps) -> Mapping[int, str]:
        """A colour "#rrggbb" for each class that occurs in these maps, the most frequent first; {} without a classifier. A class keeps
        its colour as long as the service stands, so that every view, chart and file shows it alike."""
        ...

    def wait(self, run: int, timeout: float | None = None) -> OcclusionMaps:
        """For scripts: the complete maps."""
        ...

    def projections(self, wanted: OcclusionWanted, size: int = 160) -> Sequence[OcclusionProjection]:
        """Panel c: the chosen map projected from this image and from the three other strongest images of the index (fewer before it
        stands, or of a dead unit). Raises RuleError where the deconvnet does not lead down from the layer."""
        ...

    def file(self, kind: OcclusionFile, wanted: OcclusionWanted, run: int | None, state: Mapping[str, Any]) -> bytes:
        """The maps as arrays, or a figure of everything shown, as a file's bytes; `state` is an OcclusionExplorer's state."""
        ...

    def use_shipped_head(self) -> str:
        """Answer with the shipped classifier, and say so. Raises HeadError where it does not fit this model."""
        ...

    def begin_upload(self, name: str, size: int) -> str:
        """Make room for a picture of `size` bytes; the upload's id. Raises PictureError where it is too large."""
        ...

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add bytes at `offset`, which must be where the last chunk ended; the bytes that are there."""
        ...

    def finish_upload(self, upload: str) -> str:
        """Decode it; the image to ask for ("upload:<id>"). Raises PictureError in words, and leaves nothing, for one that is no picture."""
        ...


@runtime_checkable
class OccludingService(ModelService, Protocol):
    """A model service whose images can be occluded."""

    @property
    def occlusion(self) -> OcclusionDesk:
        """Who occludes them, and keeps the maps."""
        ...
