"""Which units have other maps in other photographs, among those whose strongest activation is the same in all.

A unit may reach the same strongest activation in every photograph at different places: one above a channel that saturates somewhere in
each photograph does, and is not constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.job import JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.compute.photographs import first_crops, spread_sources
from deconvwidgets.instruments.diagnosis.compute.unit_checks import LayerUnits
from deconvwidgets.models.bundle import ModelBundle

COMPARED_PHOTOGRAPHS = 8
_TOLERANCE = 1e-5  # relative to the unit's strongest activation: kernels may round each image of a batch differently


def compare_maps(bundle: ModelBundle, images: ImageSet, layers: Sequence[LayerUnits], job: JobContext) -> tuple[LayerUnits, ...]:
    """Return the layers with `varies` measured on some photographs, for the units whose strongest activation is the same in every crop.

    Raises JobCancelledError if the job is cancelled.
    """
    candidates = {units.info.name: np.flatnonzero(units.minimum == units.maximum) for units in layers}
    candidates = {name: numbers for name, numbers in candidates.items() if len(numbers)}
    if not candidates:
        return tuple(layers)
    differences = _Differences(candidates)
    for opened in first_crops(images, spread_sources(images.source_count, COMPARED_PHOTOGRAPHS)):
        job.check_cancelled("The diagnosis was cancelled")
        if opened.image is not None:
            pixels = bundle.prepare(opened.image)[None]
            with job.device_lease(), torch.no_grad():
                bundle.network.visit(to_model(pixels, bundle.model), candidates, differences.add)
    return tuple(replace(units, varies=differences.varies(units)) if units.info.name in candidates else units for units in layers)


class _Differences:
    """The largest difference of each candidate's map from that in the first photograph."""

    def __init__(self, candidates: dict[str, NDArray[np.intp]]) -> None:
        self._candidates = candidates
        self._first: dict[str, Tensor] = {}
        self._largest: dict[str, Tensor] = {}

    def add(self, name: str, value: Tensor) -> None:
        """Compare the map of a layer, (1, C, h, w) or (1, C)."""
        numbers = torch.from_numpy(self._candidates[name]).to(value.device)
        maps = value[0, numbers].reshape(len(numbers), -1)
        first = self._first.setdefault(name, maps.clone())
        difference = (maps - first).abs().amax(dim=1)
        self._largest[name] = torch.maximum(self._largest.get(name, difference), difference)

    def varies(self, units: LayerUnits) -> NDArray[np.bool_]:
        """Return whether the map of each unit of a layer differs between photographs (units,); False for those that are no candidates."""
        found = np.zeros(len(units.maximum), np.bool_)
        if units.info.name in self._largest:
            numbers = self._candidates[units.info.name]
            largest = self._largest[units.info.name].cpu().double().numpy()
            found[numbers] = largest > _TOLERANCE * np.abs(units.maximum[numbers])
        return found
