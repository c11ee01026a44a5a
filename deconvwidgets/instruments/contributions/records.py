"""Records of contributions of units to a model's outputs: frozen, of NumPy arrays and plain Python values only.

The **output** that contributions refer to is what the model returns for the target: a logit, or the difference of the logits of two
classes (target - against). Its unit is that of the model's output, and never a probability unless the model returns probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.records.geometry import Box
from deconvwidgets.records.quantity import SOFTMAX, Quantity
from deconvwidgets.records.repr import compact_repr

ContributionMethod = Literal["weight", "gradient", "switch-off"]
MethodChoice = Literal["auto", "weight", "gradient", "switch-off"]
Baseline = Literal["mean"]
DeletionOrder = Literal["contribution", "activation", "random"]
ClassSource = Literal["labelled", "predicted", "all"]
ContributionsFile = Literal["contributions.csv", "tree.png", "tree.svg", "tree.pdf"]


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
    deletion : DeletionCurve or None
        If requested: how the answer changes as units are switched off in this order.
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


@dataclass(frozen=True, slots=True, eq=False)
class DeletionCurve:
    """The output as units are switched off one after another: in order of contribution, of activation, and at random.

    Attributes
    ----------
    layer : str
    target, against : int, int or None
    counts : ndarray of shape (steps,), int64
        The numbers of units that are off; the first is 0.
    outputs : mapping from {"contribution", "activation", "random"} to ndarray of shape (steps,), float64
        The logit of the target (or its difference to that of `against`), mean over the photographs; of "random" also over the orders.
    scores : mapping to ndarray of shape (steps,), float64
        The probability of the target, minus that of `against` if there is one; the value for a regression. Means likewise.
    turns : mapping to tuple of (int or None)
        For each photograph the number of units that are off when the answer is no longer the one without changes (with `against`: when
        `against` is above the target); None: not within `counts`. Of "random": the median over the orders.
    areas : mapping to float
        The area under `scores`, divided by that of a score that stays as it was: 1 if nothing changes, lower if the order finds what the
        answer depends on. NaN if the score without changes is not above 0.
    seed, orders : int, int
        Of the random orders.
    """

    layer: str
    target: int
    against: int | None
    counts: NDArray[np.int64]
    outputs: Mapping[DeletionOrder, NDArray[np.float64]]
    scores: Mapping[DeletionOrder, NDArray[np.float64]]
    turns: Mapping[DeletionOrder, tuple[int | None, ...]]
    areas: Mapping[DeletionOrder, float]
    seed: int
    orders: int

    @property
    def faithfulness(self) -> float:
        """The area of the random orders minus that of the order of contribution: above 0 if the ranking finds what matters."""
        return self.areas["random"] - self.areas["contribution"]

    def __repr__(self) -> str:
        areas = ", ".join(f"{name} {area:.3g}" for name, area in self.areas.items())
        return f"DeletionCurve({self.layer}, {int(self.counts[-1])} units off; areas: {areas}; faithfulness {self.faithfulness:.3g})"


@dataclass(frozen=True, slots=True, eq=False)
class UnitClasses:
    """The classes that a unit speaks for and against.

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


@dataclass(frozen=True, slots=True, eq=False)
class Feeders:
    """The units of the layer beneath that feed a unit at its strongest positions: the terms of its sum.

    For photograph i: terms[i].sum() + constants[i] = pre_activations[i], exactly (checked).

    Attributes
    ----------
    layer, unit : str, int
        The unit that is fed.
    below : str
        The layer whose units feed it: alias, or dotted name.
    terms : ndarray of shape (photographs, units of `below`), float64
        The part of the sum that comes through each unit, before the bias and the rectifier; 0 for units of other groups.
    constants : ndarray of shape (photographs,), float64
        The bias (with batch norm folded in).
    pre_activations, activations : ndarray of shape (photographs,), float64
        The unit's value before and after the rectifier.
    images : tuple of int
        The crops of the image set, the strongest activation first; empty for images that were passed.
    positions : ndarray of shape (photographs, 2), int64
        (row, column) in the unit's map.
    note : str
        What is exact and what is held constant ("the factor of local response normalisation is that at the position").
    """

    layer: str
    unit: int
    below: str
    terms: NDArray[np.float64]
    constants: NDArray[np.float64]
    pre_activations: NDArray[np.float64]
    activations: NDArray[np.float64]
    images: tuple[int, ...]
    positions: NDArray[np.int64]
    note: str = ""

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean term of each unit of `below` over the photographs, (units,)."""
        return np.asarray(self.terms.mean(axis=0))

    @property
    def shares(self) -> NDArray[np.float64]:
        """`mean` divided by the sum of its positive entries, (units,): the positive shares sum to 1; all 0 if no term is positive."""
        mean = self.mean
        total = mean[mean > 0].sum()
        return np.asarray(mean / total) if total > 0 else np.zeros_like(mean)

    @property
    def ranking(self) -> NDArray[np.int64]:
        """The units of `below` in order of their mean term, the largest first, (units,)."""
        return np.argsort(-self.mean, kind="stable")

    def __repr__(self) -> str:
        shares = self.shares
        best = ", ".join(f"{unit} {100 * shares[unit]:.0f}%" for unit in self.ranking[:3].tolist())
        return f"Feeders({self.layer} unit {self.unit} from {self.below}, {len(self.terms)} photographs; most: {best})"


@dataclass(frozen=True, slots=True)
class FeederNode:
    """A unit in a tree of feeders. Its position in `FeederTree.nodes` is its number."""

    layer: str
    unit: int
    depth: int  # 0: the unit (or units) that the tree starts from


@dataclass(frozen=True, slots=True)
class FeederEdge:
    """One unit feeds another."""

    source: int  # node that feeds; one level deeper
    to: int  # node that is fed; -1: the class, of which `value` is the contribution
    value: float  # mean term of the sum (or contribution), in the unit of the fed unit's value before its rectifier (or of the logit)
    share: float  # of all positive terms (or contributions)


@dataclass(frozen=True, slots=True)
class FeederTree:
    """What feeds a class or a unit, layer by layer down to the edges. A unit that feeds several others is one node.

    Attributes
    ----------
    root : str
        The class ("cougar face against beaver"), or "" if the tree starts from a unit.
    layers : tuple of str
        The layers, from the top down; `layers[node.depth]` is the node's.
    nodes : tuple of FeederNode
        By depth, then by their largest share.
    edges : tuple of FeederEdge
    notes : tuple of str
        What is exact and what is not, and why the tree ends where it does.
    """

    root: str
    layers: tuple[str, ...]
    nodes: tuple[FeederNode, ...]
    edges: tuple[FeederEdge, ...]
    notes: tuple[str, ...] = ()

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True, eq=False)
class UnitAblation:
    """How the model's results change when each unit of a layer alone is switched off.

    `units` are (units,), classes are those of the photographs' labels, in order of `labels`.

    Attributes
    ----------
    layer : str
    photographs : int
        Number of labelled photographs.
    accuracy : float
        Without a change, 0 to 1; NaN if no label is a class of the model.
    accuracies : ndarray of shape (units,), float64
        With the unit off.
    now_right, now_wrong, changed : ndarray of shape (units,), int64
        Photographs that the change makes right, makes wrong, and whose predicted class it changes.
    logits : ndarray of shape (units, classes), float32
        Mean change of the logit of the photographs' own class, per class of the photographs.
    probabilities : ndarray of shape (units, classes), float32
        Mean change of its probability.
    class_accuracies : ndarray of shape (units + 1, classes), float32
        Accuracy per class with each unit off; the last row is that without a change.
    counts : ndarray of shape (classes,), int64
        Photographs per class.
    labels : tuple of int
        The model's classes that the photographs show.
    categories : tuple of str
        Names of all classes of the model.
    method : {"closed form", "delta", "full"}
        "closed form": the output depends linearly on the layer. "delta": what lies above the layer was run again, from the changed sums
        of its first linear operation. "full": all that lies above the layer was run again.
    """

    layer: str
    photographs: int
    accuracy: float
    accuracies: NDArray[np.float64]
    now_right: NDArray[np.int64]
    now_wrong: NDArray[np.int64]
    changed: NDArray[np.int64]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    class_accuracies: NDArray[np.float32]
    counts: NDArray[np.int64]
    labels: tuple[int, ...]
    categories: tuple[str, ...]
    method: Literal["closed form", "delta", "full"]

    @property
    def accuracy_changes(self) -> NDArray[np.float64]:
        """The change of the accuracy with each unit off, (units,)."""
        return np.asarray(self.accuracies - self.accuracy)

    def __repr__(self) -> str:
        change = self.accuracy_changes
        order = np.argsort(change, kind="stable")[:3].tolist()
        worst = ", ".join(f"{unit} {100 * change[unit]:+.2f}" for unit in order)
        start = f"{self.layer}, {len(change)} units, {self.photographs} photographs, {len(self.labels)} classes"
        return f"UnitAblation({start}; accuracy {100 * self.accuracy:.1f}%; most harm in points: {worst}; {self.method})"


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
    speaks_for: tuple[str, ...] = ()  # classes with its largest mean contributions, if they are known already (see unit_classes)


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
    """The answer is being computed: ask again after the next event "contributions"."""

    done: int = 0
    total: int = 0  # 0 while it is unknown
