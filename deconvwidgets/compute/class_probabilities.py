"""Class probabilities of a classifier, the most probable class, and the number of a class by its name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.errors import OcclusionError
from deconvwidgets.records.class_names import class_index

# float32 sums differ slightly between batches of different sizes. Probabilities within this relative distance count as equal, so that
# the predicted class does not depend on the batch.
_EQUAL = 1e-5


def probabilities_of(logits: Tensor) -> NDArray[np.float64]:
    """Return softmax probabilities (N, classes) float64 on the CPU for logits (N, classes)."""
    probabilities: NDArray[np.float64] = logits.detach().cpu().double().softmax(dim=1).numpy()
    return probabilities


def most_probable(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the most probable class (...) for probabilities (..., classes); the lowest of equally probable ones."""
    best = probabilities.max(axis=-1, keepdims=True)
    lowest: NDArray[np.int64] = np.asarray((probabilities >= best * (1 - _EQUAL)).argmax(axis=-1), np.int64)
    return lowest


def class_number(target: int | str, classes: int, categories: Sequence[str] | None, model: str) -> int:
    """Return the number of a class.

    Parameters
    ----------
    target : int or str
        The number or the name of the class. Of equal names the lowest number is returned.
    classes : int
        Number of classes.
    categories : sequence of str, optional
        The names of the classes.
    model : str
        The name of the model, for error messages.

    Raises
    ------
    OcclusionError
        If there is no such class. The message lists the closest names.
    """
    names = list(categories or ())[:classes]
    if isinstance(target, str):
        return class_index(target, names, model, "bundle.categories lists them all.")
    number = as_integer(target)
    if number is None:
        raise OcclusionError(f"target must be the number or the name of a class, not {describe(target)}.")
    if not 0 <= number < classes:
        raise OcclusionError(f"{model} has {classes:,} classes, 0 to {classes - 1}: there is no class {number}.")
    return number
