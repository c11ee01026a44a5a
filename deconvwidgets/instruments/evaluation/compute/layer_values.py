"""The values of a layer for the photographs of an image set, so that switching off units runs only what lies above it.

They are those of the unchanged model, float32, in a file without a name in the cache folder: it is gone when nothing refers to it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.assets.cache import cache_dir, make_folder
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.scores import require_outputs
from deconvwidgets.engine.layer_cut import CutValues, LayerCut
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.scaled_model import ScaledModel

# Of the values that are run at once. On a machine with other work each parallel operation waits for its last thread, whatever its size.
_BATCH_BYTES = 64 << 20

Sources = NDArray[np.int64]


class LayerValues:
    """What crosses a cut at a layer, for each photograph.

    Attributes
    ----------
    layer : str
        The dotted name of the layer.
    done : array (photographs,) bool
        Whether the values of a photograph are known.
    active : array (photographs, C) bool
        Whether the map of a unit is not all zeros, where `done`.
    bytes_each : int
        The size of the values of a photograph.
    """

    def __init__(self, layer: str, example: CutValues, photographs: int) -> None:
        self.layer = layer
        self.done = np.zeros(photographs, bool)
        self.active = np.zeros((photographs, example.maps.shape[1]), bool)
        self.bytes_each = example.bytes_each
        self._shapes = {name: tuple(value.shape[1:]) for name, value in parts_of(example).items()}
        self._outputs: NDArray[np.float32] | None = None  # of the unchanged model, NaN where they are not known
        floats = sum(int(np.prod(shape)) for shape in self._shapes.values())
        self._file = tempfile.TemporaryFile(dir=make_folder(cache_dir()))  # noqa: SIM115 - it is closed with the memory map
        self._file.truncate(photographs * floats * 4)  # without blocks on the disk before they are written
        self._values = np.memmap(self._file, np.float32, "r+", shape=(photographs, floats))

    def store(self, sources: Sources, saved: CutValues) -> None:
        """Set the values of some photographs."""
        flat = torch.cat([value.flatten(1) for value in parts_of(saved).values()], dim=1)
        self._values[sources] = flat.float().cpu().numpy()
        self.active[sources] = saved.maps.reshape(*saved.maps.shape[:2], -1).ne(0).any(dim=2).cpu().numpy()
        self.done[sources] = True

    def load(self, sources: Sources) -> CutValues:
        """Return the values of some photographs, on the CPU."""
        flat, start, parts = torch.from_numpy(self._values[sources]), 0, dict[str, Tensor]()
        for name, shape in self._shapes.items():
            size = int(np.prod(shape))
            parts[name] = flat[:, start : start + size].reshape(len(sources), *shape)
            start += size
        return CutValues(parts.pop(""), parts)

    def store_outputs(self, sources: Sources, outputs: Tensor) -> None:
        """Set the outputs (N, K) of the unchanged model."""
        if self._outputs is None:
            self._outputs = np.full((len(self.done), outputs.shape[1]), np.nan, np.float32)
        self._outputs[sources] = outputs.float().cpu().numpy()

    def outputs(self, sources: Sources) -> NDArray[np.float32] | None:
        """Return the outputs (N, K) of the unchanged model, NaN for photographs of which they are not known; None if none are."""
        return None if self._outputs is None else self._outputs[sources]


def parts_of(saved: CutValues) -> dict[str, Tensor]:
    """Return all values that cross a cut; the layer's have the name ""."""
    return {"": saved.maps, **saved.others}


@dataclass(frozen=True)
class CutRunner:
    """Runs a model by a cut below which no unit is changed.

    Parameters
    ----------
    bundle : ModelBundle
        The model, perhaps with changed units.
    cut : LayerCut
        The cut of the unchanged model.
    values : LayerValues
        The values at the cut.
    """

    bundle: ModelBundle
    cut: LayerCut
    values: LayerValues

    @property
    def batch(self) -> int:
        """The number of photographs to run at once without their pixels."""
        return max(1, _BATCH_BYTES // self.values.bytes_each)

    def known(self, sources: Sources) -> NDArray[np.bool_]:
        """Return which photographs need no pixels."""
        return self.values.done[sources]

    def run_known(self, sources: Sources) -> Tensor:
        """Return the outputs (N, K) of photographs whose values are known.

        Photographs in which no changed unit is active keep the outputs of the unchanged model.
        """
        before = self.values.outputs(sources)
        if before is None:
            return self._run_above(sources)
        rerun: NDArray[np.bool_] = np.asarray(self._changed(sources) | np.isnan(before[:, 0]))
        outputs = torch.from_numpy(before)
        if rerun.any():
            outputs[torch.from_numpy(rerun)] = self._run_above(sources[rerun]).float().cpu()
        return outputs

    def run(self, sources: Sources, pixels: Tensor) -> Tensor:
        """Return the outputs (N, K) of inputs (N, C, H, W), and store the values at the cut."""
        saved = self.cut.save(to_model(pixels, self.bundle.model))
        self.values.store(sources, saved)
        outputs = self._outputs(saved)
        if not self.bundle.units:
            self.values.store_outputs(sources, outputs)
        return outputs

    def _changed(self, sources: Sources) -> NDArray[np.bool_]:
        """Return in which photographs a changed unit may be active."""
        if any(layer != self.cut.layer for layer, _ in self.bundle.units):
            return np.ones(len(sources), bool)
        units: Sequence[int] = [unit for _, unit in self.bundle.units]
        return np.asarray(self.values.active[sources][:, units].any(axis=1))

    def _run_above(self, sources: Sources) -> Tensor:
        saved = self.values.load(sources)
        others = {name: to_model(value, self.bundle.model) for name, value in saved.others.items()}
        return self._outputs(CutValues(to_model(saved.maps, self.bundle.model), others))

    def _outputs(self, saved: CutValues) -> Tensor:
        """Return the outputs (N, K). The layer's maps are overwritten: they are nobody else's, and as large as all that is computed."""
        own = {unit: factor for (layer, unit), factor in self.bundle.units.items() if layer == self.cut.layer}
        for unit, factor in own.items():
            saved.maps[:, unit] *= factor
        model = self.bundle.model
        factors = model.factors if self.bundle.units and isinstance(model, ScaledModel) else {}
        above = {layer: factor for layer, factor in factors.items() if layer != self.cut.layer}
        return require_outputs(self.cut.outputs(saved, factors=above), self.bundle)
