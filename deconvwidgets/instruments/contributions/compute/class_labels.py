"""The classes of a model that the labels of photographs name."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import labels_of
from deconvwidgets.models.bundle import ModelBundle


def classes_of_labels(bundle: ModelBundle, images: ImageSet) -> NDArray[np.int64]:
    """Return the model's class of each photograph, int64 (photographs,); -1 if its label is the name of no class, or of several.

    Names are compared exactly, then without case, with underscores and hyphens as spaces.
    """
    names, labels = list(bundle.categories or ()), labels_of(images)
    classes = np.array([_class_of(category, names) for category in images.categories or ()] + [-1], np.int64)
    return np.where((labels >= 0) & (labels < len(classes) - 1), classes[np.clip(labels, -1, len(classes) - 1)], -1)


def _class_of(name: str, names: list[str]) -> int:
    for known, key in ((names, name), ([_normal(other) for other in names], _normal(name))):
        found = [number for number, other in enumerate(known) if other == key]
        if len(found) == 1:
            return found[0]
    return -1


def _normal(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.casefold().strip()))
