"""A unit's nine as mosaics: projected, resampled, scaled, encoded, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from deconvwidgets import display
from deconvwidgets.errors import ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.layers.service.unit_projections import UnitProjections
from deconvwidgets.records.layers import Activation, Nine, Picture
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceGate
from deconvwidgets.service.encoding import GAP, GRID, encode_mosaic
from deconvwidgets.service.prepared_images import ViewStore
from deconvwidgets.service.protocol import NineWanted
from deconvwidgets.service.snapshot import Snapshot

_RULES = ("deconvnet", "gradient", "guided")
_CONTRASTS = ("tile", "shared")
_PARTS = ("projections", "patches")
_TILES = range(8, 513)


class NineMaker:
    """Makes `Nine`s; thread-safe. Projections and encoded mosaics are cached apart: another contrast or size costs no projection."""

    def __init__(self, gate: DeviceGate, views: ViewStore) -> None:
        self._gate = gate
        self._views = views
        self._projections = UnitProjections(gate, views)
        self._mosaics: ByteCache[Picture] = ByteCache(64 << 20, lambda picture: len(picture.data))

    def nine(self, state: Snapshot, index: ActivationIndex, wanted: NineWanted) -> Nine:
        """The record, both parts. Raises LayerError for an unknown layer or unit, RuleError where the rule does not go down there,
        ServiceError for another rule, contrast or size than there are."""
        count = len(index.top(wanted.layer, wanted.unit)[: GRID * GRID])
        projections, patches = self.mosaics(state, index, wanted)
        what = (wanted.layer, wanted.unit, wanted.rule)
        return Nine(*what, count=count, grid=GRID, tile=wanted.tile, gap=GAP, projections=projections, patches=patches)

    def mosaics(self, state: Snapshot, index: ActivationIndex, wanted: NineWanted, patient: bool = False) -> list[Picture]:
        """The asked parts; nothing else is computed. `patient`: in steps that give way to requests."""
        _check(wanted)
        name, top = index.layer(wanted.layer).name, index.top(wanted.layer, wanted.unit)[: GRID * GRID]
        return [
            self._projected(state, name, top, wanted, patient)
            if part == "projections"
            else self._patches(state, name, top, wanted, patient)
            for part in wanted.parts
        ]

    def keep_only(self, layers_version: int) -> None:
        """Forget what belongs to other layers."""
        self._projections.keep_only(layers_version)
        self._mosaics.keep_only(lambda key: key[0] == layers_version)

    def _projected(self, state: Snapshot, name: str, top: Sequence[Activation], wanted: NineWanted, patient: bool) -> Picture:
        key = (state.layers_version, name, wanted.unit, wanted.rule, wanted.contrast, wanted.tile)
        picture = self._mosaics.get(key)
        if picture is None:
            signed = self._projections.of(state, name, wanted.unit, top, wanted.rule, patient) if top else []
            with self._turn(patient):
                tiles = display.projections_to_rgb(signed, wanted.tile, shared=wanted.contrast == "shared")
                picture = encode_mosaic(tiles, wanted.tile)
            self._mosaics.put(key, picture)
        return picture

    def _turn(self, patient: bool) -> AbstractContextManager[None]:
        """Drawing needs no device, but the processor: nobody who waits shares it with somebody who need not."""
        return self._gate.batch() if patient else nullcontext()

    def _patches(self, state: Snapshot, name: str, top: Sequence[Activation], wanted: NineWanted, patient: bool) -> Picture:
        key = (state.layers_version, name, wanted.unit, wanted.tile)
        picture = self._mosaics.get(key)
        if picture is None:
            views = self._views.get(state, [one.image for one in top])
            with self._turn(patient):
                tiles = [_patch(whole, one, wanted.tile) for one, (_, whole) in zip(top, views, strict=True)]
                picture = encode_mosaic(tiles, wanted.tile)
            self._mosaics.put(key, picture)
        return picture


def _patch(whole: NDArray[np.uint8], one: Activation, tile: int) -> NDArray[np.uint8]:
    return display.resize_picture(whole if one.box is None else display.crop_patch(whole, one.box), tile)


def _check(wanted: NineWanted) -> None:
    if wanted.rule not in _RULES:
        raise ServiceError(f"There is no rule {wanted.rule!r}: choose {', '.join(_RULES)}")
    if wanted.contrast not in _CONTRASTS:
        raise ServiceError(f"There is no contrast {wanted.contrast!r}: choose {' or '.join(_CONTRASTS)}")
    if wanted.tile not in _TILES:
        raise ServiceError(f"Tiles are {_TILES.start} to {_TILES.stop - 1} pixels a side, not {wanted.tile}")
    if not wanted.parts or any(part not in _PARTS for part in wanted.parts):
        raise ServiceError(f"A nine has {' and '.join(_PARTS)}, one of them or both; there is no {wanted.parts!r}")
