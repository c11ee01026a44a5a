"""Collects the results of the folds, and creates the report and the head from them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.calibration import calibration
from deconvwidgets.instruments.transfer.compute.folds import TrainedHead
from deconvwidgets.instruments.transfer.compute.scores import class_accuracy, confusion_matrix
from deconvwidgets.instruments.transfer.muting import name_units
from deconvwidgets.instruments.transfer.records import HeadReport
from deconvwidgets.records.calibration import Calibration
from deconvwidgets.records.heads import Head
from deconvwidgets.records.images import SkippedImage


@dataclass(frozen=True)
class RunInfo:
    """The properties of a run that all folds share."""

    dataset: str
    model: str
    layer: str  # dotted name
    alias: str | None
    pool: tuple[int, int] | None
    digest: str
    features: str  # description
    crops: str
    images_per_class: int
    folds: int
    seed: int
    categories: tuple[str, ...]
    classifier: str
    skipped: tuple[SkippedImage, ...]
    muted: tuple[tuple[str, int], ...] = ()
    units: str = ""  # which units of the model were changed, in words


@dataclass
class FoldResults:
    """The results of the folds so far."""

    info: RunInfo
    started: float = field(default_factory=time.monotonic)
    _head: tuple[TrainedHead, float] | None = None
    _accuracies: list[float] = field(default_factory=list)
    _decays: list[float] = field(default_factory=list)
    _temperatures: list[float] = field(default_factory=list)
    _tests: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)
    _confidences: list[NDArray[np.float32]] = field(default_factory=list)
    _truth_probabilities: list[NDArray[np.float32]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._accuracies)

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The accuracy of each fold."""
        return tuple(self._accuracies)

    def set_head(self, head: TrainedHead, accuracy: float) -> None:
        """Set the head of the report, which is trained on the first fold, and its accuracy there."""
        self._head = (head, accuracy)

    def add(self, head: TrainedHead, sources: NDArray[np.int64], truths: NDArray[np.int64], logits: Tensor) -> None:
        """Add a fold.

        Parameters
        ----------
        head : TrainedHead
            The head of the fold.
        sources, truths : array (tests,)
            The test photographs and their classes.
        logits : Tensor (tests, classes)
            Their logits.
        """
        probabilities = torch.softmax(logits, 1)
        confidences, predictions = probabilities.max(1)
        if self.info.classifier != "softmax":
            confidences = torch.full_like(confidences, torch.nan)
        predicted = predictions.numpy()
        folds = np.full(len(sources), len(self), np.int64)
        self._tests.append((sources, folds, truths, predicted))
        self._confidences.append(confidences.numpy().astype(np.float32))
        self._truth_probabilities.append(probabilities.numpy()[np.arange(len(truths)), truths])
        self._decays.append(head.weight_decay)
        self._temperatures.append(head.temperature)
        self._accuracies.append(class_accuracy(truths, predicted))

    def report(self) -> HeadReport:
        """Return the report of the folds so far, of which there is at least one."""
        assert self._head is not None
        info = self.info
        sources, folds, truths, predictions = (np.concatenate(parts) for parts in zip(*self._tests, strict=True))
        calibrated = self._calibration(truths == predictions)
        return HeadReport(
            dataset=info.dataset,
            model=info.model,
            layer=info.layer,
            features=info.features,
            images_per_class=info.images_per_class,
            seed=info.seed,
            categories=info.categories,
            per_fold=self.accuracies,
            weight_decays=tuple(self._decays),
            confusion=confusion_matrix(truths, predictions, len(info.categories)),
            sources=sources,
            folds=folds,
            truths=truths,
            predictions=predictions,
            confidences=np.concatenate(self._confidences),
            head=self._build_head(*self._head, calibrated),
            seconds=time.monotonic() - self.started,
            complete=len(self) == info.folds,
            skipped=info.skipped,
            classifier=info.classifier,
            temperatures=tuple(self._temperatures),
            calibration=calibrated,
            muted=info.muted,
        )

    def _calibration(self, correct: NDArray[np.bool_]) -> Calibration | None:
        if self.info.classifier != "softmax":
            return None
        return calibration(np.concatenate(self._confidences), correct, np.concatenate(self._truth_probabilities))

    def _build_head(self, trained: TrainedHead, accuracy: float, calibrated: Calibration | None) -> Head:
        info = self.info
        probabilities = {} if calibrated is None else {"calibration_error": calibrated.error, "log_loss": calibrated.log_loss or 0.0}
        return Head(
            model=info.model,
            layer=info.layer,
            alias=info.alias,
            pool=info.pool,
            weight=trained.weight.cpu().numpy(),
            bias=trained.bias.cpu().numpy(),
            categories=info.categories,
            digest=info.digest,
            dataset=f"{info.dataset}, {info.images_per_class} per class",
            report={
                "accuracy": float(np.mean(self._accuracies)),
                "std": float(np.std(self._accuracies)),
                "folds": len(self),
                "own_accuracy": accuracy,  # of this head, for unmirrored crops, on the first fold
                "images_per_class": info.images_per_class,
                "seed": info.seed,
                "weight_decay": trained.weight_decay,
                "temperature": trained.temperature,
                **probabilities,  # of the test photographs of all folds
                "views": info.crops,
                "features": info.features,
                "classifier": info.classifier,
                **({"muted": name_units(info.muted)} if info.muted else {}),
                **({"units": info.units} if info.units else {}),
            },
        )
