"""The results of a classifier, class by class, as figures list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ClassResult:
    """The results of one class."""

    name: str
    tests: int  # number of photographs
    accuracy: float  # a share; NaN without photographs
    mistake: str = ""  # the most frequent wrong prediction; empty if there is none
    times: int = 0  # how often it was predicted


def class_results(
    categories: Sequence[str], tests: NDArray[np.int64], accuracy: NDArray[np.floating], confusion: NDArray[np.int64], other: str = ""
) -> list[ClassResult]:
    """Return the results of all classes, in the order of the categories.

    Parameters
    ----------
    categories : sequence of str
        The names of the classes.
    tests, accuracy : array (classes,)
    confusion : array (classes, columns)
        Rows are true classes, columns predictions: those of the classes, and another one if `other` is given.
    other : str
        What the last column is.
    """
    columns, results = [*categories, other], []
    for number, name in enumerate(categories):
        wrong = confusion[number].copy()
        wrong[number] = 0
        times = int(wrong.max(initial=0))
        mistake = columns[int(wrong.argmax())] if times else ""
        results.append(ClassResult(name, int(tests[number]), float(accuracy[number]), mistake, times))
    return results


def ranked(results: Sequence[ClassResult]) -> list[ClassResult]:
    """Return the classes with photographs, the best first."""
    tested = [result for result in results if not np.isnan(result.accuracy)]
    return sorted(tested, key=lambda result: -result.accuracy)


def worst(results: Sequence[ClassResult], count: int) -> list[ClassResult]:
    """Return at most `count` classes with errors, the worst first."""
    return [result for result in reversed(ranked(results)) if result.accuracy < 1][:count]
