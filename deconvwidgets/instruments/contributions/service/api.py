"""The requests about contributions of units: quick ones are answered at once, others by a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from weakref import finalize

from deconvwidgets.arguments import describe, integer, text
from deconvwidgets.compute.job import JobContext, never_cancelled
from deconvwidgets.errors import ContributionError, LayerError, ServiceError
from deconvwidgets.instruments.contributions.compute.classes import checked_unit
from deconvwidgets.instruments.contributions.compute.tree import MAX_BREADTH, MAX_DEPTH, Root, grow_tree, roots_of
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
from deconvwidgets.instruments.contributions.service.analyses import Analyses
from deconvwidgets.instruments.contributions.service.answers import Answers
from deconvwidgets.instruments.contributions.service.files import require_kind, table_file, tree_file
from deconvwidgets.instruments.contributions.service.photograph import Explained, as_answer, checked_request, explain, label_of
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.instrument import InstrumentApi
from deconvwidgets.service.protocol import ServiceEvent
from deconvwidgets.service.rate_limit import RateLimiter
from deconvwidgets.service.snapshot import Snapshot

_EVENT_SECONDS = 0.2


class ContributionsApi(InstrumentApi):
    """Implements `ContributionsService`. Every method may be called from any thread.

    Methods that may return `Pending` wait for the answer for at most `timeout` seconds; None waits as long as it takes.
    """

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._changed = RateLimiter(lambda: context.publish(ServiceEvent("contributions")), _EVENT_SECONDS)
        self._analyses = analyses = Analyses(context)
        self._answers = answers = Answers(context, self._changed.trigger)
        context.on_replace(lambda snapshot: analyses.keep_only(snapshot.version))
        context.on_replace(lambda snapshot: answers.keep_only(snapshot.version))
        finalize(self, answers.cancel)

    def classes(self) -> tuple[str, ...]:
        """Return the names of the model's classes or outputs; () if it predicts nothing."""
        bundle = self._context.snapshot.bundle
        return () if bundle.classifier is None else tuple(bundle.categories or ())

    def contributions(self, request: ContributionsRequest, *, timeout: float | None = 0.0) -> PhotographContributions | Pending:
        """Return what the units of a layer contribute to the answer for a photograph, the top and bottom units, and the ledger.

        Parameters
        ----------
        request : ContributionsRequest
            The photograph, the layer, and the classes. Answers by "weight" and "gradient" come at once, unless they need a mean photograph.

        Raises
        ------
        LayerError
            If there is no such layer, or if the answer does not depend on it.
        ContributionError
            For unknown classes, a method that is not possible for the layer, and a model without a classifier.
        PictureError
            If there is no such image, or it cannot be read.
        """
        snapshot, explained = self._explain(request)
        key = (snapshot.version, "contributions", explained.request)
        analyses = self._analyses
        if (found := self._answers.known(key)) is not None:
            answer: PhotographContributions = found
            return answer
        if explained.request.method == "switch-off" or explained.request.baseline is not None:
            return self._answers.get(key, lambda job: _answer(analyses, explained, job), timeout)
        with self._context.device_lock.request():
            contributions = explained.contributions(JobContext())
        return self._answers.put(key, as_answer(explained, contributions, analyses.known_means(explained.above)))

    def deletion(self, request: ContributionsRequest, *, timeout: float | None = 0.0) -> DeletionCurve | Pending:
        """Return how the answer for a photograph changes as the units are switched off in order of their contributions.

        Raises what `contributions` raises.
        """
        snapshot, explained = self._explain(request)
        plain = replace(explained.request, baseline=None, top=1)
        return self._answers.get((snapshot.version, "deletion", plain), lambda job: _deletion(explained, job), timeout)

    def class_contributions(self, layer: str, target: int, *, timeout: float | None = 0.0) -> ClassContributions | Pending:
        """Return the mean contribution of every unit of a layer to a class, to sort a grid by, with all units of that layer on.

        Exact for a layer with a linear head, over the image set's photographs of the class, by label or else as predicted; for other layers
        gradient x activation over at most 32 of them.

        Raises
        ------
        LayerError
            If there is no such layer, or if the answer does not depend on it.
        ContributionError
            For an unknown class, and for a model without a classifier.
        """
        snapshot, analyses = self._context.snapshot, self._analyses
        above = analyses.with_own_units_on(snapshot, _name_of(layer))
        number = above.target(target).target
        key = (snapshot.version, "class", above.info.name, number)
        return self._answers.get(key, lambda job: analyses.class_contributions(snapshot, above, number, job), timeout)

    def unit_classes(self, layer: str, unit: int, *, timeout: float | None = 0.0) -> UnitClasses | Pending:
        """Return the classes that a unit contributes to and against, with all units of its layer on.

        Exact for a layer with a linear head, over the image set; for other layers by switching the unit off on its strongest activations.

        Raises
        ------
        LayerError
            If there is no such layer or unit, or if the answer does not depend on it.
        ContributionError
            For a model without a classifier.
        ServiceError
            While the index of a layer without a linear head is built.
        """
        snapshot, analyses = self._context.snapshot, self._analyses
        above = analyses.with_own_units_on(snapshot, _name_of(layer))
        number = checked_unit(above, unit)
        if (means := analyses.known_means(above)) is not None:
            return means.unit_classes(number)
        key = (snapshot.version, "unit", above.info.name, number)
        return self._answers.get(key, lambda job: analyses.unit_classes(snapshot, above, number, job), timeout)

    def feeders(self, layer: str, unit: int, *, timeout: float | None = 0.0) -> Feeders | Pending:
        """Return the units of the layer beneath that feed a unit at its strongest activations in the index.

        Raises
        ------
        LayerError
            If there is no such layer or unit, or if its values are no linear function of maps beneath.
        ContributionError
            If the unit is never active, or if the model cannot be traced.
        ServiceError
            While the index of the layer is built.
        """
        snapshot, analyses = self._context.snapshot, self._analyses
        name = snapshot.network.layer(_name_of(layer)).name
        number = integer(unit, "unit", 0)
        key = (snapshot.version, "feeders", name, number)
        return self._answers.get(key, lambda job: analyses.feeders(snapshot, name, number, job), timeout)

    def tree(
        self, layer: str, units: Sequence[int], depth: int = 2, breadth: int = 3, *, timeout: float | None = 0.0
    ) -> FeederTree | Pending:
        """Return what feeds one or more units of a layer: `breadth` units each, `depth` layers down.

        Raises what `feeders` raises for an unknown layer or unit. Where no feeders are known, the tree ends, and its notes say why.
        """
        snapshot, analyses = self._context.snapshot, self._analyses
        info = snapshot.network.layer(_name_of(layer))
        if not isinstance(units, list | tuple) or not units:
            raise ContributionError(f"units must be a list of one or more units, not {describe(units)}.")
        numbers = tuple(integer(unit, "a unit of units", 0, info.channels - 1) for unit in units)
        depth, breadth = _checked_size(depth, breadth)
        roots = [Root(info.short_name, number) for number in numbers]
        key = (snapshot.version, "tree", info.name, numbers, depth, breadth)
        return self._answers.get(key, lambda job: _tree(analyses, snapshot, roots, "", depth, breadth, job), timeout)

    def class_tree(
        self, request: ContributionsRequest, depth: int = 2, breadth: int = 3, *, timeout: float | None = 0.0
    ) -> FeederTree | Pending:
        """Return the tree from the answer for a photograph: its `breadth` top units, and what feeds them.

        Raises what `contributions` raises, and ContributionError if no unit contributes to the answer.
        """
        snapshot, explained = self._explain(request)
        depth, breadth = _checked_size(depth, breadth)
        analyses, plain = self._analyses, replace(explained.request, top=1)
        key = (snapshot.version, "class tree", plain, depth, breadth)
        return self._answers.get(key, lambda job: _class_tree(analyses, explained, depth, breadth, job), timeout)

    def label_of(self, image: str) -> int | None:
        """Return the class that the label of a photograph names, or None. Raises PictureError if there is no such image."""
        snapshot = self._context.snapshot
        return label_of(snapshot, self._context.input_images.get(snapshot, image))

    def file(self, kind: ContributionsFile, request: ContributionsRequest, depth: int = 4, breadth: int = 2) -> bytes:
        """Return a table of all contributions, or the tree of a class with its top activations, as the bytes of a file. It takes seconds.

        Raises
        ------
        ServiceError
            For an unknown kind. Otherwise it raises what `contributions` and `class_tree` raise.
        """
        kind = require_kind(kind)
        if kind == "contributions.csv":
            snapshot, explained = self._explain(request)
            means = self._analyses.means(snapshot, explained.above, JobContext()) if explained.request.baseline is not None else None
            return table_file(explained.contributions(self._context.job_context(never_cancelled), means))
        tree = self.class_tree(request, depth, breadth, timeout=None)
        assert isinstance(tree, FeederTree)
        return tree_file(kind, tree, self._context)

    def tree_file(self, kind: ContributionsFile, layer: str, unit: int, depth: int = 2, breadth: int = 3) -> bytes:
        """Return the tree of what feeds a unit, with the top activations of its units, as the bytes of a file. It takes seconds.

        Raises ServiceError for another kind than "tree.png", "tree.svg" and "tree.pdf". Otherwise it raises what `tree` raises.
        """
        if require_kind(kind) == "contributions.csv":
            raise ServiceError("A tree is saved as tree.png, tree.svg or tree.pdf.")
        tree = self.tree(layer, [unit], depth, breadth, timeout=None)
        assert isinstance(tree, FeederTree)
        return tree_file(kind, tree, self._context)

    def cancel(self) -> None:
        """Stop all computations whose answers are pending."""
        self._answers.cancel()

    def close(self) -> None:
        """Stop all computations."""
        self._answers.cancel()
        self._changed.close()

    def _explain(self, request: ContributionsRequest) -> tuple[Snapshot, Explained]:
        request = checked_request(request)
        self._context.record_request()
        snapshot = self._context.snapshot
        above = self._analyses.above(snapshot, request.layer, request.unchanged)
        image = self._context.input_images.get(snapshot, request.image)
        with self._context.device_lock.request():
            return snapshot, explain(snapshot, above, image, request)


def _answer(analyses: Analyses, explained: Explained, job: JobContext) -> PhotographContributions:
    means = analyses.means(explained.snapshot, explained.above, job) if explained.request.baseline is not None else None
    known = analyses.known_means(explained.above)
    return as_answer(explained, explained.contributions(job, means), known)


def _deletion(explained: Explained, job: JobContext) -> DeletionCurve:
    found = explained.contributions(job, deletion=True).deletion
    assert found is not None
    return found


def _tree(
    analyses: Analyses, snapshot: Snapshot, roots: Sequence[Root], name: str, depth: int, breadth: int, job: JobContext
) -> FeederTree:
    return grow_tree(lambda layer, unit: analyses.feeders(snapshot, layer, unit, job), roots, name, depth, breadth)


def _class_tree(analyses: Analyses, explained: Explained, depth: int, breadth: int, job: JobContext) -> FeederTree:
    means = analyses.means(explained.snapshot, explained.above, job) if explained.request.baseline is not None else None
    found = explained.contributions(job, means)
    return _tree(analyses, explained.snapshot, roots_of(found, breadth), found.describe_target(), depth, breadth, job)


def _name_of(layer: object) -> str:
    return text(layer, "layer", "the name of a layer", LayerError)


def _checked_size(depth: int, breadth: int) -> tuple[int, int]:
    return integer(depth, "depth", 1, MAX_DEPTH), integer(breadth, "breadth", 1, MAX_BREADTH)
