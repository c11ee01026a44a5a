"""Training the head of one fold: choose the weight decay on held-out training images, then train on all training images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import describe, finite_number
from deconvwidgets.compute.job import DeviceLease
from deconvwidgets.errors import HeadError
from deconvwidgets.instruments.transfer.compute.gram import Design, GramDesign, Scaling, make_design
from deconvwidgets.instruments.transfer.compute.scores import accuracy_of_logits
from deconvwidgets.instruments.transfer.compute.softmax import Fit, fit_path, fit_softmax
from deconvwidgets.instruments.transfer.compute.splits import hold_out
from deconvwidgets.instruments.transfer.compute.svm import COST, fit_svm, require_scikit_learn
from deconvwidgets.instruments.transfer.records import HeadStep

WEIGHT_DECAYS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
HELD_OUT = 0.2  # share of the training images


@dataclass(frozen=True)
class TrainedHead:
    """Weight (classes, features) and bias (classes,) for unscaled features, and the weight decay of the training."""

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
    """Trains heads."""

    @property
    def classifier(self) -> str:
        """The name of the classifier in reports."""
        ...

    def train(self, images: FoldImages, lease: DeviceLease) -> TrainedHead:
        """Train on all images, entering `lease()` around each use of the device."""
        ...

    def with_weight_decay(self, weight_decay: float) -> HeadTrainer:
        """Return a trainer that uses this weight decay and reports no steps."""
        ...


@dataclass(frozen=True)
class SoftmaxTrainer:
    """Trains by multinomial logistic regression.

    Of several weight decays the one with the best accuracy on held-out images is used; of equally good ones, the strongest.
    """

    weight_decays: tuple[float, ...] = WEIGHT_DECAYS
    on_step: Callable[[HeadStep], None] | None = None
    classifier: str = "softmax"

    def train(self, images: FoldImages, lease: DeviceLease) -> TrainedHead:
        scaling, rows, labels = _scaled(images)
        design = make_design(rows, lease)
        decay, start = self._fixed_decay(images.labels), None
        if decay is None:
            decay, start = self._choose(images, design, labels, lease)
        on_step = self._step_callback(images.fold, labels, lambda parameters: None)
        fit = fit_softmax(design, labels, images.classes, decay, start, lease=lease, on_step=on_step)
        return TrainedHead(*scaling.unscale(design.weights(fit.parameters), fit.parameters[-1]), decay)

    def with_weight_decay(self, weight_decay: float) -> SoftmaxTrainer:
        return SoftmaxTrainer((weight_decay,))

    def _fixed_decay(self, labels: NDArray[np.int64]) -> float | None:
        """Return the weight decay if there is no choice: the only one, or the middle one if no class has an image to hold out."""
        can_hold_out = np.bincount(labels).max(initial=0) > 1
        return None if can_hold_out and len(self.weight_decays) > 1 else self.weight_decays[len(self.weight_decays) // 2]

    def _choose(self, images: FoldImages, design: Design, labels: Tensor, lease: DeviceLease) -> tuple[float, Tensor]:
        """Return the best weight decay on held-out images, and the parameters trained with it."""
        split = hold_out(images.labels, HELD_OUT, images.seed + images.fold)
        train, held_out = (torch.as_tensor(rows, device=labels.device) for rows in (split.train, split.test))
        subset, train_labels = design.subset(train), labels[train]

        def validate(parameters: Tensor) -> float:
            return accuracy_of_logits(design.predict(parameters, train, held_out), labels[held_out])

        on_step = self._step_callback(images.fold, train_labels, validate)
        path = fit_path(subset, train_labels, images.classes, self.weight_decays, lease=lease, on_step=on_step)
        best = max(path, key=lambda fit: validate(fit.parameters))  # the first of equally good ones
        return best.weight_decay, design.embed(best.parameters, train)

    def _step_callback(self, fold: int, labels: Tensor, validate: Callable[[Tensor], float | None]) -> Callable[[Fit], None]:
        def report(fit: Fit) -> None:
            if self.on_step is not None:
                accuracy = accuracy_of_logits(fit.logits, labels)
                self.on_step(HeadStep(fold, fit.weight_decay, fit.steps, fit.loss, accuracy, validate(fit.parameters)))

        return report


@dataclass(frozen=True)
class SvmTrainer:
    """Trains linear SVMs, one class against the rest. The weight decay is 1 / (cost * images), for the mean hinge loss."""

    cost: float = COST
    classifier: str = "linear SVM"

    def __post_init__(self) -> None:
        require_scikit_learn()

    def train(self, images: FoldImages, lease: DeviceLease) -> TrainedHead:
        scaling, rows, labels = _scaled(images)
        design = GramDesign.of(rows, lease)

        def check_cancelled(label: int) -> None:
            with lease():  # the lease raises JobCancelledError
                pass

        parameters = fit_svm(design.gram, labels, images.classes, self.cost, check_cancelled)
        return TrainedHead(*scaling.unscale(design.weights(parameters), parameters[-1]), 1 / (self.cost * len(rows)))

    def with_weight_decay(self, weight_decay: float) -> SvmTrainer:
        return self


def _scaled(images: FoldImages) -> tuple[Scaling, Tensor, Tensor]:
    """Return the scaling, the scaled features, and the labels on the device."""
    scaling = Scaling.of(images.features)
    return scaling, scaling.apply(images.features), torch.as_tensor(images.labels, device=images.features.device)


def check_weight_decays(weight_decay: float | Sequence[float] | None) -> tuple[float, ...]:
    """Return the weight decays to try, the strongest first; for None the default ones.

    Raises
    ------
    HeadError
        For values that are not positive and finite.
    """
    if weight_decay is None:
        return WEIGHT_DECAYS
    listed = weight_decay.tolist() if isinstance(weight_decay, np.ndarray) else weight_decay
    decays = [finite_number(decay) for decay in (listed if isinstance(listed, list | tuple) else [listed])]
    valid = {decay for decay in decays if decay is not None and decay > 0}
    if not decays or None in decays or not all(decay in valid for decay in decays):
        raise HeadError(
            f"weight_decay must be a positive number, several of them, or None to try {WEIGHT_DECAYS}, not {describe(weight_decay)}."
        )
    return tuple(sorted(valid, reverse=True))
