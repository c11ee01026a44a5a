"""Linear classifiers, parametrised by their weights or by coefficients of the training images, whichever are fewer.

The weights that minimise a loss of `features @ weights + bias` plus weight decay are linear combinations of the features of the training
images (the representer theorem). So n images need n coefficients per class, and the features enter through their Gram matrix only. If
there are fewer features than images, the weights themselves are the smaller problem.

Both are a `Design`: parameters (p + 1, classes), with p images or p features, whose last row is the bias, and the products that an
optimizer needs. With the Gram matrix the gradient is preconditioned by the inverse of that matrix: it equals the residuals, so a step
takes one product with the Gram matrix.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from deconvwidgets.compute.job import DeviceLease

_BLOCK_OPERATIONS = 2e9  # per device lease: about 30 ms on a small CPU
_GRAM_BLOCK = 384


@dataclass(frozen=True, slots=True)
class Scaling:
    """The preprocessing of features for training, (features - mean) / scale. It is affine, so weights and bias can include it."""

    mean: Tensor  # (features,)
    scale: float

    @classmethod
    def of(cls, features: Tensor) -> Scaling:
        """Return the scaling that gives features (images, features) a mean of 0 and a mean squared norm of 1.

        The effects of a weight decay on different layers are then comparable.
        """
        mean = features.mean(0)
        squares = float((features - mean).square().sum() / len(features))
        return cls(mean, squares**0.5 if squares > 0 else 1.0)

    def apply(self, features: Tensor) -> Tensor:
        """Return scaled features (N, features)."""
        return (features - self.mean) / self.scale

    def unscale(self, weights: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return weight (classes, features) and bias for unscaled features, given weights (features, classes) and bias for scaled ones."""
        weight = (weights / self.scale).T.contiguous()
        return weight, bias - weight @ self.mean


class Design(Protocol):
    """A parametrisation of a linear classifier on fixed training images, with the matrix products that an optimizer needs."""

    @property
    def rows(self) -> int:
        """Number of training images."""
        ...

    def logits(self, parameters: Tensor) -> Tensor:
        """Return the logits (rows, classes) for parameters (p + 1, classes)."""
        ...

    def gradient(self, residuals: Tensor) -> Tensor:
        """Return the gradient (p + 1, classes) of sum(residuals * logits), for a GramDesign times the inverse of the Gram matrix."""
        ...

    def inner(self, left: Tensor, right: Tensor, logits: Tensor) -> Tensor:
        """Return inner products of the weights that parameters represent, without the bias.

        Parameters
        ----------
        left : Tensor (k, p + 1, classes)
            Parameters.
        right : Tensor (l, p + 1, classes)
            Parameters.
        logits : Tensor (l, rows, classes)
            The logits for `right`.

        Returns
        -------
        Tensor (k, l)
        """
        ...

    def zeros(self, classes: int) -> Tensor:
        """Return parameters of zero (p + 1, classes)."""
        ...

    def subset(self, rows: Tensor) -> Design:
        """Return the design of the images with the indices `rows` (int64)."""
        ...

    def embed(self, parameters: Tensor, rows: Tensor) -> Tensor:
        """Return the parameters (p + 1, classes) of this design that have the same weights as parameters of `subset(rows)`."""
        ...

    def predict(self, parameters: Tensor, rows: Tensor, others: Tensor) -> Tensor:
        """Return the logits (others, classes) of the images with the indices `others`, for parameters of `subset(rows)`."""
        ...

    def weights(self, parameters: Tensor) -> Tensor:
        """Return the weights (features, classes) for parameters."""
        ...


@dataclass(frozen=True)
class GramDesign:
    """A design whose parameters are coefficients of the images, for fewer images than features."""

    features: Tensor  # (images, features), scaled
    gram: Tensor  # (images, images)
    lease: DeviceLease = nullcontext

    @classmethod
    def of(cls, features: Tensor, lease: DeviceLease = nullcontext) -> GramDesign:
        """Return the design of scaled features (images, features)."""
        return cls(features, gram_matrix(features, lease), lease)

    @property
    def rows(self) -> int:
        """Number of images."""
        return len(self.gram)

    def logits(self, parameters: Tensor) -> Tensor:
        """Return the logits; this takes one product with the Gram matrix."""
        return blocked_matmul(self.gram, parameters[:-1], self.lease) + parameters[-1]

    def gradient(self, residuals: Tensor) -> Tensor:
        """Return the preconditioned gradient: the residuals, and their sum as the row of the bias. This takes no product."""
        return torch.cat([residuals, residuals.sum(0, keepdim=True)])

    def inner(self, left: Tensor, right: Tensor, logits: Tensor) -> Tensor:
        """Return the inner products in feature space, left @ gram @ right. The logits of `right` are gram @ coefficients + bias."""
        coefficients = left[:, :-1]
        return coefficients.flatten(1) @ logits.flatten(1).T - coefficients.sum(1) @ right[:, -1].T

    def zeros(self, classes: int) -> Tensor:
        return self.gram.new_zeros(self.rows + 1, classes)

    def subset(self, rows: Tensor) -> GramDesign:
        return GramDesign(self.features[rows], self.gram[rows][:, rows], self.lease)

    def embed(self, parameters: Tensor, rows: Tensor) -> Tensor:
        embedded = self.zeros(parameters.shape[1])
        embedded[rows], embedded[-1] = parameters[:-1], parameters[-1]
        return embedded

    def predict(self, parameters: Tensor, rows: Tensor, others: Tensor) -> Tensor:
        return blocked_matmul(self.gram[others][:, rows], parameters[:-1], self.lease) + parameters[-1]

    def weights(self, parameters: Tensor) -> Tensor:
        return blocked_matmul(self.features.T, parameters[:-1], self.lease)


@dataclass(frozen=True)
class PrimalDesign:
    """A design whose parameters are the weights, for fewer features than images."""

    features: Tensor  # (images, features), scaled
    lease: DeviceLease = nullcontext

    @property
    def rows(self) -> int:
        """Number of images."""
        return len(self.features)

    def logits(self, parameters: Tensor) -> Tensor:
        return blocked_matmul(self.features, parameters[:-1], self.lease) + parameters[-1]

    def gradient(self, residuals: Tensor) -> Tensor:
        return torch.cat([blocked_matmul(self.features.T, residuals, self.lease), residuals.sum(0, keepdim=True)])

    def inner(self, left: Tensor, right: Tensor, logits: Tensor) -> Tensor:
        biases = left[:, -1] @ right[:, -1].T
        return left.flatten(1) @ right.flatten(1).T - biases

    def zeros(self, classes: int) -> Tensor:
        return self.features.new_zeros(self.features.shape[1] + 1, classes)

    def subset(self, rows: Tensor) -> PrimalDesign:
        return PrimalDesign(self.features[rows], self.lease)

    def embed(self, parameters: Tensor, rows: Tensor) -> Tensor:
        return parameters

    def predict(self, parameters: Tensor, rows: Tensor, others: Tensor) -> Tensor:
        return blocked_matmul(self.features[others], parameters[:-1], self.lease) + parameters[-1]

    def weights(self, parameters: Tensor) -> Tensor:
        return parameters[:-1]


def make_design(features: Tensor, lease: DeviceLease = nullcontext) -> Design:
    """Return the design with fewer parameters for scaled features (images, features)."""
    return GramDesign.of(features, lease) if len(features) < features.shape[1] else PrimalDesign(features, lease)


def gram_matrix(features: Tensor, lease: DeviceLease = nullcontext) -> Tensor:
    """Return the inner products (N, N) of the rows of features (N, F). Only one half is computed, since the matrix is symmetric."""
    count = len(features)
    gram = features.new_empty(count, count)
    for top in range(0, count, _GRAM_BLOCK):
        stripe = features[top : top + _GRAM_BLOCK]
        for left in range(top, count, _GRAM_BLOCK):
            with lease():
                block = stripe @ features[left : left + _GRAM_BLOCK].T
                gram[top : top + len(block), left : left + block.shape[1]] = block
                gram[left : left + block.shape[1], top : top + len(block)] = block.T
    return gram


def blocked_matmul(left: Tensor, right: Tensor, lease: DeviceLease = nullcontext) -> Tensor:
    """Return left @ right. A large product is computed in blocks of rows, each with its own device lease."""
    rows = max(1, int(_BLOCK_OPERATIONS / max(1, 2 * left.shape[1] * right.shape[1])))
    if rows >= len(left):
        with lease():
            return left @ right
    product = right.new_empty(len(left), right.shape[1])
    for top in range(0, len(left), rows):
        with lease():
            torch.matmul(left[top : top + rows], right, out=product[top : top + rows])
    return product
