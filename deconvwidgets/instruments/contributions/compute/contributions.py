"""What each unit of a layer contributes to an answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from deconvwidgets.arguments import describe, flag, one_of
from deconvwidgets.compute.inputs import ImageInputs
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine.layer_cut import CutValues
from deconvwidgets.errors import ContributionError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.contributions.compute.deletion import DeletionRun
from deconvwidgets.instruments.contributions.compute.methods import by_gradient, by_switching_off, by_weight
from deconvwidgets.instruments.contributions.compute.outputs import OutputsAbove, Target, prepared_bundle
from deconvwidgets.instruments.contributions.compute.photographs import Photographs
from deconvwidgets.instruments.contributions.unit_contributions import ContributionMethod, MethodChoice, UnitContributions
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.images import SkippedImage

METHODS = ("auto", "weight", "gradient", "switch-off")
_BATCH = 16
_TITLE = "contributions"


@dataclass
class _Collected:
    """The values of all photographs so far."""

    contributions: list[Tensor] = field(default_factory=list)  # (D, N, C)
    outputs: list[Tensor] = field(default_factory=list)  # (D, N)
    activations: list[Tensor] = field(default_factory=list)  # (N, C)
    positions: list[Tensor] = field(default_factory=list)  # (N, C, 2)


def unit_contributions(
    bundle: ModelBundle,
    images: ImageSet | ImageInputs,
    layer: str,
    target: int | str | None = None,
    against: int | str | None = None,
    method: MethodChoice = "auto",
    *,
    baseline: str | ImageSet | None = None,
    deletion: bool = False,
    dtype: str = "model",
    device: str = "auto",
    progress: bool = False,
    job: JobContext | None = None,
) -> UnitContributions:
    """Return what each unit of a layer contributes to the logit of a class, or to the difference of the logits of two classes.

    It answers which units drive an answer: for one photograph, for a class (the mean over its photographs), and for a pair of classes
    (why A, and not B). Source: "weight" sums the terms of class activation maps over positions (Zhou et al. 2016, section 2).

    Parameters
    ----------
    bundle : ModelBundle
        The model, with a classifier (or a regression, of which an output is explained).
    images : ImageSet, image, or sequence of images
        One photograph, several, or an image set, each photograph of which is represented by its first crop.
    layer : str
        Name or alias.
    target : int or str, optional
        The class, or the output of a regression, by number or name. By default the predicted class, for one photograph.
    against : int or str, optional
        A second class: contributions are to the logit of the target minus its logit.
    method : {"auto", "weight", "gradient", "switch-off"}
        - "weight": weight x activation. It needs a layer on which the outputs depend linearly, with pooling of each unit between.
          Contributions and the bias add up to the output, which is checked.
        - "switch-off": the output minus the output with the unit's map set to zero, exactly. Only what lies above the layer is run again.
          Units that act together make the sum differ from the output.
        - "gradient": gradient x activation, summed over positions: an approximation of "switch-off", fast for any layer.
        - "auto": "weight" where that is possible, else "switch-off".
    baseline : "mean" or ImageSet, optional
        With "weight": subtract the contributions of the mean photograph of `images`, or of another image set. The features of a trained
        head are often centred, so that its biases are large; against a mean photograph, the rest is small.
    deletion : bool
        Also compute a deletion curve: how the answer changes as units are switched off in this order, by activation, and at random.
    dtype : {"model", "float64"}
        "float64" computes with a copy of the model in double precision.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show a progress bar.
    job : JobContext, optional
        Progress and cancellation.

    Returns
    -------
    UnitContributions
        Contributions (photographs, units), float64.

    Raises
    ------
    LayerError
        If there is no such layer, or if the answer does not depend on it.
    ContributionError
        For unknown classes, a method that is not possible for the layer, an invalid baseline, and a model without a classifier.
    PictureError
        If an image cannot be read or used.
    ModelError
        If the model does not return outputs (N, classes).
    JobCancelledError
        If the job is cancelled.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> photograph = dw.open_images("photos").open_source(0)
    >>> found = dw.unit_contributions(dw.load_model("alexnet"), photograph, "pool5")
    >>> found.method, found.contributions.shape
    ('weight', (1, 256))
    >>> ledger = found.ledger(top=5)
    >>> abs(sum(ledger.values) + ledger.others + ledger.rest - ledger.output) < 1e-9
    True
    """
    one_of(method, "method", METHODS, ContributionError)
    deletion, progress = flag(deletion, "deletion", ContributionError), flag(progress, "progress", ContributionError)
    above = OutputsAbove(prepared_bundle(bundle, device, dtype), layer)
    photographs = Photographs(above.bundle, images)
    chosen = chosen_method(above, method)
    base = _checked_baseline(baseline, chosen, photographs.total)
    if target is None and photographs.total > 1:
        raise ContributionError("Pass target=..., the class to explain: its default is the predicted class of one photograph.")
    with as_job(job).progress_bar(_TITLE, "photograph", photographs.total, progress) as context:
        run = ContributionRun(above, chosen, target, against, deletion=deletion)
        found = run.collect(photographs, context)
        if base is None:
            return found
        mean = found.mean if isinstance(base, str) else run.fresh().collect(Photographs(above.bundle, base), context).mean
    return replace(found, contributions=found.contributions - mean, rest=found.rest + mean.sum(), baseline=mean)


class ContributionRun:
    """Computes the contributions for photographs.

    Parameters
    ----------
    above : OutputsAbove
    method : {"weight", "gradient", "switch-off"}
    target, against : int, str or None
        None: the predicted class of the first photograph.
    deletion : bool
        Whether a deletion curve is computed as well.
    """

    def __init__(
        self, above: OutputsAbove, method: ContributionMethod, target: object, against: object = None, *, deletion: bool = False
    ) -> None:
        self.above, self.method, self.deletion = above, method, deletion
        self.target: Target | None = None if target is None else above.target(target, against)
        self._against = against

    def fresh(self) -> ContributionRun:
        """Return a run for other photographs and the same classes, without a deletion curve."""
        assert self.target is not None
        return ContributionRun(self.above, self.method, self.target.target, self.target.against)

    def collect(self, photographs: Photographs, job: JobContext) -> UnitContributions:
        """Return the contributions for all photographs."""
        collected, saved_parts = _Collected(), list[CutValues]()
        for batch in photographs.batches(job, _TITLE, _BATCH):
            with job.device_lease():
                saved = self.above.save(batch)
                with torch.no_grad():
                    outputs = self.above.outputs(saved)
            if self.target is None:
                self.target = self.above.target(int(self.above.predicted(outputs)[0]), self._against)
            self._add(collected, saved, outputs, job)
            if self.deletion:
                saved_parts.append(saved)
        return self._complete(self._record(collected, photographs.names, photographs.skipped), saved_parts, job)

    def of_saved(self, saved: CutValues, outputs: Tensor, name: str, job: JobContext) -> UnitContributions:
        """Return the contributions for one photograph that was run already."""
        collected = _Collected()
        self._add(collected, saved, outputs, job)
        return self._complete(self._record(collected, [name], []), [saved], job)

    def _complete(self, found: UnitContributions, saved_parts: list[CutValues], job: JobContext) -> UnitContributions:
        if not self.deletion:
            return found
        return replace(found, deletion=DeletionRun(self.above, self._target, found.mean).curve(saved_parts, job))

    @property
    def _target(self) -> Target:
        assert self.target is not None
        return self.target

    def _add(self, collected: _Collected, saved: CutValues, outputs: Tensor, job: JobContext) -> None:
        directions = torch.stack(list(self._target.parts or (self._target.direction,)))
        explained = outputs.detach().cpu().double() @ directions.T
        collected.contributions.append(self._contributions(saved, outputs, directions, job))
        collected.outputs.append(explained.T)
        values, flat = saved.maps.reshape(*saved.maps.shape[:2], -1).cpu().double().max(dim=2)
        columns = saved.maps.shape[3] if saved.maps.dim() == 4 else 1
        collected.activations.append(values)
        collected.positions.append(torch.stack([flat // columns, flat % columns], dim=2))

    def _contributions(self, saved: CutValues, outputs: Tensor, directions: Tensor, job: JobContext) -> Tensor:
        """Return the contributions (D, N, C)."""
        if self.method == "switch-off":
            return torch.stack([change @ directions.T for change in by_switching_off(self.above, saved, outputs, job)]).permute(2, 0, 1)
        with job.device_lease():
            if self.method == "gradient":
                return by_gradient(self.above, saved, directions)
            assert self.above.head is not None
            found = by_weight(self.above.head, saved.maps, directions)
            self._check_sum(found, outputs, directions)
            return found

    def _check_sum(self, contributions: Tensor, outputs: Tensor, directions: Tensor) -> None:
        """Raise ContributionError if contributions and bias do not add up to the outputs."""
        assert self.above.head is not None
        bias = directions @ self.above.head.bias.cpu().double()
        total = contributions.sum(dim=2) + bias[:, None]
        size = contributions.abs().sum(dim=2) + bias.abs()[:, None]
        error = float(((total - (outputs.cpu().double() @ directions.T).T).abs() / size.clamp(min=1e-30)).max())
        if error > self.above.tolerance(outputs):
            raise ContributionError(
                f"The contributions of the units of {self.above.layer} miss the outputs of {self.above.bundle.name} by {error:.1e} of "
                "their size, so the outputs do not depend linearly on the layer: use method='switch-off'."
            )

    def _record(self, collected: _Collected, names: list[str], skipped: list[SkippedImage]) -> UnitContributions:
        parts, outputs = torch.cat(collected.contributions, dim=1).numpy(), torch.cat(collected.outputs, dim=1).numpy()
        paired = self._target.parts is not None
        contributions = parts[0] - parts[1] if paired else parts[0]
        explained = outputs[0] - outputs[1] if paired else outputs[0]
        return UnitContributions(
            layer=self.above.layer,
            method=self.method,
            exact=self.method != "gradient",
            closes=self.method == "weight",
            target=self._target.target,
            against=self._target.against,
            contributions=contributions,
            activations=torch.cat(collected.activations).numpy(),
            positions=torch.cat(collected.positions).numpy().astype(np.int64),
            outputs=explained,
            rest=explained - contributions.sum(axis=1),
            for_target=parts[0] if paired else None,
            for_against=parts[1] if paired else None,
            names=tuple(names),
            categories=self.above.bundle.categories or (),
            quantity=self.above.quantity,
            skipped=tuple(skipped),
        )


def chosen_method(above: OutputsAbove, method: MethodChoice) -> ContributionMethod:
    """Return the method that "auto" means for a layer. Raises ContributionError if "weight" is not possible for it."""
    if method == "auto":
        return "switch-off" if above.head is None else "weight"
    if method == "weight" and above.head is None:
        raise ContributionError(
            f"method='weight' is for layers on which the outputs depend linearly, but for {above.layer} of {above.bundle.name} "
            f"{above.reason}: use method='switch-off', which is exact, or 'gradient'."
        )
    return method


def _checked_baseline(baseline: object, method: ContributionMethod, photographs: int) -> str | ImageSet | None:
    if baseline is None:
        return None
    if not isinstance(baseline, ImageSet) and not (isinstance(baseline, str) and baseline == "mean"):
        raise ContributionError(f"baseline must be 'mean', an image set, or None, not {describe(baseline)}.")
    if method != "weight":
        raise ContributionError(f"A baseline is for method='weight', of which the mean photograph has contributions, not for {method!r}.")
    if isinstance(baseline, str) and photographs < 2:
        raise ContributionError("baseline='mean' of one photograph is the photograph itself: pass the image set whose mean it is.")
    return baseline
