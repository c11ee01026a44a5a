"""What the figures of an occlusion experiment show (Zeiler & Fergus 2014, figure 7): its records, and the words that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.display import Rgb, decode_image
from deconvwidgets.instruments.occlusion.records import OcclusionMaps, OcclusionProjection, OcclusionScene, PatchAnswer, ValueMap
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.overview import Overview


@dataclass(frozen=True, slots=True, eq=False)
class OcclusionSheet:
    """Everything that a figure says. `maps` None: a figure without them. `refusal` says why there are no projections."""

    overview: Overview
    scene: OcclusionScene
    boxes: tuple[Box, ...]  # the patches, in input pixels
    answer: PatchAnswer  # what the network says with them
    maps: OcclusionMaps | None
    colours: Mapping[int, str]  # "#rrggbb" of each class in the map of the most probable ones, the most frequent first
    projections: tuple[OcclusionProjection, ...]
    refusal: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the model's input."""
        return self.scene.picture.height, self.scene.picture.width

    def watched(self) -> str:
        """The feature map in words."""
        return f"{self.scene.wanted.layer} / {self.scene.wanted.unit}"

    def target(self) -> str | None:
        """The target class; None without a classifier."""
        return next((share.name for share in self.scene.classes if share.label == self.scene.wanted.target), None)

    def title(self) -> str:
        """Model, feature map and target."""
        return " · ".join([self.overview.model, self.watched(), *([self.target() or ""] if self.target() else [])])

    def subtitle(self) -> str:
        """The image, and how it is occluded."""
        scene = self.scene
        words = [scene.caption, *([scene.label] if scene.label else []), f"{_fill_words(scene.wanted.fill)} patches"]
        if self.maps is not None:
            words.append(f"window {_by(self.maps.window)} every {_by(self.maps.stride)} px")
        return " · ".join(words)

    def occluded(self) -> Rgb:
        """The model's input with the patches on it."""
        pixels, fill = decode_image(self.scene.picture.data).copy(), decode_image(self.scene.fill.data)
        for left, top, right, bottom in self.boxes:
            part = (slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0)))
            pixels[part] = fill[part]
        return pixels

    def values(self, name: ValueMap) -> tuple[NDArray[np.float32], float, float, float] | None:
        """A map, its value without a patch, and what its colours span; None where there is none or nothing of it yet."""
        maps = self.maps
        values = None if maps is None else getattr(maps, name)
        if maps is None or values is None or not np.isfinite(values).any():
            return None
        return values, float(getattr(maps.unoccluded, name) or 0.0), *maps.span(name)

    def map_span(self) -> tuple[float, float]:
        """What the colours of the feature map span: that of the image as it is, and 0."""
        values = self.scene.map
        return min(float(values.min(initial=0)), 0.0), float(max(values.max(initial=0), 1e-12))

    def legend(self) -> list[tuple[int, str, float]]:
        """(class, its name, share of the positions) of the map of most probable classes, the most frequent first."""
        maps = self.maps
        if maps is None or maps.label is None:
            return []
        known = maps.label[maps.label >= 0]
        return [(label, maps.name(label), float((known == label).mean())) for label in self.colours]

    def caption(self) -> str:
        """What is shown, how it came about, and whose weights and classes."""
        maps, view = self.maps, self.overview
        words = [f"(a) The model's input{', with patches' if self.boxes else ''}."]
        if maps is not None:
            share = "" if maps.complete else f" ({maps.done:,} of {maps.activity.size:,} positions so far)"
            words.append(f"(b) Total activity of {self.watched()} by the place of the window's centre{share}.")
        words.append(f"(c) {self.watched()} projected to pixels (deconvnet rule) above what it saw, here and in its strongest photographs.")
        if maps is not None and maps.probability is not None:
            words.append(f"(d) Probability of {self.target()}, and (e) the most probable class, by the place of the window's centre.")
        weights = f"Weights: {view.weights.rstrip('.')}." + ("" if view.trained else " Untrained: the filters are random.")
        classes = f" Classes: {view.classifier.rstrip('.')}." if view.classifier else " There is no classifier, so no classes."
        return " ".join([*words, weights + classes, "After Zeiler & Fergus 2014, figure 7."])


def percent(share: float) -> str:
    """A probability in words: with one decimal where little of it is there, or missing."""
    if 0 < share < 0.0005 or 0.9995 <= share < 1:
        return "<0.1 %" if share < 0.5 else ">99.9 %"
    return f"{100 * share:.1f} %" if 0 < share < 0.0995 or 0.99 < share < 1 else f"{100 * share:.0f} %"


def activity_words(value: float) -> str:
    """A total activity in words."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _fill_words(fill: str) -> str:
    return {"gray": "gray", "mean": "the mean colour as", "blur": "blurred"}.get(fill, fill)


def _by(pair: tuple[int, int]) -> str:
    return f"{pair[0]}" if pair[0] == pair[1] else f"{pair[0]} x {pair[1]}"
