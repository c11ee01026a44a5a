"""The requests about contributions of units. No torch here: a widget never computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from deconvwidgets.instruments.contributions.deletion import DeletionCurve
from deconvwidgets.instruments.contributions.feeders import Feeders, FeederTree
from deconvwidgets.instruments.contributions.records import (
    ClassContributions,
    ContributionsFile,
    ContributionsRequest,
    Pending,
    PhotographContributions,
    UnitClasses,
)
from deconvwidgets.service.protocol import ModelService


@runtime_checkable
class ContributionsService(Protocol):
    """Answers requests about contributions of units. `ContributionsApi` documents the parameters and errors.

    Every method may be called from any thread, and returns within milliseconds: the answer if it is known or quick, else `Pending`. Then
    the event "contributions" is published when it is there (and a few times per second before, for the progress), and the same request
    returns it. An answer that failed raises its error once. Answers are kept per snapshot: after a change of the head or of the units
    that are off, the same request is computed again.
    """

    def classes(self) -> tuple[str, ...]:
        """Return the names of the model's classes or outputs; () if it predicts nothing."""
        ...

    def contributions(self, request: ContributionsRequest) -> PhotographContributions | Pending:
        """Return what the units of a layer contribute to the answer for a photograph, the top and bottom units, and the ledger."""
        ...

    def deletion(self, request: ContributionsRequest) -> DeletionCurve | Pending:
        """Return how the answer for a photograph changes as the units are switched off in order of their contributions."""
        ...

    def class_contributions(self, layer: str, target: int) -> ClassContributions | Pending:
        """Return the mean contribution of every unit of a layer to a class, to sort a grid by."""
        ...

    def unit_classes(self, layer: str, unit: int) -> UnitClasses | Pending:
        """Return the classes that a unit contributes to and against."""
        ...

    def feeders(self, layer: str, unit: int) -> Feeders | Pending:
        """Return the units of the layer beneath that feed a unit at its strongest activations."""
        ...

    def tree(self, layer: str, units: Sequence[int], depth: int = 2, breadth: int = 3) -> FeederTree | Pending:
        """Return what feeds one or more units of a layer: `breadth` units each, `depth` layers down."""
        ...

    def class_tree(self, request: ContributionsRequest, depth: int = 2, breadth: int = 3) -> FeederTree | Pending:
        """Return the tree from a class (against another) of a photograph: its `breadth` top units, and what feeds them."""
        ...

    def label_of(self, image: str) -> int | None:
        """Return the class that the label of a photograph names, or None."""
        ...

    def file(self, kind: ContributionsFile, request: ContributionsRequest, depth: int = 4, breadth: int = 2) -> bytes:
        """Return a table of all contributions, or the tree of a class with its top activations, as a file. It takes seconds."""
        ...

    def tree_file(self, kind: ContributionsFile, layer: str, unit: int, depth: int = 2, breadth: int = 3) -> bytes:
        """Return the tree of what feeds a unit, with the top activations of its units, as a file. It takes seconds."""
        ...

    def cancel(self) -> None:
        """Stop all computations whose answers are pending."""
        ...


@runtime_checkable
class SupportsContributions(ModelService, Protocol):
    """A model service that answers requests about contributions."""

    @property
    def contributions(self) -> ContributionsService:
        """Answers requests about contributions of units."""
        ...
