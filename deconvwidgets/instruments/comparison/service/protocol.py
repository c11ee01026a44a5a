"""What a widget asks that shows two models side by side. No torch here: a widget never computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from deconvwidgets.instruments.comparison.pair_records import LayerPairs, LayerSimilarity, PairedBy, Side
from deconvwidgets.instruments.layers.service.protocol import SupportsLayers
from deconvwidgets.instruments.occlusion.service.protocol import SupportsOcclusion
from deconvwidgets.service.protocol import WidgetService


@runtime_checkable
class SupportsBoth(SupportsLayers, SupportsOcclusion, Protocol):
    """The service of one of two models."""

    @property
    def index(self) -> Any:
        """The activation index; None while it is being built."""
        ...


@runtime_checkable
class SideBySideService(WidgetService, Protocol):
    """Two model services on the same image set. The events of both have their `side`, "a" or "b"."""

    def side(self, side: Side) -> SupportsBoth:
        """Return one of the two services. Raises ServiceError for anything but "a" and "b"."""
        ...

    def names(self) -> tuple[str, str]:
        """Return the names of the two models; if they are equal, with A and B."""
        ...

    def pairs(self, layer_a: str, layer_b: str, paired_by: PairedBy = "match") -> LayerPairs:
        """Return the units of a layer of A beside those of a layer of B.

        Raises
        ------
        LayerError
            For an unknown layer.
        ServiceError
            While an index of one of the two layers is built.
        """
        ...

    def similarity(self) -> LayerSimilarity:
        """Return how similar the layers of both models are, of those that have an index. Raises ServiceError while there are none."""
        ...

    def figure(self, kind: str, state: Mapping[str, Any]) -> bytes:
        """Return "pairs.png" or "pairs.csv" of what a widget in `state` shows, as the bytes of a file."""
        ...

    def occlusion_figure(self, kind: str, state: Mapping[str, Any]) -> bytes:
        """Return "predictions.png", "maps.png" or "maps.csv" of what a widget in `state` shows, as the bytes of a file."""
        ...

    def occlusion_summary(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what both models return for the photograph of a widget's state, with its patches and without, as plain values."""
        ...
