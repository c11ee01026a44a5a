"""The table of an ablation: what changes when one unit after another is switched off, added up over batches of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from deconvwidgets.instruments.contributions.ablation import UnitAblation
from deconvwidgets.instruments.contributions.compute.outputs import OutputsAbove
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.quantity import Quantity

Method = Literal["closed form", "delta", "full"]
Reference = Literal["label", "predicted"]


@dataclass(frozen=True, slots=True)
class Before:
    """A batch of photographs without changes: own classes, predicted classes, logits and probabilities of the own classes, all (N,)."""

    own: Tensor
    predicted: Tensor
    logits: Tensor
    probabilities: Tensor


class AblationTable:
    """Adds up the changes of all photographs.

    Parameters
    ----------
    above : OutputsAbove
    reference : {"label", "predicted"}
        What the photographs' own classes are.
    """

    def __init__(self, above: OutputsAbove, reference: Reference) -> None:
        self._above, self._reference = above, reference
        shape = (above.units, above.classes)
        self._logits, self._probabilities = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
        self._right = torch.zeros(shape, dtype=torch.long)  # the change of the number of right answers
        self._right_before, self._counts = torch.zeros(above.classes, dtype=torch.long), torch.zeros(above.classes, dtype=torch.long)
        self._now_right, self._now_wrong, self._changed = (torch.zeros(above.units, dtype=torch.long) for _ in range(3))

    def begin(self, outputs: Tensor, labels: Tensor) -> Before:
        """Count a batch of photographs, and return what their changes are compared with.

        Parameters
        ----------
        outputs : Tensor (N, K)
            Without changes, on the CPU.
        labels : Tensor (N,) int64
            The classes of the labels; -1 for none.
        """
        quantity = self._above.quantity
        predicted = _predicted(outputs, quantity)
        own = labels if self._reference == "label" else predicted
        known = own >= 0
        self._counts += torch.bincount(own[known], minlength=self._above.classes)
        self._right_before += torch.bincount(own[known & (predicted == own)], minlength=self._above.classes)
        used = own.clamp(min=0)
        return Before(own, predicted, _of_class(outputs, used, quantity), _probability(outputs, used, quantity))

    def add(self, before: Before, units: Tensor, photographs: Tensor, outputs: Tensor) -> None:
        """Add the changes of B pairs of a unit and a photograph of a batch.

        Parameters
        ----------
        before : Before
            Of the batch.
        units, photographs : Tensor (B,) int64
            The unit that is off, and the photograph's number in the batch.
        outputs : Tensor (B, K)
            With the unit off, on the CPU.
        """
        quantity, own, first = self._above.quantity, before.own[photographs], before.predicted[photographs]
        then, known = _predicted(outputs, quantity), own >= 0
        self._changed.index_add_(0, units, (first != then).long())
        used, weight = own.clamp(min=0), known.long()
        at = units * self._above.classes + used
        logits = _of_class(outputs, used, quantity) - before.logits[photographs]
        probabilities = _probability(outputs, used, quantity) - before.probabilities[photographs]
        self._logits.view(-1).index_add_(0, at, logits.to(torch.float64) * weight)
        self._probabilities.view(-1).index_add_(0, at, probabilities.to(torch.float64) * weight)
        right = ((then == own).long() - (first == own).long()) * weight
        self._right.view(-1).index_add_(0, at, right)
        self._now_right.index_add_(0, units, (right > 0).long())
        self._now_wrong.index_add_(0, units, (right < 0).long())

    def record(self, method: Method, skipped: tuple[SkippedImage, ...]) -> UnitAblation:
        """Return the means."""
        labels = torch.nonzero(self._counts).flatten()
        counts = self._counts[labels]
        total = int(counts.sum())
        right = torch.cat([self._right_before + self._right, self._right_before[None]])[:, labels]
        accuracies = _array(right.sum(dim=1)).astype(np.float64) / max(total, 1)
        return UnitAblation(
            layer=self._above.layer,
            photographs=total,
            accuracy=float(accuracies[-1]) if total else float("nan"),
            accuracies=accuracies[:-1] if total else np.full(self._above.units, np.nan),
            now_right=_array(self._now_right),
            now_wrong=_array(self._now_wrong),
            changed=_array(self._changed),
            logits=_array((self._logits[:, labels] / counts).float()),
            probabilities=_array((self._probabilities[:, labels] / counts).float()),
            class_accuracies=_array((right / counts).float()),
            counts=_array(counts),
            labels=tuple(labels.tolist()),
            categories=self._above.bundle.categories or (),
            method=method,
            reference=self._reference,
            skipped=skipped,
        )


def _predicted(outputs: Tensor, quantity: Quantity) -> Tensor:
    """Return the most probable classes (N,), the lowest of equal ones."""
    if quantity.task == "binary":
        return (outputs[:, 0] > (0.5 if quantity.activation == "none" else 0.0)).long()
    return outputs.argmax(dim=1)


def _of_class(outputs: Tensor, own: Tensor, quantity: Quantity) -> Tensor:
    if quantity.task == "binary":
        return torch.where(own == 1, outputs[:, 0], -outputs[:, 0])
    return outputs.gather(1, own[:, None])[:, 0]


def _probability(outputs: Tensor, own: Tensor, quantity: Quantity) -> Tensor:
    chosen = _of_class(outputs, own, quantity)
    if quantity.activation == "softmax":
        return (chosen - outputs.logsumexp(dim=1)).exp()
    return chosen.sigmoid() if quantity.activation == "sigmoid" else chosen


def _array(values: Tensor) -> Any:
    return values.numpy()
