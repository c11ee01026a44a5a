"""Linear support vector machines, one class against the rest, on the Gram matrix of the training images, by scikit-learn.

Source: Zeiler & Fergus 2014, table 7 (a linear SVM on the features of each layer).
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
    """Return scikit-learn's SVC. Raises HeadError, which says how to install scikit-learn, if it is missing."""
    try:
        from sklearn.svm import SVC
    except ImportError as error:
        raise HeadError(
            "The linear SVM needs scikit-learn: pip install 'deconvwidgets[transfer]'. The softmax head does not need it"
        ) from error
    return SVC


def fit_svm(gram: Tensor, labels: Tensor, classes: int, cost: float = COST, on_class: Callable[[int], None] = lambda label: None) -> Tensor:
    """Train one classifier per class on the CPU in float64.

    Parameters
    ----------
    gram : Tensor (images, images)
        The Gram matrix, on any device.
    labels : Tensor (images,) int64
        The classes of the images. A class without images gets a bias of -inf.
    classes : int
        Number of classes.
    cost : float
        scikit-learn's C.
    on_class : callable
        Called before each class. It may raise an exception to stop the training.

    Returns
    -------
    Tensor (images + 1, classes)
        Parameters of a `GramDesign`: the coefficients of the images, and the bias in the last row.
    """
    svc = require_scikit_learn()
    kernel: NDArray[np.float64] = np.ascontiguousarray(gram.cpu().numpy(), np.float64)
    truths = labels.cpu().numpy()
    parameters = np.zeros((len(kernel) + 1, classes))
    for label in range(classes):
        on_class(label)
        positive = truths == label
        if not positive.any() or positive.all():
            parameters[-1, label] = np.inf if positive.all() else -np.inf
            continue
        fitted = svc(kernel="precomputed", C=cost, cache_size=500).fit(kernel, positive)
        parameters[fitted.support_, label] = fitted.dual_coef_[0]
        parameters[-1, label] = fitted.intercept_[0]
    return torch.as_tensor(parameters, dtype=gram.dtype, device=gram.device)
