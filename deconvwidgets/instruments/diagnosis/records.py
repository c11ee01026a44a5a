"""The results of a diagnosis of a network, and of its shift curves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe
from deconvwidgets.errors import DiagnosisError
from deconvwidgets.instruments.diagnosis.input_records import InputCheck
from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing
from deconvwidgets.instruments.diagnosis.unit_changes import UnitChanges
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.repr import compact_repr

if TYPE_CHECKING:
    import pandas as pd

Level = Literal["found", "near", "clear", "not_checked"]
LEVELS: tuple[Level, ...] = ("found", "near", "clear", "not_checked")
Direction = Literal["right", "left", "up", "down"]
DIRECTIONS: tuple[Direction, ...] = ("right", "left", "up", "down")
# The checks, in the order of the report. "found" and "near" are about what a check names; "not_checked": it cannot be made on this network.
CHECKS = (
    "aliasing", "shift", "frequencies", "one_photograph", "near_copies", "dominating_filters", "dead_units", "always_active", "input",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnitEvidence:
    """A unit that a finding names: `value` is what the check measured of it, `text` the same in words."""

    layer: str  # alias, or dotted name without one
    unit: int
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class SuggestedSurgery:
    """A change of the network that may mend a finding: `dw.surgery.<function>(bundle, **arguments)`."""

    label: str  # "blur pool"
    function: str  # "swap_pooling", "blur_strides", "change_first_layer", "merge_units", "remove_units"
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes
    ----------
    check : str
        One of `CHECKS`.
    level : {"found", "near", "clear", "not_checked"}
        Above the limit; close to it; neither; or the check cannot be made on this network.
    title : str
        "Aliasing at the first stride".
    count_text : str
        "21 of 64", "none", "not checked".
    summary : str
        What was measured, in one or two sentences.
    evidence : str
        Evidence: on what it was measured, and by which limit it is judged.
    paper : str
        What Zeiler & Fergus 2014 observed or did; "" if nothing.
    units : tuple of UnitEvidence
        The units that show it, the worst first.
    surgeries : tuple of SuggestedSurgery
        What may mend it.
    """

    check: str
    level: Level
    title: str
    count_text: str
    summary: str
    evidence: str
    paper: str = ""
    units: tuple[UnitEvidence, ...] = ()
    surgeries: tuple[SuggestedSurgery, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FirstLayer:
    """The U filters of the first convolution, by spatial frequency. Frequencies are in cycles per input pixel.

    Attributes
    ----------
    name, alias : str
        The dotted name of the convolution, and the alias of its feature map ("conv1").
    kernel_size, stride : tuple of (int, int)
        Of the convolution: (rows, columns).
    weights : array (U, C, rows, columns), float32
        Their channels are those that the convolution reads; `Diagnosis.notes` say if they are not those of the model's input.
    rms : array (U,), float64
        Root mean square of each filter's weights.
    rms_ratio : array (U,), float64
        The same over the median of the filters.
    centre : array (U,), float64
        The mean frequency of each filter, weighted by energy; NaN for a filter of zeros.
    shares : array (U, 3), float64
        The shares of each filter's energy below, between and above `bands`; NaN for a filter of zeros.
    bands : tuple of (float, float)
        The limits of low, middle and high frequencies.
    mean_shares : tuple of (float, float, float)
        Their means over the filters, so that each counts the same.
    noise_shares : tuple of (float, float, float)
        Those of filters of this size with independent random weights, as a reference.
    histogram : array (bins,), float64
        The mean share of a filter's energy in each bin of frequency; the rest of 1 is above the last edge (diagonal frequencies).
    histogram_above : array (bins,), float64
        The part of each share whose frequencies are above, along an axis, what the stride carries along it: 1 / (2 stride).
    edges : array (bins + 1,), float64
        0 to 0.5.
    carried : float
        The highest frequency that a map subsampled by the stride can carry along an axis: 1 / (2 stride), with the larger of two strides.
    aliased : array (U,), float64
        The share of the energy of each filter's responses at stride 1 to photographs, as the convolution reads them, that is above what
        the stride carries along an axis, so that it is aliased; 0 at stride 1 without a blur that subsamples, NaN if it was not measured.
    aliased_mean : float
        Its mean over the filters.
    photographs : int
        The number of photographs that it was measured on.
    blur : tuple of (int, int)
        By how much a blur subsamples its map (`dw.surgery.blur_strides`); (1, 1) without.
    map_aliasing : MapAliasing or None
        What the stride, or the subsampling after the blur, aliases of its map: after the activation function. None if it is not known.
    no_map_aliasing : str
        Why it is not known, in words.
    """

    name: str
    alias: str
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    weights: NDArray[np.float32]
    rms: NDArray[np.float64]
    rms_ratio: NDArray[np.float64]
    centre: NDArray[np.float64]
    shares: NDArray[np.float64]
    bands: tuple[float, float]
    mean_shares: tuple[float, float, float]
    noise_shares: tuple[float, float, float]
    histogram: NDArray[np.float64]
    histogram_above: NDArray[np.float64]
    edges: NDArray[np.float64]
    carried: float
    aliased: NDArray[np.float64]
    aliased_mean: float
    photographs: int
    blur: tuple[int, int] = (1, 1)
    map_aliasing: MapAliasing | None = None
    no_map_aliasing: str = ""

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ShiftCurves:
    """How much a network's activations and probability change when photographs are shifted by whole input pixels.

    Attributes
    ----------
    layers : tuple of str
        L aliases, or dotted names of layers without one.
    strides : tuple of int
        The stride of each layer's map in input pixels, in the direction of the shift; 0 for a layer without a grid.
    shifts : tuple of int
        S numbers of input pixels.
    direction : {"right", "left", "up", "down"}
        Where the content moves.
    changes : array (L, S), float64
        The median relative change abs(moved - original) / original of a unit's strongest activation (the maximum over its map), over all
        units that are active on the original photograph, and all photographs. NaN for a layer without an active unit.
    probability : array (S,), float64
        The mean absolute change of the probability of each photograph's class, 0 to 1; NaN if the model predicts no probabilities.
    reference : {"label", "predicted"}
        The class: that of the photograph's label, over the photographs whose label names one of the model's classes; if there is none, the
        class that is predicted for each unshifted photograph.
    photographs : int
        The number of photographs.
    labelled : int
        The number of photographs whose label names one of the model's classes: if it is not 0, `probability` is the mean over these only.
    filled : int
        The number of photographs that have too few pixels beside the crop for the largest shift: their edge pixels are repeated there.
    skipped : tuple of SkippedImage
        Photographs that could not be read.
    units : UnitChanges or None
        Those of the deepest feature map, at each shift; None if there is no feature map.
    """

    layers: tuple[str, ...]
    strides: tuple[int, ...]
    shifts: tuple[int, ...]
    direction: Direction
    changes: NDArray[np.float64]
    probability: NDArray[np.float64]
    reference: Literal["label", "predicted"]
    photographs: int
    labelled: int = 0
    filled: int = 0
    skipped: tuple[SkippedImage, ...] = ()
    units: UnitChanges | None = None

    def __repr__(self) -> str:
        last = f"{self.layers[-1]} changes by {', '.join(f'{value:.1%}' for value in self.changes[-1])}" if self.layers else "no layer"
        pixels = ", ".join(map(str, self.shifts))
        return f"<ShiftCurves {self.direction} by {pixels} pixels, {self.photographs} photographs: {last}>"

    def layer(self, name: str) -> NDArray[np.float64]:
        """Return the changes (S,) of a layer. Raises DiagnosisError for an unknown one."""
        if name not in self.layers:
            raise DiagnosisError(f"The curves have no layer {describe(name)}. They have {', '.join(self.layers)}.")
        return np.asarray(self.changes[self.layers.index(name)])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Diagnosis:
    """What the checks found in a network. Made by `dw.diagnose`.

    Attributes
    ----------
    model, weights : str
        The label of the model and of its weights.
    trained : bool
    image_set : str
    photographs, crops : int
        The number of different photographs that units were measured on, and of their crops.
    layers : tuple of LayerInfo
        The layers whose units were checked.
    findings : tuple of Finding
        One per check, those found first.
    first_layer : FirstLayer or None
        None if the network has no first convolution on its input.
    shift : ShiftCurves or None
        None without a layer or photograph for them.
    input : InputCheck
    notes : tuple of str
        What limits the diagnosis.
    skipped : tuple of SkippedImage
        Photographs that could not be read.
    """

    model: str
    weights: str
    trained: bool
    image_set: str
    photographs: int
    crops: int
    layers: tuple[LayerInfo, ...]
    findings: tuple[Finding, ...]
    first_layer: FirstLayer | None
    shift: ShiftCurves | None
    input: InputCheck
    notes: tuple[str, ...] = ()
    skipped: tuple[SkippedImage, ...] = ()

    def __repr__(self) -> str:
        named = ", ".join(finding.check for finding in self.findings if finding.level == "found") or "nothing found"
        return f"<Diagnosis of {self.model} on {self.photographs} photographs: {named}>"

    @property
    def units(self) -> int:
        """The number of units that were checked."""
        return sum(info.channels for info in self.layers)

    def count(self, level: Level) -> int:
        """Return the number of findings of a level."""
        return sum(finding.level == level for finding in self.findings)

    def finding(self, check: str) -> Finding:
        """Return the finding of a check. Raises DiagnosisError for an unknown one."""
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise DiagnosisError(f"There is no check {describe(check)}: choose {', '.join(finding.check for finding in self.findings)}.")

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row per finding and unit that it names as a DataFrame. Needs pandas."""
        return _files().to_dataframe(self)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the report: a page (.html), all numbers (.json), a table of the findings (.csv), or a picture (.png)."""
        _files().save(self, path, overwrite)


def _files() -> Any:
    """Return the module that writes reports. Records draw nothing themselves: it is loaded when a report is asked for."""
    return import_module("deconvwidgets.instruments.diagnosis.figures.files")
