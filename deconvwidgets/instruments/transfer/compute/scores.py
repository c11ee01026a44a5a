"""Scores of a classifier: accuracy averaged over classes, and the confusion matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def class_accuracy(truths: NDArray[np.int64], predictions: NDArray[np.int64]) -> float:
    """Return the accuracy in each class, averaged over the classes that occur (Zeiler & Fergus 2014, section 5.2)."""
    totals = np.bincount(truths)
    correct = np.bincount(truths[truths == predictions], minlength=len(totals))
    occurs = totals > 0
    return float(np.mean(correct[occurs] / totals[occurs]))


def confusion_matrix(truths: NDArray[np.int64], predictions: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix (classes, classes): rows are true classes, columns are predicted classes."""
    counts: NDArray[np.int64] = np.bincount(truths * classes + predictions, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def accuracy_of_logits(logits: Tensor, labels: Tensor) -> float:
    """Return the class-averaged accuracy of logits (N, classes) for labels (N,)."""
    return class_accuracy(labels.cpu().numpy(), logits.argmax(1).cpu().numpy())
