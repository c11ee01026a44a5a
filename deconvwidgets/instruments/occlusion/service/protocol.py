"""The requests of an OcclusionExplorer. No torch here: a widget never computes."""

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
    UnitMaps,
)
from deconvwidgets.records.geometry import Box
from deconvwidgets.service.protocol import ModelService


@runtime_checkable
class OcclusionService(Protocol):
    """Answers the requests of an OcclusionExplorer. `OcclusionApi` documents the parameters and errors.

    Images are named as in `OcclusionRequest`; boxes are in pixels of the model's input. While maps are computed, the event "occlusion" is
    published a few times per second.
    """

    def choices(self) -> OcclusionChoices:
        """Return the classes, the input size, the uploads, and whether to offer the classifier that comes with the package."""
        ...

    def images(self, start: int, count: int, query: str = "", size: int = 96) -> ImagePage:
        """Return a page of the images, uploads first; with `query`, of those whose name or label contains them."""
        ...

    def scene(self, request: OcclusionRequest) -> OcclusionScene:
        """Return the image without patches, and the request with every default resolved."""
        ...

    def answer(self, request: OcclusionRequest, boxes: Sequence[Box]) -> PatchAnswer:
        """Return the predictions and the feature map with patches at `boxes`."""
        ...

    def unit_maps(self, request: OcclusionRequest, units: Sequence[int]) -> UnitMaps:
        """Return the feature maps of some units of the request's layer, in the image without patches."""
        ...

    def start_maps(self, request: OcclusionRequest, settings: MapsSettings, view: str = "", *, unchanged: bool = False) -> int:
        """Compute the maps of an image, coarse to fine, and return the number of the run."""
        ...

    def stop_maps(self, run: int) -> None:
        """Stop a run at its next step. Its positions are kept, and an equal request resumes it."""
        ...

    def maps(self, run: int) -> OcclusionMaps:
        """Return the maps of a run, complete or not."""
        ...

    def colours(self, maps: OcclusionMaps) -> Mapping[int, str]:
        """Return a color "#rrggbb" for each class that occurs in the maps, the most frequent first."""
        ...

    def wait(self, run: int, timeout: float | None = None) -> OcclusionMaps:
        """Wait for the end of a run, and return its maps."""
        ...

    def projections(self, request: OcclusionRequest, size: int = 160) -> Sequence[OcclusionProjection]:
        """Return projections of the feature map, from this image and from its strongest others."""
        ...

    def file(self, kind: OcclusionFile, request: OcclusionRequest, run: int | None, state: Mapping[str, Any]) -> bytes:
        """Return the maps as arrays, or a figure of everything shown, as the bytes of a file."""
        ...

    def use_bundled_head(self) -> str:
        """Use the classifier that comes with the package, and return a sentence about it."""
        ...

    def begin_upload(self, name: str, size: int) -> str:
        """Begin the upload of an image file of `size` bytes, and return its id."""
        ...

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        """Add the chunk at `offset`, and return the number of bytes received."""
        ...

    def finish_upload(self, upload: str, label: str | None = None) -> str:
        """Decode an upload of that true class, and return the image's id ("upload:<id>")."""
        ...

    def cancel_upload(self, upload: str) -> None:
        """Drop an unfinished upload."""
        ...


@runtime_checkable
class SupportsOcclusion(ModelService, Protocol):
    """A model service that answers OcclusionExplorers."""

    @property
    def occlusion(self) -> OcclusionService:
        """Answers the requests of an OcclusionExplorer."""
        ...
