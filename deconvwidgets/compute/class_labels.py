"""The classes of a model that the labels of photographs name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.compute.class_names import ClassNames
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import labels_of
from deconvwidgets.models.bundle import ModelBundle


def classes_of_labels(bundle: ModelBundle, images: ImageSet) -> NDArray[np.int64]:
    """Return the model's class of each photograph, int64 (photographs,); -1 if its label is the name of no class, or of several.

    Names are compared as `deconvwidgets.compute.class_names` says: exactly, then without case and punctuation, then by synset IDs.
    """
    names, labels = ClassNames(bundle.categories or ()), labels_of(images)
    found = [names.match(category)[0] for category in images.categories or ()]
    classes = np.array([*(numbers[0] if len(numbers) == 1 else -1 for numbers in found), -1], np.int64)
    return np.where((labels >= 0) & (labels < len(classes) - 1), classes[np.clip(labels, -1, len(classes) - 1)], -1)
