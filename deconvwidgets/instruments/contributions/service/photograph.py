"""What the units of a layer contribute to the answer for one photograph, as a widget shows it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import describe, flag, instance, integer, one_of
from deconvwidgets.compute.class_labels import classes_of_labels
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine.layer_cut import CutValues
from deconvwidgets.errors import ContributionError
from deconvwidgets.instruments.contributions.compute.classes import FeatureMeans
from deconvwidgets.instruments.contributions.compute.contributions import METHODS, ContributionRun, chosen_method
from deconvwidgets.instruments.contributions.compute.outputs import OutputsAbove
from deconvwidgets.instruments.contributions.records import ContributionsRequest, PhotographContributions, UnitContribution
from deconvwidgets.instruments.contributions.unit_contributions import UnitContributions
from deconvwidgets.service.input_images import InputImage
from deconvwidgets.service.snapshot import Snapshot

_MAX_TOP = 200
_MAX_CLASSES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """A photograph, the cut model, and the request with every default resolved.

    Parameters
    ----------
    snapshot : Snapshot
    above : OutputsAbove
    image : InputImage
    request : ContributionsRequest
    saved : CutValues
        What crosses the cut for the photograph.
    outputs : Tensor (1, K)
    probabilities : ndarray of shape (classes,)
    """

    snapshot: Snapshot
    above: OutputsAbove
    image: InputImage
    request: ContributionsRequest
    saved: CutValues
    outputs: Tensor
    probabilities: NDArray[np.float64]

    @property
    def predicted(self) -> int:
        """The most probable class; of a regression, the target."""
        if self.above.quantity.kind == "value":
            return self.request.target or 0
        return int(self.probabilities.argmax())

    def contributions(self, job: JobContext, means: FeatureMeans | None = None, *, deletion: bool = False) -> UnitContributions:
        """Return the contributions; with `means`, against the mean photograph."""
        request = self.request
        assert request.method != "auto"
        run = ContributionRun(self.above, request.method, request.target, request.against, deletion=deletion)
        found = run.of_saved(self.saved, self.outputs, self.image.caption, job)
        if means is None or self.above.head is None:
            return found
        assert run.target is not None
        weights = torch.einsum("k,kcp->cp", run.target.direction, self.above.head.weight.cpu().double())
        mean = (weights * (means.total / means.photographs)).sum(dim=1).numpy()
        return replace(found, contributions=found.contributions - mean, rest=found.rest + mean.sum(), baseline=mean)


def explain(snapshot: Snapshot, above: OutputsAbove, image: InputImage, request: ContributionsRequest) -> Explained:
    """Resolve the defaults of a request.

    Raises
    ------
    ContributionError
        For unknown classes, a method that is not possible, or an invalid baseline.
    ServiceError
        For a number of units out of range.
    """
    with torch.no_grad():
        saved = above.save(to_model(image.pixels[None], above.bundle.model))
        outputs = above.outputs(saved)
    target = int(above.predicted(outputs)[0]) if request.target is None else request.target
    resolved = above.target(target, request.against)
    method = chosen_method(above, request.method)
    if request.baseline is not None and method != "weight":
        raise ContributionError(f"A baseline is for method='weight', of which the mean photograph has contributions, not for {method!r}.")
    complete = replace(request, layer=above.layer, target=resolved.target, against=resolved.against, method=method)
    return Explained(snapshot, above, image, complete, saved, outputs, above.scores(outputs)[0])


def checked_request(request: object) -> ContributionsRequest:
    """Return a request of valid types. Raises ServiceError or ContributionError otherwise."""
    checked = instance(request, ContributionsRequest, "request")
    one_of(checked.method, "method", METHODS, ContributionError)
    if checked.baseline is not None and not (isinstance(checked.baseline, str) and checked.baseline == "mean"):
        raise ContributionError(f"baseline must be 'mean' or None, not {describe(checked.baseline)}.")
    flag(checked.unchanged, "unchanged")
    return replace(checked, top=integer(checked.top, "top", 1, _MAX_TOP))


def as_answer(explained: Explained, found: UnitContributions, means: FeatureMeans | None) -> PhotographContributions:
    """Return the contributions as a widget shows them; `means` say which classes a unit contributes to, if they are known."""
    values, top = found.contributions[0], explained.request.top
    order = np.argsort(-values, kind="stable")
    best = [unit for unit in order[:top].tolist() if values[unit] > 0]
    worst = [unit for unit in order[::-1][:top].tolist() if values[unit] < 0]
    return PhotographContributions(
        request=explained.request,
        method=found.method,
        exact=found.exact,
        closes=found.closes,
        values=values,
        top=tuple(_row(explained, found, unit, means) for unit in best),
        bottom=tuple(_row(explained, found, unit, means) for unit in worst),
        ledger=found.ledger(len(best)),
        predicted=explained.predicted,
        label=label_of(explained.snapshot, explained.image),
        names=explained.above.bundle.categories or (),
        probabilities=explained.probabilities,
        note=_note(explained, found),
    )


def label_of(snapshot: Snapshot, image: InputImage) -> int | None:
    """Return the class that the label of a photograph names, or None."""
    if image.source is None or image.label is None:
        return None
    label = int(classes_of_labels(snapshot.bundle, snapshot.images.subset([image.source]))[0])
    return label if label >= 0 else None


def _row(explained: Explained, found: UnitContributions, unit: int, means: FeatureMeans | None) -> UnitContribution:
    info, index = explained.above.info, explained.snapshot.index
    row, column = found.positions[0, unit].tolist()
    maximum = float(index.stats(info.name).maximum[unit]) if index is not None and explained.snapshot.has(info.name) else None
    names = explained.above.bundle.categories or ()
    classes = () if means is None else means.unit_classes(unit).strongest(_MAX_CLASSES)
    return UnitContribution(
        unit=unit,
        value=float(found.contributions[0, unit]),
        for_target=None if found.for_target is None else float(found.for_target[0, unit]),
        for_against=None if found.for_against is None else float(found.for_against[0, unit]),
        activation=float(found.activations[0, unit]),
        maximum=maximum,
        row=row,
        column=column,
        box=explained.above.bundle.network.box(info.name, row, column),
        contributes_to=tuple(names[label] for label, _ in classes),
    )


def _note(explained: Explained, found: UnitContributions) -> str:
    above = explained.above
    if found.method == "weight":
        return f"Exact: weight x activation. The outputs depend linearly on {above.layer}."
    if found.method == "gradient":
        return f"An approximation: gradient x activation, because for {above.layer} {above.reason}."
    return (
        f"Exact for each unit alone: the change when it is switched off. The sum differs from the output, because for {above.layer} "
        f"{above.reason}."
    )
