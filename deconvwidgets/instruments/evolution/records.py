"""Records of the EvolutionExplorer: a network's units at the checkpoints of its training.

Source: Zeiler & Fergus 2014, section 4 and figure 4. The measures of how far a layer has converged are our extension.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import number, one_of
from deconvwidgets.errors import CheckpointError
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.images import EncodedImage, SkippedImage
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.mosaics import Part, Rule
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.repr import compact_repr
from deconvwidgets.records.training_log import TrainingLog

ColumnState = Literal["waiting", "building", "ready", "failed"]
Measure = Literal["correlation", "same_strongest", "cka"]
# Units of each layer: at random, those that changed their strongest photograph most often, or chosen ones.
Choose = Literal["random", "changed", "chosen"]
# A figure of the rows, the table of the curves, or the table of the cells; "explorer.png" is the static image.
FigureKind = Literal["explorer.png", "evolution.png", "evolution.svg", "evolution.pdf", "evolution.html", "convergence.csv", "cells.csv"]

CONVERGED = 0.9  # a layer counts as converged from the epoch on at which a measure reaches this


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochColumn:
    """A checkpoint: a column of the explorer."""

    epoch: int  # epochs of training; 0 is before training
    label: str  # "epoch 5", or "step 500"
    state: ColumnState
    trained: bool  # False before training: the weights are random
    progress: Progress | None = None  # while its index is built
    message: str = ""  # why it failed, in words
    known_by: str = ""  # how the number is known, if not from the checkpoint's own entry: "file name", ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionLayer:
    """A layer of the explorer."""

    name: str  # dotted
    short_name: str  # the alias ("conv2") if it has one: as it is called in requests
    units: int
    receptive_field: tuple[int, int] | None  # rows and columns, in input pixels; None if it is the whole input

    @classmethod
    def of(cls, info: LayerInfo) -> Self:
        """Return the layer of an index."""
        return cls(name=info.name, short_name=info.short_name, units=info.channels, receptive_field=info.receptive_field)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionOverview:
    """Checkpoints, image set, layers and training log of an evolution service."""

    version: int  # increases with every change
    name: str  # of the model
    weights: str  # where they come from
    images: str  # the name of the image set
    photographs: int
    crops: int
    sampled: int  # the distinct photographs' crops over which the measures are; 0 until an index is ready
    unit: Literal["epoch", "step"]  # what the numbers of the columns count
    epochs: tuple[EpochColumn, ...]  # ascending
    layers: tuple[EvolutionLayer, ...]  # in the order of execution; empty until the first checkpoint was read
    input_size: tuple[int, int, int] | None  # None until an index is ready
    device: str
    live: bool  # whether a training that writes into the folder is running, as its progress file says
    log: TrainingLog | None = None  # of the training that wrote the checkpoints
    skipped: tuple[SkippedImage, ...] = ()
    notes: tuple[str, ...] = ()  # sentences to show: measures over a sample, ...

    __repr__ = compact_repr

    @property
    def ready(self) -> tuple[int, ...]:
        """The epochs whose index is ready."""
        return tuple(column.epoch for column in self.epochs if column.state == "ready")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitChoice:
    """Which units to show, of each layer."""

    choose: Choose = "random"
    count: int = 4  # units of each layer
    seed: int = 0  # of "random"
    units: tuple[tuple[str, int], ...] = ()  # of "chosen": pairs of a layer and a unit
    layers: tuple[str, ...] = ()  # empty: all


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionCell:
    """The strongest activation of a unit at one checkpoint.

    A unit that is active in no image has none: `image` is None, and the value 0.
    """

    epoch: int
    value: float
    image: int | None  # number of the crop
    source: str  # name of the photograph; empty if there is none
    label: str | None  # dataset label of the photograph
    row: int
    column: int
    box: Box | None  # the receptive field in input pixels
    changed: bool  # whether the photograph, by content, differs from that of the checkpoint before, of those that are ready


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionRow:
    """A unit at all checkpoints."""

    layer: str  # its short name
    unit: int
    cells: tuple[EvolutionCell, ...]  # of the epochs that are ready, ascending

    @property
    def jumps(self) -> tuple[int, ...]:
        """The epochs at which the strongest photograph was another one than before."""
        return tuple(cell.epoch for cell in self.cells if cell.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrongestActivations:
    """The strongest activation of each unit of a layer at each of E checkpoints.

    Attributes
    ----------
    values : ndarray of shape (units, E), float32
        The activations; 0 of a unit that is active in no image.
    contents : ndarray of shape (units, E), uint64
        The content ids of the photographs; 0 if there is none.
    images : ndarray of shape (units, E), int64
        The numbers of the crops; -1 if there is none.
    positions : ndarray of shape (units, E, 2), int64
        Row and column in the feature map; -1 if there is none.
    changed : ndarray of shape (units, E), bool
        Whether the photograph, by content, is another one than at the checkpoint before; False at the first checkpoint.
    """

    layer: str  # dotted
    epochs: tuple[int, ...]
    values: NDArray[np.float32]
    contents: NDArray[np.uint64]
    images: NDArray[np.int64]
    positions: NDArray[np.int64]
    changed: NDArray[np.bool_]

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerConvergence:
    """How far the units of a layer have converged at each of E checkpoints: agreement with the last one.

    Attributes
    ----------
    correlation : ndarray of shape (E,), float64
        The median over the units of Pearson's correlation of a unit's activations over the images with those of the last checkpoint. NaN
        if no unit has a correlation.
    same_strongest : ndarray of shape (E,), float64
        The share of the units whose strongest photograph, by content, is that of the last checkpoint, of those that have one there.
        NaN if none has one.
    cka : ndarray of shape (E,), float64
        Linear CKA of all units' activations (Kornblith et al. 2019). NaN if every unit is constant in one of the two.
    unit_correlation : ndarray of shape (E, units), float64
        The correlation of each unit; NaN where it is constant over the images (a dead unit is) at this checkpoint or at the last.
    constant : ndarray of shape (E, units), bool
        Where `unit_correlation` is NaN.
    """

    layer: str  # dotted
    units: int
    epochs: tuple[int, ...]
    samples: int  # crops over which the correlation and CKA are
    correlation: NDArray[np.float64]
    same_strongest: NDArray[np.float64]
    cka: NDArray[np.float64]
    unit_correlation: NDArray[np.float64]
    constant: NDArray[np.bool_]
    without_strongest: int = 0  # units that are active in no image at the last checkpoint: `same_strongest` is over the others

    __repr__ = compact_repr

    def reached(self, measure: Measure = "correlation", level: float = CONVERGED) -> int:
        """Return the first epoch from which on `measure` is at least `level`: the last epoch, which agrees with itself, if none before.

        Raises CheckpointError for an unknown measure, and for a level that is no finite number.
        """
        one_of(measure, "measure", get_args(Measure), CheckpointError)
        level = number(level, "level", error=CheckpointError)
        values = np.nan_to_num(getattr(self, measure), nan=-np.inf)
        below = np.flatnonzero(values[:-1] < level)
        return self.epochs[int(below[-1]) + 1 if below.size else 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvergenceCurve:
    """One measure of one layer, by epoch."""

    layer: str  # its short name
    values: tuple[float | None, ...]  # None where it is not defined
    left_out: tuple[int, ...]  # units without a value: constant over the images, or, of "same_strongest", dead at the last checkpoint
    reached: int | None  # the first epoch from which on it is at least `CONVERGED`; None if only the last epoch, or undefined
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvergenceCurves:
    """How far each layer has converged, by epoch: agreement with the last checkpoint that is ready. At it, all are 1."""

    measure: Measure
    epochs: tuple[int, ...]
    against: int | None  # the last epoch; None as long as no index is ready
    curves: tuple[ConvergenceCurve, ...]
    samples: int  # crops over which "correlation" and "cka" are
    note: str = ""  # what is measured, and over what, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """How many of a unit's strongest photographs are of a class."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitHistory:
    """One unit through the training, as tuples with one value per epoch that is ready."""

    layer: str
    unit: int
    epochs: tuple[int, ...]
    values: tuple[float, ...]  # its strongest activation
    changed: tuple[bool, ...]  # whether the strongest photograph is another one than before
    final: tuple[int, ...]  # how many photographs of its final nine it had among its nine
    final_of: int  # how many it has in the end: nine, or less
    correlation: tuple[float | None, ...]  # with the last epoch; None where the unit is constant
    activation_rate: tuple[float, ...]  # share of the crops in which it is active
    classes: tuple[tuple[ClassCount, ...], ...]  # among its nine at each epoch, most frequent first; empty if the images have no classes


@dataclass(frozen=True, slots=True)
class CellKey:
    """A cell: a unit at an epoch."""

    epoch: int
    layer: str
    unit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPicturesRequest:
    """A request for the pictures of cells."""

    cells: tuple[CellKey, ...]
    parts: tuple[Part, ...] = ("projections", "patches")
    rule: Rule = "deconvnet"
    tile: int = 72  # pixels a side
    patch_tile: int | None = None  # of the patches; None: `tile`
    background: bool = False  # of cells that are not shown yet: computed in short steps between which other requests are answered


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPicture:
    """The pictures of a cell. Each projection is scaled by itself, as in the LayerExplorer."""

    key: CellKey
    projection: EncodedImage | None = None  # None if it was not asked for, or `reason`
    patch: EncodedImage | None = None  # None if it was not asked for, or the unit is active in no image
    reason: str = ""  # why there is no picture, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionFigure:
    """What a figure is drawn from."""

    overview: EvolutionOverview
    rows: tuple[EvolutionRow, ...]
    pictures: Mapping[CellKey, CellPicture]
    curves: ConvergenceCurves
    state: Mapping[str, Any]  # of the explorer

    __repr__ = compact_repr
