"""Noticing that the weights of a model were changed, without reading all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

_STATISTICS = ("running_mean", "running_var")
_SAMPLED_TENSORS, _SAMPLED_VALUES = 8, 8
_SAMPLE_SECONDS = 0.5  # between two samples: reading from a GPU waits for what it computes


class WeightsVersion:
    """The weights of a model at one time: its parameters, and the running statistics of its batch norms.

    It finds whatever PyTorch counts as a change in place, such as a step of an optimizer or `load_state_dict`, and tensors that others have
    replaced. Some operations are not counted (fused optimizers, batch norm in training mode, ``tensor.data``); they are found by a sample
    of the values, at most twice a second. Other buffers are left out, because the forward pass of a model may count or cache in them.

    Parameters
    ----------
    model : torch.nn.Module
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, model: nn.Module, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._weights = list(_weights(model))
        tensors = [tensor for _, _, tensor in self._weights]
        self._counted = [tensor for tensor in tensors if not tensor.is_inference()]  # inference tensors have no count of changes
        self._counts = [tensor._version for tensor in self._counted]
        self._sampled = tensors[:: max(1, len(tensors) // _SAMPLED_TENSORS)]
        self._samples = [_sample(tensor) for tensor in self._sampled]
        self._sampled_at = clock()

    @property
    def changed(self) -> bool:
        """Whether the weights were changed since."""
        if [tensor._version for tensor in self._counted] != self._counts:
            return True
        if any(owner.get(name) is not tensor for owner, name, tensor in self._weights):
            return True
        now = self._clock()
        if now - self._sampled_at < _SAMPLE_SECONDS:
            return False
        self._sampled_at = now
        return any(not torch.equal(_sample(tensor), values) for tensor, values in zip(self._sampled, self._samples, strict=True))


def _weights(model: nn.Module) -> Iterator[tuple[dict[str, Tensor | None], str, Tensor]]:
    for module in model.modules():
        for name, value in module._parameters.items():
            if value is not None:
                yield module._parameters, name, value  # type: ignore[misc] # a dictionary of parameters is one of tensors to its readers
        for name in _STATISTICS if isinstance(module, _NormBase) else ():
            statistics = module._buffers.get(name)
            if statistics is not None:
                yield module._buffers, name, statistics


def _sample(tensor: Tensor) -> Tensor:
    """Return a copy of the first values along the first dimension."""
    values = tensor.detach()
    while values.ndim > 1 and values.numel():
        values = values[..., 0]
    return values[:_SAMPLED_VALUES].cpu().clone() if values.ndim else values.cpu().clone()
