"""A unit's strongest activations as mosaics: projected, resampled, scaled, encoded and cached."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from deconvwidgets import display
from deconvwidgets.arguments import describe, instance, integer, one_of
from deconvwidgets.display import Rgb
from deconvwidgets.errors import LayerError, PictureError, ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.mosaics import Contrast, MosaicRequest, Part, Rule, TopActivations
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.encoding import GAP, GRID, encode_mosaic
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.unit_projections import UnitProjections, places
from deconvwidgets.service.unreadable import tile_or_unreadable

_TILE_SIZES = range(8, 513)


class MosaicRenderer:
    """Renders mosaics. Thread-safe. Projections and encoded mosaics are cached apart, so another contrast or size costs no projection."""

    def __init__(self, device_lock: DeviceLock, images: PreparedImageCache, projections: UnitProjections) -> None:
        self._device_lock = device_lock
        self._images = images
        self._projections = projections
        self._mosaics: ByteCache[EncodedImage] = ByteCache(64 << 20, lambda mosaic: len(mosaic.data))

    def top_activations(self, snapshot: Snapshot, index: ActivationIndex, request: MosaicRequest) -> TopActivations:
        """Return both parts as one record. Raises as `mosaics` does."""
        request = _checked(request)
        count = len(index.top(_layer_of(snapshot, request), request.unit)[: GRID * GRID])
        projections, patches = self.mosaics(snapshot, index, request)
        return TopActivations(
            layer=request.layer,
            unit=request.unit,
            rule=request.rule,
            count=count,
            grid=GRID,
            tile=request.tile,
            gap=GAP,
            projections=projections,
            patches=patches,
        )

    def mosaics(self, snapshot: Snapshot, index: ActivationIndex, request: MosaicRequest, background: bool = False) -> list[EncodedImage]:
        """Return one mosaic for each of `request.parts`; nothing else is computed.

        Parameters
        ----------
        background : bool
            Work in short steps, between which requests are answered.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        RuleError
            If an operation below the layer has no such rule.
        ServiceError
            For an unknown rule, contrast or part, or a tile size out of range.
        """
        request = _checked(request)
        name = _layer_of(snapshot, request)
        top = index.top(name, request.unit)[: GRID * GRID]
        return [
            self._projections_mosaic(snapshot, name, top, request, background)
            if part == "projections"
            else self._patches_mosaic(snapshot, name, top, request, background)
            for part in request.parts
        ]

    def keep_only(self, layers_version: int) -> None:
        """Remove the mosaics of all other versions of the layers."""
        self._mosaics.keep_only(lambda key: key[0] == layers_version)

    def _projections_mosaic(
        self, snapshot: Snapshot, name: str, top: Sequence[Activation], request: MosaicRequest, background: bool
    ) -> EncodedImage:
        factors = snapshot.below.factors(name)
        key = (snapshot.layers_version, factors, name, request.unit, places(top), request.rule, request.contrast, request.tile)
        mosaic = self._mosaics.get(key)
        if mosaic is None:
            wanted = [(request.unit, one) for one in top]
            signed = self._projections.each(snapshot, name, wanted, request.rule, background) if top else []
            channels = snapshot.bundle.channels_to_display
            with self._step(background):
                displayed = [projection[channels] for projection in signed if not isinstance(projection, PictureError)]
                drawn = iter(display.projections_to_rgb(displayed, request.tile, shared=request.contrast == "shared"))
                tiles = [one if isinstance(one, PictureError) else next(drawn) for one in signed]
                mosaic = self._encoded(key, tiles, request.tile)
        return mosaic

    def _patches_mosaic(
        self, snapshot: Snapshot, name: str, top: Sequence[Activation], request: MosaicRequest, background: bool
    ) -> EncodedImage:
        key = (snapshot.layers_version, name, request.unit, places(top), request.tile)
        mosaic = self._mosaics.get(key)
        if mosaic is None:
            crops = self._images.each(snapshot, [activation.image for activation in top])
            with self._step(background):
                tiles = [
                    crop if isinstance(crop, PictureError) else _patch(crop[1], activation, request.tile)
                    for activation, crop in zip(top, crops, strict=True)
                ]
                mosaic = self._encoded(key, tiles, request.tile)
        return mosaic

    def _encoded(self, key: Hashable, tiles: Sequence[Rgb | PictureError], side: int) -> EncodedImage:
        """Encode tiles, with words for photographs that cannot be read. Such a mosaic is not cached: they may be read next time."""
        mosaic = encode_mosaic([tile_or_unreadable(tile, side) for tile in tiles], side)
        if not any(isinstance(tile, PictureError) for tile in tiles):
            self._mosaics.put(key, mosaic)
        return mosaic

    def _step(self, background: bool) -> AbstractContextManager[None]:
        """Enter one step of the drawing. It needs no device, but in the background it must not compete with a request for the processor."""
        return self._device_lock.batch() if background else nullcontext()


def _patch(image: NDArray[np.uint8], activation: Activation, tile: int) -> NDArray[np.uint8]:
    return display.resize_image(image if activation.box is None else display.crop_patch(image, activation.box), tile)


def _layer_of(snapshot: Snapshot, request: MosaicRequest) -> str:
    return snapshot.layer(request.layer).name


def _checked(request: MosaicRequest) -> MosaicRequest:
    """Return the request with Python integers. Raises LayerError or ServiceError for an invalid one."""
    parts = get_args(Part)
    one_of(instance(request, MosaicRequest, "request").rule, "rule", get_args(Rule))
    one_of(request.contrast, "contrast", get_args(Contrast))
    tile = integer(request.tile, "tile, the pixels of a tile,", _TILE_SIZES.start, _TILE_SIZES.stop - 1)
    if not isinstance(request.parts, tuple | list) or not request.parts or any(part not in parts for part in request.parts):
        raise ServiceError(f"The parts of a mosaic request are {' and '.join(parts)}, one of them or both, not {describe(request.parts)}")
    return replace(request, unit=integer(request.unit, "unit", error=LayerError), tile=tile)
