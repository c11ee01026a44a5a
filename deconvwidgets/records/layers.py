"""Values that cross the borders between the parts: frozen, NumPy arrays and plain Python only.

Positions are (row, column). Boxes are half-open (left, top, right, bottom) in pixels and may pass the border of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.repr import accuracy_in_words, one_line

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One layer of a model.

    `receptive_field`, `stride` and `offset` are (rows, columns) in input pixels: the unit at position (r, c) sees the
    rows from `offset[0] + r * stride[0]` on, `receptive_field[0]` of them. They are None where a unit sees the
    whole input (fully connected layers) or where the graph could not be followed.
    """

    name: str
    alias: str | None
    kind: str  # "conv", "pool", "fc" or the operation's own name
    channels: int
    height: int
    width: int
    receptive_field: tuple[int, int] | None
    stride: tuple[int, int] | None
    offset: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Geometry:
    """The affine map from source pixels to input pixels: input = source * scale + shift, as (x, y)."""

    scale: tuple[float, float]
    shift: tuple[float, float]

    def to_source(self, box: Box) -> tuple[float, float, float, float]:
        """A box in input pixels as (left, top, right, bottom) in source pixels, unclipped."""
        (sx, sy), (tx, ty) = self.scale, self.shift
        left, top, right, bottom = box
        return ((left - tx) / sx, (top - ty) / sy, (right - tx) / sx, (bottom - ty) / sy)

    def after(self, first: Geometry) -> Geometry:
        """The map that applies `first` and then this one."""
        return Geometry(
            (first.scale[0] * self.scale[0], first.scale[1] * self.scale[1]),
            (first.shift[0] * self.scale[0] + self.shift[0], first.shift[1] * self.scale[1] + self.shift[1]),
        )


@dataclass(frozen=True, slots=True)
class Activation:
    """One of a unit's strongest activations: the item of the image set, where in the map, how strong, what it saw."""

    image: int
    row: int
    column: int
    value: float
    box: Box | None  # in input pixels; None where the layer's receptive field is unknown


@dataclass(frozen=True, slots=True)
class Projection:
    """Projections to pixels: `pixels` (N, C, h, w) float32 in the model's normalised input units, zero where nothing
    excited the unit; `boxes` (N, 4) int64 says which input pixels they cover; `values` (N,) and `positions` (N, 2)
    the activations they started from."""

    pixels: NDArray[np.float32]
    boxes: NDArray[np.int64]
    values: NDArray[np.float32]
    positions: NDArray[np.int64]
    layer: str
    unit: int
    rule: str
    method: str  # "local" or "full": how it was computed

    __repr__ = one_line


@dataclass(frozen=True, slots=True)
class LayerStats:
    """Per unit of one layer, over the maxima that the unit reached in each view (crop) of the image set; all arrays
    start with (units,)."""

    maximum: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    fires: NDArray[np.float32]  # share of views in which the maximum is above zero
    selectivity: NDArray[np.float32]  # (maximum - mean) / std, 0 where std is 0
    histogram: NDArray[np.int64]  # (units, bins)
    edges: NDArray[np.float32]  # (units, bins + 1)

    __repr__ = one_line

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Units that fired in no view."""
        return np.equal(self.fires, 0)


@dataclass(frozen=True, slots=True)
class SkippedPicture:
    """A picture that could not be read, and why, in words."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is. `total` 0 means not known yet; `rate` is items per second."""

    job: str
    done: int
    total: int
    rate: float = 0.0
    message: str = ""

    @property
    def finished(self) -> bool:
        return self.total > 0 and self.done >= self.total


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture, as it crosses to the browser or to a file."""

    data: bytes
    mime: str  # "image/jpeg", "image/png" or "image/webp"
    width: int
    height: int

    __repr__ = one_line


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """A layer as the explorers list it."""

    info: LayerInfo
    dead: int | None  # units that fire on no photograph; None before the index stands


@dataclass(frozen=True, slots=True)
class Overview:
    """What a widget needs to know before it asks anything else."""

    version: int  # grows with every change of the service's state; caches are keyed by it
    model: str
    weights: str  # where the weights come from, in words ("ImageNet conv trunk ...", "random, untrained")
    trained: bool
    classifier: str | None  # whose classes the model answers with, in words; None without a classifier
    images: str  # the image set's name
    photographs: int  # source photographs
    views: int  # crops of them that the index looks at
    skipped: tuple[SkippedPicture, ...]
    layers: tuple[LayerSummary, ...]
    k: int  # activations kept per unit (9)
    device: str
    index_ready: bool
    notes: tuple[str, ...] = ()  # sentences a view should show (untrained, whole-image fallback, ...)

    __repr__ = one_line


@dataclass(frozen=True, slots=True)
class UnitTable:
    """All units of a layer, for sorting and filtering in the browser. Arrays start with (units,)."""

    layer: str
    maximum: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    fires: NDArray[np.float32]
    selectivity: NDArray[np.float32]
    labels: NDArray[np.int64]  # (units, k): dataset label of each of the top k, -1 where unknown or not filled
    categories: tuple[str, ...]  # what the labels mean; empty where the image set has none

    __repr__ = one_line


@dataclass(frozen=True, slots=True)
class NineEntry:
    """One of the nine: where it comes from and what is known of it."""

    image: int
    source: str  # the photograph's name
    label: str | None  # its dataset label
    prediction: str | None  # what the classifier says of it, where there is one
    probability: float | None
    value: float
    row: int
    column: int
    box: Box | None


@dataclass(frozen=True, slots=True)
class UnitDetail:
    """One unit in words and numbers."""

    layer: str
    unit: int
    maximum: float
    mean: float
    std: float
    fires: float
    selectivity: float
    histogram: tuple[int, ...]
    edges: tuple[float, ...]
    entries: tuple[NineEntry, ...]


@dataclass(frozen=True, slots=True)
class Nine:
    """A unit's nine as two mosaics, `grid` x `grid` square tiles of `tile` pixels with `gap` pixels between them."""

    layer: str
    unit: int
    rule: str
    count: int  # tiles that are filled (a dead unit has none)
    grid: int
    tile: int
    gap: int
    projections: Picture
    patches: Picture


@dataclass(frozen=True, slots=True)
class SourcePicture:
    """A source photograph (or, for an opaque transform, the model's input) with the receptive-field box on it."""

    picture: Picture
    box: tuple[float, float, float, float] | None  # left, top, right, bottom as shares of the picture's width and height
    view: tuple[float, float, float, float] | None  # the part the model was shown, likewise
    caption: str


@dataclass(frozen=True, slots=True)
class Head:
    """A softmax classifier on the features of one layer, with what is needed to tell which model it fits.

    Its logits are `weight @ features + bias`, where the features are the layer's map, averaged down to `pool` (rows,
    columns; adaptive average pooling, None: as it is) and flattened in the order (channel, row, column). What training did to the
    features (centring, scaling) is folded into `weight` and `bias`.
    """

    model: str  # the name of the model it was trained on, in words
    layer: str  # the layer's dotted name ("features.12")
    alias: str | None  # its paper name ("pool5")
    pool: tuple[int, int] | None
    weight: NDArray[np.float16] | NDArray[np.float32]  # (classes, features); shipped heads have float16
    bias: NDArray[np.float32]  # (classes,)
    categories: tuple[str, ...]
    digest: str  # of everything that decides the layer's values
    dataset: str  # what it was trained on, in words ("caltech101, 30 a class")
    report: Mapping[str, float | int | str]  # accuracy and protocol, as the panel prints them

    __repr__ = one_line


@dataclass(frozen=True, slots=True)
class HeadReport:
    """What retraining the softmax head gave (Zeiler & Fergus 2014, sections 5.2 and 5.3; tables 4, 5 and 7).

    Accuracies are shares in [0, 1], averaged over classes. The test arrays list every test photograph of every fold that was
    finished: its source in the image set, its fold, its true and its predicted class, and the probability of the latter.
    """

    dataset: str
    model: str
    layer: str
    features: str  # the features in words: "256 x 6 x 6 = 9,216 of pool5, one view"
    images_per_class: int
    seed: int
    categories: tuple[str, ...]
    per_fold: tuple[float, ...]
    weight_decays: tuple[float, ...]  # the one chosen on held-out training images, per fold
    confusion: NDArray[np.int64]  # (classes, classes): rows are truths, columns predictions, summed over folds
    sources: NDArray[np.int64]  # (tests,)
    folds: NDArray[np.int64]  # (tests,)
    truths: NDArray[np.int64]  # (tests,)
    predictions: NDArray[np.int64]  # (tests,)
    confidences: NDArray[np.float32]  # (tests,)
    head: Head  # trained on the first fold's training images
    seconds: float
    complete: bool  # False: stopped before the last fold; what was done is here
    skipped: tuple[SkippedPicture, ...] = ()  # photographs that could not be read and took no part
    classifier: str = "softmax"  # or "linear SVM", which gives no probabilities: `confidences` are NaN

    @property
    def mean(self) -> float:
        """Mean accuracy over folds."""
        return float(np.mean(self.per_fold))

    @property
    def std(self) -> float:
        """Standard deviation over folds (0 for one fold)."""
        return float(np.std(self.per_fold))

    def __repr__(self) -> str:
        run = f"{self.dataset}, {self.images_per_class} a class, {self.classifier} on {self.layer} of {self.model}"
        stopped = "" if self.complete else "; stopped"
        return f"HeadReport({run}: {accuracy_in_words(self.per_fold)}, {len(self.categories)} classes{stopped})"


@dataclass(frozen=True, slots=True)
class HeadStep:
    """Where the training of one head is, for live curves. `validation_accuracy` is over the training images held out to choose the
    weight decay; None while the head is trained on all training images of the fold. Accuracies are averaged over classes."""

    fold: int
    weight_decay: float
    step: int  # counts from 0 for each weight decay
    loss: float
    train_accuracy: float
    validation_accuracy: float | None


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracy by number of training images a class: mean and standard deviation over `folds` folds, as shares."""

    dataset: str
    model: str
    layer: str
    features: str
    images_per_class: tuple[int, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]
    folds: int
    seed: int
    complete: bool  # False: stopped; the numbers that were done are here
