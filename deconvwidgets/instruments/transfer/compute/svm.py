"""A linear support vector machine, one class against the rest, on the Gram matrix of the training images; by scikit-learn.

Source: Zeiler & Fergus 2014, table 7 (features of each layer, classified by a linear SVM).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.errors import HeadError

COST = 10.0  # scikit-learn's C, for features scaled to a mean squared norm of 1


def require_scikit_learn() -> Any:
    """scikit-learn's SVC. Raises HeadError with the way to it where it is not installed."""
    try:
        from sklearn.svm import SVC
    except ImportError as error:
        raise HeadError(
            "The linear SVM needs scikit-learn: pip install 'deconvwidgets[transfer]'. The softmax head does without"
        ) from error
    return SVC


def fit_svm(gram: Tensor, labels: Tensor, classes: int, cost: float = COST, on_class: Callable[[int], None] = lambda label: None) -> Tensor:
    """Parameters (images + 1, classes) of a SpanDesign: each class's combination of the images, and in the last row its bias.

    `gram` (images, images) and `labels` (images,) may lie on any device; the work is done on the CPU in float64. `on_class` is called
    before each class; it may raise to stop. A class without images never wins.
    """
    machine = require_scikit_learn()
    kernel: NDArray[np.float64] = np.ascontiguousarray(gram.cpu().numpy(), np.float64)
    truths = labels.cpu().numpy()
    parameters = np.zeros((len(kernel) + 1, classes))
    for label in range(classes):
        on_class(label)
        own = truths == label
        if not own.any() or own.all():
            parameters[-1, label] = np.inf if own.all() else -np.inf
            continue
        fitted = machine(kernel="precomputed", C=cost, cache_size=500).fit(kernel, own)
        parameters[fitted.support_, label] = fitted.dual_coef_[0]
        parameters[-1, label] = fitted.intercept_[0]
    return torch.as_tensor(parameters, dtype=gram.dtype, device=gram.device)
