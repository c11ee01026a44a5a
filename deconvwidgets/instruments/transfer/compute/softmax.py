"""Multinomial logistic regression with weight decay: full batch, L-BFGS, on whatever device the features are.

The loss is the mean cross entropy plus weight_decay / 2 times the squared norm of the weights (the bias is free). Source: Zeiler &
Fergus 2014, sections 5.2 and 5.3 (a new softmax on fixed features; their optimiser was stochastic gradient descent).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from deconvwidgets.compute.job import DeviceLease
from deconvwidgets.instruments.transfer.compute.gram import Design
from deconvwidgets.instruments.transfer.compute.lbfgs import Descent, QuasiNewton, Vector

TOLERANCE = 2e-3  # the gradient, against that of a head of zeros
MOST_STEPS = 300
_ENOUGH_DESCENT, _FLAT_ENOUGH = 1e-4, 0.5  # the Wolfe conditions
_MOST_LENGTHS = 25


@dataclass(frozen=True)
class Fit:
    """A head in training: parameters (p + 1, classes) in its design, and the logits (rows, classes) of its training images."""

    parameters: Tensor
    logits: Tensor
    weight_decay: float
    loss: float  # with its penalty
    steps: int
    converged: bool  # the gradient is small; else there are steps to go, or none leads further down


def fit_softmax(
    design: Design,
    labels: Tensor,
    classes: int,
    weight_decay: float,
    start: Tensor | None = None,
    tolerance: float = TOLERANCE,
    most_steps: int = MOST_STEPS,
    lease: DeviceLease = nullcontext,
    on_step: Callable[[Fit], None] = lambda fit: None,
) -> Fit:
    """Train one head on images of class `labels` (rows,) int64 in 0..classes - 1, from parameters `start` (None: zeros).

    `on_step` is called before the first step and after each; it may raise to stop. `lease` is entered around each use of the device.
    """
    last: Fit | None = None
    for last in _descend(design, labels, classes, weight_decay, start, tolerance, lease):
        on_step(last)
        if last.steps >= most_steps:
            break
    assert last is not None
    return last


def fit_path(
    design: Design,
    labels: Tensor,
    classes: int,
    weight_decays: Sequence[float],
    tolerance: float = TOLERANCE,
    most_steps: int = MOST_STEPS,
    lease: DeviceLease = nullcontext,
    on_step: Callable[[Fit], None] = lambda fit: None,
) -> Iterator[Fit]:
    """One head for each weight decay, from the strongest down, each beginning where the one before ended: one problem, one Gram matrix."""
    start = None
    for decay in sorted(weight_decays, reverse=True):
        fit = fit_softmax(design, labels, classes, decay, start, tolerance, most_steps, lease, on_step)
        yield fit
        start = fit.parameters


def _descend(
    design: Design, labels: Tensor, classes: int, weight_decay: float, start: Tensor | None, tolerance: float, lease: DeviceLease
) -> Iterator[Fit]:
    """One item a step, until the gradient is small or no step leads further down."""
    loss = _Loss(design, labels, weight_decay)
    goal = tolerance * loss.steepness_at_zero(classes, lease)
    parameters = start if start is not None else design.start(classes)
    here = Vector(parameters, design.push(parameters))
    compass = QuasiNewton(design, classes)
    with lease():
        point = loss.at(here)
    steps = 0
    while True:
        gradient = loss.gradient(here, point)
        with lease():
            descent = compass.descend(gradient, point.length)
        converged = descent.gradient_norm <= goal
        yield Fit(*here, weight_decay, point.loss, steps, converged)
        if converged:
            return
        with lease():
            found = loss.search(here, point, descent, 1.0 if steps else 1.0 / descent.gradient_norm)
            if found is None:
                return
            here, point = here.plus(found.length, descent.direction), found
        steps += 1


class _Point(NamedTuple):
    """A point on a line of search: how far along, the loss with its penalty, and the entropy's gradient (rows, classes) by the logits."""

    length: float
    loss: float
    residuals: Tensor


@dataclass(frozen=True)
class _Loss:
    design: Design
    labels: Tensor
    decay: float

    def at(self, here: Vector) -> _Point:
        entropy, residuals = self._entropy(here.logits)
        norm = float(self.design.inner(here.parameters[None], here.parameters[None], here.logits[None]))
        return _Point(0.0, entropy + self.decay / 2 * norm, residuals)

    def gradient(self, here: Vector, point: _Point) -> Vector:
        gradient = self.design.pull(point.residuals)
        gradient[:-1] += self.decay * here.parameters[:-1]
        return Vector(gradient, self.design.push(gradient))

    def steepness_at_zero(self, classes: int, lease: DeviceLease) -> float:
        """The norm of the gradient for a head of zeros."""
        parameters = self.design.start(classes)
        zeros = Vector(parameters, parameters.new_zeros(len(self.labels), classes))
        with lease():
            point = self.at(zeros)
        gradient = self.gradient(zeros, point)
        with lease():
            norm = self.design.inner(gradient.parameters[None], gradient.parameters[None], gradient.logits[None])
        return math.sqrt(max(0.0, float(norm) + float(gradient.parameters[-1].square().sum())))

    def search(self, here: Vector, point: _Point, descent: Descent, length: float) -> _Point | None:
        """A point along the direction that meets the Wolfe conditions, `length` tried first; None where the loss cannot be lowered.

        On a line the loss is convex, and costs no product with the design, so the zero of its slope is closed in on by secants.
        """
        direction = descent.direction
        ends = torch.stack([here.parameters, direction.parameters])
        norms = self.design.inner(ends, ends, torch.stack([here.logits, direction.logits])).cpu().double().numpy()
        rounding = 4 * torch.finfo(here.logits.dtype).eps * abs(point.loss)
        below, above = (0.0, descent.slope), (math.inf, 0.0)  # lengths, with their slopes, that the lowest point lies between
        best: _Point | None = None
        for _ in range(_MOST_LENGTHS):
            entropy, residuals = self._entropy(torch.add(here.logits, direction.logits, alpha=length))
            penalty = self.decay / 2 * float(norms[0, 0] + 2 * length * norms[0, 1] + length**2 * norms[1, 1])
            slope = float((residuals * direction.logits).sum()) + self.decay * float(norms[0, 1] + length * norms[1, 1])
            if entropy + penalty <= point.loss + _ENOUGH_DESCENT * length * descent.slope + rounding:
                best = _Point(length, entropy + penalty, residuals)
                if abs(slope) <= _FLAT_ENOUGH * abs(descent.slope):
                    break
            if slope < 0:
                below = (length, slope)
            else:  # not a number, too: too far
                above = (length, slope)
            length = _between(below, above)
        return best

    def _entropy(self, logits: Tensor) -> tuple[float, Tensor]:
        """The mean cross entropy, and its gradient (rows, classes) by the logits."""
        logs = torch.log_softmax(logits, 1)
        picked = logs.gather(1, self.labels[:, None])
        residuals = logs.exp_().scatter_add_(1, self.labels[:, None], -torch.ones_like(picked))
        return -float(picked.mean()), residuals.div_(len(logits))


def _between(below: tuple[float, float], above: tuple[float, float]) -> float:
    """The next length to try: by the secant, but never close to either end; four times as far while there is no upper end."""
    if math.isinf(above[0]):
        return below[0] * 4.0
    share = below[1] / (below[1] - above[1]) if math.isfinite(above[1]) else 0.5
    return below[0] + (above[0] - below[0]) * min(max(share, 0.1), 0.9)
