"""The record of the ablation of every unit of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.images import SkippedImage


@dataclass(frozen=True, slots=True, eq=False)
class UnitAblation:
    """How the model's results change when each unit of a layer alone is switched off.

    `units` are (units,), classes are those of the photographs' labels, in order of `labels`.

    Attributes
    ----------
    layer : str
    photographs : int
        Number of labelled photographs.
    accuracy : float
        Without a change, 0 to 1; NaN if no label is a class of the model.
    accuracies : ndarray of shape (units,), float64
        With the unit off.
    now_right, now_wrong, changed : ndarray of shape (units,), int64
        Photographs that the change makes right, makes wrong, and whose predicted class it changes.
    logits : ndarray of shape (units, classes), float32
        Mean change of the logit of the photographs' own class, per class of the photographs.
    probabilities : ndarray of shape (units, classes), float32
        Mean change of its probability.
    class_accuracies : ndarray of shape (units + 1, classes), float32
        Accuracy per class with each unit off; the last row is that without a change.
    counts : ndarray of shape (classes,), int64
        Photographs per class.
    labels : tuple of int
        The model's classes that the photographs show.
    categories : tuple of str
        Names of all classes of the model.
    method : {"closed form", "delta", "full"}
        "closed form": the output depends linearly on the layer. "delta": what lies above the layer was run again, from the changed sums
        of its first linear operation. "full": all that lies above the layer was run again.
    reference : {"label", "predicted"}
        The photographs' own classes: those of their labels, or the predicted ones if no label names a class of the model.
    skipped : tuple of SkippedImage
        The photographs that could not be read.
    """

    layer: str
    photographs: int
    accuracy: float
    accuracies: NDArray[np.float64]
    now_right: NDArray[np.int64]
    now_wrong: NDArray[np.int64]
    changed: NDArray[np.int64]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    class_accuracies: NDArray[np.float32]
    counts: NDArray[np.int64]
    labels: tuple[int, ...]
    categories: tuple[str, ...]
    method: Literal["closed form", "delta", "full"]
    reference: Literal["label", "predicted"] = "label"
    skipped: tuple[SkippedImage, ...] = ()

    @property
    def accuracy_changes(self) -> NDArray[np.float64]:
        """The change of the accuracy with each unit off, (units,)."""
        return np.asarray(self.accuracies - self.accuracy)

    def name(self, label: int) -> str:
        """Return the name of a class."""
        return self.categories[label] if 0 <= label < len(self.categories) else f"class {label}"

    def __repr__(self) -> str:
        change = self.accuracy_changes
        order = np.argsort(change, kind="stable")[:3].tolist()
        worst = ", ".join(f"{unit} {100 * change[unit]:+.2f}" for unit in order)
        start = f"{self.layer}, {len(change)} units, {self.photographs} photographs, {len(self.labels)} classes"
        return f"UnitAblation({start}; accuracy {100 * self.accuracy:.1f}%; most harm in points: {worst}; {self.method})"
