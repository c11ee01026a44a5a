"""A unit's nine as mosaics: projected on the device, resampled, scaled, encoded, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from deconvwidgets import display
from deconvwidgets.analysis.activation_index import ActivationIndex
from deconvwidgets.analysis.devices import to_model
from deconvwidgets.engine import project
from deconvwidgets.errors import ServiceError
from deconvwidgets.records import Activation, Nine, Picture
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.encoding import GAP, GRID, encode_mosaic
from deconvwidgets.service.gate import DeviceGate
from deconvwidgets.service.protocol import Contrast, Rule
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.view_store import ViewStore

_RULES = ("deconvnet", "gradient", "guided")
_CONTRASTS = ("tile", "shared")
_TILES = range(8, 513)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A unit's projections at half their size: float16 of the share of the largest value, finer than any display."""

    shares: NDArray[np.float16]  # (N, C, h, w)
    largest: float

    @classmethod
    def of(cls, pixels: NDArray[np.float32]) -> _Kept:
        largest = float(np.abs(pixels).max(initial=0)) or 1.0
        return cls((pixels / largest).astype(np.float16), largest)

    def pixels(self) -> list[NDArray[np.float32]]:
        """N projections (C, h, w)."""
        return list(self.shares.astype(np.float32) * np.float32(self.largest))


class NineMaker:
    """Makes `Nine`s; thread-safe. Projections and encoded mosaics are cached apart: another contrast or size costs no projection."""

    def __init__(self, gate: DeviceGate, views: ViewStore) -> None:
        self._gate = gate
        self._views = views
        self._projections: ByteCache[_Kept] = ByteCache(128 << 20, lambda kept: kept.shares.nbytes)
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

    def project(self, state: Snapshot, name: str, unit: int, top: Sequence[Activation], rule: Rule) -> list[NDArray[np.float32]]:
        """Projections (C, h, w) of a unit's strongest activations (at least one), from the cache where they are."""
        key = (state.version, name, unit, rule)
        kept = self._projections.get(key)
        if kept is not None:
            return kept.pixels()
        batch = torch.stack([pixels for pixels, _ in self._views.get(state, [one.image for one in top])])
        at = torch.tensor([(one.row, one.column) for one in top])
        with self._gate.interactive():
            kept = self._projections.get(key)  # another request may have made them while this one waited
            if kept is None:
                on_device = to_model(batch, state.bundle.model)
                projected = project(state.network, on_device, name, unit=unit, at=at.to(on_device.device), rule=rule)
                kept = _Kept.of(projected.pixels.detach().float().cpu().numpy())
                self._projections.put(key, kept)
        return kept.pixels()

    def _projected(
        self, state: Snapshot, name: str, unit: int, top: Sequence[Activation], rule: Rule, contrast: Contrast, tile: int
    ) -> Picture:
        key = (state.version, name, unit, rule, contrast, tile)
        picture = self._mosaics.get(key)
        if picture is None:
            signed = self.project(state, name, unit, top, rule) if top else []
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
