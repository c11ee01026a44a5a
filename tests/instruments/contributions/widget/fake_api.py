"""A fake of what answers requests about contributions: values that depend on the unit and the class, and close exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.instruments.contributions.deletion import DeletionCurve
from deconvwidgets.instruments.contributions.feeders import FeederEdge, FeederNode, Feeders, FeederTree
from deconvwidgets.instruments.contributions.records import (
    ClassContributions,
    ContributionsFile,
    ContributionsRequest,
    Pending,
    PhotographContributions,
    UnitClasses,
    UnitContribution,
)
from deconvwidgets.instruments.contributions.unit_contributions import Ledger


class FakeContributionsApi:
    """Implements `ContributionsService` for layers with `units` units. The first request of each kind is pending if `slow`."""

    def __init__(self, units: int, classes: Sequence[str], *, predicted: int = 0, label: int | None = 1, slow: bool = False) -> None:
        self.units, self.names, self.predicted, self.label = units, tuple(classes), predicted, label
        self.pending: set[str] = {"contributions", "class_contributions", "unit_classes", "tree", "deletion"} if slow else set()
        self.calls: list[tuple[str, Any]] = []

    def values(self, label: int) -> NDArray[np.float64]:
        """Return the contributions of all units to a logit."""
        return np.random.default_rng(label).normal(0, 0.3, self.units).round(3)

    def classes(self) -> tuple[str, ...]:
        return self.names

    def contributions(self, request: ContributionsRequest) -> PhotographContributions | Pending:
        if self._waits("contributions", request):
            return Pending(3, 10)
        target = self.predicted if request.target is None else request.target
        ours = self.values(target)
        theirs = None if request.against is None else self.values(request.against)
        values = ours if theirs is None else ours - theirs
        order = np.argsort(-values, kind="stable").tolist()
        top = [unit for unit in order[: request.top] if values[unit] > 0]
        bottom = [unit for unit in order[::-1][: request.top] if values[unit] < 0]

        def entry(unit: int) -> UnitContribution:
            parts = (None, None) if theirs is None else (float(ours[unit]), float(theirs[unit]))
            return UnitContribution(unit, float(values[unit]), *parts, 5.0 + unit % 7, 20.0, 3, 4, (0, 0, 32, 32), self.names[:2])

        listed = tuple(float(values[unit]) for unit in top)
        others = float(values.sum() - sum(listed))
        ledger = Ledger(tuple(top), listed, others, self.units - len(top), -0.5, float(values.sum()) - 0.5, True)
        shares = np.full(len(self.names), 1 / len(self.names))
        resolved = replace(request, layer=request.layer or "conv5", target=target)
        method = "weight" if request.method == "auto" else request.method
        return PhotographContributions(
            resolved, method, method != "gradient", method == "weight", values, tuple(map(entry, top)), tuple(map(entry, bottom)),
            ledger, self.predicted, self.label, self.names, shares,
        )  # fmt: skip

    def deletion(self, request: ContributionsRequest) -> DeletionCurve | Pending:
        if self._waits("deletion", request):
            return Pending()
        counts = np.arange(41)
        curves = {"contribution": -counts / 40.0, "activation": -counts / 80.0, "random": -counts / 400.0}
        turns: Any = {"contribution": (3,), "activation": (31,), "random": (None,)}
        areas: Any = {"contribution": 0.2, "activation": 0.6, "random": 0.9}
        scores: Any = curves
        return DeletionCurve(request.layer or "conv5", 0, request.against, counts, scores, scores, turns, areas, 0, 8)

    def class_contributions(self, layer: str, target: int) -> ClassContributions | Pending:
        if self._waits("class_contributions", (layer, target)):
            return Pending(1, 2)
        if not 0 <= target < len(self.names):
            raise ServiceError(f"There is no class {target}.")
        return ClassContributions(layer, target, self.names[target], self.values(target), "weight", True, "labelled", 12)

    def unit_classes(self, layer: str, unit: int) -> UnitClasses | Pending:
        if self._waits("unit_classes", (layer, unit)):
            return Pending()
        if not 0 <= unit < self.units:
            raise LayerError(f"{layer} has {self.units} units: there is no unit {unit}.")
        values = np.array([self.values(label)[unit] for label in range(len(self.names))])
        return UnitClasses(layer, unit, values - values.mean(), "weight", 40, "index", self.names)

    def feeders(self, layer: str, unit: int) -> Feeders | Pending:
        raise ServiceError("The fake has no feeders.")

    def tree(self, layer: str, units: Sequence[int], depth: int = 2, breadth: int = 3) -> FeederTree | Pending:
        """Return a tree in which the two units of the second layer share a feeder."""
        if self._waits("tree", (layer, list(units), depth, breadth)):
            return Pending()
        below, lowest = "conv2", "conv1"
        nodes = (
            FeederNode(layer, units[0], 0),
            FeederNode(below, 1, 1),
            FeederNode(below, 2, 1),
            FeederNode(lowest, 4, 2),
            FeederNode(lowest, 5, 2),
        )
        edges = (
            FeederEdge(1, 0, 2.0, 0.2), FeederEdge(2, 0, 1.0, 0.1), FeederEdge(3, 1, 0.5, 0.3), FeederEdge(3, 2, 0.4, 0.2),
            FeederEdge(4, 2, 0.3, 0.15),
        )  # fmt: skip
        return FeederTree("", (layer, below, lowest), nodes, edges, ("Exact terms of the sum.",))

    def class_tree(self, request: ContributionsRequest, depth: int = 2, breadth: int = 3) -> FeederTree | Pending:
        raise ServiceError("The fake has no tree of a class.")

    def label_of(self, image: str) -> int | None:
        return self.label

    def file(self, kind: ContributionsFile, request: ContributionsRequest, depth: int = 4, breadth: int = 2) -> bytes:
        self.calls.append(("file", (kind, request)))
        return b"<file>" + kind.encode()

    def tree_file(self, kind: ContributionsFile, layer: str, unit: int, depth: int = 2, breadth: int = 3) -> bytes:
        self.calls.append(("tree_file", (kind, layer, unit, depth, breadth)))
        return b"<file>" + kind.encode()

    def cancel(self) -> None:
        self.calls.append(("cancel", None))

    def _waits(self, kind: str, arguments: Any) -> bool:
        self.calls.append((kind, arguments))
        pending = kind in self.pending
        self.pending.discard(kind)
        return pending
