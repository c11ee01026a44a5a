"""Dropout whose masks are a function of (seed, epoch, step, call) and of an image's place in the batch.

A training that is resumed draws the same masks, and so do several processes that share a batch: each draws the mask of the whole batch
and takes its own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_WHOLE_MAPS = (F.dropout1d, F.dropout2d, F.dropout3d)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows `start` to `stop` of a batch of `total` images."""

    start: int
    stop: int
    total: int


def seed_of(*numbers: int) -> int:
    """Return a seed of 63 bits, a function of integers of at least 0."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


class PositionalDropout(TorchFunctionMode):
    """While it is entered, dropout in training mode draws its masks from the seed and the rows.

    Covers `torch.nn.Dropout` and `torch.nn.functional.dropout`, and those of whole maps. A tensor whose first dimension is not that of the
    rows has a mask of the seed only.

    Parameters
    ----------
    seeds : tuple of int
        Seed, epoch and step.
    rows : Rows
        The part of the batch that is computed here.
    probability : float, optional
        In place of the network's own.
    """

    def __init__(self, seeds: tuple[int, ...], rows: Rows, probability: float | None = None) -> None:
        super().__init__()
        self._seeds = seeds
        self._rows = rows
        self._probability = probability
        self._calls = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is not F.dropout and func not in _WHOLE_MAPS:
            return func(*args, **(kwargs or {}))
        return self._dropped(func, *args, **(kwargs or {}))

    def _dropped(self, func: Callable[..., Any], input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        probability = p if self._probability is None else self._probability
        if not training or probability == 0:
            return input
        generator = torch.Generator(input.device).manual_seed(seed_of(*self._seeds, self._calls))
        self._calls += 1
        shape = list(input.shape) if func is F.dropout else [*input.shape[:2], *(1 for _ in input.shape[2:])]
        whole = shape[0] == self._rows.stop - self._rows.start
        keep = torch.empty([self._rows.total, *shape[1:]] if whole else shape, dtype=input.dtype, device=input.device)
        keep.bernoulli_(1 - probability, generator=generator)
        mask = (keep[self._rows.start : self._rows.stop] if whole else keep).div_(1 - probability)
        return input.mul_(mask) if inplace else input * mask
