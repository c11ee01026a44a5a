"""The requests of a LayerExplorer, answered from the activation index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any
from zlib import crc32

from deconvwidgets.arguments import instance, integer
from deconvwidgets.errors import LayerError
from deconvwidgets.images.image_set import label_name
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.top_k import fingerprints
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
    TopActivation,
    UnitDetail,
    UnitOnCrop,
    UnitPlaces,
    UnitTable,
)
from deconvwidgets.instruments.layers.service.enlarged import EnlargedActivations, chosen_activation
from deconvwidgets.instruments.layers.service.figures import make_figure
from deconvwidgets.instruments.layers.service.on_crop import unit_on_crop
from deconvwidgets.instruments.layers.service.predictions import Predictions
from deconvwidgets.instruments.layers.service.sources import source_image
from deconvwidgets.instruments.layers.service.start_units import start_units
from deconvwidgets.instruments.layers.service.unit_maps import UnitMaps
from deconvwidgets.instruments.layers.service.unit_places import PlacesReader
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.layers import LayerInfo, LayerSummary
from deconvwidgets.records.mosaics import Contrast, MosaicRequest, Rule, TopActivations
from deconvwidgets.records.unit_columns import UnitColumns
from deconvwidgets.records.unit_relations import UnitMap
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.index_source import K
from deconvwidgets.service.instrument import InstrumentApi
from deconvwidgets.service.snapshot import Snapshot


class LayersApi(InstrumentApi):
    """Implements `LayersService`. Every method may be called from any thread."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._mosaics = context.mosaics
        self._enlarged = EnlargedActivations(context.device_lock, context.images, context.projections)
        self._maps = UnitMaps()
        self._places = PlacesReader(context.images, context.projections)
        self._predictions = predictions = Predictions(context.device_lock, context.images)
        # The callback must not refer to this object: jobs hold the context, and would keep the API alive.
        context.on_replace(lambda snapshot: predictions.keep_only(snapshot.bundle_version))

    def open(self, layer: str) -> LayerSummary:
        """Return a layer by any of its names, and begin to build its index unless there is one; `service.wait()` waits for it.

        Raises
        ------
        LayerError
            If there is no such layer, or if it is no feature map.
        """
        return self._context.snapshot.summary(self._context.index.open(layer))

    def all_layers(self) -> tuple[LayerSummary, ...]:
        """Return every layer that can be opened, in order of execution."""
        snapshot = self._context.snapshot
        return tuple(map(snapshot.summary, snapshot.catalog.layers.values()))

    def unit_table(self, layer: str, *, partial: bool = False, refresh: bool = False) -> UnitTable:
        """Return the statistics and labels of all units of a layer.

        Parameters
        ----------
        layer : str
            Any of its names. A layer that has no index is opened.
        partial : bool
            While the index is built, return those of the crops so far.
        refresh : bool
            The request is not an action of the user: batches of long jobs are not made smaller for it.

        Raises
        ------
        LayerError
            If there is no such layer, or if it is no feature map.
        ServiceError
            While the index is built.
        """
        snapshot, index, info = self._read(layer, partial, refresh)
        name, stats = info.name, index.stats(info.name)
        return UnitTable(
            layer=layer,
            maximum=stats.maximum,
            mean=stats.mean,
            std=stats.std,
            activation_rate=stats.activation_rate,
            selectivity=stats.selectivity,
            labels=index.labels(name)[:, :K],
            categories=index.categories,
            crops=None if snapshot.has(name) else index.crops,
            fingerprints=fingerprints(index.tallies[name].ranking.ids[..., :K], _seed(snapshot, name)),
            start=start_units(dict(index.identity.layers).get(name, "")),
            stored=index.k,
        )

    def top_activations(
        self, layer: str, unit: int, rule: Rule = "deconvnet", contrast: Contrast = "tile", tile: int = 54
    ) -> TopActivations:
        """Return a unit's strongest activations as two mosaics, projections and patches, with tiles of `tile` x `tile` pixels."""
        snapshot, index, _ = self._read(layer)
        with self._context.device_lock.pause_batches():
            return self._mosaics.top_activations(snapshot, index, MosaicRequest(layer, unit, rule, contrast, tile))

    def mosaics(self, request: MosaicRequest, background: bool = False) -> Sequence[EncodedImage]:
        """Return one mosaic for each of `request.parts`; nothing else is computed."""
        instance(request, MosaicRequest, "request")
        snapshot, index, _ = self._read(request.layer, request.partial, request.refresh)
        if background:
            with self._context.index.partial.renewal() if request.refresh else nullcontext():
                return self._mosaics.mosaics(snapshot, index, request, background=True)
        with self._context.device_lock.pause_batches():
            return self._mosaics.mosaics(snapshot, index, request)

    def unit_detail(self, layer: str, unit: int, predictions: bool = True, *, partial: bool = False, refresh: bool = False) -> UnitDetail:
        """Return values, sources, labels and predictions of a unit's strongest activations, and the unit's histogram.

        Empty bins at the ends of the histogram are left out. Without `predictions`, the model is not run. `partial` and `refresh` are those
        of `unit_table`.
        """
        snapshot, index, info = self._read(layer, partial, refresh)
        unit = integer(unit, "unit", error=LayerError)
        stats, entries = index.stats(info.name), self._entries(snapshot, index, info.name, unit, predictions)
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
            activation_rate=float(stats.activation_rate[unit]),
            selectivity=float(stats.selectivity[unit]),
            histogram=tuple(stats.histogram[unit][first:last].tolist()),
            edges=tuple(stats.edges[unit][first : last + 1].tolist()),
            entries=tuple(entries),
        )

    def source(self, layer: str, unit: int, rank: int, size: int = 480, *, partial: bool = False) -> SourceImage:
        """Return the whole photograph of the activation of `rank` (0 is the strongest), `size` pixels on the longer side.

        `partial` is that of `unit_table`.

        Raises
        ------
        LayerError
            For an unknown layer or unit, or a rank that the unit does not have.
        ServiceError
            For a size that is not between 16 and 4096.
        """
        snapshot, index, info = self._read(layer, partial)
        top = index.top(info.name, unit)[:K]
        rank, size = integer(rank, "rank", error=LayerError), integer(size, "size, the pixels of a source image,", 16, 4096)
        activation, images = chosen_activation(top, rank, layer, unit), snapshot.images
        source = images.crop(activation.image).source
        label = label_name(images, source)
        parts = [f"#{rank + 1}", *([label] if label else []), f"{activation.value:.1f}", images.source_name(source)]
        return source_image(snapshot, self._context.images, activation, " · ".join(parts), size)

    def on_crop(self, layer: str, unit: int, crop: int, size: int = 480) -> UnitOnCrop:
        """Return a unit's map on any crop of the image set, and its photograph, `size` pixels on the longer side."""
        snapshot, _, info = self._read(layer, partial=True)
        with self._context.device_lock.pause_batches():
            return unit_on_crop(self._context, snapshot, info, unit, crop, size)

    def enlarged(self, request: EnlargeRequest) -> EnlargedActivation:
        """Return one of a unit's strongest activations: projection, patch, and the unit's feature map on the whole input.

        Raises
        ------
        LayerError
            For an unknown layer or unit, or a rank that the unit does not have.
        ServiceError
            For an unknown rule or contrast, or a size that is not between 16 and 1024 pixels.
        """
        layer = instance(request, EnlargeRequest, "request").layer
        snapshot, index, info = self._read(layer, request.partial)
        with self._context.device_lock.pause_batches():
            return self._enlarged.get(snapshot, index, info, request)

    def unit_columns(self, layer: str) -> UnitColumns:
        """Return the columns of the complete index: peaks of the histogram, class purity, the nearest unit and its correlation, ...

        Raises
        ------
        LayerError
            If there is no such layer, or if it is no feature map.
        ServiceError
            While the index is built.
        """
        _, index, info = self._read(layer)
        return index.unit_columns(info.name)

    def matching_units(self, layer: str, where: str) -> tuple[int, ...]:
        """Return the units for which an expression holds, such as "selectivity > 5 and not dead", in ascending order.

        Raises
        ------
        ActivationIndexError
            For an expression that cannot be read; the message names the columns.
        """
        _, index, info = self._read(layer)
        return tuple(index.units(info.name, where))

    def places(self, layer: str, unit: int, tab: Tab, *, partial: bool = False) -> UnitPlaces:
        """Return the activations of a unit that a tab shows: all that the index keeps, samples of the whole range, or the most negative."""
        snapshot, index, info = self._read(layer, partial)
        return self._places.places(snapshot, index, info, layer, unit, tab)

    def place_pictures(self, request: PlacePicturesRequest) -> list[PlacePicture]:
        """Return the patch and the projection of each of `request.numbers`."""
        snapshot, index, info = self._read(instance(request, PlacePicturesRequest, "request").layer, request.partial)
        return self._places.pictures(snapshot, index, info, request)

    def place_source(self, layer: str, unit: int, tab: Tab, number: int, size: int = 480, *, partial: bool = False) -> SourceImage:
        """Return the whole photograph of one activation of a tab, `size` pixels on the longer side."""
        snapshot, index, info = self._read(layer, partial)
        return self._places.source(snapshot, index, info, layer, unit, tab, number, size)

    def unit_map(self, layer: str, method: MapMethod = "auto") -> UnitMap:
        """Return a map of the units of a layer in two dimensions: units are near if their activations correlate.

        Raises
        ------
        ActivationIndexError
            If the index has no sample of the activations, or if the package of the method is not installed.
        """
        _, index, info = self._read(layer)
        return self._maps.get(index, info.name, method)

    def index_state(self) -> IndexState:
        """Return what is built of the index, and what was cancelled."""
        index = self._context.index
        building, cancelled = (tuple(map(self._context.last_snapshot.name_of, infos)) for infos in (index.building, index.cancelled))
        return IndexState(building, cancelled, index.progress)

    def cancel_index(self) -> None:
        """End the pass that builds the index. What was shown of it stays. Raises ServiceError if other sessions wait for the index."""
        self._context.index.cancel()

    def resume_index(self) -> None:
        """Build the index of the layers whose pass was cancelled, from the last commit if there is one."""
        self._context.index.resume()

    def figure(self, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
        """Return a figure as the bytes of a file; `state` is the state of a LayerExplorer."""
        return make_figure(self, self._context.overview(), kind, state)

    def _read(self, layer: str, partial: bool = False, refresh: bool = False) -> tuple[Snapshot, ActivationIndex, LayerInfo]:
        """Return the snapshot for one request, an index with the layer, and the layer. Raises ServiceError while there is no index."""
        if not refresh:
            self._context.record_request()
        return self._context.index.require(layer, partial)

    def _entries(self, snapshot: Snapshot, index: ActivationIndex, layer: str, unit: int, predictions: bool) -> list[TopActivation]:
        top, images = index.top(layer, unit)[:K], snapshot.images
        crops = [activation.image for activation in top]
        found = self._predictions.get(snapshot, crops) if predictions else [None] * len(crops)
        entries = []
        for activation, predicted in zip(top, found, strict=True):
            source = images.crop(activation.image).source
            entries.append(
                TopActivation(
                    image=activation.image,
                    source=images.source_name(source),
                    label=label_name(images, source),
                    prediction=predicted[0] if predicted is not None else None,
                    probability=predicted[1] if predicted is not None else None,
                    value=activation.value,
                    row=activation.row,
                    column=activation.column,
                    box=activation.box,
                )
            )
        return entries


def _seed(snapshot: Snapshot, layer: str) -> int:
    """Return a number that differs if the pictures of equal activations do: by the layers, and by the units below that are switched off."""
    return crc32(repr(snapshot.below.factors(layer)).encode(), snapshot.layers_version)
