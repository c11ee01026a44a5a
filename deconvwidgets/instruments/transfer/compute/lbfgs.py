"""Limited-memory BFGS for linear classifiers, in which every vector carries the logits that it makes.

Because logits are linear in the parameters, those of a direction are the same mix as the direction itself, and a step along it costs
no product with the training images. The two-loop recursion (Nocedal 1980) runs on the vectors' inner products alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.instruments.transfer.compute.gram import Design

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
    """Told each gradient and each step's length in turn, says where to go next.

    What it remembers lies in one stack, whose inner products are kept: the places 0 to MEMORY - 1 hold steps, the next MEMORY the
    gradient's changes over them, the last one the gradient. Only what is new is multiplied.
    """

    def __init__(self, design: Design, classes: int) -> None:
        self._design = design
        example = design.start(classes)
        places = 2 * MEMORY + 1
        self._parameters = example.new_zeros(places, *example.shape)
        self._logits = example.new_zeros(places, design.rows, classes)
        self._products = np.zeros((places, places))
        self._order: list[int] = []  # of the pairs that are remembered, the oldest first
        self._direction: Vector | None = None

    def descend(self, gradient: Vector, length: float) -> Descent:
        """The descent from here; `length` of the last direction was gone since the last call (ignored in the first)."""
        if self._direction is None:
            self._store({2 * MEMORY: gradient})
        else:
            pair = len(self._order) if len(self._order) < MEMORY else self._order.pop(0)
            self._order.append(pair)
            step = Vector(length * self._direction.parameters, length * self._direction.logits)
            change = gradient.plus(-1.0, Vector(self._parameters[-1], self._logits[-1]))
            self._store({pair: step, MEMORY + pair: change, 2 * MEMORY: gradient})
        mix = _two_loops(self._products, self._order)
        slope = float(mix @ self._products[:, -1])
        if not slope < 0:  # rounding has spoilt the memory: straight downhill, and begin anew
            self._order = []
            mix = _two_loops(self._products, [])
            slope = -float(self._products[-1, -1])
        weights = torch.as_tensor(mix, dtype=self._logits.dtype).to(self._logits.device)
        self._direction = Vector(torch.tensordot(weights, self._parameters, 1), torch.tensordot(weights, self._logits, 1))
        return Descent(self._direction, slope, math.sqrt(max(0.0, float(self._products[-1, -1]))))

    def _store(self, vectors: dict[int, Vector]) -> None:
        places = list(vectors)
        for place, vector in vectors.items():
            self._parameters[place], self._logits[place] = vector.parameters, vector.logits
        biases = self._parameters[:, -1]
        inner = self._design.inner(self._parameters[places], self._parameters, self._logits) + biases[places] @ biases.T
        found: NDArray[np.float64] = inner.cpu().double().numpy()  # float64 on the CPU: some GPUs have none
        self._products[places], self._products[:, places] = found, found.T


def _two_loops(products: NDArray[np.float64], order: Sequence[int]) -> NDArray[np.float64]:
    """The direction as a mix of the stack, from its inner products; pairs in `order` take part, the oldest first."""
    mix = np.zeros(len(products))
    mix[-1] = -1.0
    curvatures = [products[pair, MEMORY + pair] for pair in order]
    if not order:
        return mix
    if min(curvatures) <= 0:
        return np.zeros(len(products))  # no descent: the caller begins anew
    shares = np.zeros(len(order))
    for number, pair in reversed(list(enumerate(order))):
        shares[number] = mix @ products[:, pair] / curvatures[number]
        mix[MEMORY + pair] -= shares[number]
    mix *= curvatures[-1] / products[MEMORY + order[-1], MEMORY + order[-1]]
    for number, pair in enumerate(order):
        mix[pair] += shares[number] - mix @ products[:, MEMORY + pair] / curvatures[number]
    return mix
