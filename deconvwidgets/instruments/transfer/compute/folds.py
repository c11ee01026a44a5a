"""Training the head of one fold: choose weight decay and temperature on held-out training images, then train on all training images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import describe, finite_number, positive_number
from deconvwidgets.compute.job import DeviceLease
from deconvwidgets.errors import HeadError
from deconvwidgets.instruments.transfer.compute.gram import Design, GramDesign, Scaling, make_design
from deconvwidgets.instruments.transfer.compute.held_out import Search, held_out_parts
from deconvwidgets.instruments.transfer.compute.scores import accuracy_of_logits
from deconvwidgets.instruments.transfer.compute.softmax import Fit, fit_softmax
from deconvwidgets.instruments.transfer.compute.svm import COST, fit_svm, require_scikit_learn
from deconvwidgets.instruments.transfer.compute.temperature import log_loss
from deconvwidgets.instruments.transfer.records import HeadStep

# Above 0.1 the weights keep their directions and only become shorter, which the temperature undoes.
WEIGHT_DECAYS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class TrainedHead:
    """Weight (classes, features) and bias (classes,) for unscaled features, divided by the temperature; how they were trained."""

    weight: Tensor
    bias: Tensor
    weight_decay: float
    temperature: float = 1.0


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

    Of several weight decays, each with its temperature, the one with the smallest log loss on held-out images is used; of equal ones, the
    one with the best accuracy, then the strongest; with fewer than 100 images in a held-out fifth, the strongest that is as good within
    half a standard error. `widen` continues the grid to weaker ones where the weakest is the best. A temperature of None is fitted on the
    held-out images.
    """

    weight_decays: tuple[float, ...] = WEIGHT_DECAYS
    on_step: Callable[[HeadStep], None] | None = None
    widen: bool = False
    temperature: float | None = None
    classifier: str = "softmax"

    @classmethod
    def of(
        cls,
        weight_decay: float | Sequence[float] | None,
        temperature: float | None = None,
        on_step: Callable[[HeadStep], None] | None = None,
    ) -> SoftmaxTrainer:
        """Return the trainer for the arguments of `train_softmax_head`. Raises HeadError for invalid ones."""
        decays = check_weight_decays(weight_decay)
        if temperature is not None:
            temperature = positive_number(temperature, "temperature", HeadError)
        elif len(decays) == 1:
            temperature = 1.0
        return cls(decays, on_step, weight_decay is None, temperature)

    def train(self, images: FoldImages, lease: DeviceLease) -> TrainedHead:
        scaling, rows, labels = _scaled(images)
        design = make_design(rows, lease)
        decay, temperature, start = self._choose(images, design, labels, lease)

        def on_step(fit: Fit) -> None:
            self._report(images.fold, fit, labels)

        fit = fit_softmax(design, labels, images.classes, decay, start, lease=lease, on_step=on_step)
        weight, bias = scaling.unscale(design.weights(fit.parameters), fit.parameters[-1])
        return TrainedHead(weight / temperature, bias / temperature, decay, temperature)

    def with_weight_decay(self, weight_decay: float) -> SoftmaxTrainer:
        return SoftmaxTrainer((weight_decay,), temperature=self.temperature)

    def _choose(self, images: FoldImages, design: Design, labels: Tensor, lease: DeviceLease) -> tuple[float, float, Tensor | None]:
        """Return weight decay, temperature, and parameters to start at. The middle weight decay is used if no image can be held out."""
        parts = held_out_parts(images.labels, images.seed + images.fold)
        if not parts or (len(self.weight_decays) == 1 and self.temperature is not None):
            return self.weight_decays[len(self.weight_decays) // 2], self.temperature or 1.0, None

        def on_step(fit: Fit, labels: Tensor, predict: Callable[[], Tensor], held_labels: Tensor) -> None:
            self._report(images.fold, fit, labels, predict, held_labels)

        search = Search(design, labels, images.classes, parts, lease, on_step, self.temperature)
        best = search.run(self.weight_decays, self.widen)
        return best.weight_decay, best.temperature, best.parameters

    def _report(
        self, fold: int, fit: Fit, labels: Tensor, predict: Callable[[], Tensor] | None = None, held_labels: Tensor | None = None
    ) -> None:
        if self.on_step is None:
            return
        accuracy, loss = None, None
        if predict is not None and held_labels is not None:
            logits = predict()
            accuracy, loss = accuracy_of_logits(logits, held_labels), log_loss(logits, held_labels)
        self.on_step(HeadStep(fold, fit.weight_decay, fit.steps, fit.loss, accuracy_of_logits(fit.logits, labels), accuracy, loss))


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
