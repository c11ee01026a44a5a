"""The pictures of cells: the projection and the patch of a unit's strongest activation at an epoch, as the LayerExplorer draws them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import get_args

from deconvwidgets import display
from deconvwidgets.arguments import describe, flag, instance, integer, one_of
from deconvwidgets.errors import LayerError, PictureError, RuleError, ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.records import CellKey, CellPicture, CellPicturesRequest
from deconvwidgets.instruments.evolution.service.columns import index_of
from deconvwidgets.instruments.evolution.service.epoch_models import EpochModels
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.mosaics import Part, Rule
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.encoding import encode_image

MAX_CELLS = 256
_TILES = range(8, 513)
_INACTIVE = "The unit is active in no image."
Unavailable = RuleError | PictureError  # why a picture cannot be drawn
_NOT_PROJECTED = "The unit is not above zero in any image: the backward pass begins with its activation."


class CellRenderer:
    """Draws and caches the pictures of cells. Thread-safe."""

    def __init__(self, models: EpochModels, device_lock: DeviceLock) -> None:
        self._models = models
        self._device_lock = device_lock
        self._cache: ByteCache[EncodedImage] = ByteCache(64 << 20, lambda picture: len(picture.data))
        self._patch_cache: ByteCache[EncodedImage] = ByteCache(32 << 20, lambda picture: len(picture.data))

    def pictures(self, indexes: Mapping[int, ActivationIndex], request: CellPicturesRequest) -> list[CellPicture]:
        """Return the pictures of the requested cells, in their order.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        ServiceError
            For an epoch without an index, and for an invalid request.
        CheckpointError
            If the file of a checkpoint cannot be read any more.
        """
        request = checked(request)
        tops = {key: strongest(indexes, key) for key in request.cells}
        with nullcontext() if request.background else self._device_lock.pause_batches():
            projections = self._projections(indexes, tops, request) if "projections" in request.parts else {}
            patches = self._patches(indexes, tops, request) if "patches" in request.parts else {}
        return [_picture(key, tops[key], projections.get(key), patches.get(key)) for key in request.cells]

    def _patches(
        self, indexes: Mapping[int, ActivationIndex], tops: Mapping[CellKey, Activation | None], request: CellPicturesRequest
    ) -> dict[CellKey, EncodedImage | PictureError]:
        return {key: self._patch(indexes[key.epoch], key, top, request) for key, top in tops.items() if top is not None}

    def _patch(self, index: ActivationIndex, key: CellKey, top: Activation, request: CellPicturesRequest) -> EncodedImage | PictureError:
        tile = request.patch_tile or request.tile
        name = (index.layer(key.layer).name, top.image, top.row, top.column, tile)  # the same at every epoch
        picture = self._patch_cache.get(name)
        if picture is None:
            [entry] = self._models.inputs.each(self._models.snapshot(key.epoch, index), [top.image])
            if isinstance(entry, PictureError):
                return entry
            _, image = entry
            patch = image if top.box is None else display.crop_patch(image, top.box)
            picture = encode_image(display.resize_image(patch, tile))
            self._patch_cache.put(name, picture)
        return picture

    def _projections(
        self, indexes: Mapping[int, ActivationIndex], tops: Mapping[CellKey, Activation | None], request: CellPicturesRequest
    ) -> dict[CellKey, EncodedImage | Unavailable]:
        """Return the projections, or why there is none. Those of one epoch and layer are computed together."""
        found: dict[CellKey, EncodedImage | Unavailable] = {}
        missing: dict[tuple[int, str], dict[CellKey, Activation]] = {}
        for key, top in tops.items():
            if top is not None and top.value > 0:
                layer = indexes[key.epoch].layer(key.layer).name
                cached = self._cache.get(_name(key, layer, request))
                if cached is not None:
                    found[key] = cached
                else:
                    missing.setdefault((key.epoch, layer), {})[key] = top
        for (epoch, layer), requested in missing.items():
            found.update(self._draw(indexes[epoch], epoch, layer, requested, request))
        return found

    def _draw(
        self, index: ActivationIndex, epoch: int, layer: str, requested: Mapping[CellKey, Activation], request: CellPicturesRequest
    ) -> Mapping[CellKey, EncodedImage | Unavailable]:
        snapshot = self._models.snapshot(epoch, index)
        activations = [(key.unit, top) for key, top in requested.items()]
        try:
            signed = self._models.projections.each(snapshot, layer, activations, request.rule, request.background)
        except RuleError as error:
            return dict.fromkeys(requested, error)
        channels, drawn = snapshot.bundle.channels_to_display, dict[CellKey, EncodedImage | Unavailable]()
        for key, pixels in zip(requested, signed, strict=True):
            if isinstance(pixels, PictureError):
                drawn[key] = pixels
                continue
            drawn[key] = picture = encode_image(display.projection_to_rgb(pixels[channels], request.tile))
            self._cache.put(_name(key, layer, request), picture)
        return drawn


def _name(key: CellKey, layer: str, request: CellPicturesRequest) -> Hashable:
    return (key.epoch, layer, key.unit, request.rule, request.tile)


def _picture(
    key: CellKey, top: Activation | None, projection: EncodedImage | Unavailable | None, patch: EncodedImage | PictureError | None
) -> CellPicture:
    if top is None:
        return CellPicture(key=key, reason=_INACTIVE)
    if isinstance(patch, PictureError):
        return CellPicture(key=key, projection=None if isinstance(projection, Exception) else projection, reason=str(patch))
    if isinstance(projection, Exception):
        return CellPicture(key=key, patch=patch, reason=str(projection))
    return CellPicture(key=key, patch=patch, projection=projection, reason="" if top.value > 0 else _NOT_PROJECTED)


def strongest(indexes: Mapping[int, ActivationIndex], key: CellKey) -> Activation | None:
    """Return the activation of a cell, None if the unit is active in no image.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    ServiceError
        For an epoch without an index.
    """
    return next(iter(index_of(indexes, key.epoch).top(key.layer, key.unit, 1)), None)


def checked(request: CellPicturesRequest) -> CellPicturesRequest:
    """Return the request with Python integers. Raises LayerError or ServiceError for an invalid one."""
    one_of(instance(request, CellPicturesRequest, "request").rule, "rule", get_args(Rule))
    if not isinstance(request.cells, tuple | list) or not 0 < len(request.cells) <= MAX_CELLS:
        raise ServiceError(f"cells must be 1 to {MAX_CELLS} cells, not {describe(request.cells)}.")
    parts: Sequence[str] = get_args(Part)
    if not isinstance(request.parts, tuple | list) or not request.parts or any(part not in parts for part in request.parts):
        raise ServiceError(f"The parts of a cell are {' and '.join(parts)}, one of them or both, not {describe(request.parts)}.")
    return replace(
        request,
        cells=tuple(map(_key, request.cells)),
        tile=_tile(request.tile, "tile"),
        patch_tile=None if request.patch_tile is None else _tile(request.patch_tile, "patch_tile"),
        background=flag(request.background, "background"),
    )


def _key(key: CellKey) -> CellKey:
    instance(key, CellKey, "A cell")
    return CellKey(integer(key.epoch, "epoch", 0), key.layer, integer(key.unit, "unit", error=LayerError))


def _tile(value: object, name: str) -> int:
    return integer(value, f"{name}, the pixels of a tile,", _TILES.start, _TILES.stop - 1)
