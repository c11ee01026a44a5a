"""Records of the LayerExplorer: projections, tables of units, and one activation of a unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.geometry import Box
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.mosaics import Contrast, Rule
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.repr import compact_repr

FigureSize = Literal["small", "medium", "large"]  # of the tiles
# Which activations of a unit a tab shows: the strongest, a sample of the whole range, or the lowest before the rectifier.
Tab = Literal["strongest", "range", "negative"]
MapMethod = Literal["auto", "pca", "tsne", "umap"]
# A figure of units of one layer, of one unit, of the pinned units, or of several layers; "explorer.png" is the static image.
FigureKind = Literal[
    "explorer.png",
    "layer.png", "layer.svg", "layer.pdf", "layer.html",
    "unit.png", "unit.svg", "unit.pdf", "unit.html",
    "pinned.png", "pinned.svg", "pinned.pdf", "pinned.html",
    "layers.png", "layers.svg", "layers.pdf", "layers.html",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Projection:
    """N activations of a unit, projected to pixel space."""

    pixels: NDArray[np.float32]  # (N, C, h, w) in the model's normalised input units
    boxes: NDArray[np.int64]  # (N, 4): the input pixels that they cover
    values: NDArray[np.float32]  # (N,): the activations
    positions: NDArray[np.int64]  # (N, 2): row and column of the activations in the feature map
    layer: str
    unit: int
    rule: str
    method: str  # how they were computed: "local" or "full"

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class StartUnit:
    """A unit to start with, and why: its strongest photographs are of one class more often than by chance, and it answers to few."""

    unit: int
    class_name: str | None  # the most frequent class of its strongest photographs; None if each is of another class
    count: int  # photographs of that class
    of: int  # photographs
    selectivity: float

    @property
    def reason(self) -> str:
        """The reason in words, such as "sunflower 6 of 9, selectivity 13.2"."""
        purity = f"{self.class_name} {self.count} of {self.of}, " if self.class_name else ""
        return f"{purity}selectivity {self.selectivity:.1f}"


@dataclass(frozen=True, slots=True)
class UnitTable:
    """The statistics and labels of all units of a layer, as arrays (units, ...)."""

    layer: str
    maximum: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    activation_rate: NDArray[np.float32]  # share of the crops in which the unit is active
    selectivity: NDArray[np.float32]
    labels: NDArray[np.int64]  # (units, k): dataset labels of the strongest activations, -1 for unknown or missing ones
    categories: tuple[str, ...]  # the names of the labels; empty if the image set has none
    crops: int | None = None  # the crops so far, while the index is built; None if it is complete
    fingerprints: NDArray[np.uint32] | None = None  # (units,): they differ if the strongest activations do
    start: tuple[StartUnit, ...] = ()  # units to start with, chosen on Caltech-101; empty for weights of which none were chosen
    stored: int = 9  # strongest activations that the index keeps of each unit; `labels` has at most nine of them

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class TopActivation:
    """One of a unit's strongest activations, with its photograph and the class that the classifier predicts for it."""

    image: int  # number of the crop
    source: str  # name of the photograph
    label: str | None  # dataset label of the photograph
    prediction: str | None  # predicted class, or a regression's values in words; None if the model predicts nothing
    probability: float | None  # of the predicted class; None for a regression
    value: float
    row: int
    column: int
    box: Box | None


@dataclass(frozen=True, slots=True)
class UnitDetail:
    """The statistics, the histogram and the strongest activations of a unit."""

    layer: str
    unit: int
    maximum: float
    mean: float
    std: float
    activation_rate: float  # share of the crops in which the unit is active
    selectivity: float
    histogram: tuple[int, ...]  # number of crops by the unit's strongest activation in them
    edges: tuple[float, ...]  # of the histogram's bins
    entries: tuple[TopActivation, ...]


@dataclass(frozen=True, slots=True)
class SourceImage:
    """A source photograph and a receptive field in it. For a transform of unknown geometry it is the model's input."""

    image: EncodedImage
    box: tuple[float, float, float, float] | None  # the receptive field: left, top, right, bottom as shares of width and height
    crop: tuple[float, float, float, float] | None  # the crop that is the model's input, likewise
    caption: str


@dataclass(frozen=True, slots=True)
class UnitOnCrop:
    """A unit's feature map on one crop of the image set, and the whole photograph with the receptive field of its maximum."""

    source: SourceImage
    feature_map: NDArray[np.float32]  # (h, w): its maximum is the activation
    extent: tuple[float, float, float, float]  # of the map: left, top, right, bottom as shares of the input's width and height
    value: float
    row: int
    column: int

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class EnlargeRequest:
    """A request for one of a unit's strongest activations, enlarged."""

    layer: str
    unit: int
    rank: int  # 0 is the strongest
    rule: Rule = "deconvnet"
    contrast: Contrast = "tile"
    size: int = 480  # pixels of the longer side of a picture
    partial: bool = False  # while the index is built, one of the crops so far


@dataclass(frozen=True, slots=True)
class EnlargedActivation:
    """One of a unit's strongest activations: projection and patch in full resolution, and the unit's feature map on the whole input."""

    projection: EncodedImage | None  # None if the rule cannot be applied to the layer
    rejection_reason: str  # why it cannot be applied; "" if it can
    patch: EncodedImage
    feature_map: NDArray[np.float32]  # (h, w): its maximum is the activation
    extent: tuple[float, float, float, float]  # of the map: left, top, right, bottom as shares of the input's width and height
    value: float
    row: int
    column: int

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class UnitPlace:
    """One activation of a unit: where it is, and its value."""

    image: int  # number of the crop
    source: str  # name of the photograph
    label: str | None  # dataset label of the photograph
    value: float
    row: int
    column: int
    box: Box | None
    projected: bool  # whether there is something to project; not where the unit is inactive


@dataclass(frozen=True, slots=True)
class PlaceGroup:
    """Activations between two values, and how many of the crops have such an activation."""

    low: float
    high: float
    share: float | None  # of the crops; None for a group that is no part of a distribution
    places: tuple[UnitPlace, ...]


@dataclass(frozen=True, slots=True)
class UnitPlaces:
    """The activations of a unit that a tab shows; they are counted through its groups, from 0."""

    layer: str
    unit: int
    tab: Tab
    groups: tuple[PlaceGroup, ...]
    crops: int  # that the index covers
    note: str = ""  # what they are, or why there are none, in words

    @property
    def places(self) -> tuple[UnitPlace, ...]:
        """The activations of all groups."""
        return tuple(place for group in self.groups for place in group.places)


@dataclass(frozen=True, slots=True)
class PlacePicturesRequest:
    """A request for the pictures of some activations of a tab."""

    layer: str
    unit: int
    tab: Tab
    numbers: tuple[int, ...]  # counted as in `UnitPlaces.places`
    rule: Rule = "deconvnet"
    tile: int = 96  # pixels a side
    partial: bool = False  # while the index is built, those of the crops so far


@dataclass(frozen=True, slots=True)
class PlacePicture:
    """The pictures of one activation. Each projection is scaled by itself."""

    patch: EncodedImage
    projection: EncodedImage | None  # None where there is nothing to project
    reason: str = ""  # why there is no projection, in words


@dataclass(frozen=True, slots=True)
class IndexState:
    """What is built of the index, and what was cancelled."""

    building: tuple[str, ...]  # the layers of the pass that is running
    cancelled: tuple[str, ...]  # the layers whose pass was cancelled
    progress: Progress | None  # of the pass that is running, or of the last one
