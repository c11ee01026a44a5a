"""The labels with which ways to prepare photographs are compared."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe
from deconvwidgets.compute.class_labels import classes_of_labels
from deconvwidgets.errors import DiagnosisError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle


def usable_labels(bundle: ModelBundle, images: ImageSet) -> Literal["auto"] | None:
    """Return "auto" if a label names a class of a model that predicts one class per photograph; otherwise None."""
    return "auto" if _classifies(bundle) and (classes_of_labels(bundle, images) >= 0).any() else None


def checked_labels(labels: object, bundle: ModelBundle, images: ImageSet) -> NDArray[np.int64] | None:
    """Return the model's class of each photograph, int64 (photographs,), -1 without one; None if `labels` is None.

    Raises DiagnosisError unless `labels` is "auto" or None, and if "auto" finds no class.
    """
    if labels is None:
        return None
    if not (isinstance(labels, str) and labels == "auto"):
        raise DiagnosisError(f"labels must be 'auto', for the labels of the image set, or None, not {describe(labels)}.")
    if not _classifies(bundle):
        raise DiagnosisError(f"{bundle.name} does not predict classes that exclude each other, so there is no accuracy: use labels=None.")
    classes = classes_of_labels(bundle, images)
    if not (classes >= 0).any():
        raise DiagnosisError(
            f"No label of {images.name} names a class of {bundle.name}, so there is no accuracy: use labels=None, or give images in "
            "folders that are named as bundle.categories are."
        )
    return classes


def _classifies(bundle: ModelBundle) -> bool:
    return bundle.quantity is not None and bundle.quantity.task in ("softmax", "probabilities", "binary")
