"""Values of the occlusion experiments that cross the borders: frozen, NumPy arrays and plain Python only.

Windows and patches are boxes in pixels of the model's input, half-open (left, top, right, bottom); they may pass the border.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from deconvwidgets.records.geometry import Box
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.methods import OcclusionMethod
from deconvwidgets.records.repr import compact_repr

Border = Literal["inside", "same"]
ValueMap = Literal["probability", "activity"]
OcclusionFile = Literal["maps.npz", "figure.png", "figure.svg", "figure.html"]

_LEAST_SPAN = 0.05


def named_fill(fill: str) -> str | None:
    """A fill by its name, in its one spelling: "gray" (also "grey"), "mean", "blur", or a colour's "#rrggbb"; None for what is no fill.

    Colours are as Pillow knows them ("#7f7f7f", "red", "rgb(127, 127, 127)"), capitals or not. "gray" is none of them but 0 after
    normalisation, the mean of the pictures that the model was trained on; CSS's gray is "#808080".
    """
    name = "gray" if fill.lower() == "grey" else fill.lower()
    if name in ("gray", "mean", "blur"):
        return name
    try:
        colour = ImageColor.getrgb(name)
    except ValueError:
        return None
    if len(colour) != 3 or not all(0 <= value <= 255 for value in colour):  # with opacity, or "rgb(300, 0, 0)"
        return None
    return "#{:02x}{:02x}{:02x}".format(*colour)


@dataclass(frozen=True, slots=True)
class Unoccluded:
    """What the network says of the image as it is. Classes are None without a classifier."""

    probability: float | None  # of the target class
    label: int | None  # the most probable class; of equal ones the lowest
    label_probability: float | None
    activity: float  # of the chosen feature map, summed over space


@dataclass(frozen=True, slots=True)
class OcclusionMaps:
    """What the network says with a window at each position (Zeiler & Fergus 2014, section 4.2, figure 7 b, d and e).

    All maps are (rows, columns) of window positions. Where a position has not been computed (`complete` is False), floats are NaN
    and labels -1. `probability`, `label`, `label_probability`, `target` and `logits` are None without a classifier.
    """

    probability: NDArray[np.float32] | None  # of the target class
    label: NDArray[np.int64] | None  # the most probable class; of equal ones the lowest
    label_probability: NDArray[np.float32] | None
    activity: NDArray[np.float32]  # of the chosen feature map, summed over space
    centres: NDArray[np.float64]  # (rows, columns, 2): the window's centre as (row, column) in input pixels
    target: int | None
    unoccluded: Unoccluded
    layer: str
    unit: int
    window: tuple[int, int]  # (rows, columns) in input pixels
    stride: tuple[int, int]
    fill: str  # in words: "gray", "mean", "blur", "#7f7f7f", "array"
    border: Border
    method: OcclusionMethod  # how it was computed
    complete: bool
    categories: tuple[str, ...] = ()
    logits: NDArray[np.float32] | None = None  # (rows, columns, classes), if asked for

    @property
    def done(self) -> int:
        """How many positions have been computed."""
        return int(np.isfinite(self.activity).sum())

    def span(self, name: ValueMap) -> tuple[float, float]:
        """What the colours of a map should span: all that is computed, and the value without a window.

        Of probabilities at least 5 points of a hundred, or the largest where all are smaller than that: less would make noise look like
        a finding. (0, 1) where nothing is known.
        """
        values: NDArray[np.float32] | None = getattr(self, name)
        before = getattr(self.unoccluded, name)
        known = [*([] if values is None else values[np.isfinite(values)].tolist()), *([] if before is None else [before])]
        if not known:
            return 0.0, 1.0
        low, high = float(min(known)), float(max(known))
        least = 0.0 if name == "activity" else min(_LEAST_SPAN, high) if high > 0 else _LEAST_SPAN
        if high - low >= least:
            return low, high
        low = min(max((low + high - least) / 2, 0.0), 1 - least)
        return low, low + least

    def name(self, label: int) -> str:
        """A class in words."""
        return self.categories[label] if 0 <= label < len(self.categories) else f"class {label}"

    def __repr__(self) -> str:
        rows, columns = self.activity.shape
        grid = f"{rows} x {columns} positions, window {self.window[0]} x {self.window[1]}, stride {self.stride[0]} x {self.stride[1]}"
        parts = [f"{grid}, {self.border}, fill {self.fill}"]
        if self.target is not None and self.unoccluded.probability is not None:
            reached = _range(self.probability)
            parts.append(f"{self.name(self.target)}: probability {self.unoccluded.probability:.3g} unoccluded{reached and f', {reached}'}")
        parts.append(f"{self.layer} unit {self.unit}")
        if not self.complete:
            parts.append(f"{self.done} of {rows * columns} done")
        return f"OcclusionMaps({'; '.join(parts)})"


def _range(values: NDArray[np.float32] | None) -> str:
    """The smallest and the largest of what has been computed."""
    finite = np.empty(0) if values is None else values[np.isfinite(values)]
    return f"{finite.min():.3g} to {finite.max():.3g} occluded" if finite.size else ""


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Whether projections show what excites a unit: its activity when the strongest region of its projection is occluded, against
    equal regions elsewhere in the same image. All arrays start with (images,)."""

    layer: str
    units: NDArray[np.int64]  # the unit of each image
    activity: NDArray[np.float32]  # the unit's maximum over space, unoccluded
    drop: NDArray[np.float32]  # share of it that is lost when the projection's strongest region is occluded; NaN where the unit is silent
    elsewhere: NDArray[np.float32]  # the same, mean over equal regions elsewhere
    boxes: NDArray[np.int64]  # (images, 4): the strongest regions

    @property
    def share(self) -> float:
        """The number: share of images in which the projection's region costs more than regions elsewhere do on average. Images in which
        the unit does not fire do not count; NaN where it fires in none."""
        fires = np.isfinite(self.drop)
        return float((self.drop > self.elsewhere)[fires].mean()) if fires.any() else float("nan")

    def __repr__(self) -> str:
        return (
            f"Faithfulness({self.layer}, {len(self.units)} images, {np.isfinite(self.drop).sum()} of them firing; share {self.share:.3g})"
        )


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Whether occluding the same part changes the features of several images alike (Zeiler & Fergus 2014, section 4.3, table 1).

    `distances[layer][part]` is Delta: the mean over ordered pairs of images of the normalised Hamming distance of the signs of what
    changes; lower is more alike. sign(0) is a value of its own: a component that changes in one image only counts as different.
    """

    layers: tuple[str, ...]
    parts: tuple[str, ...]
    distances: Mapping[str, Mapping[str, float]]
    images: int

    def __repr__(self) -> str:
        rows = [f"{layer}: {_few([f'{part} {delta:.3f}' for part, delta in self.distances[layer].items()])}" for layer in self.layers]
        return f"Correspondence({self.images} images; {_few(rows, '; ')})"


def _few(words: list[str], between: str = ", ") -> str:
    return between.join(words if len(words) <= 6 else [*words[:6], "…"])


@dataclass(frozen=True, slots=True)
class OcclusionRequest:
    """What is occluded and what is watched. None: the default that `OcclusionScene` tells."""

    image: str  # "crop:17", a view of the image set, or "upload:<id>"
    layer: str | None = None  # alias or dotted name; None: the last of the explorers' layers
    unit: int | None = None  # None: the map with the largest sum on the unoccluded image
    target: int | None = None  # None: the most probable class of the unoccluded image
    fill: str = "gray"  # as `named_fill`: "gray" (0 after normalisation), "mean" (this image's), "blur", or a colour "#rrggbb"


@dataclass(frozen=True, slots=True)
class ImageTile:
    """A picture that can be chosen."""

    image: str  # as `OcclusionRequest.image`
    caption: str
    label: str | None  # its dataset label
    picture: EncodedImage


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Some of the pictures that can be chosen; uploads first."""

    total: int  # that fit the words looked for
    start: int
    tiles: tuple[ImageTile, ...]


@dataclass(frozen=True, slots=True)
class OcclusionChoices:
    """What can be asked for, beside the layers that the overview lists."""

    input: tuple[int, int]  # (height, width) of the model's input
    classes: tuple[str, ...] | None  # the classifier's; None without one
    shipped_head: bool  # whether the shipped classifier is worth offering: there is none, and that one fits
    uploads: tuple[str, ...]  # images that were uploaded and are still kept, newest first
    colours: bool  # whether colours can be fills: what one is to the model is known


@dataclass(frozen=True, slots=True)
class ClassShare:
    """A class and its probability without a patch and with the patches."""

    label: int
    name: str
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class OcclusionScene:
    """An image before anything is occluded, with every default made definite."""

    wanted: OcclusionRequest  # layer, unit and target are definite (target None without a classifier)
    caption: str
    label: str | None  # the image's dataset label
    picture: EncodedImage  # the model's input as a picture, one pixel each
    fill: EncodedImage  # the same size: what a patch shows wherever it lies
    classes: tuple[ClassShare, ...]  # the five most probable and the target (before == now); empty without a classifier
    activity: float
    map: NDArray[np.float32]  # (h, w): the chosen feature map
    strongest: tuple[int, ...]  # the units with the largest sums on this image, largest first
    note: str = ""  # what the view should say (fallback to whole-image computation, ...)

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class PatchAnswer:
    """What the network says with patches on the image."""

    classes: tuple[ClassShare, ...]  # the five most probable now, and the target; empty without a classifier
    activity: float
    map: NDArray[np.float32]  # (h, w): the chosen feature map


@dataclass(frozen=True, slots=True)
class MapsSettings:
    """The grid of an occlusion map: window and stride in input pixels, (rows, columns)."""

    window: tuple[int, int] = (48, 48)
    stride: tuple[int, int] = (8, 8)
    border: Border = "inside"


@dataclass(frozen=True, slots=True)
class OcclusionProjection:
    """One picture of panel c: the chosen map's strongest activation in an image, projected to pixels, beside what it saw."""

    caption: str
    own: bool  # of the shown image; the others are the strongest of the index
    value: float
    box: Box  # in input pixels
    projection: EncodedImage
    patch: EncodedImage
