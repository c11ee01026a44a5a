"""The batches of an epoch: their order, crops and flips are functions of (seed, epoch, place in the epoch), never of a stream.

So an epoch can be resumed at any step, and shared by any number of processes.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.stream import decoded_ahead
from deconvwidgets.instruments.training.compute.dropout import Rows
from deconvwidgets.instruments.training.compute.pixels import PixelSource
from deconvwidgets.instruments.training.compute.recipe import Recipe

_CORNERS = np.array([(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)])  # halves of the margin: four corners and the centre


@dataclass(frozen=True)
class Batch:
    """Images of one step. `weights` is 0 for a photograph to validate on that cannot be read, else 1."""

    pixels: Tensor  # uint8 (n, channels, height, width)
    labels: Tensor  # int64 (n,)
    weights: Tensor  # float32 (n,)
    rows: Rows  # of the batch of all processes

    def at_least_one(self) -> Batch:
        """Return a batch of one image that does not count for a process without a share: all processes take part in each step."""
        if len(self.labels):
            return self
        pixels = torch.zeros(1, *self.pixels.shape[1:], dtype=torch.uint8)
        return Batch(pixels, torch.zeros(1, dtype=torch.int64), torch.zeros(1), self.rows)


@dataclass(frozen=True)
class EpochPlan:
    """What an epoch shows.

    Attributes
    ----------
    order : array (N,), int64
        The example at each place of the epoch.
    corners : array (N, 2), int64
        The top and left pixel of its crop.
    flips : array (N,), bool
        Whether it is mirrored.
    """

    order: NDArray[np.int64]
    corners: NDArray[np.int64]
    flips: NDArray[np.bool_]

    @classmethod
    def of(cls, recipe: Recipe, epoch: int, examples: int, margin: tuple[int, int]) -> EpochPlan:
        """Return the plan of an epoch (0 for the first), for photographs that exceed the input by a margin (rows, columns)."""
        generator = np.random.default_rng([recipe.seed, epoch])
        order = generator.permutation(examples)
        draws = generator.random((examples, 3))
        if recipe.crops == "random":
            corners = np.floor(draws[:, :2] * (np.array(margin) + 1)).astype(np.int64)
        elif recipe.crops == "corners":
            corners = _CORNERS[np.floor(draws[:, 0] * len(_CORNERS)).astype(np.int64)] * margin // 2
        else:
            corners = np.zeros((examples, 2), np.int64)
        return cls(order, corners, (draws[:, 2] < 0.5) & recipe.flips)


@dataclass(frozen=True)
class TrainingBatches:
    """The batches of the training examples.

    Parameters
    ----------
    pixels : PixelSource
        The photographs, larger than the input by the margin of the crops.
    labels : array (N,), int64
        Their classes.
    shape : tuple of (int, int)
        (height, width) of the input.
    margin : tuple of (int, int)
        How many rows and columns the photographs have more.
    recipe : Recipe
        The batch size, crops and flips.
    threads : int
        The number of threads that prepare batches ahead.
    """

    pixels: PixelSource
    labels: NDArray[np.int64]
    shape: tuple[int, int]
    margin: tuple[int, int]
    recipe: Recipe
    threads: int = 1

    @property
    def steps(self) -> int:
        """The number of steps of an epoch. A last batch of a single image is left out: batch norm can do nothing with it."""
        whole, rest = divmod(len(self.labels), self.recipe.batch_size)
        return whole + (rest > 1 or whole == 0)

    def of_epoch(self, epoch: int, step: int, share: tuple[int, int]) -> Generator[Batch, None, None]:
        """Iterate over an epoch's batches from a step on, prepared ahead. `share` is (rank, number of processes)."""
        plan = EpochPlan.of(self.recipe, epoch, len(self.labels), self.margin)
        rank, count = share
        jobs = ((self.recipe.batch_size, partial(self._batch, plan, number, rank, count)) for number in range(step, self.steps))
        with closing(decoded_ahead(jobs, self.threads, 2 * self.threads * self.recipe.batch_size)) as batches:
            yield from batches

    def _batch(self, plan: EpochPlan, step: int, rank: int, count: int) -> Batch:
        start = step * self.recipe.batch_size
        total = min(self.recipe.batch_size, len(self.labels) - start)
        rows = Rows(total * rank // count, total * (rank + 1) // count, total)
        places = np.arange(start + rows.start, start + rows.stop)
        examples = plan.order[places]
        whole, readable = self.pixels.read(examples)
        if not readable.all():  # their pixels are 0, and would change the statistics of batch norms
            kept = int(readable.sum())
            warnings.warn(f"Photographs that cannot be read are left out: {len(readable) - kept} of a batch.", stacklevel=2)
            rows = Rows(rows.start, rows.start + kept, total if count > 1 else max(kept, 1))
            whole, examples, places = whole[readable], examples[readable], places[readable]
        return Batch(
            _cropped(whole, plan.corners[places], plan.flips[places], self.shape),
            torch.from_numpy(self.labels[examples]),
            torch.ones(len(examples)),
            rows,
        )


@dataclass(frozen=True)
class ValidationBatches:
    """The batches of the validation examples: the crop of the bundle's transform, in order."""

    pixels: PixelSource
    labels: NDArray[np.int64]
    batch_size: int
    threads: int = 1

    def all(self, share: tuple[int, int]) -> Generator[Batch, None, None]:
        """Iterate over this process's batches. `share` is (rank, number of processes)."""
        rank, count = share
        places = np.arange(len(self.labels))[rank::count]
        parts = [places[start : start + self.batch_size] for start in range(0, len(places), self.batch_size)]
        jobs = ((len(part), partial(self._batch, part)) for part in parts)
        with closing(decoded_ahead(jobs, self.threads, 2 * self.threads * self.batch_size)) as batches:
            yield from batches

    def _batch(self, places: NDArray[np.int64]) -> Batch:
        pixels, readable = self.pixels.read(places)
        weights = torch.from_numpy(readable.astype(np.float32))
        return Batch(torch.from_numpy(pixels), torch.from_numpy(self.labels[places]), weights, Rows(0, len(places), len(places)))


def _cropped(
    whole: NDArray[np.uint8], corners: NDArray[np.int64], flips: Sequence[bool] | NDArray[np.bool_], shape: tuple[int, int]
) -> Tensor:
    height, width = shape
    cropped = np.empty((*whole.shape[:2], height, width), np.uint8)
    for image, target, (top, left), flip in zip(whole, cropped, corners, flips, strict=True):
        part = image[:, top : top + height, left : left + width]
        target[...] = part[:, :, ::-1] if flip else part
    return torch.from_numpy(cropped)
