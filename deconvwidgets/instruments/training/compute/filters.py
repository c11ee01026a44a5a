"""The filters of convolutions: their root mean square, and the limit of Zeiler & Fergus 2014, section 3."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import parametrize

from deconvwidgets.errors import TrainingError


class FilterLimit:
    """Scales each filter of each convolution whose root mean square exceeds `limit` to that root mean square. Frozen ones stay.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    limit : float
        The largest root mean square of a filter: 0.1 in the paper.

    Raises
    ------
    TrainingError
        If the weights of a convolution are computed from other parameters, as by weight norm: scaling them would have no effect.
    """

    def __init__(self, model: nn.Module, limit: float) -> None:
        self._limit = limit
        self._weights: list[tuple[Tensor, int]] = []
        for name, module in model.named_modules():
            if isinstance(module, _ConvNd):
                if parametrize.is_parametrized(module, "weight") or not isinstance(module.weight, nn.Parameter):
                    raise TrainingError(
                        f"The filters of '{name}' are computed from other parameters, so they cannot be limited: pass max_filter_rms=None."
                    )
                if module.weight.requires_grad:
                    self._weights.append((module.weight, 1 if isinstance(module, _ConvTransposeNd) else 0))

    @torch.no_grad()
    def apply(self) -> None:
        """Scale the filters that exceed the limit, in place."""
        for weight, axis in self._weights:
            axes = [dimension for dimension in range(weight.dim()) if dimension != axis]
            rms = weight.square().mean(axes, keepdim=True).sqrt_()
            weight.mul_(torch.where(rms > self._limit, self._limit / rms, 1.0))


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of convolutions and linear layers by dotted name of the layer."""
    return {
        name: module.weight
        for name, module in model.named_modules()
        if isinstance(module, _ConvNd | nn.Linear) and isinstance(module.weight, Tensor)
    }


@torch.no_grad()
def root_mean_squares(weights: Mapping[str, Tensor], before: Mapping[str, Tensor] | None = None) -> dict[str, float]:
    """Return the root mean square of each tensor, or of its change since `before`."""
    return {name: _rms(value if before is None else value - before[name]) for name, value in weights.items()}


def _rms(value: Tensor) -> float:
    return float(value.detach().square().mean(dtype=torch.float32).sqrt())
