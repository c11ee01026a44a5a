"""Limited-memory BFGS for linear classifiers. Every vector of parameters is stored together with its logits.

Logits are linear in the parameters, so the logits of a search direction are the same linear combination as the direction itself, and a
step along it takes no product with the training images. The two-loop recursion (Nocedal 1980) uses only inner products of the vectors.
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

HISTORY_SIZE = 8  # number of pairs of steps and gradient changes


class Vector(NamedTuple):
    """Parameters (p + 1, classes), or a change of them, and their logits (rows, classes)."""

    parameters: Tensor
    logits: Tensor

    def plus(self, length: float, other: Vector) -> Vector:
        """Return self + length * other."""
        return Vector(torch.add(self.parameters, other.parameters, alpha=length), torch.add(self.logits, other.logits, alpha=length))


class SearchDirection(NamedTuple):
    """A direction, the slope of the loss along it, and the norm of the gradient."""

    direction: Vector
    slope: float
    gradient_norm: float


class Lbfgs:
    """Computes search directions from the gradients and the step lengths so far.

    The history is stored in one stack, and the inner products of its vectors are cached: rows 0 to HISTORY_SIZE - 1 are steps, the next
    HISTORY_SIZE rows are the changes of the gradient over them, and the last row is the gradient.

    Parameters
    ----------
    design : Design
        The training images.
    classes : int
        Number of classes.
    """

    def __init__(self, design: Design, classes: int) -> None:
        self._design = design
        zeros = design.zeros(classes)
        size = 2 * HISTORY_SIZE + 1
        self._parameters = zeros.new_zeros(size, *zeros.shape)
        self._logits = zeros.new_zeros(size, design.rows, classes)
        self._products = np.zeros((size, size))
        self._pairs: list[int] = []  # rows of the steps in the history, the oldest first
        self._direction: Vector | None = None

    def direction(self, gradient: Vector, length: float) -> SearchDirection:
        """Return the search direction at the current point.

        Parameters
        ----------
        gradient : Vector
            The gradient at the current point.
        length : float
            The length of the step along the last direction; ignored in the first call.
        """
        if self._direction is None:
            self._store({2 * HISTORY_SIZE: gradient})
        else:
            pair = len(self._pairs) if len(self._pairs) < HISTORY_SIZE else self._pairs.pop(0)
            self._pairs.append(pair)
            step = Vector(length * self._direction.parameters, length * self._direction.logits)
            change = gradient.plus(-1.0, Vector(self._parameters[-1], self._logits[-1]))
            self._store({pair: step, HISTORY_SIZE + pair: change, 2 * HISTORY_SIZE: gradient})
        coefficients = _two_loop_recursion(self._products, self._pairs)
        slope = float(coefficients @ self._products[:, -1])
        if not slope < 0:  # not a descent direction, because of rounding errors: restart with the negative gradient
            self._pairs = []
            coefficients = _two_loop_recursion(self._products, [])
            slope = -float(self._products[-1, -1])
        weights = torch.as_tensor(coefficients, dtype=self._logits.dtype).to(self._logits.device)
        self._direction = Vector(torch.tensordot(weights, self._parameters, 1), torch.tensordot(weights, self._logits, 1))
        return SearchDirection(self._direction, slope, math.sqrt(max(0.0, float(self._products[-1, -1]))))

    def _store(self, vectors: dict[int, Vector]) -> None:
        """Write vectors to rows of the stack, and update the inner products."""
        rows = list(vectors)
        for row, vector in vectors.items():
            self._parameters[row], self._logits[row] = vector.parameters, vector.logits
        biases = self._parameters[:, -1]
        inner = self._design.inner(self._parameters[rows], self._parameters, self._logits) + biases[rows] @ biases.T
        products: NDArray[np.float64] = inner.cpu().double().numpy()  # converted on the CPU: some GPUs have no float64
        self._products[rows], self._products[:, rows] = products, products.T


def _two_loop_recursion(products: NDArray[np.float64], pairs: Sequence[int]) -> NDArray[np.float64]:
    """Return the coefficients of the search direction in the stack, given the inner products of the stack.

    `pairs` are the rows of the steps, the oldest first. Without descent the coefficients are zero.
    """
    coefficients = np.zeros(len(products))
    coefficients[-1] = -1.0
    curvatures = [products[pair, HISTORY_SIZE + pair] for pair in pairs]
    if not pairs:
        return coefficients
    if min(curvatures) <= 0:
        return np.zeros(len(products))
    alphas = np.zeros(len(pairs))
    for number, pair in reversed(list(enumerate(pairs))):
        alphas[number] = coefficients @ products[:, pair] / curvatures[number]
        coefficients[HISTORY_SIZE + pair] -= alphas[number]
    coefficients *= curvatures[-1] / products[HISTORY_SIZE + pairs[-1], HISTORY_SIZE + pairs[-1]]
    for number, pair in enumerate(pairs):
        coefficients[pair] += alphas[number] - coefficients @ products[:, HISTORY_SIZE + pair] / curvatures[number]
    return coefficients
