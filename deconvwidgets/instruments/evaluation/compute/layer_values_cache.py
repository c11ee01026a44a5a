"""Which layers' values are stored for an evaluation, within a limit, and which of them an evaluation is run from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock

import torch

from deconvwidgets.assets.cache import cache_dir, make_folder
from deconvwidgets.engine import Network
from deconvwidgets.engine.example import example_batch
from deconvwidgets.engine.layer_cut import LayerCut
from deconvwidgets.errors import LayerError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.identity import transform_digest
from deconvwidgets.instruments.evaluation.compute.layer_values import CutRunner, LayerValues, parts_of
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.prediction_digest import prediction_digest

MAX_BYTES = 2 << 30  # on disk: conv5 of AlexNet takes 173 kB per photograph, pool5 37 kB, conv1 775 kB
_FREE = 0.5  # of the free space on the disk

Key = tuple[object, ...]


@dataclass(frozen=True)
class _Entry:
    key: Key
    size: int
    values: LayerValues


@dataclass
class LayerValuesCache:
    """The values of layers, those used last. Thread-safe.

    Parameters
    ----------
    max_bytes : int
        The limit for all layers together. A layer that takes more is not stored: the whole model is run then.
    """

    max_bytes: int = MAX_BYTES
    _lock: Lock = field(default_factory=Lock, repr=False)
    _entries: list[_Entry] = field(default_factory=list, repr=False)  # used last at the end

    def runner(self, bundle: ModelBundle, images: ImageSet, photographs: int) -> CutRunner | str:
        """Return what runs a model by a cut and stores the values there, or the reason why the whole model has to be run, as a clause.

        The cut of a model without changed units is at its deepest layer with the maps of a convolution, or, if these are too large, at a
        layer with maps above it. Stored values below all changed units are used; if there are none, the cut is at their lowest layer.

        Parameters
        ----------
        bundle : ModelBundle
        images : ImageSet
        photographs : int
            The number of photographs that are evaluated.
        """
        unchanged = bundle.unchanged or bundle
        network = unchanged.network
        if network.graph is None:
            return f"{bundle.name} cannot be traced"
        if network.single:
            return f"the images of a batch affect each other in {bundle.name}"
        key = (prediction_digest(unchanged), images.digest, transform_digest(bundle), unchanged.input_size)
        with self._lock:
            return self._stored(bundle, network, key) or self._opened(bundle, network, key, images, photographs)

    def _stored(self, bundle: ModelBundle, network: Network, key: Key) -> CutRunner | None:
        """Return the runner from stored values, of the most photographs and then of the highest layer."""
        order = {info.name: number for number, info in enumerate(network.layers)}
        fitting = [entry for entry in self._entries if entry.key == key]
        for entry in sorted(fitting, key=lambda entry: (-entry.values.done.sum(), -order[entry.values.layer])):
            cut = LayerCut.of(network, entry.values.layer)
            if _serves(cut, bundle):
                self._entries.remove(entry)
                self._entries.append(entry)
                return CutRunner(bundle, cut, entry.values)
        return None

    def _opened(self, bundle: ModelBundle, network: Network, key: Key, images: ImageSet, photographs: int) -> CutRunner | str:
        """Return the runner that stores the values of a layer, or the reason why there is none."""
        reason = f"no layer with maps is below the answer of {bundle.name}"
        for cut in _cuts(bundle, network):
            if not _serves(cut, bundle):
                return "units of several layers are changed, not all of which are computed from the lowest one"
            with torch.no_grad():
                example = cut.save(example_batch(network.model, network.input_size, 1))
            layer, size = network.layer(cut.layer).short_name, example.bytes_each * photographs
            if any(value.dtype != torch.float32 for value in parts_of(example).values()):
                return f"the values of {layer} are not of float32"
            if self._makes_room(size):
                values = LayerValues(cut.layer, example, images.source_count)
                self._entries.append(_Entry(key, size, values))
                return CutRunner(bundle, cut, values)
            limit = min(self.max_bytes, int(_free_bytes() * _FREE))
            reason = f"the values of {layer} would take {_gigabytes(size)}, and the limit is {_gigabytes(limit)}"
        return reason

    def _makes_room(self, size: int) -> bool:
        """Forget the values used longest ago until `size` bytes more are within the limit. Return False if they never are."""
        if size > min(self.max_bytes, _free_bytes() * _FREE):
            return False
        while sum(entry.size for entry in self._entries) + size > self.max_bytes:
            del self._entries[0]
        return True


def _serves(cut: LayerCut, bundle: ModelBundle) -> bool:
    """Return whether no unit below a cut is changed."""
    return all(layer == cut.layer or cut.computes(layer) for layer in {layer for layer, _ in bundle.units})


def _cuts(bundle: ModelBundle, network: Network) -> Iterator[LayerCut]:
    """Yield the cuts at which values may be stored, the best first."""
    order = {info.name: number for number, info in enumerate(network.layers)}
    if bundle.units:
        yield LayerCut.of(network, min((layer for layer, _ in bundle.units), key=order.__getitem__))
        return
    below = []
    for info in network.map_layers():
        try:
            below.append(LayerCut.of(network, info.name))
        except LayerError:  # above the answer, such as that of a head on a lower layer
            continue
    of_convolutions = [info.name for info in network.feature_map_layers]
    first = max((at for at, cut in enumerate(below) if cut.layer in of_convolutions), default=0)
    yield from below[first:]


def _free_bytes() -> int:
    return shutil.disk_usage(make_folder(cache_dir())).free


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
