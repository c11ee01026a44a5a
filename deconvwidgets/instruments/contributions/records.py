"""Records of the requests about contributions of units: frozen, of NumPy arrays and plain Python values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.instruments.contributions.unit_contributions import Baseline, ContributionMethod, Ledger, MethodChoice
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.repr import compact_repr

ClassSource = Literal["labelled", "predicted", "all"]
ContributionsFile = Literal["contributions.csv", "tree.png", "tree.svg", "tree.pdf"]


@dataclass(frozen=True, slots=True, eq=False)
class UnitClasses:
    """The classes that a unit contributes to and against.

    Attributes
    ----------
    layer, unit : str, int
    values : ndarray of shape (classes,), float64
        The unit's mean contribution to the logit of each class, minus the mean over the classes (which changes no answer).
    method : {"weight", "gradient", "switch-off"}
        "weight": weight x mean activation. "switch-off": the change of the logits when the unit is set to zero.
    photographs : int
        The number of photographs of the mean.
    over : {"index", "top"}
        The photographs: those of the image set, or the unit's strongest activations.
    categories : tuple of str
    """

    layer: str
    unit: int
    values: NDArray[np.float64]
    method: ContributionMethod
    photographs: int
    over: Literal["index", "top"]
    categories: tuple[str, ...] = ()

    def strongest(self, count: int = 3) -> tuple[tuple[int, float], ...]:
        """Return the classes with the largest values above zero, (class, value)."""
        order = np.argsort(-self.values, kind="stable")[:count].tolist()
        return tuple((label, float(self.values[label])) for label in order if self.values[label] > 0)

    def weakest(self, count: int = 3) -> tuple[tuple[int, float], ...]:
        """Return the classes with the smallest values below zero, (class, value)."""
        order = np.argsort(self.values, kind="stable")[:count].tolist()
        return tuple((label, float(self.values[label])) for label in order if self.values[label] < 0)

    def __repr__(self) -> str:
        names = [f"{self.categories[label] if label < len(self.categories) else label} {value:+.3g}" for label, value in self.strongest()]
        return f"UnitClasses({self.layer} unit {self.unit}, {len(self.values)} classes, {self.method}; for: {', '.join(names)})"


@dataclass(frozen=True, slots=True, eq=False)
class ClassContributions:
    """The mean contribution of every unit of a layer to one class, over photographs of the image set.

    Attributes
    ----------
    values : ndarray of shape (units,), float64
        Contributions to the logit of the class, minus the mean over the logits of all classes (which changes no answer).
    over : {"labelled", "predicted", "all"}
        The photographs: those whose label is the class; else those that the model predicts as the class; else all.
    photographs : int
        Their number.
    """

    layer: str
    target: int
    name: str
    values: NDArray[np.float64]
    method: ContributionMethod
    exact: bool
    over: ClassSource
    photographs: int

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class ContributionsRequest:
    """A photograph, a layer, and the answer to explain. None is replaced by the default in `PhotographContributions`."""

    image: str  # as in `OcclusionRequest.image`: "crop:17", or "upload:<id>"
    layer: str | None = None  # None: the last of the explorers' layers
    target: int | None = None  # None: the predicted class
    against: int | None = None  # None: the logit of the target alone
    method: MethodChoice = "auto"
    baseline: Baseline | None = None
    top: int = 6  # units with the largest contributions, and as many with the smallest
    unchanged: bool = False  # of the model as it is without switched-off units


@dataclass(frozen=True, slots=True)
class UnitContribution:
    """The contribution of one unit to the answer for a photograph."""

    unit: int
    value: float  # contribution to the logit of the target (or to the difference)
    for_target: float | None  # with `against`: the two parts, value = for_target - for_against
    for_against: float | None
    activation: float  # the maximum of its map
    maximum: float | None  # its strongest activation in the index; None while that is being built
    row: int  # of the maximum, in the map
    column: int
    box: Box | None  # its receptive field in input pixels
    contributes_to: tuple[str, ...] = ()  # classes with its largest mean contributions, if they are known already (see unit_classes)


@dataclass(frozen=True, slots=True, eq=False)
class PhotographContributions:
    """What the units of a layer contribute to the answer for one photograph."""

    request: ContributionsRequest  # every default resolved; `against` stays None without one
    method: ContributionMethod
    exact: bool
    closes: bool
    values: NDArray[np.float64]  # (units,): all contributions, to sort a grid by
    top: tuple[UnitContribution, ...]  # largest contribution first; all above 0
    bottom: tuple[UnitContribution, ...]  # smallest (most negative) first; all below 0
    ledger: Ledger  # of the units in `top`
    predicted: int  # the most probable class (of a regression: the target)
    label: int | None  # the class that the photograph's label names, if it names one
    names: tuple[str, ...]  # of all classes or outputs
    probabilities: NDArray[np.float64]  # (classes,): of all classes; values of a regression
    note: str = ""  # for the user: "an approximation", or why "weight" is not possible

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True)
class Pending:
    """The answer is being computed: repeat the request after the next event "contributions"."""

    done: int = 0
    total: int = 0  # 0 while it is unknown
