"""The requests of a LayerExplorer. No torch here: a widget never computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from deconvwidgets.instruments.layers.records import (
    EnlargedActivation,
    EnlargeRequest,
    FigureKind,
    IndexState,
    MapMethod,
    PlacePicture,
    PlacePicturesRequest,
    SourceImage,
    Tab,
    UnitDetail,
    UnitOnCrop,
    UnitPlaces,
    UnitTable,
)
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.layers import LayerSummary
from deconvwidgets.records.mosaics import Contrast, MosaicRequest, Rule, TopActivations
from deconvwidgets.records.unit_columns import UnitColumns
from deconvwidgets.records.unit_relations import UnitMap
from deconvwidgets.service.protocol import ModelService


@runtime_checkable
class LayersService(Protocol):
    """Answers the requests of a LayerExplorer.

    Every method may be called from any thread. Those that read the index raise ServiceError while it is being built, unless `partial`.
    """

    def open(self, layer: str) -> LayerSummary:
        """Return a layer by any of its names, and begin to build its index unless there is one.

        Raises LayerError if there is no such layer, or if it is no feature map.
        """
        ...

    def all_layers(self) -> Sequence[LayerSummary]:
        """Return every layer that can be opened, in order of execution."""
        ...

    def unit_table(self, layer: str, *, partial: bool = False, refresh: bool = False) -> UnitTable:
        """Return the statistics and labels of all units of a layer, which is opened if it has no index.

        With `partial`, return those of the crops so far while the index is built. A `refresh` is not an action of the user.
        """
        ...

    def top_activations(
        self, layer: str, unit: int, rule: Rule = "deconvnet", contrast: Contrast = "tile", tile: int = 54
    ) -> TopActivations:
        """Return a unit's strongest activations as two mosaics, projections and patches, with tiles of `tile` x `tile` pixels."""
        ...

    def mosaics(self, request: MosaicRequest, background: bool = False) -> Sequence[EncodedImage]:
        """Return one mosaic for each of `request.parts`. With `background`, work in short steps between which requests are answered.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        RuleError
            If an operation below the layer has no such rule.
        ServiceError
            For an unknown rule, contrast or part, or a tile size out of range.
        """
        ...

    def unit_detail(self, layer: str, unit: int, predictions: bool = True, *, partial: bool = False, refresh: bool = False) -> UnitDetail:
        """Return values, sources, labels and predictions of a unit's strongest activations, and the unit's histogram."""
        ...

    def source(self, layer: str, unit: int, rank: int, size: int = 480, *, partial: bool = False) -> SourceImage:
        """Return the whole photograph of the activation of `rank` (0 is the strongest), `size` pixels on the longer side."""
        ...

    def on_crop(self, layer: str, unit: int, crop: int, size: int = 480) -> UnitOnCrop:
        """Return a unit's map on any crop of the image set, and its photograph, `size` pixels on the longer side."""
        ...

    def enlarged(self, request: EnlargeRequest) -> EnlargedActivation:
        """Return one of a unit's strongest activations: projection, patch, and the unit's feature map on the whole input."""
        ...

    def unit_columns(self, layer: str) -> UnitColumns:
        """Return the columns of the complete index: peaks of the histogram, class purity, the nearest unit and its correlation, ..."""
        ...

    def matching_units(self, layer: str, where: str) -> Sequence[int]:
        """Return the units for which an expression holds, such as "selectivity > 5 and not dead", in ascending order.

        Raises ServiceError for an expression that cannot be read, which names the columns.
        """
        ...

    def places(self, layer: str, unit: int, tab: Tab, *, partial: bool = False) -> UnitPlaces:
        """Return the activations of a unit that a tab shows.

        They are all the strongest that the index keeps, samples of the whole range, or the most negative ones before the rectifier.
        """
        ...

    def place_pictures(self, request: PlacePicturesRequest) -> Sequence[PlacePicture]:
        """Return the patch and the projection of each of `request.numbers`."""
        ...

    def place_source(self, layer: str, unit: int, tab: Tab, number: int, size: int = 480, *, partial: bool = False) -> SourceImage:
        """Return the whole photograph of one activation of a tab, `size` pixels on the longer side."""
        ...

    def unit_map(self, layer: str, method: MapMethod = "auto") -> UnitMap:
        """Return a map of the units of a layer in two dimensions: units are near if their activations correlate."""
        ...

    def index_state(self) -> IndexState:
        """Return what is built of the index, and what was cancelled."""
        ...

    def cancel_index(self) -> None:
        """End the pass that builds the index. What was shown of it stays."""
        ...

    def resume_index(self) -> None:
        """Build the index of the layers whose pass was cancelled, from the last commit if there is one."""
        ...

    def figure(self, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
        """Return a figure as the bytes of a file; `state` is the state of a LayerExplorer."""
        ...


@runtime_checkable
class SupportsLayers(ModelService, Protocol):
    """A model service that answers LayerExplorers."""

    @property
    def layers(self) -> LayersService:
        """Answers the requests of a LayerExplorer."""
        ...
