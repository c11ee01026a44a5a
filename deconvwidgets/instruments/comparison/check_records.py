"""The result of a check of a model against frozen units."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe, integer, one_of
from deconvwidgets.errors import ComparisonError
from deconvwidgets.instruments.comparison.check_limits import CheckLimits, Limit
from deconvwidgets.instruments.comparison.frozen_records import UnitStatistics
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.repr import compact_repr

STATUSES = ("kept", "moved", "changed", "merged", "lost", "died", "dead", "constant")
CHANGED = ("changed", "lost", "merged")  # what max_changed counts


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LayerCheck:
    """What became of the U frozen units of a layer. Arrays have the shape (U,) if no other is named.

    Attributes
    ----------
    info, info_new : LayerInfo
        The layer when it was frozen, and that of the new model.
    same_weights : bool
        Whether everything that decides the layer's values has the same digest.
    status : array of str
        One of `STATUSES` each.
    reasons : tuple of str
        Why a unit is not the same: "" for those that are.
    match : array, int64
        The unit of the new model that each is matched to; -1 for none.
    correlation : array, float64
        Of their activations over the sampled crops; NaN if one is silent there.
    overlap : array, float64
        The share of the strongest photographs that are among the strongest of the match; NaN without a match.
    likeness : array, float64
        The mean correlation of the descriptors of their projections at the same places; NaN without.
    before, after : UnitStatistics
        Of the frozen units, and of the units of the new model (V,).
    copies : tuple of (int, tuple of int)
        The frozen units that are split, each with the units of the new model that are copies of it.
    new : tuple of int
        The units of the new model that correspond to no frozen unit.
    """

    info: LayerInfo
    info_new: LayerInfo
    same_weights: bool
    status: NDArray[np.str_]
    reasons: tuple[str, ...]
    match: NDArray[np.int64]
    correlation: NDArray[np.float64]
    overlap: NDArray[np.float64]
    likeness: NDArray[np.float64]
    before: UnitStatistics
    after: UnitStatistics
    copies: tuple[tuple[int, tuple[int, ...]], ...]
    new: tuple[int, ...]

    __repr__ = compact_repr

    def units(self, *statuses: str) -> tuple[int, ...]:
        """Return the units that have one of some statuses, ascending. Raises ComparisonError for an unknown status."""
        for status in statuses:
            one_of(status, "status", STATUSES, ComparisonError)
        return tuple(np.flatnonzero(np.isin(self.status, statuses)).tolist())

    @property
    def active(self) -> int:
        """The number of units that were active when they were frozen."""
        return len(self.status) - len(self.units("dead", "constant"))

    def mean_after(self, unit: int) -> float:
        """Return the mean activation of a unit's match; NaN without one. Raises ComparisonError for an unknown unit."""
        match = int(self.match[integer(unit, "unit", 0, len(self.status) - 1, ComparisonError)])
        return float(self.after.mean[match]) if match >= 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many units of a kind there are, and how many are allowed."""

    kind: str
    found: int
    limit: Limit
    allowed: int

    @property
    def passed(self) -> bool:
        """Whether there are no more than are allowed."""
        return self.found <= self.allowed


@dataclass(frozen=True, slots=True, eq=False)
class ChangeFigure:
    """Pictures of a changed unit, each WebP, of up to three of its strongest activations side by side; empty if there are none.

    Attributes
    ----------
    layer : str
        The dotted name of the frozen layer.
    unit : int
    before_patches, before_projections, after_patches, after_projections : bytes
    before_names, after_names : tuple of str
        The photographs.
    """

    layer: str
    unit: int
    before_patches: bytes
    before_projections: bytes
    after_patches: bytes
    after_projections: bytes
    before_names: tuple[str, ...]
    after_names: tuple[str, ...]

    __repr__ = compact_repr


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class UnitCheck:
    """A model checked against frozen units. Made by `dw.check`.

    Attributes
    ----------
    frozen_model, frozen_weights : str
        The model that was frozen, with "(random weights)" if it is not trained, and its weights.
    model, weights : str
        The new model, likewise.
    frozen_trained, trained : bool
        Whether their weights are trained.
    image_set : str
    crops : int
        The number of crops that correlations are computed over.
    limits : CheckLimits
    layers : tuple of LayerCheck
    figures : tuple of ChangeFigure
        Of the units that changed most.
    notes : tuple of str
        What else differs, or limits the check.
    """

    frozen_model: str
    frozen_weights: str
    model: str
    weights: str
    frozen_trained: bool
    trained: bool
    image_set: str
    crops: int
    limits: CheckLimits
    layers: tuple[LayerCheck, ...]
    figures: tuple[ChangeFigure, ...] = field(default=())
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        counts = ", ".join(f"{verdict.found} {verdict.kind}" for verdict in self.verdicts if verdict.found) or "no unit changed"
        return f"<UnitCheck of {self.model} against {self.frozen_model}: {'passed' if self.passed else 'failed'}; {counts}>"

    @property
    def units(self) -> int:
        """The number of units that were active when they were frozen."""
        return sum(layer.active for layer in self.layers)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The kinds of changes, with the number of units and the limit of each."""
        found = {
            "died": self._count("died"),
            "changed": self._count(*CHANGED),
            "moved": self._count("moved"),
            "split": sum(len(layer.copies) for layer in self.layers),
        }
        limits = {kind: getattr(self.limits, kind) for kind in found}
        return tuple(Verdict(kind, count, limits[kind], limits[kind].allowed(self.units)) for kind, count in found.items())

    @property
    def passed(self) -> bool:
        """Whether no limit is exceeded."""
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def exit_code(self) -> int:
        """0 if it passed, 1 if it failed: that of `deconvwidgets check`."""
        return 0 if self.passed else 1

    def layer(self, name: str) -> LayerCheck:
        """Return a layer by its dotted name or alias. Raises ComparisonError for an unknown one."""
        for layer in self.layers:
            if isinstance(name, str) and name in (layer.info.name, layer.info.alias):
                return layer
        known = ", ".join(layer.info.short_name for layer in self.layers)
        raise ComparisonError(f"The check has no layer {describe(name)}. It has {known}.")

    def _count(self, *statuses: str) -> int:
        return sum(len(layer.units(*statuses)) for layer in self.layers)
