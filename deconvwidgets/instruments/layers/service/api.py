"""The requests of a LayerExplorer, answered from the activation index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deconvwidgets.arguments import integer
from deconvwidgets.errors import LayerError
from deconvwidgets.images.image_set import label_name
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.layers.records import (
    Contrast,
    FigureKind,
    MosaicRequest,
    Rule,
    SourceImage,
    TopActivation,
    TopActivations,
    UnitDetail,
    UnitTable,
)
from deconvwidgets.instruments.layers.service.figures import make_figure
from deconvwidgets.instruments.layers.service.mosaics import MosaicRenderer
from deconvwidgets.instruments.layers.service.predictions import Predictions
from deconvwidgets.instruments.layers.service.sources import source_image
from deconvwidgets.instruments.layers.service.start_units import start_units
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.index_job import K
from deconvwidgets.service.instrument import InstrumentApi
from deconvwidgets.service.snapshot import Snapshot


class LayersApi(InstrumentApi):
    """Implements `LayersService`. Every method may be called from any thread."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._mosaics = mosaics = MosaicRenderer(context.device_lock, context.images)
        self._predictions = predictions = Predictions(context.device_lock, context.images)
        # The callbacks must not refer to this object: jobs hold the context, and would keep the API alive.
        context.on_replace(lambda snapshot: mosaics.keep_only(snapshot.layers_version))
        context.on_replace(lambda snapshot: predictions.keep_only(snapshot.version))

    def unit_table(self, layer: str) -> UnitTable:
        """Return the statistics and labels of all units of a layer. Raises LayerError for an unknown layer."""
        _, index = self._read()
        stats = index.stats(layer)
        return UnitTable(
            layer=layer,
            maximum=stats.maximum,
            mean=stats.mean,
            std=stats.std,
            activation_rate=stats.activation_rate,
            selectivity=stats.selectivity,
            labels=index.labels(layer),
            categories=index.categories,
            start=start_units(dict(index.identity.layers).get(index.layer(layer).name, "")),
        )

    def top_activations(
        self, layer: str, unit: int, rule: Rule = "deconvnet", contrast: Contrast = "tile", tile: int = 54
    ) -> TopActivations:
        """Return a unit's strongest activations as two mosaics, projections and patches, with tiles of `tile` x `tile` pixels."""
        snapshot, index = self._read()
        with self._context.device_lock.pause_batches():
            return self._mosaics.top_activations(snapshot, index, MosaicRequest(layer, unit, rule, contrast, tile))

    def mosaics(self, request: MosaicRequest, background: bool = False) -> Sequence[EncodedImage]:
        """Return one mosaic for each of `request.parts`; nothing else is computed."""
        snapshot, index = self._read()
        if background:
            return self._mosaics.mosaics(snapshot, index, request, background=True)
        with self._context.device_lock.pause_batches():
            return self._mosaics.mosaics(snapshot, index, request)

    def unit_detail(self, layer: str, unit: int) -> UnitDetail:
        """Return values, sources, labels and predictions of a unit's strongest activations, and the unit's histogram.

        Empty bins at the ends of the histogram are left out.
        """
        snapshot, index = self._read()
        unit = integer(unit, "unit", error=LayerError)
        stats, entries = index.stats(layer), self._entries(snapshot, index, layer, unit)
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

    def source(self, layer: str, unit: int, rank: int, size: int = 480) -> SourceImage:
        """Return the whole photograph of the activation of `rank` (0 is the strongest), `size` pixels on the longer side.

        Raises
        ------
        LayerError
            For an unknown layer or unit, or a rank that the unit does not have.
        ServiceError
            For a size that is not between 16 and 4096.
        """
        snapshot, index = self._read()
        top = index.top(layer, unit)
        rank, size = integer(rank, "rank", error=LayerError), integer(size, "size, the pixels of a source image,", 16, 4096)
        if not 0 <= rank < len(top):
            raise LayerError(f"Unit {unit} of {layer} has {len(top)} strongest activations: there is no rank {rank}")
        activation, images = top[rank], snapshot.images
        source = images.crop(activation.image).source
        label = label_name(images, source)
        parts = [f"#{rank + 1}", *([label] if label else []), f"{activation.value:.1f}", images.source_name(source)]
        return source_image(snapshot, self._context.images, activation, " · ".join(parts), size)

    def figure(self, kind: FigureKind, state: Mapping[str, Any]) -> bytes:
        """Return a figure as the bytes of a file; `state` is the state of a LayerExplorer."""
        return make_figure(self, self._context.overview(), kind, state)

    def _read(self) -> tuple[Snapshot, ActivationIndex]:
        """Return the snapshot for one request, and its index. Raises ServiceError while there is no index."""
        self._context.record_request()
        return self._context.index.require()

    def _entries(self, snapshot: Snapshot, index: ActivationIndex, layer: str, unit: int) -> list[TopActivation]:
        top, images = index.top(layer, unit)[:K], snapshot.images
        predictions = self._predictions.get(snapshot, [activation.image for activation in top])
        entries = []
        for activation, predicted in zip(top, predictions, strict=True):
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
