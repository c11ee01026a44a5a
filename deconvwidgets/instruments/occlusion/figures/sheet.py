"""The content of the figure of an occlusion experiment (Zeiler & Fergus 2014, figure 7): its records, and the text that describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.display import Rgb, decode_image
from deconvwidgets.instruments.occlusion.records import (
    ClassShare,
    OcclusionMaps,
    OcclusionProjection,
    OcclusionScene,
    PatchAnswer,
    TopClasses,
    ValueMap,
)
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.overview import Overview
from deconvwidgets.records.quantity import SOFTMAX, Quantity, format_value
from deconvwidgets.records.units import units_sentence

NO_PROJECTIONS = "The feature map is inactive in this image."


@dataclass(frozen=True, slots=True, eq=False)
class OcclusionSheet:
    """The content of a figure."""

    overview: Overview
    scene: OcclusionScene
    boxes: tuple[Box, ...]  # the patches, in input pixels
    result: PatchAnswer  # the model's result with the patches
    maps: OcclusionMaps | None  # None: the maps have not been computed
    colours: Mapping[int, str]  # "#rrggbb" of each class in the map of the most probable classes, the most frequent first
    projections: tuple[OcclusionProjection, ...]
    projection_error: str = ""  # why there are no projections
    top_classes: TopClasses | None = None  # at the positions of the maps, for a page

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the model's input."""
        return self.scene.image.height, self.scene.image.width

    def feature_map(self) -> str:
        """Return the layer and the unit, such as "conv5 / 120"."""
        return f"{self.scene.request.layer} / {self.scene.request.unit}"

    @property
    def quantity(self) -> Quantity:
        """What the model predicts."""
        return self.overview.quantity or SOFTMAX

    @property
    def has_classes(self) -> bool:
        """Whether there is a map of the most probable class: not for a regression."""
        return self.quantity.kind == "probability"

    @property
    def target_map(self) -> ValueMap:
        """The name of the map of the target."""
        return "probability" if self.has_classes else "value"

    def target_title(self) -> str:
        """Return the quantity of the target, such as "probability of cat" or "depth in m"."""
        return self.quantity.describe(self.target() or "a class")

    def scores_title(self) -> str:
        """Return the heading of the list of classes, or of a regression's values."""
        kind = "Class probabilities" if self.has_classes else "Values"
        light = " (light: without)" if self.has_classes else ", and the change"
        return f"{kind} with the patches{light}" if self.boxes else kind

    def listed(self) -> list[ClassShare]:
        """Return the listed classes, the most probable first; the outputs of a regression in their order."""
        return sorted(self.result.classes, key=lambda share: (-share.now if self.has_classes else 0, share.label))

    def score_text(self, share: ClassShare) -> str:
        """Return the probability of a class, or the value of an output with its change by the patches."""
        if self.has_classes or not self.boxes:
            return self.quantity.format(share.now)
        change = share.now - share.before
        return f"{self.quantity.format(share.now)} ({'+' if change > 0 else ''}{format_value(change)})"

    def target(self) -> str | None:
        """Return the name of the target class, or of the target output of a regression; None if the model predicts nothing."""
        return next((share.name for share in self.scene.classes if share.label == self.scene.request.target), None)

    def against(self) -> str | None:
        """Return the name of the class that the target is compared with; None without one."""
        number = self.scene.request.against
        return next((share.name for share in self.scene.classes if share.label == number), None)

    def title(self) -> str:
        """Return the model, the feature map and the target class, or the two classes that are compared."""
        target, against = self.target(), self.against()
        if against is not None:
            return f"{self.overview.label} · {target} against {against}"
        return " · ".join([self.overview.label, self.feature_map(), *([] if target is None else [target])])

    def subtitle(self) -> str:
        """Return the image, its label, the fill, the window and the stride."""
        scene = self.scene
        parts = [scene.caption, *([scene.label] if scene.label else []), f"fill {scene.request.fill}"]
        if self.maps is not None:
            parts.append(f"patch {_size(self.maps.window)}, stride {_size(self.maps.stride)} px")
        return " · ".join(parts)

    def occluded(self) -> Rgb:
        """Return the model's input with the patches."""
        pixels, fill = decode_image(self.scene.image.data).copy(), decode_image(self.scene.fill.data)
        for left, top, right, bottom in self.boxes:
            part = (slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0)))
            pixels[part] = fill[part]
        return pixels

    def value_map(self, name: ValueMap) -> tuple[NDArray[np.float32], float, float, float] | None:
        """Return a map, its value without a window, and the lower and upper end of its colour range; None if nothing is computed."""
        maps = self.maps
        values = None if maps is None else maps.values(name)
        if maps is None or values is None or not np.isfinite(values).any():
            return None
        return values, float(maps.without_window(name) or 0.0), *maps.colour_range(name)

    def map_colour_range(self) -> tuple[float, float]:
        """Return the value range for the colours of the feature map: that of the unoccluded image, extended to 0."""
        values = self.scene.map
        return min(float(values.min(initial=0)), 0.0), float(max(values.max(initial=0), 1e-12))

    def legend(self) -> list[tuple[int, str, float]]:
        """Return (class, name, share of the positions) for the map of the most probable classes, the most frequent first."""
        maps = self.maps
        if maps is None or maps.label is None:
            return []
        known = maps.label[maps.label >= 0]
        return [(label, maps.name(label), float((known == label).mean())) for label in self.colours]

    def caption(self) -> str:
        """Return what is shown, how it was computed, and the origin of the weights and of the classes."""
        maps = self.maps
        parts = [f"(a) The model's input{', with patches' if self.boxes else ''}."]
        if self.against() is not None:
            return " ".join([*parts, *self._compared_caption(), self._origin()])
        if maps is not None:
            progress = "" if maps.complete else f" ({maps.done:,} of {maps.activity.size:,} positions so far)"
            parts.append(f"(b) Total activity of {self.feature_map()} by the position of the patch's centre{progress}.")
        parts.append(
            f"(c) {self.feature_map()} projected to pixel space (deconvnet rule), above the patches in its receptive field, for this image "
            "and its strongest photographs."
        )
        if maps is not None and maps.probability is not None:
            parts.append(f"(d) Probability of {self.target()}, and (e) the most probable class, by the position of the patch's centre.")
        if maps is not None and maps.value is not None:
            title = self.target_title()
            parts.append(f"(d) {title[:1].upper()}{title[1:]}, by the position of the patch's centre; white: as without a patch.")
        return " ".join([*parts, self._origin()])

    def _compared_caption(self) -> list[str]:
        if self.maps is None:
            return []
        target, against = self.target(), self.against()
        last = ", and (e) the most probable class" if self.has_classes else ""
        what = "The probabilities" if self.has_classes else "The values"
        difference = f"(d) their difference: orange where {target} is above {against}, teal where it is below{last}"
        return [f"{what} of (b) {target} and (c) {against}, {difference}, by the position of the patch's centre."]

    def _origin(self) -> str:
        """Return which units are off, and the origin of the weights and of the classes."""
        overview = self.overview
        weights = f"Weights: {overview.weights.rstrip('.')}."
        what = "Classes" if self.has_classes else "Predicted"
        classes = f" {what}: {overview.classifier.rstrip('.')}." if overview.classifier else " The model has no classifier."
        return " ".join(filter(None, [units_sentence(overview.units), f"{weights}{classes} After Zeiler & Fergus 2014, figure 7."]))


def image_name(projection: OcclusionProjection) -> str:
    """Return the name of the image of a projection."""
    return "this image" if projection.own else projection.caption.partition(" · ")[0]


def format_activity(value: float) -> str:
    """Return a total activity with three significant digits, or as an integer from 100."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _size(pair: tuple[int, int]) -> str:
    return f"{pair[0]}" if pair[0] == pair[1] else f"{pair[0]} x {pair[1]}"
