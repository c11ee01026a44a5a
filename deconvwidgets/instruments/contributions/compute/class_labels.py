"""The classes of a model that the labels of photographs name."""

from __future__ import annotations

import re
from collections import Counter

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
    exact, normal = _numbers(names), _numbers([_normal(name) for name in names])
    known = [exact.get(category, normal.get(_normal(category), -1)) for category in images.categories or ()]
    classes = np.array([*known, -1], np.int64)
    return np.where((labels >= 0) & (labels < len(classes) - 1), classes[np.clip(labels, -1, len(classes) - 1)], -1)


def _numbers(names: list[str]) -> dict[str, int]:
    """Return the class of each name; -1 for a name of several."""
    count = Counter(names)
    return {name: number if count[name] == 1 else -1 for number, name in enumerate(names)}


def _normal(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.casefold().strip()))
