"""Multinomial logistic regression with weight decay by full-batch L-BFGS, on the device of the features.

The loss is the mean cross entropy plus weight_decay / 2 times the squared norm of the weights, without the bias.
Source: Zeiler & Fergus 2014, sections 5.2 and 5.3 (a new softmax classifier on fixed features; they use stochastic gradient descent).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from deconvwidgets.compute.job import DeviceLease
from deconvwidgets.instruments.transfer.compute.gram import Design
from deconvwidgets.instruments.transfer.compute.lbfgs import Lbfgs, SearchDirection, Vector

TOLERANCE = 2e-3  # of the gradient norm, relative to that of parameters of zero
MAX_STEPS = 300
ARMIJO, CURVATURE = 1e-4, 0.5  # constants of the Wolfe conditions
_MAX_TRIALS = 25  # step lengths tried in one line search


@dataclass(frozen=True)
class Fit:
    """The state of the training: parameters (p + 1, classes) of the design, and the logits (rows, classes) of the training images."""

    parameters: Tensor
    logits: Tensor
    weight_decay: float
    loss: float  # including the penalty
    steps: int
    converged: bool  # whether the gradient norm is below the tolerance


def fit_softmax(
    design: Design,
    labels: Tensor,
    classes: int,
    weight_decay: float,
    start: Tensor | None = None,
    tolerance: float = TOLERANCE,
    max_steps: int = MAX_STEPS,
    lease: DeviceLease = nullcontext,
    on_step: Callable[[Fit], None] = lambda fit: None,
) -> Fit:
    """Train one classifier.

    Parameters
    ----------
    design : Design
        The training images.
    labels : Tensor (rows,) int64
        Their classes, from 0 to classes - 1.
    classes : int
        Number of classes.
    weight_decay : float
        The weight of the penalty.
    start : Tensor (p + 1, classes), optional
        The initial parameters; by default zeros.
    tolerance : float
        The training ends at this gradient norm, relative to that of parameters of zero.
    max_steps : int
        Maximum number of steps.
    lease : callable
        Returns a context manager that is entered around each use of the device.
    on_step : callable
        Called before the first step and after each step. It may raise an exception to stop the training.
    """
    fit: Fit | None = None
    for fit in _steps(design, labels, classes, weight_decay, start, tolerance, lease):
        on_step(fit)
        if fit.steps >= max_steps:
            break
    assert fit is not None
    return fit


def _steps(
    design: Design, labels: Tensor, classes: int, weight_decay: float, start: Tensor | None, tolerance: float, lease: DeviceLease
) -> Iterator[Fit]:
    """Iterate over the states, until the gradient norm is below the tolerance or no step reduces the loss."""
    loss = _Loss(design, labels, weight_decay)
    target = tolerance * loss.initial_gradient_norm(classes, lease)
    parameters = start if start is not None else design.zeros(classes)
    current = Vector(parameters, design.logits(parameters))
    optimizer = Lbfgs(design, classes)
    with lease():
        point = loss.at(current)
    steps = 0
    while True:
        gradient = loss.gradient(current, point)
        with lease():
            search = optimizer.direction(gradient, point.length)
        converged = search.gradient_norm <= target
        yield Fit(*current, weight_decay, point.loss, steps, converged)
        if converged:
            return
        with lease():
            reached = loss.line_search(current, point, search, 1.0 if steps else 1.0 / search.gradient_norm)
            if reached is None:
                return
            current, point = current.plus(reached.length, search.direction), reached
        steps += 1


class _Point(NamedTuple):
    """A point of a line search: its step length, its loss, and the gradient of the cross entropy by the logits (rows, classes)."""

    length: float
    loss: float  # including the penalty
    residuals: Tensor


@dataclass(frozen=True)
class _Loss:
    design: Design
    labels: Tensor
    decay: float

    def at(self, vector: Vector) -> _Point:
        entropy, residuals = self._entropy(vector.logits)
        norm = float(self.design.inner(vector.parameters[None], vector.parameters[None], vector.logits[None]))
        return _Point(0.0, entropy + self.decay / 2 * norm, residuals)

    def gradient(self, vector: Vector, point: _Point) -> Vector:
        gradient = self.design.gradient(point.residuals)
        gradient[:-1] += self.decay * vector.parameters[:-1]
        return Vector(gradient, self.design.logits(gradient))

    def initial_gradient_norm(self, classes: int, lease: DeviceLease) -> float:
        """Return the norm of the gradient for parameters of zero."""
        parameters = self.design.zeros(classes)
        zeros = Vector(parameters, parameters.new_zeros(len(self.labels), classes))
        with lease():
            point = self.at(zeros)
        gradient = self.gradient(zeros, point)
        with lease():
            norm = self.design.inner(gradient.parameters[None], gradient.parameters[None], gradient.logits[None])
        return math.sqrt(max(0.0, float(norm) + float(gradient.parameters[-1].square().sum())))

    def line_search(self, current: Vector, point: _Point, search: SearchDirection, length: float) -> _Point | None:
        """Return a point along the direction that meets the Wolfe conditions, trying `length` first; None if no point reduces the loss.

        The loss is convex along the direction and takes no product with the design, so the zero of its slope is bracketed and
        approached by the secant method.
        """
        direction = search.direction
        ends = torch.stack([current.parameters, direction.parameters])
        norms = self.design.inner(ends, ends, torch.stack([current.logits, direction.logits])).cpu().double().numpy()
        rounding = 4 * torch.finfo(current.logits.dtype).eps * abs(point.loss)
        lower, upper = (0.0, search.slope), (math.inf, 0.0)  # the ends of the bracket, as (length, slope)
        best: _Point | None = None
        for _ in range(_MAX_TRIALS):
            entropy, residuals = self._entropy(torch.add(current.logits, direction.logits, alpha=length))
            penalty = self.decay / 2 * float(norms[0, 0] + 2 * length * norms[0, 1] + length**2 * norms[1, 1])
            slope = float((residuals * direction.logits).sum()) + self.decay * float(norms[0, 1] + length * norms[1, 1])
            if entropy + penalty <= point.loss + ARMIJO * length * search.slope + rounding:
                best = _Point(length, entropy + penalty, residuals)
                if abs(slope) <= CURVATURE * abs(search.slope):
                    break
            if slope < 0:
                lower = (length, slope)
            else:  # also for NaN: the step is too long
                upper = (length, slope)
            length = _next_length(lower, upper)
        return best

    def _entropy(self, logits: Tensor) -> tuple[float, Tensor]:
        """Return the mean cross entropy, and its gradient by the logits (rows, classes)."""
        log_probabilities = torch.log_softmax(logits, 1)
        picked = log_probabilities.gather(1, self.labels[:, None])
        residuals = log_probabilities.exp_().scatter_add_(1, self.labels[:, None], -torch.ones_like(picked))
        return -float(picked.mean()), residuals.div_(len(logits))


def _next_length(lower: tuple[float, float], upper: tuple[float, float]) -> float:
    """Return the next step length: by the secant, but not close to the ends of the bracket; four times the lower end if it is open."""
    if math.isinf(upper[0]):
        return lower[0] * 4.0
    share = lower[1] / (lower[1] - upper[1]) if math.isfinite(upper[1]) else 0.5
    return lower[0] + (upper[0] - lower[0]) * min(max(share, 0.1), 0.9)
