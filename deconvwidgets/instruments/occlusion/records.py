"""Records of the occlusion experiments: frozen, of NumPy arrays and plain Python values only.

Windows and patches are half-open boxes (left, top, right, bottom) in pixels of the model's input. They may extend beyond the border.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.geometry import Box
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.methods import OcclusionMethod
from deconvwidgets.records.quantity import SOFTMAX, Quantity
from deconvwidgets.records.repr import compact_repr

Border = Literal["inside", "same"]
ValueMap = Literal["probability", "value", "activity", "against", "difference"]
MapName = Literal["probability", "value", "activity", "label"]
OcclusionFile = Literal["maps.npz", "figure.png", "figure.svg", "figure.pdf", "figure.html"]

_MIN_COLOUR_RANGE = 0.05


@dataclass(frozen=True, slots=True)
class Unoccluded:
    """The model's result for an image without a window.

    The class fields are None without a classifier, and for a regression; `value` is None for everything else.
    """

    probability: float | None  # of the target class
    label: int | None  # the most probable class, of equal ones the lowest
    label_probability: float | None  # of the most probable class
    activity: float  # of the feature map, summed over space
    value: float | None = None  # of the target output
    against: float | None = None  # probability of the class, or value of the output, that the target is compared with


@dataclass(frozen=True, slots=True)
class OcclusionMaps:
    """The model's results with a window at each position of an image (Zeiler & Fergus 2014, section 4.2, figure 7 b, d and e).

    All maps are (rows, columns) of window positions. At positions that have not been computed (if `complete` is False), floats are NaN
    and labels are -1. `probability`, `label` and `label_probability` are None without a classifier, and for a regression, whose map is
    `value`. `target` and `logits` are None if the model predicts nothing.
    """

    probability: NDArray[np.float32] | None  # of the target class
    label: NDArray[np.int64] | None  # the most probable class, of equal ones the lowest
    label_probability: NDArray[np.float32] | None  # of the most probable class
    activity: NDArray[np.float32]  # of the feature map, summed over space
    centres: NDArray[np.float64]  # (rows, columns, 2): the centres of the windows as (row, column) in input pixels
    target: int | None
    unoccluded: Unoccluded
    layer: str
    unit: int
    window: tuple[int, int]  # (rows, columns) in input pixels
    stride: tuple[int, int]
    fill: str  # "gray", "mean", "blur", a colour such as "#7f7f7f", or "array"
    border: Border
    method: OcclusionMethod  # how it was computed
    complete: bool
    categories: tuple[str, ...] = ()
    logits: NDArray[np.float32] | None = None  # (rows, columns, outputs), if requested: what the model returns
    value: NDArray[np.float32] | None = None  # of the target output of a regression, in its unit
    quantity: Quantity = SOFTMAX  # what the model predicts
    against: int | None = None  # the class (or output) that the target is compared with
    against_scores: NDArray[np.float32] | None = None  # its map, as `scores`

    @property
    def difference(self) -> NDArray[np.float32] | None:
        """The map of the target minus that of the class that it is compared with; None without one."""
        return None if self.scores is None or self.against_scores is None else self.scores - self.against_scores

    @property
    def scores(self) -> NDArray[np.float32] | None:
        """The map of the target: `probability`, or `value` for a regression."""
        return self.probability if self.value is None else self.value

    @property
    def done(self) -> int:
        """Number of positions that have been computed."""
        return int(np.isfinite(self.activity).sum())

    def values(self, name: ValueMap) -> NDArray[np.float32] | None:
        """Return a map by its name; "against" is that of the class that the target is compared with. None if there is none."""
        values: NDArray[np.float32] | None = getattr(self, "against_scores" if name == "against" else name)
        return values

    def without_window(self, name: ValueMap) -> float | None:
        """Return the value of a map without a window."""
        if name != "difference":
            value: float | None = getattr(self.unoccluded, name)
            return value
        scores = self.unoccluded.probability if self.value is None else self.unoccluded.value
        return None if scores is None or self.unoccluded.against is None else scores - self.unoccluded.against

    def colour_range(self, name: ValueMap) -> tuple[float, float]:
        """Return the value range (low, high) for the colours of a map: that of the computed values and the value without a window.

        The range of probabilities is at least 0.05, or the largest probability if that is smaller, so that noise is not amplified; that of
        two classes that are compared is the same. The range of a regression's values is symmetric about the value without a window, which
        is the middle of a diverging colour scale, and that of a difference about 0. It is (0, 1) if no value is known.
        """
        is_probability = self.value is None and name in ("probability", "against")
        known = self._known("probability") + self._known("against") if is_probability and self.against is not None else self._known(name)
        if not known:
            return 0.0, 1.0
        low, high = float(min(known)), float(max(known))
        middle = 0.0 if name == "difference" else None if is_probability or name == "activity" else self.without_window(name)
        if middle is not None:
            change = max(high - middle, middle - low, _MIN_COLOUR_RANGE if name == "difference" and self.value is None else 0.0)
            return middle - change, middle + change
        min_range = 0.0 if not is_probability else min(_MIN_COLOUR_RANGE, high) if high > 0 else _MIN_COLOUR_RANGE
        if high - low >= min_range:
            return low, high
        low = min(max((low + high - min_range) / 2, 0.0), 1 - min_range)
        return low, low + min_range

    def _known(self, name: ValueMap) -> list[float]:
        values, unoccluded = self.values(name), self.without_window(name)
        return [*([] if values is None else values[np.isfinite(values)].tolist()), *([] if unoccluded is None else [unoccluded])]

    def name(self, label: int) -> str:
        """Return the name of a class, or of an output of a regression."""
        return self.categories[label] if 0 <= label < len(self.categories) else f"class {label}"

    def __repr__(self) -> str:
        rows, columns = self.activity.shape
        grid = f"{rows} x {columns} positions, window {self.window[0]} x {self.window[1]}, stride {self.stride[0]} x {self.stride[1]}"
        parts = [f"{grid}, {self.border}, fill {self.fill}"]
        unoccluded = self.unoccluded.probability if self.value is None else self.unoccluded.value
        if self.target is not None and unoccluded is not None:
            numbers = [f"{unoccluded:.3g} unoccluded", *_range(self.scores)]
            name = self.name(self.target)
            described = f"{name}: probability" if self.quantity.kind == "probability" else f"{self.quantity.describe(name)}:"
            parts.append(f"{described} {', '.join(numbers)}")
        if self.against is not None:
            parts.append(f"against {self.name(self.against)}")
        parts.append(f"{self.layer} unit {self.unit}")
        if not self.complete:
            parts.append(f"{self.done} of {rows * columns} done")
        return f"OcclusionMaps({'; '.join(parts)})"


def _range(values: NDArray[np.float32] | None) -> list[str]:
    """Return a text with the smallest and the largest computed value, if there is one."""
    finite = np.empty(0) if values is None else values[np.isfinite(values)]
    return [f"{finite.min():.3g} to {finite.max():.3g} occluded"] if finite.size else []


@dataclass(frozen=True, slots=True)
class OcclusionRequest:
    """The image, feature map, class (or output of a regression) and fill of an occlusion experiment.

    None is replaced by the default in `OcclusionScene`.
    """

    image: str  # "crop:17", a crop of the image set, or "upload:<id>"
    layer: str | None = None  # alias or dotted name; None: the last of the explorers' layers
    unit: int | None = None  # None: the feature map with the largest sum for the unoccluded image
    target: int | None = None  # None: the most probable class of the unoccluded image; the first output of a regression
    fill: str = "gray"  # as `named_fill` returns: "gray" (0 after normalisation), "mean" (of this image), "blur", or a colour "#rrggbb"
    # What the target is compared with; "auto": the true class, or if that is unknown or the target, the most probable other class.
    against: int | Literal["auto"] | None = None


@dataclass(frozen=True, slots=True)
class ImageTile:
    """An image that can be selected, as a thumbnail."""

    image: str  # as in `OcclusionRequest.image`
    caption: str
    label: str | None  # dataset label
    thumbnail: EncodedImage


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Some of the images that can be selected; uploads first."""

    total: int  # number of images that match the search
    start: int
    tiles: tuple[ImageTile, ...]


@dataclass(frozen=True, slots=True)
class OcclusionChoices:
    """The options of an occlusion experiment, besides the layers of the overview."""

    input: tuple[int, int]  # (height, width) of the model's input
    classes: tuple[str, ...] | None  # of the classifier, or the names of a regression's outputs; None if the model predicts nothing
    bundled_head: bool  # whether the model has no classifier, and the one of this package fits
    uploads: tuple[str, ...]  # uploaded images that are still available, newest first
    colours: bool  # whether fills can be colours: the normalisation of the transform is known
    quantity: Quantity | None = SOFTMAX  # what the model predicts; None if it predicts nothing


@dataclass(frozen=True, slots=True)
class ClassShare:
    """A class and its probability, or an output of a regression and its value: without a patch, and with the patches."""

    label: int
    name: str
    before: float
    now: float
    unchanged: float | None = None  # with the patches and all units on; None if no unit is switched off


@dataclass(frozen=True, slots=True)
class OcclusionScene:
    """An image without patches, with every default resolved."""

    request: OcclusionRequest  # layer, unit and target are not None (target is None without a classifier); against is not "auto"
    caption: str
    label: str | None  # dataset label
    image: EncodedImage  # the model's input
    fill: EncodedImage  # of the same size: the content of a patch at each pixel
    classes: tuple[ClassShare, ...]  # the five most probable, the target and `against` (before == now); empty without a classifier
    activity: float
    map: NDArray[np.float32]  # (h, w): the feature map
    strongest: tuple[int, ...]  # the units with the largest sums for this image, largest first
    note: str = ""  # a message for the user (such as: the model cannot be traced)
    truth: int | None = None  # the class that the label names, if it is one of the model's

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class PatchAnswer:
    """The model's result with patches on the image."""

    classes: tuple[ClassShare, ...]  # the five most probable with the patches, the target and `against`; empty without a classifier
    activity: float
    map: NDArray[np.float32]  # (h, w): the feature map


@dataclass(frozen=True, slots=True, eq=False)
class UnitMaps:
    """The feature maps of some units in an image without patches."""

    units: tuple[int, ...]
    values: NDArray[np.float32]  # (units, h, w)
    extent: tuple[float, float, float, float]  # of a map: left, top, right, bottom as shares of the input's width and height

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class MapsSettings:
    """The grid of an occlusion map: window and stride in input pixels, (rows, columns)."""

    window: tuple[int, int] = (48, 48)
    stride: tuple[int, int] = (8, 8)
    border: Border = "inside"


@dataclass(frozen=True, slots=True, eq=False)
class TopClasses:
    """The most probable classes with a window at each position of a map."""

    labels: NDArray[np.int64]  # (rows, columns, k), the most probable first; -1 at positions that have not been computed
    probabilities: NDArray[np.float32]  # (rows, columns, k)
    before: NDArray[np.float32]  # (classes,): the probabilities without a window

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True, eq=False)
class OcclusionProjection:
    """The strongest activation of the feature map in one image: its projection to pixel space, and the patch in its receptive field.

    `feature_map` (h, w) is the whole map, over the model's input.
    """

    caption: str
    own: bool  # whether the image is that of the scene; the others are the strongest of the index
    value: float
    box: Box  # in input pixels
    projection: EncodedImage
    patch: EncodedImage
    image: EncodedImage  # the model's input
    feature_map: NDArray[np.float32]
    extent: tuple[float, float, float, float]  # of the map: left, top, right, bottom as shares of the input's width and height

    __repr__ = compact_repr
