"""The record of the contributions of units to a model's outputs.

The **output** that contributions refer to is what the model returns for the target: a logit, or the difference of the logits of two
classes (target - against). Its unit is that of the model's output, and never a probability unless the model returns probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.instruments.contributions.deletion import DeletionCurve
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.quantity import SOFTMAX, Quantity

ContributionMethod = Literal["weight", "gradient", "switch-off"]
MethodChoice = Literal["auto", "weight", "gradient", "switch-off"]
Baseline = Literal["mean"]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The sum that makes up an output: top units + other units + rest = output.

    Attributes
    ----------
    units : tuple of int
        The units that are listed one by one.
    values : tuple of float
        Their contributions, in the same order.
    others, others_count : float, int
        The sum of the contributions of all other units, and how many they are.
    rest : float
        What no unit contributes: the bias, or the difference of two biases. If `closes` is False, it also contains what the
        contributions miss or count twice.
    output : float
        The logit, or the difference of two logits: sum(values) + others + rest.
    closes : bool
        Whether the contributions and a constant (the bias) add up to the output.
    """

    units: tuple[int, ...]
    values: tuple[float, ...]
    others: float
    others_count: int
    rest: float
    output: float
    closes: bool


@dataclass(frozen=True, slots=True, eq=False)
class UnitContributions:
    """The contributions of the units of a layer to an output, for one or more photographs.

    Attributes
    ----------
    layer : str
        Alias of the layer, or its dotted name.
    method : {"weight", "gradient", "switch-off"}
        How they were computed. "weight": weight x activation, for a layer on which the output depends linearly. "gradient": gradient x
        activation, summed over positions, an approximation. "switch-off": the output minus the output with the unit set to zero.
    exact : bool
        Whether each number is exactly the change of the output when the unit alone is set to zero (False for "gradient").
    closes : bool
        Whether contributions + `rest` = `outputs` with a `rest` that is the model's own constant (True for "weight" only).
    target, against : int, int or None
        The class (or output), and the class that it is compared with.
    contributions : ndarray of shape (photographs, units), float64
    activations : ndarray of shape (photographs, units), float64
        The maximum of each unit's map.
    positions : ndarray of shape (photographs, units, 2), int64
        The (row, column) of the maximum in the map.
    outputs : ndarray of shape (photographs,), float64
        The logit of the target, or its difference to that of `against`.
    rest : ndarray of shape (photographs,), float64
        `outputs` minus the sum of the contributions.
    for_target, for_against : ndarray of shape (photographs, units), float64, or None
        With `against`: the contributions to each of the two logits; `contributions` is their difference.
    baseline : ndarray of shape (units,), float64, or None
        With baseline="mean": the contributions of the mean photograph, which were subtracted (and added to `rest`).
    names : tuple of str
        The photographs.
    categories : tuple of str
        Names of the classes or outputs.
    quantity : Quantity
        What the outputs are.
    deletion : DeletionCurve or None
        If requested: how the answer changes as units are switched off in this order.
    skipped : tuple of SkippedImage
        The photographs of an image set that could not be read.
    """

    layer: str
    method: ContributionMethod
    exact: bool
    closes: bool
    target: int
    against: int | None
    contributions: NDArray[np.float64]
    activations: NDArray[np.float64]
    positions: NDArray[np.int64]
    outputs: NDArray[np.float64]
    rest: NDArray[np.float64]
    for_target: NDArray[np.float64] | None = None
    for_against: NDArray[np.float64] | None = None
    baseline: NDArray[np.float64] | None = None
    names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    quantity: Quantity = SOFTMAX
    deletion: DeletionCurve | None = None
    skipped: tuple[SkippedImage, ...] = ()

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean contribution of each unit over the photographs, (units,)."""
        return np.asarray(self.contributions.mean(axis=0))

    @property
    def ranking(self) -> NDArray[np.int64]:
        """The units in order of their mean contribution, the largest first, (units,); equal ones by number."""
        return np.argsort(-self.mean, kind="stable")

    def ledger(self, top: int = 5) -> Ledger:
        """Return the mean over the photographs as a sum: the `top` units with the largest contributions, the others, and the rest."""
        mean, units = self.mean, self.ranking[:top]
        listed = mean[units]
        return Ledger(
            units=tuple(units.tolist()),
            values=tuple(listed.tolist()),
            others=float(mean.sum() - listed.sum()),
            others_count=len(mean) - len(units),
            rest=float(self.rest.mean()),
            output=float(self.outputs.mean()),
            closes=self.closes,
        )

    def name(self, label: int) -> str:
        """Return the name of a class or output."""
        return self.categories[label] if 0 <= label < len(self.categories) else f"class {label}"

    def describe_target(self) -> str:
        """Return "beaver", or "cougar face against beaver"."""
        name = self.name(self.target)
        return name if self.against is None else f"{name} against {self.name(self.against)}"

    def __repr__(self) -> str:
        photographs, units = self.contributions.shape
        count = f"{photographs} photograph{'s' if photographs != 1 else ''}"
        best = ", ".join(f"{unit} {self.mean[unit]:+.3g}" for unit in self.ranking[:3].tolist())
        how = self.method if self.exact else f"{self.method}, an approximation"
        return f"UnitContributions({self.layer}, {units} units, {count}: {self.describe_target()}; {how}; most: {best})"
