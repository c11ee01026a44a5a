"""The colours of classes in maps of the most probable class: the same in every view, chart and file of a service."""

from __future__ import annotations

from threading import Lock

import numpy as np

from deconvwidgets.display import class_colour
from deconvwidgets.instruments.occlusion.records import OcclusionMaps


class ClassColours:
    """Gives colours in the order in which classes are met, so that few classes have colours that are easily told apart, and keeps them:
    a class looks the same in the maps of every image, and while a map sharpens. Any thread may ask."""

    def __init__(self) -> None:
        self._given: dict[int, str] = {}
        self._lock = Lock()

    def of(self, maps: OcclusionMaps) -> dict[int, str]:
        """The colour "#rrggbb" of each class that occurs, the most frequent first (of equal ones the lower); {} without a classifier."""
        if maps.label is None:
            return {}
        labels, counts = np.unique(maps.label[maps.label >= 0], return_counts=True)
        found = [int(label) for label in labels[np.lexsort((labels, -counts))]]
        unoccluded = maps.unoccluded.label  # what is said of the whole image is met first
        with self._lock:
            for label in [*([] if unoccluded is None else [unoccluded]), *found]:
                self._given.setdefault(label, class_colour(len(self._given)))
            return {label: self._given[label] for label in found}
