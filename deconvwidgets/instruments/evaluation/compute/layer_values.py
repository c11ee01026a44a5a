"""The values of a layer for the photographs of an image set, so that switching off its units runs only what lies above it.

They are those of the unchanged model, float32, in a file without a name in the cache folder: it is gone when nothing refers to it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.assets.cache import cache_dir, make_folder
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.scores import require_outputs
from deconvwidgets.engine.example import example_batch
from deconvwidgets.engine.layer_cut import CutValues, LayerCut
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.identity import transform_digest
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.prediction_digest import prediction_digest

MAX_BYTES = 2 << 30  # on disk: pool5 of AlexNet takes 37 kB per photograph, conv1 775 kB

Sources = NDArray[np.int64]
Key = tuple[object, ...]


class LayerValues:
    """What crosses a cut at a layer, for each photograph.

    Attributes
    ----------
    layer : str
        The dotted name of the layer.
    done : array (photographs,) bool
        Whether the values of a photograph are known.
    """

    def __init__(self, layer: str, example: CutValues, photographs: int) -> None:
        self.layer = layer
        self.done = np.zeros(photographs, bool)
        self._shapes = {name: tuple(value.shape[1:]) for name, value in _parts(example).items()}
        floats = sum(int(np.prod(shape)) for shape in self._shapes.values())
        self._file = tempfile.TemporaryFile(dir=make_folder(cache_dir()))  # noqa: SIM115 - it is closed with the memory map
        self._file.truncate(photographs * floats * 4)  # without blocks on the disk before they are written
        self._values = np.memmap(self._file, np.float32, "r+", shape=(photographs, floats))

    def store(self, sources: Sources, saved: CutValues) -> None:
        """Set the values of some photographs."""
        flat = torch.cat([value.flatten(1) for value in _parts(saved).values()], dim=1)
        self._values[sources] = flat.float().cpu().numpy()
        self.done[sources] = True

    def load(self, sources: Sources) -> CutValues:
        """Return the values of some photographs, on the CPU."""
        flat, start, parts = torch.from_numpy(self._values[sources]), 0, dict[str, Tensor]()
        for name, shape in self._shapes.items():
            size = int(np.prod(shape))
            parts[name] = flat[:, start : start + size].reshape(len(sources), *shape)
            start += size
        return CutValues(parts.pop(""), parts)


def _parts(saved: CutValues) -> dict[str, Tensor]:
    return {"": saved.maps, **saved.others}


@dataclass(frozen=True)
class CutRunner:
    """Runs a model whose changed units are all in one layer, by the cut at that layer.

    Parameters
    ----------
    bundle : ModelBundle
        The model with changed units.
    cut : LayerCut
        The cut of the unchanged model.
    values : LayerValues
        The values at the cut.
    """

    bundle: ModelBundle
    cut: LayerCut
    values: LayerValues

    def known(self, sources: Sources) -> NDArray[np.bool_]:
        """Return which photographs need no pixels."""
        return self.values.done[sources]

    def run_known(self, sources: Sources) -> Tensor:
        """Return the outputs (N, K) of photographs whose values are known."""
        saved = self.values.load(sources)
        others = {name: to_model(value, self.bundle.model) for name, value in saved.others.items()}
        return self._outputs(CutValues(to_model(saved.maps, self.bundle.model), others))

    def run(self, sources: Sources, pixels: Tensor) -> Tensor:
        """Return the outputs (N, K) of inputs (N, C, H, W), and store the values at the cut."""
        saved = self.cut.save(to_model(pixels, self.bundle.model))
        self.values.store(sources, saved)
        return self._outputs(saved)

    def _outputs(self, saved: CutValues) -> Tensor:
        maps = saved.maps
        factors = torch.ones(maps.shape[1], dtype=maps.dtype)
        for (_, unit), factor in self.bundle.units.items():
            factors[unit] = factor
        factors = factors.to(maps.device).reshape(-1, *[1] * (maps.dim() - 2))
        return require_outputs(self.cut.outputs(saved, maps * factors), self.bundle)


@dataclass
class LayerValuesCache:
    """The values of the layer whose units were changed last. Thread-safe.

    Parameters
    ----------
    max_bytes : int
        Layers that would take more are not stored: the whole model is run then.
    """

    max_bytes: int = MAX_BYTES
    _lock: Lock = field(default_factory=Lock, repr=False)
    _known: tuple[Key, LayerValues] | None = field(default=None, repr=False)

    def runner(self, bundle: ModelBundle, images: ImageSet, photographs: int) -> CutRunner | None:
        """Return the runner of a model with changed units; None if the whole model has to be run.

        That is the case without changed units, with units of several layers, for a model that cannot be traced or is not of float32, and
        if the values take too much space.

        Parameters
        ----------
        bundle : ModelBundle
        images : ImageSet
        photographs : int
            The number of photographs that are evaluated.
        """
        unchanged, layers = bundle.unchanged, {layer for layer, _ in bundle.units}
        if unchanged is None or len(layers) != 1:
            return None
        network = unchanged.network
        if network.graph is None or network.single:
            return None
        (layer,) = layers
        cut = LayerCut.of(network, layer)
        with self._lock:
            key = (prediction_digest(unchanged), layer, images.digest, transform_digest(bundle), unchanged.input_size)
            if self._known is None or self._known[0] != key:
                with torch.no_grad():
                    example = cut.save(example_batch(network.model, network.input_size, 1))
                if example.bytes_each * photographs > self.max_bytes or any(
                    value.dtype != torch.float32 for value in _parts(example).values()
                ):
                    return None
                self._known = (key, LayerValues(layer, example, images.source_count))
            return CutRunner(bundle, cut, self._known[1])
