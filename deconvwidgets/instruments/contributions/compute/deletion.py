"""Deletion curves: whether a ranking of units finds those that an answer depends on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine.layer_cut import CutValues
from deconvwidgets.instruments.contributions.compute.methods import masked_outputs, variants_per_batch
from deconvwidgets.instruments.contributions.compute.outputs import OutputsAbove, Target
from deconvwidgets.instruments.contributions.deletion import DeletionCurve, DeletionOrder
from deconvwidgets.records.progress import Progress

_UNITS = 40  # that are switched off at most
_ORDERS = 5
_NAMES: tuple[DeletionOrder, ...] = ("contribution", "activation", "random")


class DeletionRun:
    """Switches units off in several orders.

    Parameters
    ----------
    above : OutputsAbove
    target : Target
        What is explained.
    contributions : ndarray of shape (units,)
        The ranking, by mean contribution; the order of activation is each photograph's own.
    units : int
        How many units are switched off.
    orders, seed : int
        Number of random orders, and the seed of the first.
    """

    def __init__(
        self,
        above: OutputsAbove,
        target: Target,
        contributions: NDArray[np.float64],
        units: int = _UNITS,
        orders: int = _ORDERS,
        seed: int = 0,
    ) -> None:
        self._above, self._target = above, target
        self._ranking = torch.from_numpy(np.argsort(-contributions, kind="stable"))
        self._units, self._orders, self._seed = min(units, above.units), orders, seed
        self._random = [torch.from_numpy(np.random.default_rng((seed, number)).permutation(above.units)) for number in range(orders)]

    def curve(self, saved_parts: Sequence[CutValues], job: JobContext) -> DeletionCurve:
        """Return the means over all images of some batches."""
        images = [(saved, image) for saved in saved_parts for image in range(len(saved.maps))]
        found = []
        for number, (saved, image) in enumerate(images):
            job.check_cancelled(f"The deletion curves were cancelled after {number} of {len(images)} photographs")
            found.append(self._of_image(saved, image, job))
            job.report(Progress("deletion", number + 1, len(images)))
        outputs, scores = np.mean([entry[0] for entry in found], axis=0), np.mean([entry[1] for entry in found], axis=0)
        turns = [entry[2] for entry in found]
        groups = dict(zip(_NAMES, ([0], [1], list(range(2, 2 + self._orders))), strict=True))
        mean_scores = {name: scores[group].mean(axis=0) for name, group in groups.items()}
        return DeletionCurve(
            layer=self._above.layer,
            target=self._target.target,
            against=self._target.against,
            counts=np.arange(self._units + 1),
            outputs={name: outputs[group].mean(axis=0) for name, group in groups.items()},
            scores=mean_scores,
            turns={name: tuple(_median([entry[number] for number in group]) for entry in turns) for name, group in groups.items()},
            areas={name: _area(values) for name, values in mean_scores.items()},
            seed=self._seed,
            orders=self._orders,
        )

    def _of_image(self, saved: CutValues, image: int, job: JobContext) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int | None]]:
        """Return outputs and scores (orders, steps), and after how many units the answer turns, for each order."""
        maps = saved.maps[image].reshape(self._above.units, -1)
        by_activation = torch.argsort(-maps.amax(dim=1), stable=True).cpu()
        orders = torch.stack([self._ranking, by_activation, *self._random])
        keep = torch.ones(len(orders), self._units + 1, self._above.units, dtype=torch.bool)
        for step in range(1, self._units + 1):
            keep[:, step:].scatter_(2, orders[:, None, step - 1 : step].expand(-1, self._units + 1 - step, 1), value=False)
        returned = self._outputs(saved, image, keep.reshape(-1, self._above.units), job)
        shape = (len(orders), self._units + 1)
        explained = self._target.of(returned).reshape(shape).numpy()
        probabilities = self._above.scores(returned)
        scores = probabilities[:, self._target.target]
        if self._target.against is not None:
            scores = scores - probabilities[:, self._target.against]
        turned = self._turned(returned, explained, shape)
        return explained, scores.reshape(shape), [int(row.argmax()) if row.any() else None for row in turned]

    def _turned(self, returned: Tensor, explained: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return whether the answer is another one, (orders, steps)."""
        if self._target.against is not None:
            return np.asarray(explained < 0)
        predicted = self._above.predicted(returned).reshape(shape)
        return np.asarray(predicted != predicted[:, :1])

    def _outputs(self, saved: CutValues, image: int, keep: Tensor, job: JobContext) -> Tensor:
        size, found = variants_per_batch(saved), []
        for first in range(0, len(keep), size):
            job.check_cancelled("The deletion curve was cancelled")
            with job.device_lease():
                found.append(masked_outputs(self._above, saved, image, keep[first : first + size]))
        return torch.cat(found)


def _median(turns: list[int | None]) -> int | None:
    """Return the median (of two middle ones the larger), where None is later than every number."""
    ordered = sorted(turns, key=lambda turn: (turn is None, turn or 0))
    return ordered[len(ordered) // 2]


def _area(scores: NDArray[np.float64]) -> float:
    """Return the area under a curve, divided by that of its first value; NaN if that is not above 0."""
    if scores[0] <= 0:
        return float("nan")
    return float(np.trapezoid(scores) / (scores[0] * max(1, len(scores) - 1))) if len(scores) > 1 else 1.0
