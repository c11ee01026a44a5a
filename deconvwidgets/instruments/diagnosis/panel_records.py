"""Records of a DiagnosisPanel: its arms, and a photograph that is shifted under the network.

An arm is the model of the service as it is, or changed by `dw.surgery` and not trained further. Arms are our extension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing
from deconvwidgets.instruments.diagnosis.records import ShiftCurves
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.repr import compact_repr

Phase = Literal["none", "waiting", "running", "done", "stopped", "failed"]
LayerChoice = Literal["few", "all"]
LAYER_CHOICES: tuple[LayerChoice, ...] = ("few", "all")
ReportFile = Literal["report.html", "report.json", "report.csv", "report.png", "curves.csv"]
REPORT_FILES: tuple[ReportFile, ...] = ("report.html", "report.json", "report.csv", "report.png", "curves.csv")

MARGIN = 32  # the largest shift of a photograph, in input pixels
CURVE_SHIFTS = tuple(range(17))  # of the curves of each arm, in input pixels: without gaps, as even ones alone hide a stride of 2


@dataclass(frozen=True, slots=True)
class ArmAccuracy:
    """The accuracy of an arm on labelled photographs, the same ones for every arm."""

    top1: float  # 0 to 1
    photographs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSummary:
    """An arm and what was measured of it. Arm 0 is the model as it is."""

    arm: int
    label: str  # "as it is", "blur pool"
    parent: int | None  # the arm that the last step changed
    steps: tuple[str, ...] = ()  # what was done, in words
    kept: int = 0  # parameters that the last step left as they were
    cut: int = 0
    new: int = 0
    phase: Phase = "none"  # of its curves, its aliasing and its accuracy
    progress: Progress | None = None
    problem: str | None = None
    curves: ShiftCurves | None = None
    accuracy: ArmAccuracy | None = None
    no_accuracy: str = ""  # why there is none, in words
    aliasing: MapAliasing | None = None  # of the map of its first convolution
    no_aliasing: str = ""  # why it is not known, in words

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class AblationCode:
    """Lines of Python that train the network as it is and the arms alike, as an ablation study."""

    note: str  # what they do and need; or why there are none
    code: str  # "" if the network cannot be trained further by a study


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisStatus:
    """The state of a diagnosis, and its arms."""

    version: int  # increases with every new diagnosis, and whenever the arms belong to another model
    phase: Phase
    progress: Progress | None = None
    problem: str | None = None
    current: bool = True  # whether the diagnosed model is still the service's
    arms: tuple[ArmSummary, ...] = ()
    ablation: AblationCode | None = None  # None without an arm that surgery made
    uploads: tuple[str, ...] = ()  # uploaded images that the shift microscope can show, newest first

    def arm(self, number: int) -> ArmSummary | None:
        """Return an arm; None if there is none of that number."""
        return next((arm for arm in self.arms if arm.arm == number), None)


@dataclass(frozen=True, slots=True)
class FilterPictures:
    """The filters of the first convolution as one image: a column of square tiles, `tile` pixels a side."""

    sprite: EncodedImage
    tile: int
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class FilterSpectrum:
    """The amplitude of a filter by spatial frequency: the root of the power, summed over its input channels.

    Attributes
    ----------
    values : array (n, n), float32
        From -0.5 to 0.5 cycles per pixel, down and to the right, with frequency 0 in the centre. The largest is 1.
    carried : float
        The highest frequency that the stride carries, in cycles per pixel.
    """

    unit: int
    values: NDArray[np.float32]
    carried: float


@dataclass(frozen=True, slots=True)
class ShiftPhotograph:
    """A photograph of the shift microscope: the model's input with `margin` pixels more on each side.

    `filled` are the numbers of those (left, top, right, bottom) that the photograph does not have: edge pixels are repeated there.
    """

    image: str  # "crop:17", or "upload:<id>"
    caption: str
    label: str | None  # its label in the image set, or that of the upload
    picture: EncodedImage
    width: int  # of the model's input, in pixels
    height: int
    margin: int
    filled: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class ShiftRequest:
    """A photograph moved by whole pixels of the model's input, under one arm."""

    image: str  # "crop:17", or "upload:<id>"
    right: int = 0
    down: int = 0
    arm: int = 0
    layers: LayerChoice = "few"  # "all": every feature map and fully connected layer; "few": a few of them, if there are more than eight


@dataclass(frozen=True, slots=True, eq=False)
class ShiftedLayer:
    """A layer of a shifted photograph: its strongest unit of the photograph as it is, before and after.

    Attributes
    ----------
    layer : str
        Alias, or dotted name without one.
    stride : int
        Of its map, in input pixels; 0 if it is not known.
    before, after : float
        The strongest activation of the unit: the maximum over its map; of a fully connected layer, its activation.
    change : float
        The median relative change of the strongest activation, over all units of the layer that are active before; NaN if none is.
    maps : array (2, h, w), float32
        The unit's map before and after. A map of more than 56 rows or columns is reduced by maxima; that of a fully connected layer has
        one value.
    """

    layer: str
    unit: int
    stride: int
    before: float
    after: float
    change: float
    maps: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ShiftedClass:
    """A class's probability on a photograph before and after a shift, 0 to 1."""

    name: str
    before: float
    after: float
    reference: Literal["label", "predicted"]  # the class of the label, or the one predicted before
    now: str  # the most probable class after the shift


@dataclass(frozen=True, slots=True, eq=False)
class ShiftedResult:
    """What a network computes of a shifted photograph. `predicted` is None if the model predicts no probabilities."""

    request: ShiftRequest
    layers: tuple[ShiftedLayer, ...]  # that were asked for, in order of execution
    predicted: ShiftedClass | None
    few: int  # the number of layers of the choice "few"; that of "all" if there is no difference
    total: int  # that of "all"
