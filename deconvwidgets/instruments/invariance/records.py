"""The values that cross borders: the curves of figure 5, and what a widget shows of one transformed photograph."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, one_of
from deconvwidgets.errors import InvarianceError
from deconvwidgets.instruments.invariance import table
from deconvwidgets.instruments.invariance.transforms import Transform, TransformKind, kind_of
from deconvwidgets.records.images import EncodedImage, SkippedImage
from deconvwidgets.records.quantity import Quantity
from deconvwidgets.records.repr import compact_repr

if TYPE_CHECKING:
    import pandas as pd

Measure = Literal["relative", "distance"]


@dataclass(frozen=True, slots=True, eq=False)
class PhotographCurves:
    """The curves of one photograph over the amounts of a transformation.

    Attributes
    ----------
    name : str
        The photograph.
    target : str or None
        The class whose probability is recorded, or the output of a regression; None if the model predicts nothing.
    labelled : bool
        Whether the target is the photograph's label. Otherwise it is what the model predicts for the photograph as it is.
    norms : array (layers,) float64
        The Euclidean norm of each layer's features of the photograph as it is.
    distances : array (layers, amounts) float64
        The Euclidean distance between the features of the photograph as it is and of the transformed one.
    scores : array (amounts,) float64, or None
        The probability of the target, or the value of the output.
    unchanged : float or None
        The same for the photograph as it is.
    picture : array (h, w, 3) uint8
        The model's input for the photograph as it is, reduced.
    examples : array (examples, h, w, 3) uint8
        The model's input for some of the amounts, reduced.
    example_amounts : tuple of float
        Those amounts.
    """

    name: str
    target: str | None
    labelled: bool
    norms: NDArray[np.float64]
    distances: NDArray[np.float64]
    scores: NDArray[np.float64] | None
    unchanged: float | None
    picture: NDArray[np.uint8]
    examples: NDArray[np.uint8]
    example_amounts: tuple[float, ...]

    __repr__ = compact_repr

    @property
    def relative(self) -> NDArray[np.float64]:
        """`distances` divided by the norms, (layers, amounts); NaN for a layer without any activation."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: NDArray[np.float64] = np.where(self.norms[:, None] > 0, self.distances / self.norms[:, None], np.nan)
        return ratio


@dataclass(frozen=True, slots=True, eq=False)
class InvarianceCurves:
    """How the features of a model change as photographs are transformed (Zeiler & Fergus 2014, figure 5).

    Attributes
    ----------
    model, images : str
        The model and the image set.
    transform : str
        The transformation.
    amounts : array (amounts,) float64
    layers : tuple of str
    photographs : tuple of PhotographCurves
    quantity : Quantity or None
        What `scores` are.
    fill : str
        What is shown where the transformed photograph has no content, in words.
    notes : tuple of str
        Sentences about the transformation and the classes.
    skipped : tuple of SkippedImage
        The photographs that could not be read.
    """

    model: str
    images: str
    transform: Transform
    amounts: NDArray[np.float64]
    layers: tuple[str, ...]
    photographs: tuple[PhotographCurves, ...]
    quantity: Quantity | None
    fill: str
    notes: tuple[str, ...] = ()
    skipped: tuple[SkippedImage, ...] = ()

    __repr__ = compact_repr

    @property
    def kind(self) -> TransformKind:
        """The transformation with its label and unit."""
        return kind_of(self.transform)

    @property
    def distances(self) -> NDArray[np.float64]:
        """The Euclidean distances of the features, (photographs, layers, amounts)."""
        return np.stack([one.distances for one in self.photographs])

    @property
    def relative(self) -> NDArray[np.float64]:
        """The distances divided by the norms of the unchanged features, (photographs, layers, amounts)."""
        return np.stack([one.relative for one in self.photographs])

    @property
    def scores(self) -> NDArray[np.float64] | None:
        """The probability of each photograph's class, (photographs, amounts); values of a regression; None without a classifier."""
        rows = [one.scores for one in self.photographs if one.scores is not None]
        return np.stack(rows) if len(rows) == len(self.photographs) else None

    def layer(self, name: str, measure: Measure = "relative") -> NDArray[np.float64]:
        """Return the curves of one layer, (photographs, amounts). Raises InvarianceError for another layer or measure."""
        if not isinstance(name, str) or name not in self.layers:
            raise InvarianceError(f"name must be one of the layers with curves, {', '.join(self.layers)}, not {describe(name)}.")
        one_of(measure, "measure", ("relative", "distance"), InvarianceError)
        values = self.relative if measure == "relative" else self.distances
        found: NDArray[np.float64] = values[:, self.layers.index(name)]
        return found

    def to_dataframe(self) -> pd.DataFrame:
        """Return a data frame of pandas, a row per photograph, layer and amount. Raises InvarianceError without pandas."""
        return table.to_dataframe(self)

    def save(self, path: str | Path) -> Path:
        """Save the curves as PNG, SVG, PDF, a standalone HTML page or CSV, by the suffix of the file, and return its path.

        Raises
        ------
        InvarianceError
            For another suffix, or if the file cannot be written.
        """
        package: Any = import_module("deconvwidgets")  # when it is asked for: records import no figures
        saved: Path = package.save_invariance(self, path)
        return saved


@dataclass(frozen=True, slots=True)
class InvarianceRequest:
    """A transformed photograph that a widget asks for.

    Attributes
    ----------
    image : str
        "crop:17" or "upload:<id>".
    transform : str
    amount : float
    layers : tuple of str
        The layers whose distances are returned.
    layer : str or None
        The layer whose strongest units are returned; None: the deepest feature map.
    top : int
        How many units.
    """

    image: str
    transform: Transform
    amount: float
    layers: tuple[str, ...] = ()
    layer: str | None = None
    top: int = 9


@dataclass(frozen=True, slots=True)
class StrongUnit:
    """A unit that is strongest in the transformed photograph.

    `value` is its maximum over space, `before` that in the photograph as it is, `rank` its place there, from 0; `box` its receptive field
    in the transformed photograph in pixels of the model's input.
    """

    unit: int
    value: float
    before: float
    rank: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class UnitPicture:
    """A unit in the transformed photograph: its strongest activation projected to pixel space, and the patch in its receptive field.

    `projection` is None if the unit is not active, or if there is no rule for an operation below its layer; `reason` says why.
    """

    unit: int
    projection: EncodedImage | None
    patch: EncodedImage
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A class and its probability, now and for the photograph as it is; of a regression, the values."""

    label: int
    name: str
    now: float
    before: float


@dataclass(frozen=True, slots=True, eq=False)
class InvarianceView:
    """What a model makes of one transformed photograph.

    `distances` and `relative` are those of the request's layers; `classes` are the target first, then the most probable ones.
    """

    caption: str
    original: EncodedImage
    picture: EncodedImage
    distances: tuple[float, ...]
    relative: tuple[float | None, ...]
    layer: str
    units: tuple[StrongUnit, ...]
    kept: int  # how many of the units are among as many strongest ones of the photograph as it is
    classes: tuple[ClassScore, ...]
    quantity: Quantity | None
    labelled: bool
    note: str


@dataclass(frozen=True, slots=True)
class InvarianceChoices:
    """What an InvarianceExplorer offers, and its defaults."""

    layers: tuple[str, ...]
    default_layers: tuple[str, ...]
    images: tuple[str, ...]
    uploads: tuple[str, ...]
    side: int  # of the model's input, in pixels
    fill: str
    predicts: str  # "probability", "value" or "": what the last chart shows
