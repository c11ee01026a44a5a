"""Training the head of one fold: choosing the weight decay on held-out training images, then training on all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.job import DeviceLease
from deconvwidgets.errors import HeadError
from deconvwidgets.instruments.transfer.compute.gram import Design, Scaling, SpanDesign, make_design
from deconvwidgets.instruments.transfer.compute.scores import accuracy_of_logits
from deconvwidgets.instruments.transfer.compute.softmax import Fit, fit_path, fit_softmax
from deconvwidgets.instruments.transfer.compute.splits import hold_out
from deconvwidgets.instruments.transfer.compute.svm import COST, fit_svm, require_scikit_learn
from deconvwidgets.instruments.transfer.records import HeadStep

WEIGHT_DECAYS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
HELD_OUT = 0.2  # share of the training images


@dataclass(frozen=True)
class TrainedHead:
    """Weight (classes, features) and bias (classes,) for the features as they are, and the weight decay that they were trained with."""

    weight: Tensor
    bias: Tensor
    weight_decay: float


@dataclass(frozen=True)
class FoldImages:
    """The training images of one fold: features (images, features) on the device, and their classes (images,)."""

    fold: int
    seed: int
    features: Tensor
    labels: NDArray[np.int64]
    classes: int


class HeadTrainer(Protocol):
    """A way to train a head."""

    @property
    def classifier(self) -> str:
        """Its name in reports."""
        ...

    def train(self, images: FoldImages, lease: DeviceLease) -> TrainedHead:
        """Train on all of the fold's images, entering `lease()` around each use of the device."""
        ...

    def again(self, weight_decay: float) -> HeadTrainer:
        """The same, quietly and with nothing to choose."""
        ...


@dataclass(frozen=True)
class SoftmaxTrainer:
    """Multinomial logistic regression. Of several weight decays the one with the best accuracy on held-out images is taken; of equals,
    the strongest."""

    weight_decays: tuple[float, ...] = WEIGHT_DECAYS
    on_step: Callable[[HeadStep], None] | None = None
    classifier: str = "softmax"

    def train(self, images: FoldImages, lease: DeviceLease) -> TrainedHead:
        scaling, rows, labels = _prepared(images)
        design = make_design(rows, lease)
        decay, start = self._single(images.labels), None
        if decay is None:
            decay, start = self._choose(images, design, labels, lease)
        step = self._teller(images.fold, labels, lambda parameters: None)
        fit = fit_softmax(design, labels, images.classes, decay, start, lease=lease, on_step=step)
        return TrainedHead(*scaling.fold(design.weights(fit.parameters), fit.parameters[-1]), decay)

    def again(self, weight_decay: float) -> SoftmaxTrainer:
        return SoftmaxTrainer((weight_decay,))

    def _single(self, labels: NDArray[np.int64]) -> float | None:
        """The weight decay where there is no choice: one only, or no class with an image to spare (then the middle one)."""
        spare = np.bincount(labels).max(initial=0) > 1
        return None if spare and len(self.weight_decays) > 1 else self.weight_decays[len(self.weight_decays) // 2]

    def _choose(self, images: FoldImages, design: Design, labels: Tensor, lease: DeviceLease) -> tuple[float, Tensor]:
        split = hold_out(images.labels, HELD_OUT, images.seed + images.fold)
        own, held = (torch.as_tensor(rows, device=labels.device) for rows in (split.train, split.test))
        part, own_labels = design.part(own), labels[own]

        def validate(parameters: Tensor) -> float:
            return accuracy_of_logits(design.outside(parameters, own, held), labels[held])

        step = self._teller(images.fold, own_labels, validate)
        path = fit_path(part, own_labels, images.classes, self.weight_decays, lease=lease, on_step=step)
        best = max(path, key=lambda fit: validate(fit.parameters))  # the first of equals
        return best.weight_decay, design.lift(best.parameters, own)

    def _teller(self, fold: int, labels: Tensor, validate: Callable[[Tensor], float | None]) -> Callable[[Fit], None]:
        def tell(fit: Fit) -> None:
            if self.on_step is not None:
                accuracy = accuracy_of_logits(fit.logits, labels)
                self.on_step(HeadStep(fold, fit.weight_decay, fit.steps, fit.loss, accuracy, validate(fit.parameters)))

        return tell


@dataclass(frozen=True)
class SvmTrainer:
    """A linear SVM, one class against the rest. Its weight decay is 1 / (cost * images), by the mean hinge loss."""

    cost: float = COST
    classifier: str = "linear SVM"

    def __post_init__(self) -> None:
        require_scikit_learn()

    def train(self, images: FoldImages, lease: DeviceLease) -> TrainedHead:
        scaling, rows, labels = _prepared(images)
        design = SpanDesign.of(rows, lease)

        def breathe(label: int) -> None:
            with lease():  # where a stop is noticed
                pass

        parameters = fit_svm(design.gram, labels, images.classes, self.cost, breathe)
        return TrainedHead(*scaling.fold(design.weights(parameters), parameters[-1]), 1 / (self.cost * len(rows)))

    def again(self, weight_decay: float) -> SvmTrainer:
        return self


def _prepared(images: FoldImages) -> tuple[Scaling, Tensor, Tensor]:
    """The scaling, the scaled features, and the labels on their device."""
    scaling = Scaling.of(images.features)
    return scaling, scaling.apply(images.features), torch.as_tensor(images.labels, device=images.features.device)


def decays_of(weight_decay: float | Sequence[float] | None) -> tuple[float, ...]:
    """The weight decays to try, the strongest first; None: the default ones. Raises HeadError for anything but positive numbers."""
    if weight_decay is None:
        return WEIGHT_DECAYS
    decays = (weight_decay,) if isinstance(weight_decay, int | float) else tuple(weight_decay)
    if not decays or not all(0 < decay < float("inf") for decay in decays):
        raise HeadError(f"weight_decay={weight_decay!r}: give a positive number, several of them, or None to try {WEIGHT_DECAYS}")
    return tuple(sorted({float(decay) for decay in decays}, reverse=True))
