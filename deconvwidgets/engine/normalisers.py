"""The factors of normalisations by an image's own statistics, for the extension of the rules beyond the paper.

If the mean and the deviation count as constants, `(x - mean) / deviation * weight + bias` multiplies the signal by `weight / deviation`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deconvwidgets.engine.backward_checks import Call


def layer_norm(call: Call) -> Tensor:
    """Return the factors of layer norm, which broadcast over its input."""
    x, shape = call.argument(0, "input"), call.argument(1, "normalized_shape")
    factor = _inverse_deviation(x, range(-len(shape), 0), call.argument(4, "eps", 1e-5))
    weight = call.argument(2, "weight")
    return factor if weight is None else factor * weight.detach()


def group_norm(call: Call) -> Tensor:
    """Return the factors of group norm (N, C, ...)."""
    return _by_groups(call, call.argument(1, "num_groups"), call.argument(2, "weight"), call.argument(4, "eps", 1e-5))


def instance_norm(call: Call) -> Tensor:
    """Return the factors of instance norm (N, C, ...) by the statistics of each image."""
    x = call.argument(0, "input")
    return _by_groups(call, x.shape[1], call.argument(1, "weight"), call.argument(7, "eps", 1e-5))


def _by_groups(call: Call, groups: int, weight: Tensor | None, eps: float) -> Tensor:
    x: Tensor = call.argument(0, "input").detach()
    grouped = x.reshape(x.shape[0], groups, -1)
    factor = _inverse_deviation(grouped, [2], eps).expand_as(grouped).reshape(x.shape)
    return factor if weight is None else factor * weight.detach().view(-1, *[1] * (x.dim() - 2))


def _inverse_deviation(x: Tensor, dims: Sequence[int], eps: float) -> Tensor:
    variance = x.detach().var(dim=list(dims), correction=0, keepdim=True)
    return torch.rsqrt(variance + eps)
