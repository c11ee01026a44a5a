"""Linear classifiers on few images with many features: the problem lives in the images' span.

The weights that minimise a loss of `weights @ features + bias` plus weight decay are combinations of the training images (the
representer theorem), so n images need n numbers a class, and all that is ever asked of the features is their Gram matrix. With fewer
features than images the features themselves are the smaller problem. Both are a `Design`: parameters (p + 1, classes), the last row
the bias; `push` gives the logits that they make, `pull` the gradient that residuals make. In the span the gradient is taken in the
weights' own metric, where it is the residuals themselves: one product with the Gram matrix a step is all there is to compute.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from deconvwidgets.compute.job import DeviceLease

_BLOCK_OPERATIONS = 2e9  # in one use of the device: about 30 ms of a small CPU
_GRAM_BLOCK = 384


@dataclass(frozen=True, slots=True)
class Scaling:
    """What was done to the features before training: (features - mean) / scale. Linear, so that it folds into weight and bias."""

    mean: Tensor  # (features,)
    scale: float

    @classmethod
    def of(cls, features: Tensor) -> Scaling:
        """Centred, and scaled to a mean squared norm of 1, so that one weight decay means the same on every layer."""
        mean = features.mean(0)
        squares = float((features - mean).square().sum() / len(features))
        return cls(mean, squares**0.5 if squares > 0 else 1.0)

    def apply(self, features: Tensor) -> Tensor:
        """Scaled features (N, features)."""
        return (features - self.mean) / self.scale

    def fold(self, weights: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (features, classes) and bias of scaled features as weight (classes, features) and bias of the features as they are."""
        weight = (weights / self.scale).T.contiguous()
        return weight, bias - weight @ self.mean


class Design(Protocol):
    """A linear classifier's training images, as the optimiser sees them."""

    @property
    def rows(self) -> int:
        """Number of training images."""
        ...

    def push(self, parameters: Tensor) -> Tensor:
        """Logits (rows, classes) of parameters (p + 1, classes)."""
        ...

    def pull(self, residuals: Tensor) -> Tensor:
        """The gradient (p + 1, classes) of sum(residuals * logits), in this design's metric."""
        ...

    def inner(self, left: Tensor, right: Tensor, logits: Tensor) -> Tensor:
        """Inner products (k, l) of the weights of parameters (k, p + 1, classes) and (l, p + 1, classes), the bias left out, given the
        logits (l, rows, classes) of the latter."""
        ...

    def start(self, classes: int) -> Tensor:
        """Parameters of zero."""
        ...

    def part(self, rows: Tensor) -> Design:
        """The same with these rows (indices) only."""
        ...

    def lift(self, parameters: Tensor, rows: Tensor) -> Tensor:
        """Parameters of `part(rows)` as parameters of the whole, with the same weights."""
        ...

    def outside(self, parameters: Tensor, rows: Tensor, others: Tensor) -> Tensor:
        """Logits (others, classes) that parameters of `part(rows)` give the images `others`."""
        ...

    def weights(self, parameters: Tensor) -> Tensor:
        """Weights (features, classes) of parameters."""
        ...


@dataclass(frozen=True)
class SpanDesign:
    """Parameters are combinations of the images. Better for fewer images than features."""

    features: Tensor  # (images, features), scaled
    gram: Tensor  # (images, images)
    lease: DeviceLease = nullcontext

    @classmethod
    def of(cls, features: Tensor, lease: DeviceLease = nullcontext) -> SpanDesign:
        """The Gram matrix of scaled features (images, features)."""
        return cls(features, gram_matrix(features, lease), lease)

    @property
    def rows(self) -> int:
        """Number of images."""
        return len(self.gram)

    def push(self, parameters: Tensor) -> Tensor:
        """One product with the Gram matrix."""
        return in_blocks(self.gram, parameters[:-1], self.lease) + parameters[-1]

    def pull(self, residuals: Tensor) -> Tensor:
        """The residuals are the gradient: no product at all."""
        return torch.cat([residuals, residuals.sum(0, keepdim=True)])

    def inner(self, left: Tensor, right: Tensor, logits: Tensor) -> Tensor:
        """Of weights in feature space: combination times Gram matrix times combination, which is logits less bias."""
        combinations = left[:, :-1]
        return combinations.flatten(1) @ logits.flatten(1).T - combinations.sum(1) @ right[:, -1].T

    def start(self, classes: int) -> Tensor:
        return self.gram.new_zeros(self.rows + 1, classes)

    def part(self, rows: Tensor) -> SpanDesign:
        return SpanDesign(self.features[rows], self.gram[rows][:, rows], self.lease)

    def lift(self, parameters: Tensor, rows: Tensor) -> Tensor:
        lifted = self.start(parameters.shape[1])
        lifted[rows], lifted[-1] = parameters[:-1], parameters[-1]
        return lifted

    def outside(self, parameters: Tensor, rows: Tensor, others: Tensor) -> Tensor:
        return in_blocks(self.gram[others][:, rows], parameters[:-1], self.lease) + parameters[-1]

    def weights(self, parameters: Tensor) -> Tensor:
        return in_blocks(self.features.T, parameters[:-1], self.lease)


@dataclass(frozen=True)
class PrimalDesign:
    """Parameters are the weights themselves. Better for fewer features than images."""

    features: Tensor  # (images, features), scaled
    lease: DeviceLease = nullcontext

    @property
    def rows(self) -> int:
        """Number of images."""
        return len(self.features)

    def push(self, parameters: Tensor) -> Tensor:
        return in_blocks(self.features, parameters[:-1], self.lease) + parameters[-1]

    def pull(self, residuals: Tensor) -> Tensor:
        return torch.cat([in_blocks(self.features.T, residuals, self.lease), residuals.sum(0, keepdim=True)])

    def inner(self, left: Tensor, right: Tensor, logits: Tensor) -> Tensor:
        biases = left[:, -1] @ right[:, -1].T
        return left.flatten(1) @ right.flatten(1).T - biases

    def start(self, classes: int) -> Tensor:
        return self.features.new_zeros(self.features.shape[1] + 1, classes)

    def part(self, rows: Tensor) -> PrimalDesign:
        return PrimalDesign(self.features[rows], self.lease)

    def lift(self, parameters: Tensor, rows: Tensor) -> Tensor:
        return parameters

    def outside(self, parameters: Tensor, rows: Tensor, others: Tensor) -> Tensor:
        return in_blocks(self.features[others], parameters[:-1], self.lease) + parameters[-1]

    def weights(self, parameters: Tensor) -> Tensor:
        return parameters[:-1]


def make_design(features: Tensor, lease: DeviceLease = nullcontext) -> Design:
    """The smaller of the two problems, for scaled features (images, features)."""
    return SpanDesign.of(features, lease) if len(features) < features.shape[1] else PrimalDesign(features, lease)


def gram_matrix(features: Tensor, lease: DeviceLease = nullcontext) -> Tensor:
    """Inner products (N, N) of the rows of features (N, F); half of it is computed, the rest is its mirror image."""
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


def in_blocks(left: Tensor, right: Tensor, lease: DeviceLease = nullcontext) -> Tensor:
    """left @ right, by rows of `left` if it would hold the device for long."""
    rows = max(1, int(_BLOCK_OPERATIONS / max(1, 2 * left.shape[1] * right.shape[1])))
    if rows >= len(left):
        with lease():
            return left @ right
    product = right.new_empty(len(left), right.shape[1])
    for top in range(0, len(left), rows):
        with lease():
            torch.matmul(left[top : top + rows], right, out=product[top : top + rows])
    return product
