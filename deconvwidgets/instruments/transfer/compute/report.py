"""Collects what the folds gave, and makes the report and the head of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.instruments.transfer.compute.folds import TrainedHead
from deconvwidgets.instruments.transfer.compute.scores import class_accuracy, confusion_matrix
from deconvwidgets.instruments.transfer.records import HeadReport
from deconvwidgets.records.heads import Head
from deconvwidgets.records.images import SkippedImage


@dataclass(frozen=True)
class RunFacts:
    """What is the same for all folds of a run."""

    dataset: str
    model: str
    layer: str  # dotted
    alias: str | None
    pool: tuple[int, int] | None
    digest: str
    features: str  # in words
    views: str
    images_per_class: int
    folds: int
    seed: int
    categories: tuple[str, ...]
    classifier: str
    skipped: tuple[SkippedImage, ...]


@dataclass
class FoldResults:
    """Grows fold by fold."""

    facts: RunFacts
    started: float = field(default_factory=time.monotonic)
    _head: tuple[TrainedHead, float] | None = None
    _accuracies: list[float] = field(default_factory=list)
    _decays: list[float] = field(default_factory=list)
    _tests: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)
    _confidences: list[NDArray[np.float32]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._accuracies)

    @property
    def accuracies(self) -> tuple[float, ...]:
        """One a fold."""
        return tuple(self._accuracies)

    def set_head(self, head: TrainedHead, accuracy: float) -> None:
        """The head to hand out, trained on the first fold, with its own accuracy there."""
        self._head = (head, accuracy)

    def add(self, weight_decay: float, sources: NDArray[np.int64], truths: NDArray[np.int64], logits: Tensor) -> None:
        """A fold's weight decay, and its logits (tests, classes) for the test photographs."""
        confidences, predictions = torch.softmax(logits, 1).max(1)
        if self.facts.classifier != "softmax":
            confidences = torch.full_like(confidences, torch.nan)
        predicted = predictions.numpy()
        folds = np.full(len(sources), len(self), np.int64)
        self._tests.append((sources, folds, truths, predicted))
        self._confidences.append(confidences.numpy().astype(np.float32))
        self._decays.append(weight_decay)
        self._accuracies.append(class_accuracy(truths, predicted))

    def report(self) -> HeadReport:
        """Of the folds so far, at least one."""
        assert self._head is not None
        facts = self.facts
        sources, folds, truths, predictions = (np.concatenate(parts) for parts in zip(*self._tests, strict=True))
        return HeadReport(
            dataset=facts.dataset,
            model=facts.model,
            layer=facts.layer,
            features=facts.features,
            images_per_class=facts.images_per_class,
            seed=facts.seed,
            categories=facts.categories,
            per_fold=self.accuracies,
            weight_decays=tuple(self._decays),
            confusion=confusion_matrix(truths, predictions, len(facts.categories)),
            sources=sources,
            folds=folds,
            truths=truths,
            predictions=predictions,
            confidences=np.concatenate(self._confidences),
            head=self._made_head(*self._head),
            seconds=time.monotonic() - self.started,
            complete=len(self) == facts.folds,
            skipped=facts.skipped,
            classifier=facts.classifier,
        )

    def _made_head(self, trained: TrainedHead, accuracy: float) -> Head:
        facts = self.facts
        return Head(
            model=facts.model,
            layer=facts.layer,
            alias=facts.alias,
            pool=facts.pool,
            weight=trained.weight.cpu().numpy(),
            bias=trained.bias.cpu().numpy(),
            categories=facts.categories,
            digest=facts.digest,
            dataset=f"{facts.dataset}, {facts.images_per_class} a class",
            report={
                "accuracy": float(np.mean(self._accuracies)),
                "std": float(np.std(self._accuracies)),
                "folds": len(self),
                "own_accuracy": accuracy,  # of this very head, from one kind of view, on the first fold
                "images_per_class": facts.images_per_class,
                "seed": facts.seed,
                "weight_decay": trained.weight_decay,
                "views": facts.views,
                "features": facts.features,
                "classifier": facts.classifier,
            },
        )
