"""The colors of classes, the same in all maps, charts and files of a service."""

from __future__ import annotations

from threading import Lock

import numpy as np

from deconvwidgets.display import class_colour
from deconvwidgets.instruments.occlusion.records import OcclusionMaps


class ClassColours:
    """Assigns a color to each class when it first occurs, and keeps it. Thread-safe.

    The first colors are the easiest to tell apart, so they go to the classes that occur first.
    """

    def __init__(self) -> None:
        self._assigned: dict[int, str] = {}
        self._lock = Lock()

    def of(self, maps: OcclusionMaps) -> dict[int, str]:
        """Return the color "#rrggbb" of each class that occurs, the most frequent first, of equal ones the lower; {} without classes."""
        if maps.label is None:
            return {}
        labels, counts = np.unique(maps.label[maps.label >= 0], return_counts=True)
        frequent = [int(label) for label in labels[np.lexsort((labels, -counts))]]
        unoccluded = maps.unoccluded.label  # the class of the whole image comes first
        with self._lock:
            for label in [*([] if unoccluded is None else [unoccluded]), *frequent]:
                self._assigned.setdefault(label, class_colour(len(self._assigned)))
            return {label: self._assigned[label] for label in frequent}
