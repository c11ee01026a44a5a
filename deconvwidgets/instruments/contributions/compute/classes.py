"""Which classes a unit contributes to and against, and which units contribute to a class, over photographs of an image set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.compute.class_labels import classes_of_labels
from deconvwidgets.compute.job import JobContext
from deconvwidgets.engine.linear_head import LinearHead
from deconvwidgets.errors import ContributionError, LayerError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.contributions.compute.methods import by_gradient, masked_outputs
from deconvwidgets.instruments.contributions.compute.outputs import OutputsAbove
from deconvwidgets.instruments.contributions.compute.photographs import Photographs
from deconvwidgets.instruments.contributions.records import ClassContributions, ClassSource, UnitClasses

MAX_PHOTOGRAPHS = 1000  # of a mean over an image set
_MAX_OF_CLASS = 32  # photographs of a class, where each needs a gradient
_BATCH = 32
_TITLE = "contributions per class"


@dataclass(frozen=True)
class FeatureMeans:
    """The mean features below a linear head, of all photographs and of those of each class.

    Parameters
    ----------
    above : OutputsAbove
        With a linear head.
    sums : mapping of int to Tensor (C, P) float64
        Sums over the photographs of each class: those that have its label, and, as ~class, those that are predicted as it.
    counts : mapping of int to int
        The numbers of photographs.
    total, photographs : Tensor (C, P) float64, int
        The sum over all photographs, and their number.
    """

    above: OutputsAbove
    sums: Mapping[int, Tensor]
    counts: Mapping[int, int]
    total: Tensor
    photographs: int

    @classmethod
    def of(cls, above: OutputsAbove, images: ImageSet, job: JobContext) -> FeatureMeans:
        """Compute the means over at most 1,000 photographs, evenly spaced in the set."""
        head = _require_head(above)
        sampled = evenly(images, range(images.source_count), MAX_PHOTOGRAPHS)
        labels, photographs = classes_of_labels(above.bundle, sampled), Photographs(above.bundle, sampled)
        sums, counts, total, done = dict[int, Tensor](), dict[int, int](), torch.zeros(head.weight.shape[1:], dtype=torch.float64), 0
        for batch in photographs.batches(job, _TITLE, _BATCH):
            with job.device_lease():
                saved = above.save(batch)
                with torch.no_grad():
                    features, outputs = head.features(saved.maps).cpu().double(), above.outputs(saved)
            predicted = above.predicted(outputs)
            for row, (label, prediction) in enumerate(zip(labels[photographs.sources[done : done + len(batch)]], predicted, strict=True)):
                for key in ([int(label)] if label >= 0 else []) + [~int(prediction)]:
                    sums[key] = sums[key] + features[row] if key in sums else features[row]
                    counts[key] = counts.get(key, 0) + 1
            total += features.sum(dim=0)
            done += len(batch)
        return cls(above, sums, counts, total, done)

    def unit_classes(self, unit: int) -> UnitClasses:
        """Return the mean contribution of a unit to each class."""
        unit = checked_unit(self.above, unit)
        head = _require_head(self.above)
        values = head.weight[:, unit].cpu().double() @ (self.total[unit] / self.photographs)
        return UnitClasses(
            self.above.layer, unit, _centred(self.above, values), "weight", self.photographs, "index", self.above.bundle.categories or ()
        )

    def class_contributions(self, target: int) -> ClassContributions:
        """Return the mean contribution of each unit to a class."""
        chosen = self.above.target(target).target
        over: ClassSource = "labelled" if chosen in self.sums else "predicted" if ~chosen in self.sums else "all"
        key = {"labelled": chosen, "predicted": ~chosen}.get(over)
        mean = self.total / self.photographs if key is None else self.sums[key] / self.counts[key]
        weights = torch.einsum("k,kcp->cp", _direction(self.above, chosen), _require_head(self.above).weight.cpu().double())
        return ClassContributions(
            layer=self.above.layer,
            target=chosen,
            name=self.above.name(chosen),
            values=(weights * mean).sum(dim=1).numpy(),
            method="weight",
            exact=True,
            over=over,
            photographs=self.photographs if key is None else self.counts[key],
        )


def unit_classes_by_switching_off(above: OutputsAbove, inputs: Tensor, unit: int, job: JobContext) -> UnitClasses:
    """Return the mean change of each class's logit when a unit is set to zero in some images (N, C, H, W): its strongest, say."""
    unit = checked_unit(above, unit)
    keep = torch.ones(1, above.units, dtype=torch.bool)
    keep[0, unit] = False
    changes = []
    for image in inputs:
        job.check_cancelled(f"The {_TITLE} were cancelled")
        with job.device_lease(), torch.no_grad():
            saved = above.save(image[None])
            changes.append((above.outputs(saved) - masked_outputs(above, saved, 0, keep)).cpu().double())
    values = torch.cat(changes).mean(dim=0)
    return UnitClasses(above.layer, unit, _centred(above, values), "switch-off", len(inputs), "top", above.bundle.categories or ())


def class_contributions_by_gradient(above: OutputsAbove, images: ImageSet, target: int, job: JobContext) -> ClassContributions:
    """Return the mean of gradient x activation for a class, over at most 32 of its photographs."""
    chosen = above.target(target).target
    over, sampled = _photographs_of(above, images, chosen, job)
    photographs, total = Photographs(above.bundle, sampled), torch.zeros(above.units, dtype=torch.float64)
    for batch in photographs.batches(job, _TITLE, _BATCH):
        with job.device_lease():
            total += by_gradient(above, above.save(batch), _direction(above, chosen)[None])[0].sum(dim=0)
    count = len(photographs.names)
    return ClassContributions(above.layer, chosen, above.name(chosen), (total / count).numpy(), "gradient", False, over, count)


def checked_unit(above: OutputsAbove, unit: object) -> int:
    """Return the number of a unit. Raises LayerError if the layer has none of it."""
    number = as_integer(unit)
    if number is None or not 0 <= number < above.units:
        raise LayerError(f"{above.layer} has {above.units} units, 0 to {above.units - 1}: there is no unit {describe(unit)}.")
    return number


def evenly(images: ImageSet, sources: range | NDArray[np.int64], limit: int) -> ImageSet:
    """Return an image set of at most `limit` of the given photographs, evenly spaced."""
    chosen = np.asarray(sources)
    if len(chosen) > limit:
        chosen = chosen[np.linspace(0, len(chosen) - 1, limit).round().astype(int)]
    return images if len(chosen) == images.source_count else images.subset(chosen.tolist())


def _photographs_of(above: OutputsAbove, images: ImageSet, target: int, job: JobContext) -> tuple[ClassSource, ImageSet]:
    """Return photographs of a class: by label, else as predicted, else any."""
    labelled = np.flatnonzero(classes_of_labels(above.bundle, images) == target)
    if len(labelled):
        return "labelled", evenly(images, labelled, _MAX_OF_CLASS)
    sampled = evenly(images, range(images.source_count), MAX_PHOTOGRAPHS)
    photographs, predicted = Photographs(above.bundle, sampled), list[int]()
    for batch in photographs.batches(job, _TITLE, _BATCH):
        with job.device_lease(), torch.no_grad():
            predicted += above.predicted(above.outputs(above.save(batch))).tolist()
    found = np.array(photographs.sources)[np.array(predicted) == target]
    if len(found):
        return "predicted", evenly(sampled, found, _MAX_OF_CLASS)
    return "all", evenly(images, range(images.source_count), _MAX_OF_CLASS)


def _direction(above: OutputsAbove, target: int) -> Tensor:
    """Return the direction of a class, minus the mean over classes that exclude each other."""
    direction = above.target(target).direction
    return direction - direction.mean() if above.quantity.task == "softmax" else direction


def _centred(above: OutputsAbove, values: Tensor) -> NDArray[np.float64]:
    """Return values of all classes, minus their mean if the classes exclude each other; of one output, of both classes."""
    if above.quantity.task == "binary":
        values = torch.stack([-values[0], values[0]])
    centred: NDArray[np.float64] = (values - values.mean() if above.quantity.task == "softmax" else values).numpy()
    return centred


def _require_head(above: OutputsAbove) -> LinearHead:
    if above.head is None:
        raise ContributionError(f"The outputs do not depend linearly on {above.layer}: {above.reason}.")
    return above.head
