"""Limited-memory BFGS for linear classifiers, in which every vector carries the logits that it makes.

Because logits are linear in the parameters, those of a direction are the same mix as the direction itself, and a step along it costs
no product with the training images. The two-loop recursion (Nocedal 1980) runs on the vectors' inner products alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.analysis.span import Design

MEMORY = 8  # pairs of steps and gradient changes that are remembered


class Vector(NamedTuple):
    """Parameters (p + 1, classes), or a change of them, with the logits (rows, classes) that they make."""

    parameters: Tensor
    logits: Tensor

    def plus(self, length: float, other: Vector) -> Vector:
        """self + length * other."""
        return Vector(torch.add(self.parameters, other.parameters, alpha=length), torch.add(self.logits, other.logits, alpha=length))


class Descent(NamedTuple):
    """Where to go: the direction, the loss's slope along it, and the norm of the gradient here."""

    direction: Vector
    slope: float
    gradient_norm: float


class QuasiNewton:
    """Told each gradient and each step's length in turn, says where to go next."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self._steps: list[Vector] = []
        self._changes: list[Vector] = []  # of the gradient, over each step
        self._last: tuple[Vector, Vector] | None = None  # gradient and direction

    def descend(self, gradient: Vector, length: float) -> Descent:
        """The descent from here; `length` of the last direction was gone since the last call (ignored in the first)."""
        if self._last is not None:
            before, direction = self._last
            self._steps = [*self._steps[1 - MEMORY :], Vector(length * direction.parameters, length * direction.logits)]
            self._changes = [*self._changes[1 - MEMORY :], gradient.plus(-1.0, before)]
        stack = [*self._steps, *self._changes, gradient]
        parameters = torch.stack([vector.parameters for vector in stack])
        logits = torch.stack([vector.logits for vector in stack])
        biases = parameters[:, -1]
        inner = self._design.inner(parameters, logits) + biases @ biases.T
        products: NDArray[np.float64] = inner.cpu().double().numpy()  # float64 on the CPU: some GPUs have none
        mix = _two_loops(products, len(self._steps))
        slope = float(mix @ products[:, -1])
        if not slope < 0:  # rounding has spoilt the memory: straight downhill, and begin anew
            self._steps, self._changes = [], []
            mix = np.zeros(len(products))
            mix[-1], slope = -1.0, -float(products[-1, -1])
        weights = torch.as_tensor(mix, dtype=parameters.dtype).to(parameters.device)
        direction = Vector(torch.tensordot(weights, parameters, 1), torch.tensordot(weights, logits, 1))
        self._last = (gradient, direction)
        return Descent(direction, slope, math.sqrt(max(0.0, float(products[-1, -1]))))


def _two_loops(products: NDArray[np.float64], pairs: int) -> NDArray[np.float64]:
    """The direction as a mix of (steps, gradient changes, gradient), from their inner products."""
    mix = np.zeros(len(products))
    mix[-1] = -1.0
    if not pairs:
        return mix
    steps, changes = np.arange(pairs), np.arange(pairs) + pairs
    curvatures = products[steps, changes]
    if not np.all(curvatures > 0):
        return np.zeros(len(products))  # no descent: the caller begins anew
    shares = np.zeros(pairs)
    for number in reversed(range(pairs)):
        shares[number] = mix @ products[:, steps[number]] / curvatures[number]
        mix[changes[number]] -= shares[number]
    mix *= curvatures[-1] / products[changes[-1], changes[-1]]
    for number in range(pairs):
        mix[steps[number]] += shares[number] - mix @ products[:, changes[number]] / curvatures[number]
    return mix
