"""The share of the energy of the first convolution's feature map that is aliased where the map is subsampled."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.stream import prepared_crops
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.diagnosis.compute.dense_map import DenseMap
from deconvwidgets.instruments.diagnosis.compute.first_layer import NO_FIRST, first_convolution
from deconvwidgets.instruments.diagnosis.compute.photographs import spread_sources
from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing
from deconvwidgets.models.bundle import ModelBundle

_PHOTOGRAPHS = 10
_NEGLIGIBLE = 1e-10  # of the energy of a map with its mean: what rounding leaves of a constant map


def map_aliasing(bundle: ModelBundle, images: ImageSet, job: JobContext) -> MapAliasing | str:
    """Measure what is aliased of the first convolution's feature map, or return why that is not known.

    Parameters
    ----------
    bundle : ModelBundle
    images : ImageSet
        At most 10 of its photographs are used, evenly spread; of each, the first crop.
    job : JobContext
        Cancellation and the device lease.

    Raises
    ------
    JobCancelledError
        If the job is cancelled.
    """
    filters = first_convolution(bundle.network)
    if filters is None:
        return NO_FIRST
    dense = DenseMap(bundle.network, filters)
    layer, units = filters.layer.short_name, filters.layer.channels
    if dense.stride == (1, 1):
        return _recorded(layer, dense, np.zeros((2, units)), 0)
    if dense.problem:
        return dense.problem
    energies = [MapEnergy(dense.stride) for _ in range(2 if dense.blurred else 1)]
    for pixels in _inputs(bundle, images, job):
        with job.device_lease():
            for energy, maps in zip(energies, dense.of(pixels), strict=True):
                energy.add(maps)
    if not energies[0].count:
        return "No photograph can be read."
    return _recorded(layer, dense, np.stack([energies[0].shares, energies[-1].shares]), energies[0].count)


class MapEnergy:
    """The energy of maps, and the part of it that a stride aliases.

    Parameters
    ----------
    stride : (int, int)
        For rows and columns.
    """

    def __init__(self, stride: tuple[int, int]) -> None:
        self._stride = stride
        self.count = 0
        self._carried: NDArray[np.float64] | float = 0.0
        self._total: NDArray[np.float64] | float = 0.0
        self._with_mean: NDArray[np.float64] | float = 0.0

    def add(self, maps: Tensor) -> None:
        """Add maps (U, h, w) at every pixel."""
        maps = maps.float().contiguous()
        bases = [carried_basis(side, step).to(maps) for side, step in zip(maps.shape[1:], self._stride, strict=True)]
        window = [torch.hann_window(side, periodic=False, device=maps.device, dtype=maps.dtype) for side in maps.shape[1:]]
        tapered = (maps - maps.mean(dim=(1, 2), keepdim=True)) * window[0][:, None] * window[1]
        carried = bases[0] @ (tapered @ bases[1].T)
        self._carried = self._carried + _energy(carried)
        self._total = self._total + _energy(tapered)
        self._with_mean = self._with_mean + _energy(maps)
        self.count += 1

    @property
    def shares(self) -> NDArray[np.float64]:
        """The aliased share of each unit (U,); NaN for constant maps."""
        total, carried = np.atleast_1d(self._total), np.atleast_1d(self._carried)
        varies = total > _NEGLIGIBLE * np.atleast_1d(self._with_mean)
        shares = np.divide(total - carried, total, out=np.full(len(total), np.nan), where=varies)
        return np.asarray(shares.clip(0, 1), np.float64)


def carried_basis(side: int, stride: int) -> Tensor:
    """Return an orthonormal basis (B, side), float64, of the signals whose frequencies a stride carries: up to 1 / (2 stride)."""
    if stride == 1:
        return torch.eye(side, dtype=torch.float64)
    place = 2 * torch.pi * torch.arange(side, dtype=torch.float64) / side
    numbers = torch.arange(1, int(side / (2 * stride) + 1e-9 * side) + 1, dtype=torch.float64)  # periods in the length
    waves = torch.cat([torch.cos(numbers[:, None] * place), torch.sin(numbers[:, None] * place)])
    return torch.cat([torch.full((1, side), side**-0.5, dtype=torch.float64), waves * (2 / side) ** 0.5])


def _inputs(bundle: ModelBundle, images: ImageSet, job: JobContext) -> Iterable[Tensor]:
    """Iterate over the inputs (C, H, W) of some photographs."""
    crops = [images.crops_of(source)[0] for source in spread_sources(images.source_count, _PHOTOGRAPHS)]
    for item in prepared_crops(bundle, images, crops, threads=job.decode_threads):
        job.check_cancelled("The aliasing was cancelled")
        if item.pixels is not None:
            yield item.pixels


def _energy(maps: Tensor) -> NDArray[np.float64]:
    return np.asarray(maps.square().sum(dim=(1, 2)).cpu().double().numpy())


def _recorded(layer: str, dense: DenseMap, shares: NDArray[np.float64], photographs: int) -> MapAliasing:
    """Return a record of shares (2, units): those of the map, and those of the map without a blur."""
    means = [float(one[np.isfinite(one)].mean()) if np.isfinite(one).any() else float("nan") for one in shares]
    return MapAliasing(
        layer=layer,
        stride=dense.stride,
        blurred=dense.blurred,
        shares=shares[0],
        mean=means[0],
        unblurred=shares[1],
        unblurred_mean=means[1],
        photographs=photographs,
    )
