"""The labels that an evaluation compares with, in the terms of the model: its classes or its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import count
from deconvwidgets.images.targets import plain_target, targets_of
from deconvwidgets.instruments.evaluation.records import ClassMatch


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of an image set for one model.

    Attributes
    ----------
    sources : array (n,) int64
        The photographs to evaluate, ascending.
    truths : array
        The evaluated class (n,) int64, the labels (n, R) bool, or the values (n, K) float64.
    categories, category_classes : tuples
        The names of the evaluated classes, and the model's classes that are right for them; () for values.
    matches : tuple of ClassMatch
        For each class of the image set; () for values.
    unlabelled, unmatched : int
        Numbers of photographs that are left out.
    notes : tuple of str
        What is left out, merged or empty.
    digest : str
        Identifies the labels as the image set or the caller gives them.
    """

    sources: NDArray[np.int64]
    truths: NDArray[Any]
    categories: tuple[str, ...] = ()
    category_classes: tuple[tuple[int, ...], ...] = ()
    matches: tuple[ClassMatch, ...] = ()
    unlabelled: int = 0
    unmatched: int = 0
    notes: tuple[str, ...] = ()
    digest: str = ""


def given_targets(images: ImageSet, labels: object) -> list[object]:
    """Return the target of each photograph: of `labels` if the caller gives them, else of the image set.

    Raises
    ------
    EvaluationError
        If `labels` is not a sequence of one label per photograph, or if no photograph has a label.
    """
    if labels is None:
        targets = targets_of(images)
        if all(target is None for target in targets):
            raise EvaluationError(
                f"{images.name} has no labels to compare with: put the images of each class in a folder of its own, and give the folder of "
                "these folders, give a data set or a data frame with labels, or pass labels=[...], one per photograph."
            )
        return targets
    targets = [plain_target(label) for label in _sequence(labels)]
    if len(targets) != images.source_count:
        raise EvaluationError(
            f"labels has {count(len(targets), 'label')}, but {images.name} has {count(images.source_count, 'readable photograph')}: give "
            "one for each, None for a photograph without a label."
        )
    if all(target is None for target in targets):
        raise EvaluationError("labels has no label, only missing values: give one per photograph.")
    return targets


def _sequence(labels: object) -> Sequence[Any]:
    try:
        if isinstance(labels, Iterable) and hasattr(labels, "__len__") and not isinstance(labels, str | bytes | dict | set):
            return list(labels)
    except TypeError:  # an array without dimensions
        pass
    raise EvaluationError(f"labels must be a sequence of one label per photograph, not {describe(labels)}.")


def unlabelled_note(unlabelled: int) -> list[str]:
    """Return the sentence about photographs without a label, if there are any."""
    return [f"{count(unlabelled, 'photograph')} without a label {'is' if unlabelled == 1 else 'are'} left out."] if unlabelled else []


def value_labels(images: ImageSet, targets: Sequence[object], outputs: Sequence[str]) -> Labels:
    """Return the labels of a regression: a value per output.

    Raises
    ------
    EvaluationError
        For labels that are not as many finite numbers as the model has outputs.
    """
    sources, values = list[int](), list[tuple[float, ...]]()
    for source, target in enumerate(targets):
        row = target if isinstance(target, tuple) else (target,)
        if None in row:
            continue
        if len(row) != len(outputs) or not all(_is_value(value) for value in row):
            needed = "one finite number" if len(outputs) == 1 else f"{len(outputs)} finite numbers ({', '.join(outputs[:5])})"
            raise EvaluationError(
                f"The model predicts {'a value' if len(outputs) == 1 else f'{len(outputs)} values'}, so every label must be {needed}, but "
                f"{images.source_name(source)!r} is labelled {describe(target)}: pass labels=[...], or the columns of a data frame."
            )
        sources.append(source)
        values.append(tuple(float(value) for value in row))
    missing = len(targets) - len(sources)
    truths = np.asarray(values, np.float64).reshape(len(sources), len(outputs))
    return Labels(np.asarray(sources, np.int64), truths, unlabelled=missing, notes=tuple(unlabelled_note(missing)))


def _is_value(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
