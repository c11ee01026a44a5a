"""The three ways to compute what each unit contributes: weight, gradient, and switching it off."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine.layer_cut import CutValues
from deconvwidgets.engine.linear_head import LinearHead
from deconvwidgets.instruments.contributions.compute.outputs import OutputsAbove

_MAX_VARIANT_BYTES = 256 << 20  # of the maps of one batch of variants
_MAX_VARIANTS = 128


def by_weight(head: LinearHead, maps: Tensor, directions: Tensor) -> Tensor:
    """Return weight x activation, summed over positions, float64 (D, N, C) on the CPU.

    Parameters
    ----------
    head : LinearHead
    maps : Tensor (N, C, h, w) or (N, C)
    directions : Tensor (D, K) float64
        What is explained.
    """
    with torch.no_grad():
        features = head.features(maps).cpu().double()
        weights = torch.einsum("dk,kcp->dcp", directions, head.weight.cpu().double())
        return torch.einsum("ncp,dcp->dnc", features, weights)


def by_gradient(above: OutputsAbove, saved: CutValues, directions: Tensor) -> Tensor:
    """Return gradient x activation, summed over positions, float64 (D, N, C) on the CPU."""
    with torch.enable_grad():
        maps = saved.maps.detach().requires_grad_()
        outputs = above.outputs(saved, maps)
        found = []
        for number, direction in enumerate(directions):
            explained = (outputs * direction.to(outputs.device, outputs.dtype)).sum()
            (gradient,) = torch.autograd.grad(explained, maps, retain_graph=number + 1 < len(directions))
            found.append((gradient * saved.maps).reshape(*maps.shape[:2], -1).cpu().double().sum(dim=2))
    return torch.stack(found)


def by_switching_off(above: OutputsAbove, saved: CutValues, outputs: Tensor, job: JobContext) -> Iterator[Tensor]:
    """Iterate over the images; yield the outputs minus those with each unit set to zero, float64 (C, K) on the CPU.

    Parameters
    ----------
    outputs : Tensor (N, K)
        The outputs without changes.
    """
    for image in range(len(saved.maps)):
        active = saved.maps[image].reshape(above.units, -1).ne(0).any(dim=1).nonzero().flatten().tolist()
        changes = torch.zeros(above.units, outputs.shape[1], dtype=torch.float64)
        size = variants_per_batch(saved)
        for first in range(0, len(active), size):
            units = active[first : first + size]
            off = torch.ones(len(units), above.units, dtype=torch.bool)
            off[range(len(units)), units] = False
            job.check_cancelled("The contributions were cancelled")
            with job.device_lease():
                changed = masked_outputs(above, saved, image, off)
            changes[units] = outputs[image].detach().cpu().double() - changed.cpu().double()
        yield changes


def masked_outputs(above: OutputsAbove, saved: CutValues, image: int, keep: Tensor) -> Tensor:
    """Return the outputs (B, K) of one image, of which only some units are kept and the others are set to zero.

    Parameters
    ----------
    keep : Tensor (B, C) bool
        The units that are kept, for each variant.
    """
    with torch.no_grad():
        rows = saved.rows(torch.full((len(keep),), image, dtype=torch.long, device=saved.maps.device))
        shape = (*keep.shape, *[1] * (saved.maps.dim() - 2))
        return above.outputs(rows, rows.maps * keep.to(rows.maps.device).reshape(shape))


def variants_per_batch(saved: CutValues) -> int:
    """Return how many variants of an image are run together."""
    return max(1, min(_MAX_VARIANTS, _MAX_VARIANT_BYTES // (8 * max(1, saved.bytes_each))))
