"""What a head's answers are worth: accuracy averaged over classes, and the confusion matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def class_accuracy(truths: NDArray[np.int64], predictions: NDArray[np.int64]) -> float:
    """The share of right answers in each class, averaged over the classes that occur (Zeiler & Fergus 2014, section 5.2)."""
    totals = np.bincount(truths)
    right = np.bincount(truths[truths == predictions], minlength=len(totals))
    occurs = totals > 0
    return float(np.mean(right[occurs] / totals[occurs]))


def confusion_matrix(truths: NDArray[np.int64], predictions: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """(classes, classes): rows are truths, columns predictions."""
    counts: NDArray[np.int64] = np.bincount(truths * classes + predictions, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def accuracy_of_logits(logits: Tensor, labels: Tensor) -> float:
    """Class-averaged accuracy of logits (N, classes) on labels (N,)."""
    return class_accuracy(labels.cpu().numpy(), logits.argmax(1).cpu().numpy())
