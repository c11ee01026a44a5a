"""The pictures of cells: the projection and the patch of a unit's strongest activation at an epoch, as the LayerExplorer draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import get_args

from deconvwidgets import display
from deconvwidgets.arguments import describe, flag, instance, integer, one_of
from deconvwidgets.errors import LayerError, RuleError, ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.evolution.records import CellKey, CellPicture, CellPicturesRequest
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
_NOT_PROJECTED = "The unit is not above zero in any image: the backward pass begins with its activation."


class CellRenderer:
    """Draws and caches the pictures of cells. Thread-safe."""

    def __init__(self, models: EpochModels, device_lock: DeviceLock) -> None:
        self._models = models
        self._device_lock = device_lock
        self._cache: ByteCache[EncodedImage] = ByteCache(64 << 20, lambda picture: len(picture.data))

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
        tops = [strongest(indexes, key) for key in request.cells]
        with nullcontext() if request.background else self._device_lock.pause_batches():
            return [
                self._picture(indexes[key.epoch], key, top, request)
                for key, top in zip(request.cells, tops, strict=True)
            ]  # fmt: skip

    def _picture(self, index: ActivationIndex, key: CellKey, top: Activation | None, request: CellPicturesRequest) -> CellPicture:
        if top is None:
            return CellPicture(key=key, reason=_INACTIVE)
        patch = self._patch(index, key, top, request) if "patches" in request.parts else None
        if "projections" not in request.parts:
            return CellPicture(key=key, patch=patch)
        if top.value <= 0:
            return CellPicture(key=key, patch=patch, reason=_NOT_PROJECTED)
        try:
            return CellPicture(key=key, patch=patch, projection=self._projection(index, key, top, request))
        except RuleError as error:
            return CellPicture(key=key, patch=patch, reason=str(error))

    def _patch(self, index: ActivationIndex, key: CellKey, top: Activation, request: CellPicturesRequest) -> EncodedImage:
        tile = request.patch_tile or request.tile
        name = ("patch", index.layer(key.layer).name, top.image, top.row, top.column, tile)  # the same at every epoch
        picture = self._cache.get(name)
        if picture is None:
            [(_, image)] = self._models.inputs.get(self._models.snapshot(key.epoch, index), [top.image])
            patch = image if top.box is None else display.crop_patch(image, top.box)
            picture = encode_image(display.resize_image(patch, tile))
            self._cache.put(name, picture)
        return picture

    def _projection(self, index: ActivationIndex, key: CellKey, top: Activation, request: CellPicturesRequest) -> EncodedImage:
        layer = index.layer(key.layer).name
        name = ("projection", key.epoch, layer, key.unit, request.rule, request.tile)
        picture = self._cache.get(name)
        if picture is None:
            snapshot = self._models.snapshot(key.epoch, index)
            [signed] = self._models.projections.get(snapshot, layer, key.unit, [top], request.rule, request.background)
            picture = encode_image(display.projection_to_rgb(signed[snapshot.bundle.channels_to_display], request.tile))
            self._cache.put(name, picture)
        return picture


def strongest(indexes: Mapping[int, ActivationIndex], key: CellKey) -> Activation | None:
    """Return the activation of a cell, None if the unit is active in no image.

    Raises
    ------
    LayerError
        For an unknown layer or unit.
    ServiceError
        For an epoch without an index.
    """
    index = indexes.get(key.epoch)
    if index is None:
        ready = ", ".join(map(str, indexes)) or "none yet"
        raise ServiceError(f"Epoch {key.epoch} has no index: those of the epochs {ready} are ready.")
    return next(iter(index.top(key.layer, key.unit, 1)), None)


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
