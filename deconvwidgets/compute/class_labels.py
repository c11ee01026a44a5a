"""The classes of a model that the labels of photographs name."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.compute.class_names import ClassNames
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import labels_of
from deconvwidgets.models.bundle import ModelBundle


def classes_of_labels(bundle: ModelBundle, images: ImageSet) -> NDArray[np.int64]:
    """Return the model's class of each photograph, int64 (photographs,); -1 if `class_of_label` finds none for its label."""
    labels = labels_of(images)
    found = [class_of_label(bundle, category) for category in images.categories or ()]
    classes = np.array([*(-1 if number is None else number for number in found), -1], np.int64)
    return np.where((labels >= 0) & (labels < len(classes) - 1), classes[np.clip(labels, -1, len(classes) - 1)], -1)


def class_of_label(bundle: ModelBundle, label: str | None) -> int | None:
    """Return the model's class that the label of a photograph names; None if it is the name of no class, or of several.

    Names are compared as `deconvwidgets.compute.class_names` says: exactly, then without case and punctuation, then by synset IDs.
    """
    if label is None:
        return None
    numbers, _ = _names(tuple(bundle.categories or ())).match(label)
    return numbers[0] if len(numbers) == 1 else None


@lru_cache(maxsize=8)
def _names(categories: tuple[str, ...]) -> ClassNames:
    """Return the lookup of a model's classes, which takes milliseconds to prepare for 1000 classes."""
    return ClassNames(categories)
