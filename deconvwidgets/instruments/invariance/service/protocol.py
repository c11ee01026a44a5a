"""The requests of an InvarianceExplorer. No torch here: a widget never computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from deconvwidgets.instruments.invariance.records import (
    InvarianceChoices,
    InvarianceCurves,
    InvarianceRequest,
    InvarianceView,
    Measure,
    UnitPicture,
)
from deconvwidgets.instruments.invariance.transforms import Transform
from deconvwidgets.instruments.occlusion.service.protocol import SupportsOcclusion


@runtime_checkable
class InvarianceService(Protocol):
    """Answers the requests of an InvarianceExplorer. `InvarianceApi` documents the parameters and errors."""

    def choices(self) -> InvarianceChoices:
        """Return the layers, the default photographs, and what the model predicts."""
        ...

    def view(self, request: InvarianceRequest) -> InvarianceView:
        """Return the transformed photograph, the distances of its features, its strongest units, and the classes."""
        ...

    def unit_pictures(self, request: InvarianceRequest, units: Sequence[int], size: int = 96) -> Sequence[UnitPicture]:
        """Return the projection and the patch of units in the transformed photograph."""
        ...

    def curves(self, images: Sequence[str], transform: Transform, layers: Sequence[str]) -> InvarianceCurves:
        """Return the curves of some images over the default amounts."""
        ...

    def known(self, images: Sequence[str], transform: Transform, layers: Sequence[str]) -> bool:
        """Return whether the curves of all these images are computed."""
        ...

    def view_picture(self, request: InvarianceRequest) -> bytes:
        """Return a PNG of what `view` returns."""
        ...

    def file(self, kind: str, images: Sequence[str], transform: Transform, layers: Sequence[str], measure: Measure = "relative") -> bytes:
        """Return the curves as the bytes of a figure, a page or a table."""
        ...


@runtime_checkable
class SupportsInvariance(SupportsOcclusion, Protocol):
    """A model service that answers InvarianceExplorers: they list and upload images as OcclusionExplorers do."""

    @property
    def invariance(self) -> InvarianceService:
        """Answers the requests of an InvarianceExplorer."""
        ...
