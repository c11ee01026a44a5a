"""A classifier's answers: probabilities, the most probable class, and a class by its name."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.errors import OcclusionError
from deconvwidgets.records.class_names import class_index

# float32 sums come out a little differently in batches of another size. Classes whose probabilities are nearer to each other than
# this share count as equally probable, so that the batch does not decide between them.
_EQUAL = 1e-5


def probabilities_of(logits: Tensor) -> NDArray[np.float64]:
    """Softmax probabilities (N, classes), in float64 on the CPU, of logits (N, classes)."""
    answer: NDArray[np.float64] = logits.detach().cpu().double().softmax(dim=1).numpy()
    return answer


def most_probable(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """The most probable class (...) of probabilities (..., classes); of equal ones the lowest."""
    best = probabilities.max(axis=-1, keepdims=True)
    lowest: NDArray[np.int64] = np.asarray((probabilities >= best * (1 - _EQUAL)).argmax(axis=-1), np.int64)
    return lowest


def class_number(target: int | str, classes: int, categories: Sequence[str] | None, model: str) -> int:
    """A class by its number or its name (of equal names the lowest). Raises OcclusionError for one that is none, with the closest names."""
    names = list(categories or ())[:classes]
    if isinstance(target, str):
        return class_index(target, names, model, "bundle.categories lists them all.")
    try:
        number = index(target)
    except TypeError:
        raise OcclusionError(f"The target is a class's number or name, not {target!r}.") from None
    if not 0 <= number < classes:
        raise OcclusionError(f"{model} has {classes:,} classes, 0 to {classes - 1}: there is no class {number}.")
    return number
