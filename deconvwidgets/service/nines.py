"""A unit's nine as mosaics: projected on the device, resampled, scaled, encoded, and kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from deconvwidgets import display
from deconvwidgets.analysis.activation_index import ActivationIndex
from deconvwidgets.analysis.devices import to_model
from deconvwidgets.analysis.projecting import as_record
from deconvwidgets.engine import project
from deconvwidgets.errors import ServiceError
from deconvwidgets.records import Activation, Nine, Picture, Projection
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.encoding import GAP, GRID, encode_mosaic
from deconvwidgets.service.gate import DeviceGate
from deconvwidgets.service.protocol import Contrast, Rule
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.view_store import ViewStore

_RULES = ("deconvnet", "gradient", "guided")
_CONTRASTS = ("tile", "shared")
_TILES = range(8, 513)


class NineMaker:
    """Makes `Nine`s; thread-safe. Projections and encoded mosaics are cached apart: another contrast or size costs no projection."""

    def __init__(self, gate: DeviceGate, views: ViewStore) -> None:
        self._gate = gate
        self._views = views
        self._projections: ByteCache[Projection] = ByteCache(96 << 20, lambda made: made.pixels.nbytes)
        self._mosaics: ByteCache[Picture] = ByteCache(64 << 20, lambda picture: len(picture.data))

    def nine(self, state: Snapshot, index: ActivationIndex, layer: str, unit: int, rule: Rule, contrast: Contrast, tile: int) -> Nine:
        """The record. Raises LayerError for an unknown layer or unit, ServiceError for another rule, contrast or size than there are."""
        _check(rule, contrast, tile)
        name, top = index.layer(layer).name, index.top(layer, unit)[: GRID * GRID]
        return Nine(
            layer=layer,
            unit=unit,
            rule=rule,
            count=len(top),
            grid=GRID,
            tile=tile,
            gap=GAP,
            projections=self._projected(state, name, unit, top, rule, contrast, tile),
            patches=self._patches(state, name, unit, top, tile),
        )

    def keep_only(self, version: int) -> None:
        """Forget what belongs to other versions."""
        self._projections.keep_only(lambda key: key[0] == version)
        self._mosaics.keep_only(lambda key: key[0] == version)

    def project(self, state: Snapshot, name: str, unit: int, top: Sequence[Activation], rule: Rule) -> Projection:
        """Projections of a unit's strongest activations (at least one), from the cache where they are."""
        key = (state.version, name, unit, rule)
        made = self._projections.get(key)
        if made is not None:
            return made
        batch = torch.stack([pixels for pixels, _ in self._views.get(state, [one.image for one in top])])
        at = torch.tensor([(one.row, one.column) for one in top])
        with self._gate.interactive():
            made = self._projections.get(key)  # another request may have made it while this one waited
            if made is None:
                on_device = to_model(batch, state.bundle.model)
                projected = project(state.network, on_device, name, unit=unit, at=at.to(on_device.device), rule=rule)
                made = as_record(projected, name, unit, rule)
                self._projections.put(key, made)
        return made

    def _projected(
        self, state: Snapshot, name: str, unit: int, top: Sequence[Activation], rule: Rule, contrast: Contrast, tile: int
    ) -> Picture:
        key = (state.version, name, unit, rule, contrast, tile)
        picture = self._mosaics.get(key)
        if picture is None:
            signed = list(self.project(state, name, unit, top, rule).pixels) if top else []
            picture = encode_mosaic(display.projections_to_rgb(signed, tile, shared=contrast == "shared"), tile)
            self._mosaics.put(key, picture)
        return picture

    def _patches(self, state: Snapshot, name: str, unit: int, top: Sequence[Activation], tile: int) -> Picture:
        key = (state.version, name, unit, tile)
        picture = self._mosaics.get(key)
        if picture is None:
            views = self._views.get(state, [one.image for one in top])
            picture = encode_mosaic([_patch(whole, one, tile) for one, (_, whole) in zip(top, views, strict=True)], tile)
            self._mosaics.put(key, picture)
        return picture


def _patch(whole: NDArray[np.uint8], one: Activation, tile: int) -> NDArray[np.uint8]:
    return display.resize_picture(whole if one.box is None else display.crop_patch(whole, one.box), tile)


def _check(rule: str, contrast: str, tile: int) -> None:
    if rule not in _RULES:
        raise ServiceError(f"There is no rule {rule!r}: choose {', '.join(_RULES)}")
    if contrast not in _CONTRASTS:
        raise ServiceError(f"There is no contrast {contrast!r}: choose {' or '.join(_CONTRASTS)}")
    if tile not in _TILES:
        raise ServiceError(f"Tiles are {_TILES.start} to {_TILES.stop - 1} pixels a side, not {tile}")
