"""The requests that an OcclusionExplorer makes of the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

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
)
from deconvwidgets.records.geometry import Box
from deconvwidgets.service.protocol import ModelService


@runtime_checkable
class OcclusionService(Protocol):
    """What the OcclusionExplorer asks. Images are named as in `OcclusionRequest`; boxes are in input pixels.

    An "occlusion" event of the service says that a run's `maps` have something new (a few a second).
    """

    def choices(self) -> OcclusionChoices:
        """Classes, size of the input, uploads; whether the shipped classifier is worth offering. Costs nothing after the first time."""
        ...

    def images(self, start: int, count: int, words: str = "", size: int = 96) -> ImagePage:
        """Pictures to choose from, uploads first; `words` keeps those whose name or label has them."""
        ...

    def scene(self, request: OcclusionRequest) -> OcclusionScene:
        """The image as it is. Raises PictureError for an image that is none, LayerError for a layer or unit, OcclusionError for a class or
        fill."""
        ...

    def answer(self, request: OcclusionRequest, boxes: Sequence[Box]) -> PatchAnswer:
        """What the network says with patches there; at once, between the steps of any long job."""
        ...

    def start_maps(self, request: OcclusionRequest, settings: MapsSettings, view: str = "") -> int:
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

    def projections(self, request: OcclusionRequest, size: int = 160) -> Sequence[OcclusionProjection]:
        """Panel c: the chosen map projected from this image and from the three other strongest images of the index (fewer before it
        stands, or of a dead unit). Raises RuleError where the deconvnet does not lead down from the layer."""
        ...

    def file(self, kind: OcclusionFile, request: OcclusionRequest, run: int | None, state: Mapping[str, Any]) -> bytes:
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
class SupportsOcclusion(ModelService, Protocol):
    """A model service whose images can be occluded."""

    @property
    def occlusion(self) -> OcclusionService:
        """Who occludes them, and keeps the maps."""
        ...
