"""Projections of a unit's strongest activations: computed once, in one step for a request, in short steps in the background."""

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
from deconvwidgets.engine.projection.rules import Rule as EngineRule
from deconvwidgets.instruments.layers.records import Rule
from deconvwidgets.records.activations import Activation
from deconvwidgets.service.batch_sizer import BatchSizer
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.snapshot import Snapshot

Pixels = NDArray[np.float32]  # (C, h, w)


@dataclass(frozen=True, slots=True)
class _Compressed:
    """Projections as float16 shares of their largest absolute value: half the size, and finer than any display."""

    shares: NDArray[np.float16]  # (N, C, h, w)
    largest: float

    @classmethod
    def of(cls, pixels: Pixels) -> _Compressed:
        largest = float(np.abs(pixels).max(initial=0)) or 1.0
        return cls((pixels / largest).astype(np.float16), largest)

    def pixels(self) -> list[Pixels]:
        """Return N projections (C, h, w)."""
        return list(self.shares.astype(np.float32) * np.float32(self.largest))


@dataclass(slots=True)
class _Partial:
    """The first projections of a unit. It is read and extended under the device lock."""

    steps: list[Pixels] = field(default_factory=list)  # (n, C, h, w) each

    @property
    def count(self) -> int:
        return sum(len(step) for step in self.steps)


@dataclass(frozen=True, slots=True)
class _Task:
    """The projections to compute."""

    snapshot: Snapshot
    name: str
    unit: int
    rule: Rule
    batch: Tensor  # (N, C, H, W), on the CPU
    positions: Tensor  # (N, 2)


class UnitProjections:
    """Computes and caches projections by unit and rule. Thread-safe.

    A second request for projections that are being computed continues with those that are missing.
    """

    def __init__(self, device_lock: DeviceLock, images: PreparedImageCache) -> None:
        self._device_lock = device_lock
        self._images = images
        self._cache: ByteCache[_Compressed] = ByteCache(128 << 20, lambda entry: entry.shares.nbytes)
        self._partial: dict[Hashable, _Partial] = {}
        self._batch_sizer = BatchSizer(lambda: True)

    def get(
        self, snapshot: Snapshot, name: str, unit: int, top: Sequence[Activation], rule: Rule, background: bool = False
    ) -> list[Pixels]:
        """Return projections (C, h, w) of a unit's strongest activations.

        Parameters
        ----------
        top : sequence of Activation
            At least one.
        background : bool
            Compute in steps of some 30 ms, each of which waits while a request is answered.

        Raises
        ------
        RuleError
            If an operation below the layer has no such rule.
        """
        key = (snapshot.layers_version, name, unit, rule)
        cached = self._cache.get(key)
        if cached is not None:
            return cached.pixels()
        batch = torch.stack([pixels for pixels, _ in self._images.get(snapshot, [one.image for one in top])])
        task = _Task(snapshot, name, unit, rule, batch, torch.tensor([(one.row, one.column) for one in top]))
        partial = self._partial.setdefault(key, _Partial())
        try:
            while cached is None:
                with self._lease(background):
                    cached = self._cache.get(key)  # another request may have computed them while this one waited for the device
                    if cached is None and partial.count < len(top):
                        self._compute_step(task, partial, background)
                    if cached is None and partial.count == len(top):
                        cached = _Compressed.of(np.concatenate(partial.steps))
                        self._cache.put(key, cached)
        finally:
            self._partial.pop(key, None)
        return cached.pixels()

    def keep_only(self, layers_version: int) -> None:
        """Remove the entries of all other versions of the layers."""
        self._cache.keep_only(lambda key: key[0] == layers_version)

    def _lease(self, background: bool) -> AbstractContextManager[None]:
        return self._device_lock.batch() if background else self._device_lock.request()

    def _compute_step(self, task: _Task, partial: _Partial, background: bool) -> None:
        first = partial.count
        chosen = slice(first, first + self._batch_sizer.size() if background else None)
        started = perf_counter()
        on_device = to_model(task.batch[chosen], task.snapshot.bundle.model)
        positions = task.positions[chosen].to(on_device.device)
        beyond_paper = task.rule == "extended"
        rule: EngineRule = "deconvnet" if task.rule == "extended" else task.rule
        network = task.snapshot.network
        projected = project(network, on_device, task.name, unit=task.unit, at=positions, rule=rule, beyond_paper=beyond_paper)
        partial.steps.append(projected.pixels.detach().float().cpu().numpy())
        if background:
            self._batch_sizer.record(len(on_device), perf_counter() - started)
