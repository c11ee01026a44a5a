"""A unit's projections, computed once: at one go for a reader who waits, in short steps for everybody else."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.engine import project
from deconvwidgets.records.layers import Activation
from deconvwidgets.service.batch_sizer import AdaptivePace
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceGate
from deconvwidgets.service.prepared_images import ViewStore
from deconvwidgets.service.protocol import Rule
from deconvwidgets.service.snapshot import Snapshot

Pixels = NDArray[np.float32]  # (C, h, w)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A unit's projections at half their size: float16 of the share of the largest value, finer than any display."""

    shares: NDArray[np.float16]  # (N, C, h, w)
    largest: float

    @classmethod
    def of(cls, pixels: Pixels) -> _Kept:
        largest = float(np.abs(pixels).max(initial=0)) or 1.0
        return cls((pixels / largest).astype(np.float16), largest)

    def pixels(self) -> list[Pixels]:
        """N projections (C, h, w)."""
        return list(self.shares.astype(np.float32) * np.float32(self.largest))


@dataclass(slots=True)
class _Begun:
    """The first of a unit's projections; read and grown by whoever holds the device."""

    steps: list[Pixels] = field(default_factory=list)  # (n, C, h, w) each

    @property
    def count(self) -> int:
        return sum(len(step) for step in self.steps)


class UnitProjections:
    """Projections by unit and rule, kept; thread-safe. Whoever comes second goes on where the first one is."""

    def __init__(self, gate: DeviceGate, views: ViewStore) -> None:
        self._gate = gate
        self._views = views
        self._kept: ByteCache[_Kept] = ByteCache(128 << 20, lambda kept: kept.shares.nbytes)
        self._begun: dict[Hashable, _Begun] = {}
        self._pace = AdaptivePace(lambda: True)

    def of(self, state: Snapshot, name: str, unit: int, top: Sequence[Activation], rule: Rule, patient: bool = False) -> list[Pixels]:
        """Projections (C, h, w) of a unit's strongest activations (at least one). `patient`: in steps of some 30 ms, each of
        which waits until no request does.

        Raises RuleError where an operation below the layer has no such rule.
        """
        key = (state.layers_version, name, unit, rule)
        kept = self._kept.get(key)
        if kept is not None:
            return kept.pixels()
        batch = torch.stack([pixels for pixels, _ in self._views.get(state, [one.image for one in top])])
        at = torch.tensor([(one.row, one.column) for one in top])
        begun = self._begun.setdefault(key, _Begun())
        try:
            while kept is None:
                with self._turn(patient):
                    kept = self._kept.get(key)  # another request may have made them while this one waited
                    if kept is None and begun.count < len(top):
                        self._step(state, name, unit, batch, at, rule, begun, patient)
                    if kept is None and begun.count == len(top):
                        kept = _Kept.of(np.concatenate(begun.steps))
                        self._kept.put(key, kept)
        finally:
            self._begun.pop(key, None)
        return kept.pixels()

    def keep_only(self, layers_version: int) -> None:
        """Forget what belongs to other layers."""
        self._kept.keep_only(lambda key: key[0] == layers_version)

    def _turn(self, patient: bool) -> AbstractContextManager[None]:
        return self._gate.batch() if patient else self._gate.interactive()

    def _step(self, state: Snapshot, name: str, unit: int, batch: Tensor, at: Tensor, rule: Rule, begun: _Begun, patient: bool) -> None:
        first = begun.count
        some = slice(first, first + self._pace.size() if patient else None)
        started = perf_counter()
        on_device = to_model(batch[some], state.bundle.model)
        projected = project(state.network, on_device, name, unit=unit, at=at[some].to(on_device.device), rule=rule)
        begun.steps.append(projected.pixels.detach().float().cpu().numpy())
        if patient:
            self._pace.took(len(on_device), perf_counter() - started)
