"""Records of the LayerExplorer: projections, unit tables, and a unit's strongest activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.geometry import Box
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.repr import compact_repr

Rule = Literal["deconvnet", "gradient", "guided"]
Contrast = Literal["tile", "shared"]
Part = Literal["projections", "patches"]
FigureKind = Literal["explorer.png", "layer.png", "layer.svg", "layer.html", "unit.png", "unit.svg", "unit.html"]


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

    __repr__ = compact_repr


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

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class TopActivation:
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
    entries: tuple[TopActivation, ...]


@dataclass(frozen=True, slots=True)
class TopActivations:
    """A unit's nine as two mosaics, `grid` x `grid` square tiles of `tile` pixels with `gap` pixels between them."""

    layer: str
    unit: int
    rule: str
    count: int  # tiles that are filled (a dead unit has none)
    grid: int
    tile: int
    gap: int
    projections: EncodedImage
    patches: EncodedImage


@dataclass(frozen=True, slots=True)
class SourceImage:
    """A source photograph (or, for an opaque transform, the model's input) with the receptive-field box on it."""

    picture: EncodedImage
    box: tuple[float, float, float, float] | None  # left, top, right, bottom as shares of the picture's width and height
    view: tuple[float, float, float, float] | None  # the part the model was shown, likewise
    caption: str


@dataclass(frozen=True, slots=True)
class MosaicRequest:
    """Which of a unit's nine are asked for, and how they are drawn: `parts` alone are computed, `tile` pixels a side each."""

    layer: str
    unit: int
    rule: Rule = "deconvnet"
    contrast: Contrast = "tile"
    tile: int = 54
    parts: tuple[Part, ...] = ("projections", "patches")
