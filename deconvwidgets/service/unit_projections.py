"""Projections of a unit's strongest activations: computed once, in one step for a request, in short steps in the background.

Where units are switched off, the layers below are the changed ones; the unit itself is projected as if it were on.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.engine import project
from deconvwidgets.engine.projection.rules import Rule as EngineRule
from deconvwidgets.errors import PictureError
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.mosaics import Rule
from deconvwidgets.service.batch_sizer import BatchSizer
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.prepared_images import PreparedImageCache, required
from deconvwidgets.service.snapshot import Snapshot

Pixels = NDArray[np.float32]  # (C, h, w)


Place = tuple[int, int, int]  # crop, row, column


@dataclass(frozen=True, slots=True)
class _Compressed:
    """A projection as float16 shares of its largest absolute value: half the size, and finer than any display."""

    shares: NDArray[np.float16]  # (C, h, w)
    largest: float

    @classmethod
    def of(cls, pixels: Pixels) -> _Compressed:
        largest = float(np.abs(pixels).max(initial=0)) or 1.0
        return cls((pixels / largest).astype(np.float16), largest)

    def pixels(self) -> Pixels:
        return self.shares.astype(np.float32) * np.float32(self.largest)


UnitPlace = tuple[int, Place]  # a unit, and where it is active


@dataclass(frozen=True, slots=True)
class _Task:
    """What to project."""

    snapshot: Snapshot
    name: str
    rule: Rule

    def key(self, at: UnitPlace) -> Hashable:
        state, (unit, place) = self.snapshot, at
        return (state.layers_version, state.below.factors(self.name), self.name, unit, self.rule, place)


class UnitProjections:
    """Computes and caches projections by unit, rule and activation. Thread-safe.

    A second request for projections that are being computed continues with those that are missing.
    """

    def __init__(self, device_lock: DeviceLock, images: PreparedImageCache) -> None:
        self._device_lock = device_lock
        self._images = images
        self._cache: ByteCache[_Compressed] = ByteCache(128 << 20, lambda entry: entry.shares.nbytes)
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
        PictureError
            If a photograph can no longer be read.
        """
        return [required(one) for one in self.each(snapshot, name, [(unit, activation) for activation in top], rule, background)]

    def each(
        self, snapshot: Snapshot, name: str, activations: Sequence[tuple[int, Activation]], rule: Rule, background: bool = False
    ) -> list[Pixels | PictureError]:
        """Return the projection of each of some units' activations, or why its photograph can no longer be read.

        Raises
        ------
        RuleError
            If an operation below the layer has no such rule.
        """
        task, found, unreadable = _Task(snapshot, name, rule), dict[UnitPlace, _Compressed](), dict[UnitPlace, PictureError]()
        asked = [(unit, place) for (unit, _), place in zip(activations, places([one for _, one in activations]), strict=True)]
        wanted = tuple(dict.fromkeys(asked))  # each once: a place may be asked for twice
        self._take_cached(task, wanted, found)
        if len(found) < len(wanted):
            missing = [at for at in wanted if at not in found]
            inputs = dict(zip(missing, self._images.each(snapshot, [crop for _, (crop, _, _) in missing]), strict=True))
            unreadable = {at: entry for at, entry in inputs.items() if isinstance(entry, PictureError)}
            pixels = {at: entry[0] for at, entry in inputs.items() if not isinstance(entry, PictureError)}
            wanted = tuple(at for at in wanted if at not in unreadable)
            while len(found) < len(wanted):
                with self._lease(background):
                    self._take_cached(task, wanted, found)  # another request may have computed some while this one waited for the device
                    left = [at for at in wanted if at not in found]
                    if left:
                        self._compute_step(task, {at: pixels[at] for at in left}, found, background)
        return [found[at].pixels() if at in found else unreadable[at] for at in asked]

    def keep_only(self, layers_version: int) -> None:
        """Remove the entries of all other versions of the layers."""
        self._cache.keep_only(lambda key: key[0] == layers_version)

    def _take_cached(self, task: _Task, wanted: Sequence[UnitPlace], found: dict[UnitPlace, _Compressed]) -> None:
        for at in wanted:
            if at not in found and (cached := self._cache.get(task.key(at))) is not None:
                found[at] = cached

    def _lease(self, background: bool) -> AbstractContextManager[None]:
        return self._device_lock.batch() if background else self._device_lock.request()

    def _compute_step(
        self, task: _Task, missing: Mapping[UnitPlace, Tensor], found: dict[UnitPlace, _Compressed], background: bool
    ) -> None:
        """Project the first of the missing activations, or all of them."""
        chosen = list(missing)[: self._batch_sizer.size() if background else None]
        started = perf_counter()
        batch = to_model(torch.stack([missing[at] for at in chosen]), task.snapshot.bundle.model)
        units, positions = [unit for unit, _ in chosen], torch.tensor([(row, column) for _, (_, row, column) in chosen]).to(batch.device)
        beyond_paper = task.rule == "extended"
        rule: EngineRule = "deconvnet" if task.rule == "extended" else task.rule
        network = task.snapshot.below.network(task.name)
        projected = project(network, batch, task.name, unit=units, at=positions, rule=rule, beyond_paper=beyond_paper)
        for at, pixels in zip(chosen, projected.pixels.detach().float().cpu().numpy(), strict=True):
            found[at] = compressed = _Compressed.of(pixels)
            self._cache.put(task.key(at), compressed)
        if background:
            self._batch_sizer.record(len(batch), perf_counter() - started)


def places(top: Sequence[Activation]) -> tuple[Place, ...]:
    """Return the crop and the position of each activation, which decide its pictures."""
    return tuple((one.image, one.row, one.column) for one in top)
